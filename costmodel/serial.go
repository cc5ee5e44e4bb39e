package costmodel

import (
	"math"
	"slices"

	"nestling/program"
	"nestling/schedule"
)

// Code generation makes parallel loops serial that are over sooner than schedule.ParallelPays.
// These are its costs in nanoseconds (codegen/compiler/serial.go), of what it is going to find.
const (
	scalarCost      = 0.5
	vectorCost      = 1.0 / 32  // of an element
	simpleCost      = 1.0 / 128 // of an element that is added, multiplied or compared
	contractionCost = 1.0 / 64  // of a multiply-add
	vectorizedShare = 1.0 / 8   // of scalars in a loop that LLVM makes vectors of
	transformCost   = 0.8       // of an element that is transformed
	besides         = 1.55      // times all that, with what finds places: the median of 300 programs
)

// outermost is the operation whose loops, or what is written out for it, are around all others
// that one runs in; that may be it itself.
func (v *view) outermost(op int) int {
	op = v.root(op)
	if inside := v.program.Ops[op].Inside; inside > 0 {
		return v.outermost(inside - 1)
	}
	return op
}

// timeAlone is how long code generation takes each outermost operation to be, with all that runs
// in it, on one thread.
func (v *view) timeAlone() []float64 {
	out := make([]float64, len(v.nests))
	for i := range v.nests {
		out[v.outermost(i)] += besides * v.bare(&v.nests[i]).oneThread()
	}
	return out
}

// regions is how often an outermost operation starts threads, by the loops outside of its
// first parallel one.
func (v *view) regions(op int) float64 {
	starts := 1.0
	for _, l := range v.nests[op].Levels {
		if l.Parallel {
			break
		}
		starts *= float64(l.Trips)
	}
	return starts
}

// region is how long code generation takes what is done in one parallel region to be, of
// which an operation is a part.
func (v *view) region(op int) float64 {
	op = v.outermost(op)
	return v.alone[op] / v.regions(op)
}

func (n *nest) oneThread() float64 {
	a, o := n.op.Arith, n.op
	switch simple, others := float64(a.Add+a.Sub+a.Mul+a.Max), float64(a.Div+a.Exp+a.Other); {
	case o.Code != "":
		return n.transformed() / 4 * transformCost
	case n.Vector:
		moved := 0.0
		for _, operand := range o.Operands {
			elements := n.elements(operand)
			if operand.Init {
				elements *= n.tile.reductions / n.hoisted()
				if n.tile.reductions > 1 || n.hoisted() > 1 {
					elements *= 2 // read, and written
				}
			}
			if n.gathers(operand) {
				elements *= 2 // turned, too
			}
			moved += elements
		}
		each := simpleCost*simple + vectorCost*others
		if schedule.Contracts(o) {
			each = contractionCost
		}
		return n.iterations() * (each + vectorCost*moved/n.tile.volume)
	default:
		cost := scalarCost * (simple + others + float64(len(o.Operands)))
		if n.innermostSerial() {
			cost *= vectorizedShare
		}
		return n.iterations() * cost
	}
}

// gathers reports whether a vector of an operand's elements does not lie together in memory.
func (n *nest) gathers(operand program.Operand) bool {
	lanes := n.tile.lanes
	return lanes >= 0 && !schedule.Contracts(n.op) && operand.Map.Moves(lanes) && !operand.Map.Consecutive(lanes)
}

// elements is how many of an operand a tile reads or writes.
func (n *nest) elements(operand program.Operand) float64 {
	elements := 1.0
	for l, size := range n.Tile {
		if operand.Map.Moves(l) {
			elements *= float64(size)
		}
	}
	return elements
}

// innermostSerial reports whether the innermost of all loops is a serial one.
func (n *nest) innermostSerial() bool {
	if slices.ContainsFunc(n.Tile, func(size int) bool { return size > 1 }) {
		return true
	}
	k := len(n.Levels)
	return k > 0 && !n.Levels[k-1].Parallel
}

// handedOver reports whether the result of an operation stays in registers on its way to the one
// that it is fused into: both are vectors, and there are no loops around the second that are not
// around both, except for sums that go on in what they are handed.
func (v *view) handedOver(op int) bool {
	p := &v.nests[op]
	if p.Into < 0 || !p.Vector {
		return false
	}
	for i := range v.nests {
		c := &v.nests[i]
		for _, operand := range v.program.Ops[i].Operands {
			if operand.Value != v.program.Ops[op].Result {
				continue
			}
			inside := c.Levels[min(len(p.Levels), len(c.Levels)):]
			return c.Vector && len(inside) == len(c.Levels)-len(p.Levels) && !slices.ContainsFunc(inside, func(l schedule.Level) bool {
				return !operand.Init || v.program.Ops[i].Loops[l.Loop].Iterator == program.Parallel
			})
		}
	}
	return false
}

// kept reports whether an operand of a nest is, or stays, in registers.
func (n *nest) kept(operand program.Operand) bool {
	if operand.Init && n.handedOver(n.Op) {
		return true
	}
	v := &n.program.Values[operand.Value]
	return v.Kind == program.ValueResult && n.handedOver(v.Op)
}

// beside is how many vectors and parts of vectors hold a row of so many elements: whole ones,
// then halves, quarters and so on.
func beside(row, lanes int) float64 {
	pieces := row / lanes
	for rest := row % lanes; rest > 0; rest &= rest - 1 {
		pieces++
	}
	return float64(pieces)
}

// shuffled is how many shuffles turn blocks of so many rows of so many elements: of squares of
// 4, 8 or 16 elements a side.
func shuffled(rows, columns float64) float64 {
	side := 4.0
	for side < 16 && side < math.Max(rows, columns) {
		side *= 2
	}
	squares := math.Ceil(rows/side) * math.Ceil(columns/side)
	return squares * side * math.Log2(side)
}
