package compiler

import (
	"fmt"
	"slices"

	"nestling/mlir"
	"nestling/schedule"
)

// lineElements is how many float32 a line of the caches holds.
const lineElements = 16

// prefetchNext lets loops that are marked so fetch, with each vector of a parameter that
// they read, the lines that the same step will read when the loop around them has gone on.
// The last time round it fetches what lies behind, which does no harm.
func (j *job) prefetchNext() error {
	run, _, err := functions(j.module)
	if err != nil {
		return err
	}
	parameters := run.Body().Arguments()
	for _, loop := range run.Nested() {
		if loop.Name() != "scf.for" {
			continue
		}
		for i, parameter := range parameters {
			mark := fmt.Sprint(schedule.AttributePrefetch, i)
			if _, marked := loop.Attribute(mark); !marked {
				continue
			}
			loop.RemoveAttribute(mark)
			if err := j.prefetchIn(loop, parameter); err != nil {
				return err
			}
		}
	}
	return nil
}

// prefetchIn fetches for what a loop reads of a parameter.
func (j *job) prefetchIn(loop mlir.Operation, parameter mlir.Value) error {
	for _, read := range loop.Nested() {
		if read.Name() != "vector.transfer_read" || viewed(read.Operands()[0]) != parameter {
			continue
		}
		if err := j.fetchNext(loop, read); err != nil {
			return err
		}
	}
	return nil
}

// fetchNext fetches for a read as the nearest loop around that moves it goes on.
func (j *job) fetchNext(loop, read mlir.Operation) error {
	for around := loop.Parent(); !around.IsNull(); around = around.Parent() {
		for _, i := range indices(around) {
			a := ahead{context: j.compiler.context, before: read, moved: map[mlir.Value]mlir.Value{}}
			if done, err := a.fetch(read, i); done || err != nil {
				return err
			}
		}
	}
	return nil
}

// index is what a loop counts, from where, and by how much.
type index struct{ value, lower, step mlir.Value }

// indices are those of a loop, the innermost first; none of what is no loop.
func indices(loop mlir.Operation) []index {
	operands := loop.Operands()
	switch loop.Name() {
	case "scf.for":
		return []index{{loop.Body().Arguments()[0], operands[0], operands[2]}}
	case "scf.parallel":
		var out []index
		values := loop.Body().Arguments()
		for i, v := range slices.Backward(values) {
			out = append(out, index{v, operands[i], operands[2*len(values)+i]})
		}
		return out
	}
	return nil
}

// viewed is the buffer that a view, or a view of a view, shows a part of.
func viewed(v mlir.Value) mlir.Value {
	for {
		op, _ := v.Defining()
		if op.IsNull() || !isView(op) {
			return v
		}
		v = op.Operands()[0]
	}
}

// views are the operations that show a part of a buffer, or all in another shape.
var views = []string{"memref.subview", "memref.expand_shape", "memref.collapse_shape", "memref.cast"}

func isView(op mlir.Operation) bool { return slices.Contains(views, op.Name()) }

// ahead computes values as they will be in the next iteration of a loop.
type ahead struct {
	context *mlir.Context
	before  mlir.Operation // where the computation goes
	moved   map[mlir.Value]mlir.Value
}

// fetch fetches the lines that a read will read as an index goes on by a step, and
// reports whether those are others.
func (a *ahead) fetch(read mlir.Operation, i index) (bool, error) {
	if err := a.advance(i); err != nil {
		return false, err
	}
	operands := read.Operands()
	buffer := operands[0]
	shape, _ := buffer.Type().Shape()
	place, changed := make([]mlir.Value, 1+len(shape)), false
	for i := range place {
		place[i] = a.value(operands[i])
		changed = changed || place[i] != operands[i]
	}
	if !changed {
		return false, nil
	}
	extents, err := readExtents(read, len(shape))
	if err != nil {
		return false, err
	}
	for _, at := range points(extents) {
		if last := len(at) - 1; last >= 0 && at[last]%lineElements != 0 {
			continue
		}
		if err := a.line(place, at); err != nil {
			return false, err
		}
	}
	return true, nil
}

// advance moves an index on by a step.
func (a *ahead) advance(i index) error {
	next, err := a.context.Create("arith.addi", []mlir.Value{i.value, i.step}, []mlir.Type{i.value.Type()}, nil, 0)
	if err != nil {
		return err
	}
	a.put(next)
	a.moved[i.value] = next.Result(0)
	return nil
}

func (a *ahead) put(op mlir.Operation) { a.before.Block().InsertBefore(a.before, op) }

// value is a value in the next iteration: itself if it does not depend on it.
func (a *ahead) value(v mlir.Value) mlir.Value {
	if moved, known := a.moved[v]; known {
		return moved
	}
	a.moved[v] = v
	op, result := v.Defining()
	if op.IsNull() || op.Regions() > 0 || !slices.Contains(addresses, op.Name()) {
		return v
	}
	operands := op.Operands()
	moved, changed := make([]mlir.Value, len(operands)), false
	for i := range operands {
		moved[i] = a.value(operands[i])
		changed = changed || moved[i] != operands[i]
	}
	if changed {
		copied := op.Clone()
		for i := range moved {
			copied.SetOperand(i, moved[i])
		}
		a.put(copied)
		a.moved[v] = copied.Result(result)
	}
	return a.moved[v]
}

// addresses are the operations that compute places in memory.
var addresses = append([]string{"affine.apply", "arith.addi", "arith.muli", "arith.subi"}, views...)

// readExtents is how many elements a vector has along each dimension of its buffer.
func readExtents(read mlir.Operation, dimensions int) ([]int, error) {
	permutation, _ := read.Attribute("permutation_map")
	m, err := permutation.AffineMap()
	if err != nil {
		return nil, err
	}
	extents := slices.Repeat([]int{1}, dimensions)
	shape, _ := read.Result(0).Type().Shape()
	for i, row := range m.Coefficients {
		if d := slices.Index(row, 1); d >= 0 {
			extents[d] = shape[i]
		}
	}
	return extents, nil
}

// line fetches the line of an element, at so many from the place that is a buffer with
// its indices.
func (a *ahead) line(place []mlir.Value, at []int) error {
	operands := slices.Clone(place)
	for d, by := range at {
		if by == 0 {
			continue
		}
		var err error
		if operands[1+d], err = offset(a.context, a.before, place[1+d], by); err != nil {
			return err
		}
	}
	how, err := parsed(a.context, [][2]string{{"isWrite", "false"}, {"localityHint", "2 : i32"}, {"isDataCache", "true"}})
	if err != nil {
		return err
	}
	fetch, err := a.context.Create("memref.prefetch", operands, nil, how, 0)
	if err != nil {
		return err
	}
	a.put(fetch)
	return nil
}
