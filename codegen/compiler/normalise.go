package compiler

import (
	"fmt"
	"strings"

	"nestling/mlir"
)

// padScript rewrites tensor.pad as a fill and an insertion of the source.
const padScript = `module attributes {transform.with_named_sequence} {
  transform.named_sequence @pads(%m: !transform.any_op {transform.readonly}) {
    %p = transform.structured.match ops{["tensor.pad"]} in %m : (!transform.any_op) -> !transform.any_op
    %q = transform.structured.rewrite_in_destination_passing_style %p : (!transform.any_op) -> !transform.any_op
    transform.yield
  }
}`

// normalise brings a module into the one form that schedules apply to: padding
// written out as a fill and a copy, every linalg operation a linalg.generic. It
// returns the operations' original names, in order.
func (c *Compiler) normalise(m *mlir.Module) ([]string, error) {
	if err := c.rewritePads(m); err != nil {
		return nil, err
	}
	var kinds []string
	for _, op := range m.Operation().Nested() {
		if isStructured(op) {
			kinds = append(kinds, op.Name())
		}
	}
	return kinds, m.Run("builtin.module(func.func(linalg-generalize-named-ops))")
}

// isStructured tells a linalg operation with access maps from linalg.yield and
// the like.
func isStructured(op mlir.Operation) bool {
	if !strings.HasPrefix(op.Name(), "linalg.") || op.Name() == "linalg.yield" || op.Name() == "linalg.index" {
		return false
	}
	_, ok := op.IndexingMaps()
	return ok
}

// rewritePads writes every tensor.pad out: fill, then a copy into the middle.
// The copy is an operation of its own, so that it can be scheduled.
func (c *Compiler) rewritePads(m *mlir.Module) error {
	pads := 0
	before := map[mlir.Operation]bool{}
	for _, op := range m.Operation().Nested() {
		switch op.Name() {
		case "tensor.pad":
			pads++
		case "tensor.insert_slice":
			before[op] = true
		}
	}
	if pads == 0 {
		return nil
	}
	script, err := c.context.Parse(padScript, "pads.mlir")
	if err != nil {
		return err
	}
	defer script.Close()
	if err := m.Apply(script, "pads"); err != nil {
		return err
	}
	for _, op := range m.Operation().Nested() {
		if op.Name() == "tensor.insert_slice" && !before[op] {
			if err := c.insertByCopy(op); err != nil {
				return err
			}
		}
	}
	return nil
}

// insertByCopy makes an insertion's source a linalg.copy into the slice it goes to.
func (c *Compiler) insertByCopy(insert mlir.Operation) error {
	operands := insert.Operands()
	source, destination := operands[0], operands[1]
	if len(operands) > 2 {
		return fmt.Errorf("%s: tensor.pad with dynamic sizes is not supported; give every padding a number", insert.Location())
	}
	var attributes []mlir.Named
	for _, name := range []string{"static_offsets", "static_sizes", "static_strides"} {
		a, _ := insert.Attribute(name)
		attributes = append(attributes, mlir.Named{Name: name, Value: a})
	}
	segments, err := c.context.ParseAttribute("array<i32: 1, 0, 0, 0>")
	if err != nil {
		return err
	}
	attributes = append(attributes, mlir.Named{Name: "operandSegmentSizes", Value: segments})
	slice, err := c.context.Create("tensor.extract_slice", []mlir.Value{destination}, []mlir.Type{source.Type()}, attributes, 0)
	if err != nil {
		return err
	}
	segments, err = c.context.ParseAttribute("array<i32: 1, 1>")
	if err != nil {
		return err
	}
	insert.Block().InsertBefore(insert, slice)
	copied, err := c.context.Create("linalg.copy", []mlir.Value{source, slice.Result(0)}, []mlir.Type{source.Type()},
		[]mlir.Named{{Name: "operandSegmentSizes", Value: segments}}, 1)
	if err != nil {
		return err
	}
	copied.FillNamedRegion()
	insert.Block().InsertBefore(insert, copied)
	insert.SetOperand(0, copied.Result(0))
	return nil
}
