package env

import (
	"math"

	"nestling/schedule"
)

// What is asked for, a place in one-hot vectors.
const (
	askKind = iota
	askLoop
	askSize
	askOperand
	askDimension
	askNumber
)

// Question is the open question.
func (e *Episode) Question() Question {
	q := Question{Options: make([][]float32, len(e.open.options))}
	usual := e.usualAnswer()
	for i, o := range e.open.options {
		q.Options[i] = e.optionFeatures(o, usual)
	}
	return q
}

// optionFeatures describes an answer by what it is about: the action, then the loop, the
// tile that it would make, the operand, the number itself, and whether the default schedule
// would have it.
func (e *Episode) optionFeatures(o option, usual usualAnswer) []float32 {
	w, out := newWriter(OptionSize)
	asked, loop, operand := e.asked(o)
	w.oneHot(asked, questions)
	w.oneHot(kindIndex[o.kind], actions)
	w.put(float32(len(e.open.words))/8, flag(e.Rewriting()), float32(len(e.open.options))/16)
	w.loop(e, loop)
	w.size(e, o, asked, loop)
	w.operand(e, operand)
	w.number(e, o, asked)
	isUsual := usual.known && usual.is(o)
	w.put(flag(isUsual), flag(isUsual && usual.onTheWay))
	return out
}

// asked tells what an option answers, with the current loop and the operand that it is
// about, -1 for none.
func (e *Episode) asked(o option) (asked, loop, operand int) {
	a, n := &e.open, len(e.open.words)
	switch k := a.kind; {
	case k == "":
		return askKind, -1, -1
	case k == schedule.Interchange:
		return askLoop, o.word, -1
	case tiles(k):
		return askSize, e.tiledLoop(), -1
	case k == schedule.Split || k == schedule.Cut || k == schedule.Group:
		if n == 0 {
			return askLoop, o.word, -1
		}
		return askSize, a.words[0], -1
	case k == schedule.Layout && n == 1:
		operand = a.words[0]
		return askDimension, e.alongDimension(operand, o.word/2), operand
	case k == schedule.Layout || k == schedule.Pack || k == schedule.Prefetch:
		return askOperand, -1, o.word
	}
	return askNumber, -1, -1
}

// alongDimension is the loop that alone runs along a dimension of an operand, -1 if
// there is none.
func (e *Episode) alongDimension(operand, dimension int) int {
	return onlyLoop(e.self().Operands[operand].Map.Coefficients[dimension])
}

func (w *writer) loop(e *Episode, loop int) {
	if loop >= 0 {
		copy(w.rest, e.loopFeatures(e.op(), e.state.Loops(e.op()), e.state.LoopOrder(e.op()), loop))
	}
	w.rest = w.rest[LoopSize:]
}

func (w *writer) operand(e *Episode, operand int) {
	if operand >= 0 {
		copy(w.rest, e.operandFeatures(e.op(), e.self().Operands[operand]))
	}
	w.rest = w.rest[OperandSize:]
}

// number describes the bare number of an answer.
func (w *writer) number(e *Episode, o option, asked int) {
	if asked == askKind || asked == askSize {
		w.rest = w.rest[numberSize:]
		return
	}
	word := float64(o.word)
	w.put(log2(word+1, 4), float32(math.Min(word, 8)/8), flag(o.word == 0), flag(o.word == 1), flag(o.word == 2), flag(o.word == 3), flag(o.word == 4))
	if asked != askDimension {
		w.rest = w.rest[3:]
		return
	}
	dimensions := len(e.self().Operands[e.open.words[0]].Map.Coefficients)
	w.put(flag(o.word%2 == 0), flag(o.word/2 == dimensions-1), flag(o.word/2 == 0))
}

// size describes the tile that a size would make, of the loops whose sizes are known
// and of all, or the strip that a number would.
func (w *writer) size(e *Episode, o option, asked, loop int) {
	if asked == askNumber && e.describesStrip() {
		w.strip(e, o)
		return
	}
	if asked != askSize {
		w.rest = w.rest[sizes:]
		return
	}
	op, lanes, m := e.op(), max(1, e.space.machine.VectorLanes), e.space.machine
	bound := e.state.Loops(op)[loop].Bound
	size := o.word
	if size == 0 {
		size = bound
	}
	known, all := e.tileWith(loop, size)
	registers := schedule.Registers(e.self(), known, lanes)
	bytes := 0.0
	for _, operand := range e.self().Operands {
		bytes += e.footprint(operand, known)
	}
	trips := e.trips(o)
	w.put(
		log2(float64(size), 8), flag(o.word == 0), flag(size == 1), log2(float64(bound)/float64(size), 10),
		flag(size%lanes == 0), flag(size < lanes), flag(size == lanes), flag(size == 2*lanes),
		log2(volume(known), 20), log2(volume(all), 20), log2(registers, 8),
		float32(math.Min(registers/32, 2)), flag(registers <= 28), flag(registers >= 8 && registers <= 28),
		log2(bytes+1, 24), ratio(bytes, m.L1()), ratio(bytes, m.L2()),
		log2(trips, 12), flag(m.Threads > 1 && int(trips)%m.Threads == 0), flag(m.Threads > 1 && trips >= float64(4*m.Threads)),
	)
}

// tileWith is the tile by original loop once a size is chosen: one iteration of the
// loops that have not been asked for yet, or all that the current tile has of them.
func (e *Episode) tileWith(loop, size int) (known, all []int) {
	op := e.op()
	order := e.state.LoopOrder(op)
	known, all = make([]int, len(order)), make([]int, len(order))
	for l, s := range e.state.Loops(op) {
		known[order[l]], all[order[l]] = 1, s.Bound
	}
	if !tiles(e.open.kind) {
		known[order[loop]], all[order[loop]] = size, size
		return known, all
	}
	for i, chosen := range append(e.open.words[:len(e.open.words):len(e.open.words)], size) {
		l := e.open.loops - 1 - i
		if chosen == 0 {
			chosen = e.state.Loops(op)[l].Bound
		}
		known[order[l]], all[order[l]] = chosen, chosen
	}
	return known, all
}

func volume(tile []int) float64 {
	n := 1.0
	for _, size := range tile {
		n *= float64(size)
	}
	return n
}

// trips is how many tiles the sizes chosen so far make.
func (e *Episode) trips(o option) float64 {
	if !tiles(e.open.kind) {
		return 1
	}
	n, loops := 1.0, e.state.Loops(e.op())
	for i, size := range append(e.open.words[:len(e.open.words):len(e.open.words)], o.word) {
		if size > 0 {
			n *= float64(loops[e.open.loops-1-i].Bound) / float64(size)
		}
	}
	return n
}
