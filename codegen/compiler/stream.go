package compiler

import (
	"fmt"
	"math"
	"slices"

	"nestling/mlir"
	"nestling/schedule"
)

// streamedBytes is the size from which a result is stored past the caches: it would have
// left those of usual processors before anyone reads it again, and an ordinary store reads
// the line from memory first.
const streamedBytes = 32 << 20

// storePastCaches marks the stores of large results that are nothing but stored, of programs
// that sweep the caches. Those are stores of whole lines, whose place is known to be one.
func (j *job) storePastCaches() error {
	if j.swept() < schedule.SweptBytes {
		return nil
	}
	run, _, err := functions(j.module)
	if err != nil {
		return err
	}
	parameters := run.Body().Arguments()
	first := len(j.entry.run.arguments)
	for i, result := range j.entry.run.results {
		if result.bytes() < streamedBytes || !wholeLines(result.shape) {
			continue
		}
		writes, only := stores(run, parameters[first+i])
		if !only {
			continue
		}
		for _, write := range writes {
			if err := j.storePast(write); err != nil {
				return err
			}
		}
	}
	return nil
}

// swept is the size of what a run is given and what it gives, in bytes.
func (j *job) swept() (n int64) {
	for _, t := range slices.Concat(j.entry.run.arguments, j.entry.run.results) {
		n += t.bytes()
	}
	return n
}

// wholeLines reports whether every row of a tensor begins with a line.
func wholeLines(shape []int) bool {
	return len(shape) > 0 && shape[len(shape)-1]%lineElements == 0
}

// stores lists the vectors that are stored into a buffer, and reports whether that is all
// that happens to it.
func stores(f mlir.Operation, buffer mlir.Value) (writes []mlir.Operation, only bool) {
	for _, op := range f.Nested() {
		for i, operand := range op.Operands() {
			if !operand.Type().IsMemRef() || viewed(operand) != buffer {
				continue
			}
			switch {
			case isView(op), op.Name() == "vector.transfer_write" && i == 1: // parts of vectors
			case op.Name() == "vector.store" && i == 1:
				writes = append(writes, op)
			default:
				return nil, false
			}
		}
	}
	return writes, true
}

// storePast has a write of whole lines pass the caches; any other stays as it is.
func (j *job) storePast(write mlir.Operation) error {
	operands := write.Operands()
	shape, _ := operands[0].Type().Shape()
	if len(shape) != 1 || shape[0]%lineElements != 0 || !startsLine(write, operands[1], operands[len(operands)-1]) {
		return nil
	}
	how, err := parsed(j.compiler.context, [][2]string{{"nontemporal", "true"}, {"alignment", fmt.Sprintf("%d : i64", alignment)}})
	if err != nil {
		return err
	}
	for _, a := range how {
		write.SetAttribute(a.Name, a.Value)
	}
	j.streams = true
	return nil
}

// startsLine reports whether an index into the last dimension of a buffer is known to be
// the start of a line, whatever the loops around are at. Rows must begin with one.
func startsLine(at mlir.Operation, buffer, last mlir.Value) bool {
	steps := loopSteps(at)
	if steps.of(last)%lineElements != 0 {
		return false
	}
	for {
		view, _ := buffer.Defining()
		if view.IsNull() {
			return true
		}
		step, ok := steps.ofView(view)
		if !ok || step%lineElements != 0 {
			return false
		}
		buffer = view.Operands()[0]
	}
}

// multiples are numbers with no more factors of two than indices are known to have, which
// is all that lines ask for; 0 for the index 0. That of a sum is the numbers' bitwise or.
type multiples map[mlir.Value]int

// loopSteps are those of the loops around an operation.
func loopSteps(at mlir.Operation) multiples {
	m := multiples{}
	var around []index
	for loop := at.Parent(); !loop.IsNull(); loop = loop.Parent() {
		around = append(around, indices(loop)...)
	}
	for _, i := range slices.Backward(around) { // where a loop starts may depend on those around
		m[i.value] = m.of(i.lower) | m.of(i.step)
	}
	return m
}

// of is the number of a value, 1 if nothing is known of it.
func (m multiples) of(v mlir.Value) int {
	if known, ok := m[v]; ok {
		return known
	}
	m[v] = m.compute(v)
	return m[v]
}

func (m multiples) compute(v mlir.Value) int {
	if c, known := constantIndex(v); known {
		return int(c)
	}
	op, _ := v.Defining()
	if op.IsNull() {
		return 1
	}
	operands := op.Operands()
	switch op.Name() {
	case "arith.addi", "arith.subi":
		return m.of(operands[0]) | m.of(operands[1])
	case "arith.muli":
		return m.of(operands[0]) * m.of(operands[1])
	case "affine.apply":
		return m.affine(op)
	}
	return 1
}

func (m multiples) affine(op mlir.Operation) int {
	attribute, _ := op.Attribute("map")
	linear, err := attribute.AffineMap()
	if err != nil {
		return 1
	}
	n := linear.Offsets[0]
	for i, c := range linear.Coefficients[0] {
		n |= c * m.of(op.Operands()[i])
	}
	return n
}

// ofView is the same for where a view begins in the last dimension of what it shows; false
// if the view is of another kind, or shows every so-many-th element.
func (m multiples) ofView(view mlir.Operation) (int, bool) {
	if view.Name() == "memref.cast" {
		return 0, true
	}
	if view.Name() != "memref.subview" {
		return 0, false
	}
	var numbers [3][]int
	for i, name := range []string{"static_offsets", "static_sizes", "static_strides"} {
		attribute, _ := view.Attribute(name)
		numbers[i], _ = attribute.Integers64()
	}
	offsets, sizes, strides := numbers[0], numbers[1], numbers[2]
	last := len(offsets) - 1
	// A dimension of one element may be left out, and then the last is another.
	if last < 0 || strides[last] != 1 || sizes[last] < lineElements {
		return 0, false
	}
	if offsets[last] != dynamic {
		return offsets[last], true
	}
	given := 0
	for _, offset := range offsets {
		if offset == dynamic {
			given++
		}
	}
	return m.of(view.Operands()[given]), true
}

// dynamic stands for a number that is an operand, in MLIR's lists.
const dynamic = math.MinInt64
