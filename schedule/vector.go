package schedule

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"nestling/program"
)

// MaxVectorOperations is how many vector operations V may make of one scalar
// operation: 14×32×4 multiply-adds are 112 of 16 lanes. They are unrolled
// completely; twice the code buys nothing, fills the registers many times over and
// costs compile time, most of all when the rows are too short for a vector.
const MaxVectorOperations = 128

// MaxUnrolledOperations is the same with what U repeats.
const MaxUnrolledOperations = 2 * MaxVectorOperations

// MaxScatteredElements is how many elements V takes that do not lie side by side: each
// is moved by itself, on a thousand of which LLVM spends seconds, and half a minute on
// two thousand.
const MaxScatteredElements = 256

// vectorLanes is what V counts a machine vector as; shorter ones only double
// the code.
const vectorLanes = 16

// MaxOddRow is the longest row of a vector whose length is no multiple of a machine
// vector's: LLVM cuts such rows up by trial and error, for seconds when they are
// long.
const MaxOddRow = 4 * vectorLanes

// MaxShuffledIterations is the largest iteration space that V takes of reductions
// that are no contraction: they become as many shuffles and scalar loads, on which
// LLVM spends seconds, and half a minute at 2048.
const MaxShuffledIterations = 512

// MaxTransposedElements is how much of an operand of a contraction V transposes on
// its way into registers, element by element.
const MaxTransposedElements = 256

// MaxVectorCalls is the largest number of exponentials and the like, which have no
// instruction and are a library call or dozens of instructions each, that V unrolls: a
// thousand of them take LLVM seconds.
const MaxVectorCalls = 128

// checkVectorize reports whether the current loops of op can become vector
// operations: once loops of one iteration are dropped, every operand is read or
// written along a permutation of loops.
func (s *State) checkVectorize(op int) error {
	iterations, loops := 1, 0
	for _, bound := range s.ops[op].bounds {
		iterations *= bound
		if bound > 1 {
			loops++
		}
	}
	if loops == 0 {
		return errors.New("action V finds no loop of more than one iteration; use NT")
	}
	if s.shuffles(op) && iterations > MaxShuffledIterations {
		return fmt.Errorf("action V shuffles all of %s = %d elements, more than %d; tile first", join(s.ops[op].bounds, "×"), iterations, MaxShuffledIterations)
	}
	row := s.row(op)
	if row > MaxOddRow && row%vectorLanes != 0 {
		return fmt.Errorf("action V would make vectors of %d elements; tile to a multiple of %d or to at most %d", row, vectorLanes, MaxOddRow)
	}
	n := iterations / row * roundUp(row, vectorLanes) / vectorLanes
	if n > MaxVectorOperations {
		return fmt.Errorf("action V unrolls %s iterations into %d vectors, more than %d; tile first", join(s.ops[op].bounds, "×"), n, MaxVectorOperations)
	}
	times := 1
	for _, factor := range s.ops[op].arguments(Unroll) {
		times *= factor
	}
	if n*times > MaxUnrolledOperations {
		return fmt.Errorf("action V makes %d vectors of %s iterations, and U(%d) of it more than %d", n, join(s.ops[op].bounds, "×"), times, MaxUnrolledOperations)
	}
	if s.scattered(op) && iterations*times > MaxScatteredElements {
		return fmt.Errorf("action V finds no two of %s results side by side in memory, and takes %d at most one by one; tile others", join(s.ops[op].bounds, "×"), MaxScatteredElements)
	}
	if n := s.transposedElements(op); n > MaxTransposedElements {
		return fmt.Errorf("action V transposes %d elements of an operand, more than %d; tile first", n, MaxTransposedElements)
	}
	if calls := iterations * calls(&s.program.Ops[op]); calls > MaxVectorCalls {
		return fmt.Errorf("action V would unroll %d library calls, more than %d; tile first", calls, MaxVectorCalls)
	}
	for i, operand := range s.program.Ops[op].Operands {
		if err := s.checkVectorAccess(op, operand); err != nil {
			return fmt.Errorf("action V cannot read operand %d: %w", i, err)
		}
	}
	return s.checkVectorBody(op)
}

// shuffles reports whether V has to move elements between lanes.
func (s *State) shuffles(op int) bool {
	o := &s.program.Ops[op]
	return !isContraction(o) && s.reduces(op)
}

// row is how long the vectors become: the last loop longer than one in the order of
// vectorOrder, for a contraction the last one of the result.
func (s *State) row(op int) int {
	row, last := 1, -1
	o := &s.program.Ops[op]
	for l, bound := range s.ops[op].bounds {
		d := resultDimension(o, s.ops[op].order[l])
		if bound > 1 && d >= last && (d < len(o.Loops) || !isContraction(o)) {
			row, last = bound, d
		}
	}
	return row
}

// scattered reports whether the results of a tile lie apart: it is one wide along the
// last dimension in memory.
func (s *State) scattered(op int) bool {
	o := &s.program.Ops[op]
	if isContraction(o) || s.reduces(op) {
		return false
	}
	last := lanesLoop(o)
	for l, bound := range s.ops[op].bounds {
		if s.ops[op].order[l] == last {
			return bound == 1 && o.Loops[last].Bound > 1
		}
	}
	return false
}

// transposedElements is the size of the larger operand of a contraction that does
// not lie as outer products want it: the reductions last in the first operand and
// not last in the second.
func (s *State) transposedElements(op int) int {
	o := &s.program.Ops[op]
	if !isContraction(o) || !s.reduces(op) {
		return 0
	}
	largest := 0
	for i, operand := range o.Operands[:2] {
		elements, last := 1, -1
		for _, row := range operand.Map.Coefficients {
			loops, _ := s.vectorLoops(op, row)
			for _, l := range loops {
				elements *= s.ops[op].bounds[l]
				last = l
			}
		}
		reductionLast := last >= 0 && s.iterator(op, last) == program.Reduction
		if reductionLast != (i == 0) {
			largest = max(largest, elements)
		}
	}
	return largest
}

// reduces reports whether a reduction of more than one iteration is left.
func (s *State) reduces(op int) bool {
	for l, bound := range s.ops[op].bounds {
		if bound > 1 && s.iterator(op, l) == program.Reduction {
			return true
		}
	}
	return false
}

// calls is the number of library calls in one iteration.
func calls(o *program.Op) int {
	n := 0
	for _, in := range o.Body {
		switch in.Op {
		case "math.absf", "math.ceil", "math.copysign", "math.floor", "math.fma", "math.rsqrt", "math.sqrt", "math.trunc":
		default:
			if strings.HasPrefix(in.Op, "math.") {
				n++
			}
		}
	}
	return n
}

// checkVectorAccess refuses windows, strides and diagonals.
func (s *State) checkVectorAccess(op int, operand program.Operand) error {
	seen := map[int]int{}
	for d, row := range operand.Map.Coefficients {
		loops, stride := s.vectorLoops(op, row)
		switch {
		case len(loops) > 1:
			return fmt.Errorf("its dimension %d moves with loops %s at once; tile all but one of them to 1", d, join(loops, " "))
		case len(loops) == 1 && stride != 1:
			return fmt.Errorf("its dimension %d moves with stride %d along loop %d; tile that loop to 1", d, stride, loops[0])
		case operand.Map.Offsets[d] != 0:
			return fmt.Errorf("its dimension %d is read at an offset of %d", d, operand.Map.Offsets[d])
		case !s.coversDimension(op, row, s.program.Values[operand.Value].Shape[d]):
			return fmt.Errorf("its dimension %d is larger than what the loops read of it", d)
		}
		for _, l := range loops {
			if earlier, ok := seen[l]; ok {
				return fmt.Errorf("its dimensions %d and %d both move with loop %d; tile that loop to 1", earlier, d, l)
			}
			seen[l] = d
		}
	}
	return nil
}

// vectorLoops lists the current loops of more than one iteration in a row of an
// access map, and the coefficient of the last.
func (s *State) vectorLoops(op int, row []int) (loops []int, stride int) {
	o := &s.ops[op]
	for l, original := range o.order {
		if row[original] != 0 && o.bounds[l] > 1 {
			loops = append(loops, l)
			stride = row[original]
		}
	}
	return loops, stride
}

// coversDimension reports whether the loops touch a whole operand dimension of
// this size, as they do of the slice that tiling makes of it.
func (s *State) coversDimension(op int, row []int, size int) bool {
	extent := 1
	for l, original := range s.ops[op].order {
		bound := s.program.Ops[op].Loops[original].Bound
		if row[original] != 0 && s.ops[op].bounds[l] < bound {
			return true
		}
		extent += row[original] * (bound - 1)
	}
	return extent == size
}

// checkVectorBody reports whether the scalar body has a vector counterpart.
func (s *State) checkVectorBody(op int) error {
	o := &s.program.Ops[op]
	for _, in := range o.Body {
		if in.Op != "constant" && in.Op != "index" && !strings.HasPrefix(in.Op, "arith.") && !strings.HasPrefix(in.Op, "math.") {
			return fmt.Errorf("action V has no vector form of %s", in.Op)
		}
	}
	if s.reduces(op) && !combines(o) {
		return errors.New("action V needs a reduction by a sum, product, maximum or minimum; tile the reduction loops to 1")
	}
	return nil
}

// combiners are the operations that a vector reduction can be made of.
var combiners = map[string]bool{
	"arith.addf": true, "arith.mulf": true,
	"arith.maximumf": true, "arith.minimumf": true, "arith.maxnumf": true, "arith.minnumf": true,
}

// combines reports whether the body accumulates: it yields one combiner of the
// result's old element and a value made without it.
func combines(o *program.Op) bool {
	old := len(o.Operands) - 1
	last := o.Yield - len(o.Operands)
	if last < 0 || !combiners[o.Body[last].Op] {
		return false
	}
	uses := 0
	for _, in := range o.Body {
		if in.Op == "index" {
			continue // its argument is a loop, not a register
		}
		for _, register := range in.Args {
			if register == old {
				uses++
			}
		}
	}
	args := o.Body[last].Args
	return uses == 1 && (args[0] == old || args[1] == old)
}

// isContraction reports whether the body is result += operand 0 × operand 1.
func isContraction(o *program.Op) bool {
	return len(o.Operands) == 3 && len(o.Body) == 2 &&
		o.Body[0].Op == "arith.mulf" && o.Body[1].Op == "arith.addf" && o.Yield == 4 && combines(o)
}

// vectorOrder is the order in which the loops of a tile become vector dimensions,
// nil if they are in it already: the result's own order, reductions last, so that
// an I before, which is for the loops over tiles, costs no transposition. A
// contraction puts the loops of both operands first, then those of the first
// alone, then those of the second alone: only then does MLIR see outer products;
// it would otherwise transpose the accumulators in every step. There are none where
// the lanes move both operands, or where a tile has a single step of the sum.
func (s *State) vectorOrder(op int) []int {
	o := &s.program.Ops[op]
	loops := s.ops[op].order
	outerProducts := isContraction(o) && s.reduces(op) && !channelwise(o, lanesLoop(o))
	rank := make([]int, len(loops))
	for l, original := range loops {
		rank[l] = resultDimension(o, original)
		if outerProducts {
			rank[l] += len(o.Loops) * contractionGroup(o, original)
		}
	}
	order := make([]int, len(loops))
	for l := range order {
		order[l] = l
	}
	slices.SortStableFunc(order, func(a, b int) int { return rank[a] - rank[b] })
	if slices.IsSorted(order) {
		return nil
	}
	return order
}

// resultDimension is the dimension of the result that moves with a loop, the
// number of loops for a reduction.
func resultDimension(o *program.Op, loop int) int {
	for d, row := range o.Init().Map.Coefficients {
		if row[loop] != 0 {
			return d
		}
	}
	return len(o.Loops)
}

// What a loop of a contraction moves: contractionGroup.
const (
	bothOperands = iota
	firstOperand
	secondOperand
	reductionLoop
)

// contractionGroup tells which operands of a contraction a parallel loop moves, or that it is a
// reduction.
func contractionGroup(o *program.Op, loop int) int {
	first, second := o.Operands[0].Map.Moves(loop), o.Operands[1].Map.Moves(loop)
	switch {
	case o.Loops[loop].Iterator == program.Reduction:
		return reductionLoop
	case second && !first:
		return secondOperand
	case first && !second:
		return firstOperand
	}
	return bothOperands
}
