package costmodel

import (
	"slices"

	"nestling/schedule"
)

// Code generation makes parallel loops serial that are over sooner than schedule.ParallelPays,
// by its costs of what it finds (codegen/compiler/serial.go). This is what it is going to find.
const (
	transformCost = 0.8  // nanoseconds of an element that is transformed
	addressing    = 1.55 // times all that, with what finds places: the median of 300 programs
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
		out[v.outermost(i)] += addressing * v.bare(&v.nests[i]).oneThread()
	}
	return out
}

// startsOf is how often an outermost operation starts threads, by the loops outside of its
// first parallel one.
func (v *view) startsOf(op int) float64 {
	starts := 1.0
	for _, l := range v.nests[op].Levels {
		if l.Parallel {
			break
		}
		starts *= float64(l.Trips)
	}
	return starts
}

// regionTime is how long code generation takes what is done in one parallel region to be, of
// which an operation is a part.
func (v *view) regionTime(op int) float64 {
	op = v.outermost(op)
	return v.alone[op] / v.startsOf(op)
}

func (n *nest) oneThread() float64 {
	a, o := n.op.Arith, n.op
	switch simple, others := float64(a.Add+a.Sub+a.Mul+a.Max), float64(a.Div+a.Exp+a.Other); {
	case o.Code != "":
		return n.transformed() / 4 * transformCost
	case n.Vector:
		moved := 0.0
		for _, operand := range o.Operands {
			elements := elements(n.Nest, operand)
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
		each := schedule.SimpleCost*simple + schedule.VectorCost*others
		if schedule.Contracts(o) {
			each = schedule.ContractionCost
		}
		return n.iterations() * (each + schedule.VectorCost*moved/n.tile.volume)
	default:
		cost := schedule.ScalarCost * (simple + others + float64(len(o.Operands)))
		if n.innermostSerial() {
			cost *= schedule.VectorizedShare
		}
		return n.iterations() * cost
	}
}

// innermostSerial reports whether the innermost of all loops is a serial one.
func (n *nest) innermostSerial() bool {
	if slices.ContainsFunc(n.Tile, func(size int) bool { return size > 1 }) {
		return true
	}
	k := len(n.Levels)
	return k > 0 && !n.Levels[k-1].Parallel
}
