package compiler

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"nestling/mlir"
	"nestling/program"
)

// Analyse reads a module of linalg operations on ranked f32 tensors: one
// function, whose operations may also be tensor.empty, tensor.pad,
// tensor.extract_slice, tensor.insert_slice, tensor.collapse_shape,
// tensor.expand_shape and arith.constant. filename is used in messages.
func (c *Compiler) Analyse(source []byte, filename string) (*program.Program, error) {
	m, err := c.context.Parse(string(source), filename)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	f, err := function(m, filename)
	if err != nil {
		return nil, err
	}
	s, err := readSignature(f)
	if err != nil {
		return nil, err
	}
	if len(s.results) == 0 {
		return nil, fmt.Errorf("%s: func.func @%s returns nothing; expected at least one tensor", f.Location(), s.symbol)
	}
	if err := checkOperations(f); err != nil {
		return nil, err
	}
	kinds, err := c.normalise(m)
	if err != nil {
		return nil, err
	}
	a := &analysis{context: c.context, values: map[mlir.Value]int{}, counters: map[string]int{},
		program: &program.Program{Name: s.symbol}}
	if err := a.function(f, s, kinds); err != nil {
		return nil, err
	}
	p := a.program
	p.Module = program.Print(p)
	sum := sha256.Sum256([]byte(p.Module))
	p.Hash = hex.EncodeToString(sum[:])
	return p, nil
}

// understood are the operations of a function besides structured linalg ones.
var understood = []string{"tensor.empty", "tensor.pad", "tensor.extract_slice", "tensor.insert_slice",
	"tensor.collapse_shape", "tensor.expand_shape", "arith.constant", "func.return"}

// checkOperations refuses what cannot be analysed, naming operation and place.
func checkOperations(f mlir.Operation) error {
	structured := 0
	for _, op := range f.Body().Operations() {
		if isStructured(op) || op.Name() == "linalg.softmax" {
			structured++
			continue
		}
		if !slices.Contains(understood, op.Name()) {
			return fmt.Errorf("%s: operation %s is not supported; a program is made of linalg operations on tensors and %s",
				op.Location(), op.Name(), strings.Join(understood, ", "))
		}
		for _, r := range op.Results() {
			if err := checkValueType(r.Type()); err != nil && op.Name() != "arith.constant" {
				return fmt.Errorf("%s: %s: %w", op.Location(), op.Name(), err)
			}
		}
	}
	if structured == 0 {
		return fmt.Errorf("%s: the function has no linalg operation; expected a program of linalg operations on tensors", f.Location())
	}
	return nil
}

func checkValueType(t mlir.Type) error {
	if t.IsF32() {
		return nil
	}
	_, err := floatTensor(t)
	return err
}

// analysis is the reading of one function, under way.
type analysis struct {
	context  *mlir.Context
	program  *program.Program
	values   map[mlir.Value]int
	counters map[string]int // how often a short name was given
}

// add registers a value and returns its index.
func (a *analysis) add(raw mlir.Value, v program.Value) int {
	index := len(a.program.Values)
	a.program.Values = append(a.program.Values, v)
	a.values[raw] = index
	return index
}

func (a *analysis) function(f mlir.Operation, s signature, kinds []string) error {
	for i, raw := range f.Body().Arguments() {
		index := a.add(raw, program.Value{Kind: program.ValueArgument, Shape: s.arguments[i].shape, Arg: i, Weight: s.arguments[i].weight})
		a.program.Args = append(a.program.Args, index)
	}
	for _, op := range f.Body().Operations() {
		var err error
		switch {
		case isStructured(op):
			err = a.structured(op, kinds[len(a.program.Ops)])
		case op.Name() == "func.return":
			for _, v := range op.Operands() {
				a.program.Results = append(a.program.Results, a.values[v])
			}
		default:
			err = a.tensorOperation(op)
		}
		if err != nil {
			return err
		}
	}
	a.program.Link()
	return nil
}

// tensorOperation reads a constant or an operation that only moves elements.
func (a *analysis) tensorOperation(op mlir.Operation) error {
	v := program.Value{}
	operands := op.Operands()
	if t := op.Result(0).Type(); t.IsTensor() {
		v.Shape, _ = t.Shape()
	}
	switch op.Name() {
	case "arith.constant":
		return a.constant(op, v)
	case "tensor.empty":
		v.Kind = program.ValueEmpty
	case "tensor.collapse_shape", "tensor.expand_shape":
		v.Kind, v.Base = program.ValueReshape, a.values[operands[0]]
	case "tensor.extract_slice":
		v.Kind, v.Base = program.ValueSlice, a.values[operands[0]]
	case "tensor.insert_slice":
		v.Kind, v.Source, v.Base = program.ValueInsert, a.values[operands[0]], a.values[operands[1]]
	}
	if v.Kind == program.ValueSlice || v.Kind == program.ValueInsert {
		if err := readSlice(op, &v); err != nil {
			return err
		}
	}
	v.Weight = v.Kind != program.ValueEmpty && a.program.Values[v.Base].Weight &&
		(v.Kind != program.ValueInsert || a.program.Values[v.Source].Weight)
	a.add(op.Result(0), v)
	return nil
}

// readSlice reads where a slice lies. Slices that drop dimensions are refused.
func readSlice(op mlir.Operation, v *program.Value) error {
	offsets, _ := op.Attribute("static_offsets")
	strides, _ := op.Attribute("static_strides")
	sizes, _ := op.Attribute("static_sizes")
	v.Offsets, _ = offsets.Integers64()
	v.Strides, _ = strides.Integers64()
	extent, _ := sizes.Integers64()
	operands := op.Operands()
	dynamic := len(operands) > 1
	part := op.Result(0).Type()
	if op.Name() == "tensor.insert_slice" {
		dynamic = len(operands) > 2
		part = operands[0].Type()
	}
	if dynamic {
		return fmt.Errorf("%s: %s with dynamic offsets or sizes is not supported", op.Location(), op.Name())
	}
	if shape, _ := part.Shape(); !slices.Equal(shape, extent) {
		return fmt.Errorf("%s: %s that drops dimensions is not supported; use tensor.collapse_shape", op.Location(), op.Name())
	}
	return nil
}

func (a *analysis) constant(op mlir.Operation, v program.Value) error {
	value, _ := op.Attribute("value")
	v.Kind, v.Weight = program.ValueConstant, true
	if number, ok := value.Float(); ok {
		v.IsSplat, v.Scalar, v.Splat = true, true, float32(number)
		a.add(op.Result(0), v)
		return nil
	}
	if err := checkValueType(op.Result(0).Type()); err != nil {
		// Index constants and the like are harmless unless a tensor operation
		// uses them, which is reported there.
		return nil
	}
	var err error
	if v.Splat, v.IsSplat, v.Data, err = value.DenseFloats(v.Elements()); err != nil {
		return fmt.Errorf("%s: %w", op.Location(), err)
	}
	a.add(op.Result(0), v)
	return nil
}
