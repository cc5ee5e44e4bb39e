package env

import (
	"math"
	"slices"

	"nestling/program"
	"nestling/schedule"
)

// Observe is what the agent sees now. It must not be called on an episode that
// is over.
func (e *Episode) Observe() Observation {
	op := e.order[e.at]
	var tokens [][]float32
	producers := e.program.Ops[op].Producers
	for _, producer := range producers[max(0, len(producers)-MaxTokens+1):] {
		tokens = append(tokens, e.token(producer))
	}
	return Observation{
		Tokens:  append(tokens, e.token(op)),
		History: e.history(),
		Mask:    e.mask(),
	}
}

// writer fills a fixed-length vector from left to right.
type writer struct{ rest []float32 }

func (w *writer) put(values ...float32) {
	copy(w.rest, values)
	w.rest = w.rest[len(values):]
}

// take hands out the next n features to be filled in any order.
func (w *writer) take(n int) []float32 {
	out := w.rest[:n]
	w.rest = w.rest[n:]
	return out
}

// token describes an operation as it stands, loops in their current order.
func (e *Episode) token(op int) []float32 {
	out := make([]float32, FeatureSize)
	w := writer{out}
	o := &e.program.Ops[op]
	loops := e.state.Loops(op)
	w.take(families)[slices.Index(program.Families, o.Family)] = 1
	a := o.Arith
	for _, n := range [arithmetic]int{a.Add, a.Sub, a.Mul, a.Div, a.Exp, a.Max, a.Other} {
		w.put(log2(float64(n)+1, 4))
	}
	e.globals(&w, op, loops)
	order := e.loopOrder(op)
	for i := range min(len(loops), MaxLoops) {
		e.loop(w.rest[i*loopFeatures:], loops[i], o.Loops[order[i]].Bound)
	}
	w.take(MaxLoops * loopFeatures)
	for i := range min(len(o.Operands), maxOperands) {
		operand := o.Operands[i]
		if i == maxOperands-1 {
			operand = o.Init()
		}
		e.operand(&w, operand, order)
	}
	return out
}

func (e *Episode) globals(w *writer, op int, loops []schedule.LoopState) {
	o := &e.program.Ops[op]
	inner := 1.0
	for _, l := range loops {
		inner *= float64(l.Bound)
	}
	w.put(
		log2(o.Iterations(), 30),
		log2(o.Flops()+1, 30),
		log2(inner, 30),
		log2(float64(e.machine.Threads), 8),
		log2(float64(e.machine.VectorLanes), 8),
		flag(op == e.order[e.at]),
		flag(e.state.FusedInto(op) >= 0),
		flag(len(e.program.FusibleProducers(op)) > 0),
	)
}

func (e *Episode) loop(out []float32, l schedule.LoopState, bound int) {
	lanes := max(1, e.machine.VectorLanes)
	copy(out, []float32{
		1,
		log2(float64(bound), 10),
		log2(float64(l.Bound), 10),
		log2(float64(bound)/float64(l.Bound), 10),
		flag(l.Bound < bound),
		flag(l.Bound%lanes == 0),
		flag(l.Iterator == program.Parallel),
		flag(l.Iterator == program.Reduction),
		flag(l.Parallel),
	})
}

// operand writes size, how far one step of each loop moves in memory, and the
// access matrix.
func (e *Episode) operand(w *writer, o program.Operand, order []int) {
	value := &e.program.Values[o.Value]
	bytes := 4.0 // in floating point: programs that could never run must not overflow
	for _, n := range value.Shape {
		bytes *= float64(n)
	}
	w.put(flag(o.Init), log2(bytes, 30))
	strides := w.take(MaxLoops)
	matrix := w.take(maxDimensions * MaxLoops)
	step := 4.0
	for d := len(o.Map.Coefficients) - 1; d >= 0; d-- {
		row := o.Map.Coefficients[d]
		for i, l := range order[:min(len(order), MaxLoops)] {
			strides[i] += float32(float64(row[l]) * step)
			if d < maxDimensions {
				matrix[d*MaxLoops+i] = float32(math.Copysign(math.Log2(1+math.Abs(float64(row[l]))), float64(row[l])))
			}
		}
		step *= float64(value.Shape[d])
	}
	for i, s := range strides {
		strides[i] = log2(1+math.Abs(float64(s)), 20)
	}
}

// loopOrder gives, for each current loop, which loop of the operation it was.
func (e *Episode) loopOrder(op int) []int {
	order := make([]int, len(e.program.Ops[op].Loops))
	for i := range order {
		order[i] = i
	}
	for _, a := range e.state.Actions(op) {
		if a.Kind != schedule.Interchange {
			continue
		}
		next := make([]int, len(order))
		for i, l := range a.Order {
			next[i] = order[l]
		}
		order = next
	}
	return order
}

// history is the actions taken on the current operation, one-hot, and the
// permutation: the one under way, or else the one in force.
func (e *Episode) history() []float32 {
	out := make([]float32, HistorySize)
	w := writer{out}
	loops := min(len(e.op().Loops), MaxLoops)
	for _, a := range e.taken {
		w.take(kinds)[a.Kind] = 1
		tiles := w.take(MaxLoops * tileSizes)
		if TileHead(a.Kind) < 0 {
			continue
		}
		for l := range loops {
			tiles[l*tileSizes+a.Tile[l]] = 1
		}
	}
	permutation := out[maxActions*(kinds+MaxLoops*tileSizes):]
	picked := e.picked
	if !e.picking {
		picked = e.loopOrder(e.order[e.at])[:loops]
	}
	for i, l := range picked {
		permutation[i*MaxLoops+l] = 1
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
