package fuzz

import (
	"math/rand/v2"
	"slices"

	"nestling/program"
	"nestling/schedule"
)

// drawn limits the actions of a random schedule: longer ones are tried less
// well, not better.
const (
	maxRewrites    = 3
	maxLoopActions = 4
)

// draw is a random schedule from the whole vocabulary: rewrites, then loop
// actions of every operation that those leave. Most are legal; Check decides.
func draw(p *program.Program, o schedule.Options, rng *rand.Rand) schedule.Schedule {
	s, rewritten := drawRewrites(p, o, rng)
	state := schedule.NewState(rewritten)
	for _, op := range state.Order() {
		for range rng.IntN(maxLoopActions + 1) {
			// One that is not legal here is left out.
			_ = state.Apply(op, drawLoopAction(state, op, rng))
		}
		end := schedule.Action{Kind: schedule.Vectorize}
		if rng.IntN(4) == 0 || state.Apply(op, end) != nil {
			end.Kind = schedule.NoTransform
			_ = state.Apply(op, end)
		}
	}
	for _, loops := range state.Schedule() {
		s = appendActions(s, loops.Op, loops.Actions...)
	}
	if rng.IntN(4) == 0 {
		mutate(s, rng)
	}
	return s
}

// drawRewrites draws rewrites that are legal one after the other, and returns
// the program that they make.
func drawRewrites(p *program.Program, o schedule.Options, rng *rand.Rand) (schedule.Schedule, *program.Program) {
	var s schedule.Schedule
	rewritten := p
	try := func(op string, a schedule.Action) {
		next := appendActions(s, op, a)
		// From the beginning: actions of one operation stand on one line, so the
		// order may be another than that of the draws.
		if q, _, err := schedule.Rewrite(p, next, o); err == nil {
			s, rewritten = next, q
		}
	}
	if rng.IntN(2) == 0 {
		// Without these a chain of convolutions can hardly be met.
		for _, op := range p.Ops {
			if op.Family == program.Conv {
				try(op.Name, schedule.Action{Kind: schedule.FoldNorm})
			}
		}
	}
	for range rng.IntN(maxRewrites + 1) {
		op := drawOp(rewritten, rng)
		try(op.Name, drawRewrite(op, rng))
	}
	if rng.IntN(4) == 0 {
		// What it takes in can have no rewrites of its own afterwards.
		op := &rewritten.Ops[len(rewritten.Ops)-1-rng.IntN(min(2, len(rewritten.Ops)))]
		try(op.Name, schedule.Action{Kind: schedule.Group, Args: []int{rng.IntN(len(op.Loops) + 1)}})
	}
	return s, rewritten
}

// drawOp prefers convolutions and products, which rewrites are mostly for.
func drawOp(p *program.Program, rng *rand.Rand) *program.Op {
	for range 4 {
		if op := &p.Ops[rng.IntN(len(p.Ops))]; op.IsContraction() {
			return op
		}
	}
	return &p.Ops[rng.IntN(len(p.Ops))]
}

// appendActions is a schedule with more actions of an operation.
func appendActions(s schedule.Schedule, op string, actions ...schedule.Action) schedule.Schedule {
	out := slices.Clone(s)
	for i := range out {
		if out[i].Op == op {
			out[i].Actions = slices.Concat(out[i].Actions, actions)
			return out
		}
	}
	return append(out, schedule.OpSchedule{Op: op, Actions: actions})
}

func drawRewrite(op *program.Op, rng *rand.Rand) schedule.Action {
	kind := schedule.Rewrites[rng.IntN(len(schedule.Rewrites))]
	if op.Family == program.Conv && rng.IntN(3) == 0 {
		// Rarely legal otherwise, and worth the most.
		kind = []schedule.Kind{schedule.Winograd, schedule.WinogradChain}[rng.IntN(2)]
	}
	a := schedule.Action{Kind: kind}
	switch kind {
	case schedule.Split:
		a.Args = []int{rng.IntN(len(op.Loops) + 1), 1 + rng.IntN(16)}
	case schedule.Cut:
		a.Args = drawCut(op, rng)
	case schedule.Group, schedule.Parts:
		a.Args = []int{rng.IntN(len(op.Loops) + 1)}
	case schedule.Layout:
		if len(op.Operands) == 0 { // written out, and reading nothing
			break
		}
		operand := rng.IntN(len(op.Operands))
		a.Args = append([]int{operand}, rng.Perm(len(op.Operands[operand].Map.Coefficients))...)
	case schedule.Winograd:
		a.Args = []int{2 << rng.IntN(2), 1 + rng.IntN(3), 1 + rng.IntN(2), rng.IntN(4)}
	case schedule.WinogradChain:
		a.Args = []int{2 << rng.IntN(2), 1 + rng.IntN(3), rng.IntN(4)}
	}
	return a
}

// drawCut cuts most often where it can be cut, and every other time into parts
// that overlap.
func drawCut(op *program.Op, rng *rand.Rand) []int {
	loop := rng.IntN(len(op.Loops) + 1)
	if loop == len(op.Loops) {
		return []int{loop, 1}
	}
	bound := op.Loops[loop].Bound
	at := 1 + rng.IntN(bound)
	if rng.IntN(2) == 0 {
		return []int{loop, at}
	}
	return []int{loop, at, bound - at + rng.IntN(at+1)}
}

func drawLoopAction(s *schedule.State, op int, rng *rand.Rand) schedule.Action {
	kind := schedule.LoopActions[rng.IntN(len(schedule.LoopActions))]
	loops := s.Loops(op)
	a := schedule.Action{Kind: kind}
	switch kind {
	case schedule.Interchange:
		a.Order = rng.Perm(len(loops))
	case schedule.Tile, schedule.TileParallel, schedule.TileFuse:
		for l, loop := range loops {
			sizes := append(s.TileSizes(op, l, kind), 0)
			a.Sizes = append(a.Sizes, sizes[rng.IntN(len(sizes))])
			if rng.IntN(8) == 0 {
				a.Sizes[l] = 1 + rng.IntN(loop.Bound) // of any kind
			}
		}
	case schedule.Pack, schedule.Prefetch:
		a.Args = []int{rng.IntN(3)}
	case schedule.Unroll:
		a.Args = []int{1 << rng.IntN(5)}
	}
	return a
}

// mutate changes one number of a schedule, which most often makes it illegal.
func mutate(s schedule.Schedule, rng *rand.Rand) {
	o := s[rng.IntN(len(s))]
	a := &o.Actions[rng.IntN(len(o.Actions))]
	for _, numbers := range []*[]int{&a.Sizes, &a.Order, &a.Args} {
		if n := len(*numbers); n > 0 {
			*numbers = slices.Clone(*numbers)
			(*numbers)[rng.IntN(n)] = rng.IntN(40)
			return
		}
	}
}
