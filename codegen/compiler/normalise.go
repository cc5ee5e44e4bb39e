package compiler

import (
	"errors"
	"fmt"
	"math"
	"slices"
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

// softmaxScript takes linalg.softmax, which has no access maps, apart: the largest
// element of each row, exponentials, their sum, quotients.
const softmaxScript = `module attributes {transform.with_named_sequence} {
  transform.named_sequence @softmax(%m: !transform.any_op {transform.readonly}) {
    %s = transform.structured.match ops{["linalg.softmax"]} in %m : (!transform.any_op) -> !transform.any_op
    %p = transform.structured.decompose_interface %s : (!transform.any_op) -> !transform.any_op
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
	if err := errors.Join(c.decomposeSoftmax(m), c.separateEmpties(m)); err != nil {
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

// decomposeSoftmax takes every linalg.softmax apart. MLIR starts its maxima from a NaN
// that they ignore; from -∞ with maxima that keep a NaN, results are the same, for a
// NaN among the elements spoils them all anyway, and such maxima have instructions.
func (c *Compiler) decomposeSoftmax(m *mlir.Module) error {
	before := map[mlir.Operation]bool{}
	for _, op := range m.Operation().Nested() {
		before[op] = true
	}
	if err := c.applyTo(m, "linalg.softmax", softmaxScript, "softmax"); err != nil {
		return err
	}
	infinity, err := c.context.ParseAttribute("0xFF800000 : f32")
	if err != nil {
		return err
	}
	for _, op := range m.Operation().Nested() {
		switch {
		case before[op]:
		case op.Name() == "arith.maxnumf":
			largest, err := c.context.Create("arith.maximumf", op.Operands(), []mlir.Type{op.Result(0).Type()}, nil, 0)
			if err != nil {
				return err
			}
			op.Block().InsertBefore(op, largest)
			op.Result(0).ReplaceAllUses(largest.Result(0))
			op.Erase()
		case op.Name() == "arith.constant":
			value, _ := op.Attribute("value")
			if number, ok := value.Float(); ok && math.IsNaN(number) {
				op.SetAttribute("value", infinity)
			}
		}
	}
	return nil
}

// separateEmpties gives each linalg operation a tensor.empty of its own: where two
// share one, the first result would have to be kept from the second one's buffer.
func (c *Compiler) separateEmpties(m *mlir.Module) error {
	seen := map[mlir.Value]bool{}
	for _, op := range m.Operation().Nested() {
		if !strings.HasPrefix(op.Name(), "linalg.") {
			continue
		}
		for i, v := range op.Operands() {
			empty, _ := v.Defining()
			if empty.IsNull() || empty.Name() != "tensor.empty" || len(empty.Operands()) > 0 {
				continue
			}
			if !seen[v] {
				seen[v] = true
				continue
			}
			own, err := c.context.Create("tensor.empty", nil, []mlir.Type{v.Type()}, nil, 0)
			if err != nil {
				return err
			}
			op.Block().InsertBefore(op, own)
			op.SetOperand(i, own.Result(0))
		}
	}
	return nil
}

// applyTo applies a sequence of a script if the module has operations of that name.
func (c *Compiler) applyTo(m *mlir.Module, name, script, sequence string) error {
	if !slices.ContainsFunc(m.Operation().Nested(), func(op mlir.Operation) bool { return op.Name() == name }) {
		return nil
	}
	parsed, err := c.context.Parse(script, sequence+".mlir")
	if err != nil {
		return err
	}
	defer parsed.Close()
	return m.Apply(parsed, sequence)
}

// rewritePads writes every tensor.pad out: fill, then a copy into the middle.
// The copy is an operation of its own, so that it can be scheduled.
func (c *Compiler) rewritePads(m *mlir.Module) error {
	before := map[mlir.Operation]bool{}
	for _, op := range m.Operation().Nested() {
		if op.Name() == "tensor.insert_slice" {
			before[op] = true
		}
	}
	if err := c.applyTo(m, "tensor.pad", padScript, "pads"); err != nil {
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
