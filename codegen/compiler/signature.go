package compiler

import (
	"errors"
	"fmt"
	"regexp"

	"nestling/mlir"
	"nestling/program"
)

// alignment of every buffer of the C interface, in bytes: a cache line and a
// 512-bit vector.
const alignment = 64

// tensor is one argument or result of a function.
type tensor struct {
	shape    []int
	weight   bool // marked nestling.weight by the user
	prepared bool // computed by the function that runs once
	number   int  // which argument of the program it is
}

func (t tensor) bytes() int64 {
	n := int64(4)
	for _, d := range t.shape {
		n *= int64(d)
	}
	return n
}

// signature is a function's interface: arguments and results in order.
type signature struct {
	symbol    string
	arguments []tensor
	results   []tensor
}

// identifier is a name in C that may begin another.
var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// readSignature reads the interface of a function on ranked static f32 tensors.
func readSignature(f mlir.Operation) (signature, error) {
	name, _ := f.Attribute("sym_name")
	symbol, _ := name.Text()
	s := signature{symbol: symbol}
	if !identifier.MatchString(symbol) {
		return s, fmt.Errorf("%s: func.func @%q: the functions of the object file are named after it, so it must be a name in C: letters, digits and _", f.Location(), symbol)
	}
	a, ok := f.Attribute("function_type")
	if !ok {
		return s, fmt.Errorf("%s: function @%s has no type", f.Location(), symbol)
	}
	ft, _ := a.TypeValue()
	var attributes []mlir.Attribute
	if a, ok := f.Attribute("arg_attrs"); ok {
		attributes = a.Elements()
	}
	for i, t := range ft.Inputs() {
		shape, err := floatTensor(t)
		if err != nil {
			return s, fmt.Errorf("%s: func.func @%s: argument %d: %w", f.Location(), symbol, i, err)
		}
		argument := tensor{shape: shape, number: i}
		if i < len(attributes) {
			argument.readAttributes(attributes[i])
		}
		s.arguments = append(s.arguments, argument)
	}
	for i, t := range ft.Results() {
		shape, err := floatTensor(t)
		if err != nil {
			return s, fmt.Errorf("%s: func.func @%s: result %d: %w", f.Location(), symbol, i, err)
		}
		s.results = append(s.results, tensor{shape: shape})
	}
	return s, nil
}

// readAttributes reads what an argument's attributes say of it.
func (t *tensor) readAttributes(attributes mlir.Attribute) {
	_, t.weight = attributes.Lookup("nestling.weight")
	_, t.prepared = attributes.Lookup(program.AttributePrepared)
	if n, ok := attributes.Lookup(program.AttributeArgument); ok {
		number, _ := n.Integer()
		t.number = int(number)
	}
}

// floatTensor checks that a type is a ranked static f32 tensor and returns its shape.
func floatTensor(t mlir.Type) ([]int, error) {
	if !t.IsTensor() {
		return nil, fmt.Errorf("type %s is not supported; expected a ranked tensor of f32", t)
	}
	if !t.Element().IsF32() {
		return nil, fmt.Errorf("element type %s in %s is not supported; expected f32", t.Element(), t)
	}
	shape, static := t.Shape()
	if !static {
		return nil, fmt.Errorf("dynamic shape %s is not supported; give every dimension a size", t)
	}
	for _, d := range shape {
		if d == 0 {
			return nil, errors.New("a tensor without elements is not supported")
		}
	}
	return shape, nil
}

func align(n int64) int64 { return (n + alignment - 1) / alignment * alignment }
