package env

import (
	"math"
	"slices"

	"nestling/program"
	"nestling/schedule"
)

// Observe is what the agent sees now. It must not be called on an episode that is over.
func (e *Episode) Observe() *Observation {
	o := &Observation{Rewriting: e.Rewriting()}
	op := e.op()
	consumers := e.self().Consumers // the nearest first
	for _, other := range consumers[:min(len(consumers), (MaxOps-1)/2)] {
		o.Ops = append(o.Ops, e.view(other, op))
	}
	producers := e.self().Producers // the nearest last
	for _, other := range producers[max(0, len(producers)-(MaxOps-1-len(o.Ops))):] {
		o.Ops = append(o.Ops, e.view(other, op))
	}
	o.Ops = append(o.Ops, e.view(op, op))
	for _, p := range e.past[max(0, len(e.past)-MaxPast):] {
		o.Past = append(o.Past, e.pastFeatures(p))
	}
	return o
}

// writer fills a vector from left to right.
type writer struct{ rest []float32 }

func newWriter(n int) (*writer, []float32) {
	out := make([]float32, n)
	return &writer{out}, out
}

func (w *writer) put(values ...float32) {
	copy(w.rest, values)
	w.rest = w.rest[len(values):]
}

// oneHot marks one of n places, none of them where i is not below n.
func (w *writer) oneHot(i, n int) {
	if i >= 0 && i < n {
		w.rest[i] = 1
	}
	w.rest = w.rest[n:]
}

// view describes an operation, seen from the current one.
func (e *Episode) view(op, from int) OpView {
	o := &e.stage.program.Ops[op]
	v := OpView{Features: e.opFeatures(op, from)}
	loops := e.state.Loops(op)
	order := e.state.LoopOrder(op)
	first := max(0, len(loops)-MaxLoops)
	for l := first; l < len(loops); l++ {
		v.Loops = append(v.Loops, e.loopFeatures(op, loops, order, l))
	}
	for i := range min(len(o.Operands), MaxOperands) {
		operand := o.Operands[i]
		if i == MaxOperands-1 {
			operand = o.Init()
		}
		v.Operands = append(v.Operands, e.operandView(op, operand, order[first:]))
	}
	return v
}

func (e *Episode) opFeatures(op, from int) []float32 {
	p := e.stage.program
	o := &p.Ops[op]
	w, out := newWriter(OpSize)
	w.oneHot(slices.Index(program.Families, o.Family), families)
	a := o.Arith
	for _, n := range [7]int{a.Add, a.Sub, a.Mul, a.Div, a.Exp, a.Max, a.Other} {
		w.put(log2(float64(n)+1, 4))
	}
	inner := 1.0
	loops := e.state.Loops(op)
	for _, l := range loops {
		inner *= float64(l.Bound)
	}
	m := e.space.machine
	w.put(
		log2(o.Iterations(), 30), log2(o.Flops()+1, 30), log2(inner, 30),
		log2(float64(m.Threads), 8), log2(float64(max(1, m.VectorLanes)), 8),
		log2(float64(m.L1()), 30), log2(float64(m.L2()), 30), log2(float64(m.L3()), 30),
		flag(op == from), flag(slices.Contains(o.Consumers, from)), flag(slices.Contains(o.Producers, from)),
		flag(p.Values[o.Result].Weight), flag(o.Code != ""), flag(o.Inside > 0),
		flag(schedule.Contracts(o)), flag(e.state.FusedInto(op) >= 0),
		flag(len(p.FusibleProducers(op)) > 0), flag(e.Rewriting()),
		float32(len(e.state.Actions(op)))/schedule.MaxActions,
	)
	return out
}

// loopFeatures describes a current loop.
func (e *Episode) loopFeatures(op int, loops []schedule.LoopState, order []int, l int) []float32 {
	o := &e.stage.program.Ops[op]
	w, out := newWriter(LoopSize)
	lanes := max(1, e.space.machine.VectorLanes)
	loop, whole := loops[l], o.Loops[order[l]].Bound
	traits := schedule.Traits(o)[order[l]]
	readers := 0
	for _, operand := range o.Operands {
		if operand.Map.Moves(order[l]) {
			readers++
		}
	}
	w.put(
		1, log2(float64(whole), 10), log2(float64(loop.Bound), 10), log2(float64(whole)/float64(loop.Bound), 10),
		flag(loop.Bound < whole), flag(loop.Bound == 1), flag(loop.Bound%lanes == 0), flag(loop.Bound < lanes),
		flag(loop.Iterator == program.Parallel), flag(loop.Iterator == program.Reduction), flag(loop.Parallel),
		flag(traits.Lanes), flag(traits.Windowed), flag(traits.Strided), flag(traits.Steps),
		float32(len(loops)-1-l)/MaxLoops, flag(l == len(loops)-1),
		float32(readers)/MaxOperands, flag(o.Init().Map.Moves(order[l])),
	)
	return out
}

func (e *Episode) operandView(op int, operand program.Operand, order []int) OperandView {
	v := OperandView{Features: e.operandFeatures(op, operand)}
	strides := e.strides(operand)
	shape := e.stage.program.Values[operand.Value].Shape
	for _, l := range order {
		total := 0.0
		grid := make([][]float32, min(len(operand.Map.Coefficients), MaxDimensions))
		for d, row := range operand.Map.Coefficients {
			c := float64(row[l])
			total += c * strides[d]
			if d < len(grid) {
				grid[d] = []float32{1, float32(math.Copysign(math.Log2(1+math.Abs(c)), c)), log2(1+math.Abs(c)*4*strides[d], 20), log2(float64(max(1, shape[d])), 10)}
			}
		}
		v.Grid = append(v.Grid, grid)
		v.Access = append(v.Access, []float32{flag(total == 0), flag(total == 1), log2(1+4*math.Abs(total), 20)})
	}
	return v
}

// strides are the elements from one index of a dimension to the next, in floating point:
// of a program that is too large for any memory they may be more than an int holds.
func (e *Episode) strides(operand program.Operand) []float64 {
	shape := e.stage.program.Values[operand.Value].Shape
	strides := make([]float64, len(operand.Map.Coefficients))
	step := 1.0
	for d := len(strides) - 1; d >= 0; d-- {
		strides[d] = step
		step *= float64(max(1, shape[d]))
	}
	return strides
}

func (e *Episode) operandFeatures(op int, operand program.Operand) []float32 {
	p := e.stage.program
	value := &p.Values[operand.Value]
	w, out := newWriter(OperandSize)
	bytes := value.Bytes()
	tile := e.footprint(operand, e.tile(op))
	o := &p.Ops[op]
	lanes, along := schedule.Lanes(o), lastLoop(operand.Map)
	reuse := 1.0
	for l, loop := range o.Loops {
		if loop.Iterator == program.Parallel && !operand.Map.Moves(l) {
			reuse *= float64(loop.Bound)
		}
	}
	w.put(
		1, flag(operand.Init), flag(value.Weight), log2(bytes, 30), log2(tile, 30),
		ratio(bytes, e.space.machine.L2()), ratio(tile, e.space.machine.L1()),
		flag(value.Kind == program.ValueResult && p.Uses(operand.Value) == 1),
		// Vectors are loaded where the lanes run along what lies side by side, broadcast
		// where they do not move the operand, and gathered otherwise.
		flag(lanes >= 0 && operand.Map.Moves(lanes)), flag(lanes >= 0 && operand.Map.Consecutive(lanes)),
		flag(along >= 0 && o.Loops[along].Iterator == program.Reduction),
		log2(reuse, 20),
	)
	return out
}

// lastLoop is the loop that alone runs along the last dimension of an operand, -1 if there
// is none.
func lastLoop(m program.AccessMap) int {
	if len(m.Coefficients) == 0 {
		return -1
	}
	return onlyLoop(m.Coefficients[len(m.Coefficients)-1])
}

// onlyLoop is the one loop of a row of an access map, -1 if there is none or more.
func onlyLoop(row []int) int {
	found := -1
	for l, c := range row {
		if c != 0 && found >= 0 {
			return -1
		}
		if c != 0 {
			found = l
		}
	}
	return found
}

// ratio weighs bytes against a cache: 1 fills it, 2 is twice as much or more.
func ratio(bytes float64, cache int) float32 { return float32(min(2, bytes/float64(cache))) }

// tile is how much of each original loop the current tile is.
func (e *Episode) tile(op int) []int {
	order := e.state.LoopOrder(op)
	tile := make([]int, len(order))
	for l, loop := range e.state.Loops(op) {
		tile[order[l]] = loop.Bound
	}
	return tile
}

// footprint is how many bytes of an operand a tile touches, in floating point: programs
// that could never run must not overflow.
func (e *Episode) footprint(operand program.Operand, tile []int) float64 {
	elements := 1.0
	for _, extent := range operand.Map.Extents(e.stage.program.Values[operand.Value].Shape, tile) {
		elements *= float64(extent)
	}
	return 4 * elements
}

// pastFeatures describes an action taken.
func (e *Episode) pastFeatures(p pastAction) []float32 {
	w, out := newWriter(PastSize)
	w.oneHot(kindIndex[p.action.Kind], actions)
	self := e.self()
	other, err := e.stage.program.OpIndex(p.op)
	w.put(flag(p.op == self.Name), flag(err == nil && slices.Contains(self.Consumers, other)), flag(err == nil && slices.Contains(self.Producers, other)))
	perLoop := func(values []int, feature func(n int) float32) {
		values = values[max(0, len(values)-MaxLoops):]
		for _, n := range values {
			w.put(feature(n))
		}
		w.rest = w.rest[MaxLoops-len(values):]
	}
	perLoop(p.action.Sizes, func(n int) float32 { return log2(float64(n)+1, 8) })
	perLoop(p.action.Sizes, func(n int) float32 { return flag(n > 0) })
	perLoop(p.action.Order, func(n int) float32 { return float32(n+1) / MaxLoops })
	for i := range min(numbers, len(p.action.Args)) {
		w.rest[i] = log2(float64(p.action.Args[i])+1, 8)
	}
	return out
}

func flag(b bool) float32 {
	if b {
		return 1
	}
	return 0
}

// log2 of x as a share of the largest exponent that is usual.
func log2(x, usual float64) float32 { return float32(math.Log2(x) / usual) }
