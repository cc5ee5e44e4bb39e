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
	index, err := offset(c, load, operands[last], at[len(at)-1])
	if err != nil {
		return err
	}
	scalar, err := c.Create("memref.load", append(operands[:last:last], index), []mlir.Type{extract.Result(0).Type()}, nil, 0)
	if err != nil {
		return err
	}
	load.Block().InsertBefore(load, scalar)
	extract.Result(0).ReplaceAllUses(scalar.Result(0))
	extract.Erase()
	return nil
}

// offset computes, before an operation, an index that lies so many further on.
func offset(c *mlir.Context, before mlir.Operation, index mlir.Value, by int) (mlir.Value, error) {
	attributes, err := parsed(c, [][2]string{{"value", fmt.Sprintf("%d : index", by)}})
	if err != nil {
		return mlir.Value{}, err
	}
	constant, err := c.Create("arith.constant", nil, []mlir.Type{index.Type()}, attributes, 0)
	if err != nil {
		return mlir.Value{}, err
	}
	sum, err := c.Create("arith.addi", []mlir.Value{index, constant.Result(0)}, []mlir.Type{index.Type()}, nil, 0)
	if err != nil {
		return mlir.Value{}, err
	}
	before.Block().InsertBefore(before, constant)
	before.Block().InsertBefore(before, sum)
	return sum.Result(0), nil
}

// parsed reads attributes from pairs of a name and a text in MLIR's syntax.
func parsed(c *mlir.Context, pairs [][2]string) ([]mlir.Named, error) {
	var out []mlir.Named
	for _, p := range pairs {
		value, err := c.ParseAttribute(p[1])
		if err != nil {
			return nil, err
		}
		out = append(out, mlir.Named{Name: p[0], Value: value})
	}
	return out, nil
}
