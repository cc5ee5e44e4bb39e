package compiler

import (
	"fmt"

	"nestling/mlir"
)

// loadScalars replaces vectors that are loaded only to be taken apart, element by
// element, by loads of those elements: a processor broadcasts a number from memory
// to all lanes for nothing, and LLVM need not find that out.
func (j *job) loadScalars() error {
	var loads []mlir.Operation
	for _, op := range j.module.Operation().Nested() {
		if op.Name() == "vector.load" && takenApart(op) {
			loads = append(loads, op)
		}
	}
	for _, load := range loads {
		for _, user := range load.Result(0).Uses() {
			if err := j.loadScalar(load, user); err != nil {
				return err
			}
		}
		load.Erase()
	}
	return nil
}

// takenApart reports whether every use of a loaded vector takes one element.
// (A vector without dimensions has nothing to index.)
func takenApart(load mlir.Operation) bool {
	if shape, _ := load.Result(0).Type().Shape(); len(shape) != 1 {
		return false
	}
	uses := load.Result(0).Uses()
	for _, user := range uses {
		if user.Name() != "vector.extract" || len(user.Operands()) != 1 || user.Result(0).Type().IsVector() {
			return false
		}
	}
	return len(uses) > 0
}

// loadScalar replaces the extraction of an element from a loaded vector.
func (j *job) loadScalar(load, extract mlir.Operation) error {
	c := j.compiler.context
	position, _ := extract.Attribute("static_position")
	at, _ := position.Integers64()
	operands := load.Operands() // the buffer and its indices
	last := len(operands) - 1
	value, err := c.ParseAttribute(fmt.Sprintf("%d : index", at[len(at)-1]))
	if err != nil {
		return err
	}
	offset, err := c.Create("arith.constant", nil, []mlir.Type{operands[last].Type()}, []mlir.Named{{Name: "value", Value: value}}, 0)
	if err != nil {
		return err
	}
	index, err := c.Create("arith.addi", []mlir.Value{operands[last], offset.Result(0)}, []mlir.Type{operands[last].Type()}, nil, 0)
	if err != nil {
		return err
	}
	scalar, err := c.Create("memref.load", append(operands[:last:last], index.Result(0)), []mlir.Type{extract.Result(0).Type()}, nil, 0)
	if err != nil {
		return err
	}
	for _, op := range []mlir.Operation{offset, index, scalar} {
		load.Block().InsertBefore(load, op)
	}
	extract.Result(0).ReplaceAllUses(scalar.Result(0))
	extract.Erase()
	return nil
}
