package compiler

import (
	"fmt"
	"slices"
	"strings"

	"nestling/mlir"
)

// transposesToShuffles replaces transpositions of vectors, whose rows are in
// registers, by networks of two-operand shuffles: log₂ n of them for each of n
// rows, where MLIR's own lowerings move one element at a time.
func (j *job) transposesToShuffles() error {
	s := &shuffler{context: j.compiler.context, types: map[int]mlir.Type{}, masks: map[string]mlir.Attribute{}}
	for _, op := range j.module.Operation().Nested() {
		if op.Name() == "vector.transpose" && s.err == nil {
			s.transpose(op)
		}
	}
	return s.err
}

// shuffler builds vector operations before another operation. After its first
// error it builds nothing.
type shuffler struct {
	context *mlir.Context
	before  mlir.Operation
	types   map[int]mlir.Type // vectors of f32, by length
	masks   map[string]mlir.Attribute
	err     error
}

// none is a lane of a shuffle whose content does not matter.
const none = -1

// transpose replaces a vector.transpose in which the last dimension changes
// places with another one. Others only rename rows, or none of their elements
// moves at all.
func (s *shuffler) transpose(op mlir.Operation) {
	source, t := op.Operands()[0], op.Result(0).Type()
	shape, _ := source.Type().Shape()
	permutation, _ := op.Attribute("permutation")
	order, _ := permutation.Integers64()
	last := len(shape) - 1
	rows := order[last] // the dimension of the source that becomes lanes
	if producer, _ := source.Defining(); !producer.IsNull() && producer.Name() == "vector.broadcast" {
		return
	}
	if !t.Element().IsF32() || rows == last || shape[rows] == 1 || shape[last] == 1 || feedsContraction(op) {
		return
	}
	s.before = op
	result := s.create("ub.poison", nil, t)
	outer := slices.Clone(shape)
	outer[rows], outer[last] = 1, 1
	for _, at := range points(outer) {
		block := make([]mlir.Value, shape[rows])
		for i := range block {
			at[rows] = i
			block[i] = s.create("vector.extract", []mlir.Value{source}, s.vector(shape[last]), position(at[:last]))
		}
		at[rows] = 0
		for i, column := range s.columns(block, shape[last]) {
			at[last] = i
			to := make([]int, last)
			for d := range to {
				to[d] = at[order[d]]
			}
			result = s.create("vector.insert", []mlir.Value{column, result}, t, position(to))
		}
	}
	if s.err == nil {
		op.Result(0).ReplaceAllUses(result)
		op.Erase()
	}
}

// feedsContraction reports whether a product reads the transposed vector: it
// takes its rows apart again, element by element, and is better off without.
func feedsContraction(op mlir.Operation) bool {
	return slices.ContainsFunc(op.Result(0).Uses(), func(user mlir.Operation) bool {
		return user.Name() == "vector.contract" || user.Name() == "vector.outerproduct"
	})
}

// points lists the points of a box, the last dimension fastest.
func points(shape []int) [][]int {
	out := [][]int{nil}
	for _, n := range shape {
		var next [][]int
		for _, p := range out {
			for i := range n {
				next = append(next, append(slices.Clone(p), i))
			}
		}
		out = next
	}
	return out
}

// columns are the columns of a matrix given by its rows, each width lanes long.
// Square blocks are transposed one by one, and their columns joined.
func (s *shuffler) columns(rows []mlir.Value, width int) []mlir.Value {
	side := 16
	for side > 4 && side/2 >= max(len(rows), width) {
		side /= 2
	}
	out := make([]mlir.Value, 0, width)
	for c := 0; c < width; c += side {
		var blocks [][]mlir.Value // by row block: side columns
		for r := 0; r < len(rows); r += side {
			block := make([]mlir.Value, side)
			for i, row := range rows[r:min(r+side, len(rows))] {
				block[i] = s.shuffle(row, row, lanes(c, min(side, width-c), side))
			}
			blocks = append(blocks, s.square(block))
		}
		for i := range min(side, width-c) {
			parts := make([]mlir.Value, len(blocks))
			for r := range blocks {
				parts[r] = blocks[r][i]
			}
			out = append(out, s.join(parts, side, len(rows)))
		}
	}
	return out
}

// lanes is the mask of n lanes from first on, followed by none up to a width.
func lanes(first, n, width int) []int {
	mask := slices.Repeat([]int{none}, width)
	for i := range n {
		mask[i] = first + i
	}
	return mask
}

// join puts vectors of equal width one after the other and keeps the first n lanes.
func (s *shuffler) join(parts []mlir.Value, width, n int) mlir.Value {
	for len(parts) > 1 {
		var pairs []mlir.Value
		for i := 0; i < len(parts); i += 2 {
			if i+1 < len(parts) {
				pairs = append(pairs, s.shuffle(parts[i], parts[i+1], lanes(0, 2*width, 2*width)))
			} else {
				pairs = append(pairs, s.shuffle(parts[i], parts[i], lanes(0, width, 2*width)))
			}
		}
		parts, width = pairs, 2*width
	}
	return s.shuffle(parts[0], parts[0], lanes(0, n, n))
}

// square transposes a square of 4, 8 or 16 rows of as many lanes; null rows hold
// nothing. Each step is one instruction of x86: elements of two rows are
// interleaved, then pairs of elements, both within groups of four lanes, and then
// whole groups are gathered.
func (s *shuffler) square(rows []mlir.Value) []mlir.Value {
	n := len(rows)
	single, pair := interleave(n, 1), interleave(n, 2)
	quads := make([]mlir.Value, n) // quads[4g+j], group l: element 4l+j of rows 4g … 4g+3
	for g := 0; g < n; g += 4 {
		a0, a1 := s.both(rows[g], rows[g+1], single)
		b0, b1 := s.both(rows[g+2], rows[g+3], single)
		quads[g], quads[g+1] = s.both(a0, b0, pair)
		quads[g+2], quads[g+3] = s.both(a1, b1, pair)
	}
	if n == 4 {
		return quads
	}
	out := make([]mlir.Value, n)
	for j := range 4 {
		column := []mlir.Value{quads[j], quads[4+j]}
		if n == 16 {
			column = append(column, quads[8+j], quads[12+j])
		}
		for l, v := range s.groups(column) {
			out[4*l+j] = v
		}
	}
	return out
}

// groups transposes two vectors of two groups of four lanes, or four of four.
func (s *shuffler) groups(v []mlir.Value) []mlir.Value {
	even := gather(4*len(v), 0)
	odd := gather(4*len(v), 1)
	masks := [2][]int{even, odd}
	if len(v) == 2 {
		a, b := s.both(v[0], v[1], masks)
		return []mlir.Value{a, b}
	}
	a, b := s.both(v[0], v[1], masks) // groups 0 2 and 1 3
	c, d := s.both(v[2], v[3], masks)
	out := make([]mlir.Value, 4)
	out[0], out[2] = s.both(a, c, masks)
	out[1], out[3] = s.both(b, d, masks)
	return out
}

// interleave is the pair of masks that takes turns between two vectors of n
// lanes, unit lanes at a time, in the first and in the second half of each group
// of four.
func interleave(n, unit int) (masks [2][]int) {
	for half := range masks {
		for group := 0; group < n; group += 4 {
			for k := range 4 {
				lane := group + 2*half + k/(2*unit)*unit + k%unit
				masks[half] = append(masks[half], lane+n*(k/unit%2))
			}
		}
	}
	return masks
}

// gather is the mask that takes every second group of four lanes, from a first
// one on, out of two vectors of n lanes.
func gather(n, first int) []int {
	var mask []int
	for lane := 4 * first; lane < 2*n; lane += 8 {
		mask = append(mask, lane, lane+1, lane+2, lane+3)
	}
	return mask
}

// both makes two shuffles of the same two vectors.
func (s *shuffler) both(a, b mlir.Value, masks [2][]int) (first, second mlir.Value) {
	return s.shuffle(a, b, masks[0]), s.shuffle(a, b, masks[1])
}

// shuffle takes the lanes of a mask out of two vectors of equal length, either
// of which may be null.
func (s *shuffler) shuffle(a, b mlir.Value, mask []int) mlir.Value {
	if a.IsNull() || s.err != nil {
		return mlir.Value{} // rows are filled from the first on: b is null, too
	}
	shape, _ := a.Type().Shape()
	if slices.Equal(mask, lanes(0, shape[0], shape[0])) {
		return a
	}
	if b.IsNull() {
		b, mask = a, slices.Clone(mask)
		for i := range mask {
			if mask[i] >= shape[0] {
				mask[i] = none
			}
		}
	}
	return s.create("vector.shuffle", []mlir.Value{a, b}, s.vector(len(mask)), named{"mask", mask})
}

// named is an attribute that holds a list of numbers.
type named struct {
	name    string
	numbers []int
}

// position is where vector.extract and vector.insert work.
func position(at []int) named { return named{"static_position", at} }

// create makes an operation with one result and puts it where it belongs.
func (s *shuffler) create(name string, operands []mlir.Value, t mlir.Type, attributes ...named) mlir.Value {
	var list []mlir.Named
	for _, a := range attributes {
		list = append(list, mlir.Named{Name: a.name, Value: s.numbers(a.numbers)})
	}
	if name == "ub.poison" {
		list = append(list, mlir.Named{Name: "value", Value: s.parse("#ub.poison")})
	}
	if s.err != nil {
		return mlir.Value{}
	}
	op, err := s.context.Create(name, operands, []mlir.Type{t}, list, 0)
	if err != nil {
		s.err = err
		return mlir.Value{}
	}
	s.before.Block().InsertBefore(s.before, op)
	return op.Result(0)
}

// numbers is the attribute of a list of numbers.
func (s *shuffler) numbers(list []int) mlir.Attribute {
	return s.parse("array<i64: " + strings.Trim(strings.Join(strings.Fields(fmt.Sprint(list)), ", "), "[]") + ">")
}

// parse reads an attribute, once.
func (s *shuffler) parse(source string) mlir.Attribute {
	a, known := s.masks[source]
	if !known && s.err == nil {
		a, s.err = s.context.ParseAttribute(source)
		s.masks[source] = a
	}
	return a
}

// vector is the type of n floats.
func (s *shuffler) vector(n int) mlir.Type {
	t, known := s.types[n]
	if !known && s.err == nil {
		t, s.err = s.context.ParseType(fmt.Sprintf("vector<%dxf32>", n))
		s.types[n] = t
	}
	return t
}
