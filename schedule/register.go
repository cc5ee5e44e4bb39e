package schedule

import (
	"slices"

	"nestling/program"
)

// contraction blocks: accumulators are columns (lanes of consecutive elements of
// the result) by rows.
const (
	reductionSteps = 4  // multiply-adds per accumulator and step; more only adds code
	transposeBlock = 64 // elements a side of a block whose lines stay in the first-level cache
	firstRows      = 8  // rows that read the same column; 8×32 measured best for products, 8×2×14 for convolutions
	runVectors     = 4  // vectors of an element-wise tile: the length of a run
	channelVectors = 6  // the same of a depthwise convolution: images are read in long runs
)

// registerTile is the tile of an operation, by original loop, whose results stay
// in vector registers. Every size divides its loop.
func registerTile(o *program.Op, m Machine) []int {
	switch {
	case isContraction(o):
		return contractionTile(o, m)
	case reducesImages(o):
		return reductionTile(o)
	case transposed(o) >= 0:
		return transposeTile(o, m.VectorLanes)
	}
	return runTile(o, m)
}

// contractionTile blocks a convolution or product.
func contractionTile(o *program.Op, m Machine) []int {
	tile := ones(o)
	lanes := lanesLoop(o)
	if lanes < 0 {
		return tile
	}
	tile[lanes] = columns(o.Loops[lanes].Bound, m.VectorLanes)
	if channelwise(o, lanes) && o.Loops[lanes].Bound%m.VectorLanes == 0 {
		tile[lanes] = run(o.Loops[lanes].Bound, channelVectors*m.VectorLanes, m.VectorLanes)
	}
	if gathersLanes(o) {
		tile[lanes] = largestDivisor(tile[lanes], m.VectorLanes)
	}
	rows := max(8, m.VectorLanes) * m.VectorLanes / roundUp(tile[lanes], m.VectorLanes)
	if channelwise(o, lanes) && tile[lanes] > 2*m.VectorLanes {
		rows = 1 // a long run is enough
	}
	for i, l := range rowLoops(o, lanes) {
		limit := rows
		if i == 0 && (len(rowLoops(o, lanes)) > 1 || gathersLanes(o)) {
			limit = min(firstRows, rows)
		}
		tile[l] = largestDivisor(o.Loops[l].Bound, limit)
		rows /= tile[l]
	}
	if channelwise(o, lanes) {
		return tile
	}
	if k := stepLoop(o); k >= 0 {
		tile[k] = largestDivisor(o.Loops[k].Bound, reductionSteps)
	}
	return tile
}

// gathersLanes reports whether the loop along the result's last dimension is not
// along the last dimension of the operand it comes from, as in x·wᵀ.
func gathersLanes(o *program.Op) bool {
	lanes := lanesLoop(o)
	for _, operand := range o.Operands[:2] {
		rows := operand.Map.Coefficients
		if lanes >= 0 && operand.Map.Moves(lanes) && rows[len(rows)-1][lanes] == 0 {
			return true
		}
	}
	return false
}

// channelwise reports whether both operands of a contraction move with the lanes, as
// in a depthwise convolution: there are no outer products, every step multiplies and
// adds vectors.
func channelwise(o *program.Op, lanes int) bool {
	return lanes >= 0 && contractionGroup(o, lanes) == bothOperands
}

// rowLoops lists the parallel loops of a contraction that can make rows of
// accumulators, the best first: those of the operand that the lanes do not come
// from, whose elements are broadcast, then from the inside out the others that
// have a window.
func rowLoops(o *program.Op, lanes int) []int {
	var broadcast, others []int
	for _, l := range slices.Backward(parallelLoops(o)) {
		switch {
		case l == lanes || strided(o, l):
		case channelwise(o, lanes):
			others = append(others, l)
		case contractionGroup(o, l) == bothOperands:
		case contractionGroup(o, l) != contractionGroup(o, lanes):
			broadcast = append(broadcast, l)
		case windowed(o, l):
			others = append(others, l)
		}
	}
	return append(broadcast, others...)
}

// stepLoop is the innermost reduction loop that is no part of a window, -1 if
// there is none.
func stepLoop(o *program.Op) int {
	for l, loop := range slices.Backward(o.Loops) {
		if loop.Iterator == program.Reduction && !windowed(o, l) {
			return l
		}
	}
	return -1
}

// reductionTile takes whole rows of a reduction over several dimensions, for some
// elements of the result at once.
func reductionTile(o *program.Op) []int {
	tile := ones(o)
	tile[contiguousReduction(o)] = o.Loops[contiguousReduction(o)].Bound
	if l := lanesLoop(o); l >= 0 {
		tile[l] = largestDivisor(o.Loops[l].Bound, reductionSteps)
	}
	return tile
}

// transposed is the loop along which an operand is contiguous, if the result is
// contiguous along another parallel one; -1 if there is none.
func transposed(o *program.Op) int {
	operand := transposedOperand(o)
	if operand < 0 {
		return -1
	}
	rows := o.Operands[operand].Map.Coefficients
	l, _ := singleLoop(rows[len(rows)-1])
	return l
}

// transposedOperand is the operand that has such a loop, -1 if none has.
func transposedOperand(o *program.Op) int {
	lanes := lanesLoop(o)
	if isContraction(o) || lanes < 0 {
		return -1
	}
	return slices.IndexFunc(o.Operands, func(operand program.Operand) bool {
		rows := operand.Map.Coefficients
		if len(rows) == 0 || !operand.Map.Moves(lanes) {
			return false
		}
		l, ok := singleLoop(rows[len(rows)-1])
		return ok && l != lanes && o.Loops[l].Iterator == program.Parallel
	})
}

// transposeTile is a square of up to so many elements a side, less where that does not
// divide the loops; short loops are taken whole.
func transposeTile(o *program.Op, room int) []int {
	tile := ones(o)
	for _, l := range []int{transposed(o), lanesLoop(o)} {
		for side := room; side >= shortestVector && tile[l] == 1; side /= 2 {
			if o.Loops[l].Bound%side == 0 {
				tile[l] = side
			}
		}
		if tile[l] == 1 && o.Loops[l].Bound <= 2*room {
			tile[l] = o.Loops[l].Bound
		}
	}
	return tile
}

// reducesRows reports whether the innermost loop of scalar code should be a
// reduction: operands are read along it, and none along the result's rows.
func reducesRows(o *program.Op) bool {
	if isContraction(o) {
		return gathersLanes(o)
	}
	return contiguousReduction(o) >= 0
}

// reducesImages reports whether rows are reduced that are short, and parts of
// something larger that is reduced: a loop over each would be mostly its end.
func reducesImages(o *program.Op) bool {
	k, loops := contiguousReduction(o), 0
	for _, loop := range o.Loops {
		if loop.Iterator == program.Reduction {
			loops++
		}
	}
	return k >= 0 && loops > 1 && len(parallelLoops(o)) > 0 && o.Loops[k].Bound <= MaxOddRow/2
}

// contiguousReduction is the reduction loop along which the first operand's last
// dimension is read, -1 if another loop is.
func contiguousReduction(o *program.Op) int {
	rows := o.Operands[0].Map.Coefficients
	if len(rows) == 0 {
		return -1
	}
	l, ok := singleLoop(rows[len(rows)-1])
	if !ok || o.Loops[l].Iterator != program.Reduction {
		return -1
	}
	return l
}

// runTile is a run along the result's contiguous dimension; where that is short,
// several.
func runTile(o *program.Op, m Machine) []int {
	tile := ones(o)
	room := runVectors * m.VectorLanes
	for d := len(o.Init().Map.Coefficients) - 1; d >= 0; d-- {
		if l := resultLoop(o, d); l >= 0 {
			tile[l] = run(o.Loops[l].Bound, room, m.VectorLanes)
			room /= tile[l]
		}
	}
	return tile
}

// ones is the tile of one iteration.
func ones(o *program.Op) []int {
	return slices.Repeat([]int{1}, len(o.Loops))
}

// resultLoop is the loop that a dimension of the result follows, -1 if there is
// none.
func resultLoop(o *program.Op, dimension int) int {
	if rows := o.Init().Map.Coefficients; dimension >= 0 && dimension < len(rows) {
		if l, ok := singleLoop(rows[dimension]); ok {
			return l
		}
	}
	return -1
}

// lanesLoop is the loop along the result's rows, its last dimension; -1 if there is none.
func lanesLoop(o *program.Op) int { return resultLoop(o, len(o.Init().Map.Coefficients)-1) }

// columns is the width of a block of accumulators: two vectors, or one, or the
// widest part of one that a register can be; what is shorter than that is one row.
// (Three vectors, one and a half, or ten lanes are slow code.)
func columns(bound, lanes int) int {
	for width := 2 * lanes; width >= shortestVector; width /= 2 {
		if bound%width == 0 {
			return width
		}
	}
	if bound <= 2*lanes {
		return bound
	}
	return largestDivisor(bound, shortestVector)
}

// shortestVector is the fewest float32 that a vector register holds.
const shortestVector = 4

// run is the length of an element-wise run: whole vectors if they divide the
// loop, else half vectors, else what fits.
func run(bound, room, lanes int) int {
	for _, unit := range []int{lanes, lanes / 2} {
		if unit > 0 && bound%unit == 0 && unit <= room {
			return unit * largestDivisor(bound/unit, room/unit)
		}
	}
	return largestDivisor(bound, room)
}

// largestDivisor is the largest divisor of n up to limit.
func largestDivisor(n, limit int) int {
	for d := min(n, limit); d > 1; d-- {
		if n%d == 0 {
			return d
		}
	}
	return 1
}

func roundUp(n, unit int) int { return (n + unit - 1) / unit * unit }

// windowed reports whether a loop moves an operand together with another one.
func windowed(o *program.Op, loop int) bool {
	return anyRow(o, func(row []int) bool {
		_, alone := singleLoop(row)
		return row[loop] != 0 && !alone
	})
}

// strided reports whether a loop moves an operand by more than one element.
func strided(o *program.Op, loop int) bool {
	return anyRow(o, func(row []int) bool { return row[loop] != 0 && row[loop] != 1 })
}

func anyRow(o *program.Op, holds func(row []int) bool) bool {
	return slices.ContainsFunc(o.Operands, func(operand program.Operand) bool {
		return slices.ContainsFunc(operand.Map.Coefficients, holds)
	})
}

// poor reports whether a tile's vectors are far from filling registers although the
// loop along them is long enough: LLVM, which handles a rest, then does better.
func poor(o *program.Op, tile []int) bool {
	lanes := lanesLoop(o)
	if across := transposed(o); across >= 0 && tile[across] < shortestVector {
		return true
	}
	return lanes >= 0 && !reducesImages(o) && tile[lanes] < min(o.Loops[lanes].Bound, shortestVector)
}
