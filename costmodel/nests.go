package costmodel

import (
	"math"
	"slices"

	"nestling/env"
	"nestling/program"
	"nestling/schedule"
)

// NestSize is the length of the vector that describes a nest.
const NestSize = 89

// describeNests describes what a schedule makes of a program, a row for each operation that
// runs: [nests, 1 + NestSize]. The first number of a row is the logarithm of the nanoseconds
// that the nest is estimated to take, the others are what that may be wrong by.
func describeNests(over *env.Episode) []float32 {
	v := newView(over)
	var rows []float32
	for i := range v.nests {
		if !v.program.Values[v.program.Ops[i].Result].Weight {
			rows = append(rows, v.describe(&v.nests[i])...)
		}
	}
	if len(rows) == 0 { // everything is computed ahead of time
		return make([]float32, 1+NestSize)
	}
	return rows
}

// view is a scheduled program.
type view struct {
	program *program.Program
	nests   []schedule.Nest // of each operation
	machine schedule.Machine
	working float64   // bytes that the program touches
	tiles   []tile    // of each operation
	alone   []float64 // of each outermost operation, as timeAlone has it
}

func newView(over *env.Episode) *view {
	p, nests := over.Nests()
	v := &view{program: p, nests: nests, machine: over.Machine()}
	v.working = v.workingSet()
	for i := range nests {
		v.tiles = append(v.tiles, v.newTile(&nests[i]))
	}
	v.alone = v.timeAlone()
	return v
}

// lanes are the float32 in a vector register.
func (v *view) lanes() int { return max(1, v.machine.VectorLanes) }

func (v *view) threads() float64 { return math.Max(1, float64(v.machine.Threads)) }

// workingSet is how many bytes all that runs reads and writes. Results lie where what they
// start from does.
func (v *view) workingSet() float64 {
	touched, written := map[int]bool{}, map[int]bool{}
	for i := range v.program.Ops {
		o := &v.program.Ops[i]
		if v.program.Values[o.Result].Weight {
			continue
		}
		touched[o.Result] = v.nests[i].Into < 0 // or there are never more than parts of it
		for _, operand := range o.Operands {
			base := v.base(operand.Value)
			if result := &v.program.Values[base]; result.Kind != program.ValueResult || v.nests[result.Op].Into < 0 {
				touched[base] = true
			}
			written[base] = written[base] || operand.Init
		}
	}
	sum := 0.0
	for value, all := range touched {
		if all && !written[value] {
			sum += v.bytes(value) // whole numbers, the same in any order
		}
	}
	return sum
}

// base is the value that a view shows a part of.
func (v *view) base(value int) int {
	for {
		switch shown := &v.program.Values[value]; shown.Kind {
		case program.ValueSlice, program.ValueReshape, program.ValueInsert:
			value = shown.Base
		default:
			return value
		}
	}
}

func (v *view) bytes(value int) float64 { return v.program.Values[value].Bytes() }

// root is the operation in whose loops another one runs, or it itself.
func (v *view) root(op int) int {
	for v.nests[op].Into >= 0 {
		op = v.nests[op].Into
	}
	return op
}

// describe is the row of one nest.
func (v *view) describe(of *schedule.Nest) []float32 {
	n := v.newNest(of)
	e := n.estimate()
	w := writer{values: make([]float32, 0, 1+NestSize)}
	w.put(math.Log(e.total()))
	w.operation(n.op)
	w.estimate(e)
	w.place(n)
	w.tile(n)
	w.loops(n, e)
	w.memory(n, e)
	for i, x := range w.values {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			w.values[i] = 0
		}
	}
	return w.values
}

// writer appends features.
type writer struct{ values []float32 }

func (w *writer) put(values ...float64) {
	for _, x := range values {
		w.values = append(w.values, float32(x))
	}
}

func (w *writer) flags(values ...bool) {
	for _, b := range values {
		x := 0.0
		if b {
			x = 1
		}
		w.put(x)
	}
}

// scaled is the logarithm of numbers that may be anything from 0 to a million and more.
func scaled(x float64) float64 { return math.Log2(1+x) / 20 }

func (w *writer) operation(o *program.Op) {
	for _, f := range program.Families {
		w.flags(o.Family == f)
	}
	a := o.Arith
	for _, n := range [7]int{a.Add, a.Sub, a.Mul, a.Div, a.Exp, a.Max, a.Other} {
		w.put(math.Log2(float64(n)+1) / 4)
	}
}

// estimate tells of what the time is made up.
func (w *writer) estimate(e estimate) {
	total := e.total()
	w.put(scaled(e.compute), scaled(e.caches[0].time), scaled(e.caches[1].time), scaled(e.caches[2].time),
		scaled(e.copied/copyBytes), scaled(e.tiles), scaled(total))
	w.put(e.compute/total, e.caches[0].time/total, e.caches[1].time/total, e.caches[2].time/total,
		e.copies/total, e.overhead/total)
}

// place tells how often a nest runs, where, and on how many threads.
func (w *writer) place(n *nest) {
	w.put(scaled(n.iterations()), scaled(n.runs), scaled(n.pieces), math.Min(n.pieces, 64)/64, n.speed/n.threads())
	w.put(math.Max(-1, math.Min(1, math.Log2(n.regionTime(n.Op)/schedule.ParallelPays)/8)), scaled(n.starts))
	w.flags(n.starts > 0, n.Into >= 0, n.op.Inside > 0, n.op.Code != "", n.op.Kind == "winograd", n.Vector, schedule.Contracts(n.op))
}

// tile tells what vectors would do with the innermost tile.
func (w *writer) tile(n *nest) {
	t, lanes := n.tile, n.lanes()
	w.put(scaled(t.registers), math.Min(2, t.registers/32), scaled(t.vectors),
		float64(t.row%lanes)/float64(lanes), scaled(float64(t.row)), math.Min(2, float64(t.row)/float64(4*lanes)))
	w.flags(t.row < lanes, t.row%lanes == 0, t.registers > 28, t.registers < 8)
	power := t.row&(t.row-1) == 0
	w.flags(power, !power && t.row > lanes, n.handedOver(n.Op))
	w.put(math.Min(2, inRow(t.row, lanes)*float64(lanes)/4), math.Min(4, t.stores/t.vectors)/2, math.Min(8, t.shuffles/t.vectors)/4,
		math.Min(4, t.loads/math.Max(1, t.volume)), math.Min(4, t.stores/math.Max(1, t.volume)))
	hoisted := n.hoisted()
	w.put(math.Min(4, t.loads/t.vectors), t.gathered/2, t.broadcast/2, t.contiguous/2,
		scaled(hoisted), math.Min(4, 2*t.registers/t.vectors*t.reductions/hoisted), scaled(t.reductions))
}

// loops tells of the loops around the tile, and of those in it if they stay loops.
func (w *writer) loops(n *nest, e estimate) {
	trips := 0.0
	if k := len(n.Levels); k > 0 {
		trips = float64(n.Levels[k-1].Trips)
	}
	w.put(scaled(trips), float64(n.Unroll)/8, float64(n.Fetch)/4)
	inner, bound := n.innermost()
	w.flags(inner >= 0, inner >= 0 && n.op.Loops[max(0, inner)].Iterator == program.Parallel, inner >= 0 && inner == n.tile.lanes, n.vectorizes())
	w.put(scaled(float64(bound)), float64(len(n.Levels))/8)
	for _, c := range e.caches {
		w.put(float64(c.depth) / 8)
	}
}

// memory tells what the program and the nest touch.
func (w *writer) memory(n *nest, e estimate) {
	w.put(scaled(n.working), math.Min(2, n.working/n.room(1)), math.Min(2, n.working/n.room(2)))
	result, shortest, crowd := 4.0, 0.0, 0.0
	if n.op.Code == "" {
		_, result = n.lines(n.op.Init(), n.Tile)
		shortest, crowd = n.shortestRun(e.caches[0].depth), n.crowd()
	}
	w.put(scaled(result), scaled(shortest), crowd, n.around().frequencies()/36,
		scaled(n.bytes(n.op.Result)/4), float64(len(n.op.Operands))/8, scaled(e.caches[0].bytes))
}

// shortestRun is over how many bytes that lie together the tensors are read and written that
// are so over the fewest, within the first levels.
func (n *nest) shortestRun(depth int) float64 {
	shortest := math.Inf(1)
	inside := n.extents(depth)
	for _, operand := range n.op.Operands {
		if len(operand.Map.Coefficients) > 0 {
			_, run := n.lines(operand, inside)
			shortest = min(shortest, run)
		}
	}
	if math.IsInf(shortest, 1) {
		return 0
	}
	return shortest
}

// crowd is how much more of the first cache the innermost tile needs than the lines that it
// touches, for they crowd into few of its sets: a logarithm, 0 for no more.
func (n *nest) crowd() float64 {
	depth := len(n.Levels)
	inside, needed, touched := n.extents(depth), 0.0, 0.0
	for i, operand := range n.op.Operands {
		needed += n.footprint(operand, inside, n.sets(0, i, depth))
		touched += n.footprint(operand, inside, 0)
	}
	return math.Log2(needed/touched) / 6
}

// innermost is the loop of the tile that is the innermost, with its bound, if the tile is
// loops; -1 if not.
func (n *nest) innermost() (loop, bound int) {
	loop = -1
	if n.Vector {
		return loop, 0
	}
	for _, l := range slices.Backward(n.Order) {
		if n.Tile[l] > 1 {
			return l, n.Tile[l]
		}
	}
	return loop, 0
}
