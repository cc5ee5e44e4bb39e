package env

import (
	"math/rand/v2"
	"slices"

	"nestling/schedule"
)

// Rearrange begins a new episode with another rewrite than a good schedule has, and returns
// what was seen and done: one that is offered, each or each kind as likely as any other,
// where the schedule decides on one, in its place or before it. All other rewrites stay, or
// more are drawn. Loops are arranged as in the schedule where all others stay, and by rule:
// what a rewrite is worth shows only where the loops that it makes are arranged well. The
// episode must be offered rewrites; it may not be over afterwards.
func (e *Episode) Rearrange(good schedule.Schedule, rng *rand.Rand) []Step {
	steps := e.toCrossroads(good, rng)
	add := func(s Step, err error) bool {
		if err == nil {
			steps = append(steps, s)
		}
		return err == nil
	}
	replaced := e.Wanted(good)
	add(e.DrawRewrite(rng), nil)
	alone := rng.IntN(2) == 0
	if alone && rng.IntN(2) == 0 && e.Rewriting() {
		add(e.Take(replaced))
	}
	for e.Rewriting() {
		switch {
		case alone && add(e.Toward(good)):
		case rng.IntN(2) == 0:
			add(e.GoOn(), nil)
		default:
			add(e.DrawRewrite(rng), nil)
		}
	}
	if e.Done() {
		return steps
	}
	usual := e.DefaultLoops()
	if alone {
		usual = arranged(good, usual)
	}
	for !e.Done() && add(e.Toward(usual)) {
	}
	return steps
}

// toCrossroads follows a schedule to one of its decisions on rewrites, more often to those
// that choose among many kinds: most operations have nothing to be rewritten but a G.
func (e *Episode) toCrossroads(good schedule.Schedule, rng *rand.Rand) []Step {
	var ways []int
	total := 0
	for ahead := e.Clone(); ahead.Rewriting(); {
		ways = append(ways, len(ahead.open.options)-1)
		total += len(ahead.open.options) - 1
		if _, err := ahead.Toward(good); err != nil {
			break
		}
	}
	var steps []Step
	for draw := rng.IntN(total); draw >= ways[len(steps)]; {
		draw -= ways[len(steps)]
		s, err := e.Toward(good)
		if err != nil {
			panic("env: what could be followed cannot be followed again: " + err.Error())
		}
		steps = append(steps, s)
	}
	return steps
}

// Resemble plays a new episode by the schedule of another program of the same structure,
// as nearly as that is possible, and returns what was seen and done. Now and then only
// rewrites are taken over, and loops are arranged by rule. The episode may not be over
// afterwards, where nothing is like what the schedule has next.
func (e *Episode) Resemble(good schedule.Schedule, rng *rand.Rand) []Step {
	var steps []Step
	add := func(s Step, err error) bool {
		if err == nil {
			steps = append(steps, s)
		}
		return err == nil
	}
	for e.Rewriting() {
		if !add(e.TakeLike(e.Wanted(good))) {
			add(e.GoOn(), nil)
		}
	}
	if e.Done() {
		return steps
	}
	usual := e.DefaultLoops()
	like := usual
	if rng.IntN(4) > 0 {
		like = arranged(good, usual)
	}
	leave := schedule.Action{Kind: schedule.NoTransform}
	for !e.Done() && (add(e.TakeLike(e.Wanted(like))) || add(e.TakeLike(e.Wanted(usual))) || add(e.Take(leave))) {
	}
	return steps
}

// arranged is a schedule with the loop actions of another for the operations that it has
// none for.
func arranged(s, usual schedule.Schedule) schedule.Schedule {
	loops := map[string]bool{}
	for _, o := range s {
		loops[o.Op] = loops[o.Op] || slices.ContainsFunc(o.Actions, func(a schedule.Action) bool { return !a.Kind.IsRewrite() })
	}
	out := slices.Clone(s)
	for _, o := range usual {
		if !loops[o.Op] {
			out = append(out, o)
		}
	}
	return out
}
