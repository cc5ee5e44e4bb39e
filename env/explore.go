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
	t := e.toCrossroads(good, rng)
	replaced := e.Wanted(good)
	t.add(e.DrawRewrite(rng), nil)
	alone := rng.IntN(2) == 0
	if alone && rng.IntN(2) == 0 && e.Rewriting() {
		t.add(e.Take(replaced))
	}
	for e.Rewriting() {
		switch {
		case alone && t.add(e.Toward(good)):
		case rng.IntN(2) == 0:
			t.add(e.GoOn(), nil)
		default:
			t.add(e.DrawRewrite(rng), nil)
		}
	}
	if e.Done() {
		return t
	}
	usual := e.DefaultLoops()
	if alone {
		usual = arranged(good, usual)
	}
	rest, _ := e.Follow(usual) // as far as it leads
	return append(t, rest...)
}

// VaryToward takes an action of a good schedule with one of its answers changed, and then goes
// on as the schedule does, as far as that leads: a step of a local search. It returns what was
// seen and done. The episode must have come as far as the action; it may not be over
// afterwards.
func (e *Episode) VaryToward(good schedule.Schedule, answers []int, rng *rand.Rand) []Step {
	t := trail{e.Vary(answers, rng)}
	rest, _ := e.Follow(good)
	return append(t, rest...)
}

// Neighbour plays a new episode by the steps of a good schedule up to one of them, in which an
// answer is changed, and on as VaryToward does. It returns what was seen and done, from the
// beginning; nothing where the program leaves no choice.
func (e *Episode) Neighbour(good schedule.Schedule, steps []Step, rng *rand.Rand) []Step {
	if len(steps) == 0 {
		return nil
	}
	at := rng.IntN(len(steps))
	for _, s := range steps[:at] {
		if err := e.Repeat(s.Answers); err != nil {
			panic("env: what was done cannot be done again: " + err.Error())
		}
	}
	return slices.Concat(steps[:at], e.VaryToward(good, steps[at].Answers, rng))
}

// trail is what was seen and done so far.
type trail []Step

// add adds a step, and reports whether it was possible.
func (t *trail) add(s Step, err error) bool {
	if err == nil {
		*t = append(*t, s)
	}
	return err == nil
}

// toCrossroads follows a schedule to one of its decisions on rewrites, more often to those
// that choose among many kinds: most operations have nothing to be rewritten but a G.
func (e *Episode) toCrossroads(good schedule.Schedule, rng *rand.Rand) trail {
	var places []*Episode // at each decision
	var t trail
	total := 0
	for ahead := e.Clone(); ahead.Rewriting(); {
		places = append(places, ahead.Clone())
		total += len(ahead.open.options) - 1
		if !t.add(ahead.Toward(good)) {
			break
		}
	}
	at := 0
	for draw := rng.IntN(total); draw >= len(places[at].open.options)-1; at++ {
		draw -= len(places[at].open.options) - 1
	}
	*e = *places[at]
	return t[:at]
}

// Resemble plays a new episode by the schedule of another program of the same structure,
// as nearly as that is possible, and returns what was seen and done. Now and then only
// rewrites are taken over, and loops are arranged by rule. The episode may not be over
// afterwards, where nothing is like what the schedule has next.
func (e *Episode) Resemble(good schedule.Schedule, rng *rand.Rand) []Step {
	var t trail
	for e.Rewriting() {
		if !t.add(e.TakeLike(e.Wanted(good))) {
			t.add(e.GoOn(), nil)
		}
	}
	if e.Done() {
		return t
	}
	usual := e.DefaultLoops()
	like := usual
	if rng.IntN(4) > 0 {
		like = arranged(good, usual)
	}
	leave := schedule.Action{Kind: schedule.NoTransform}
	for !e.Done() && (t.add(e.TakeLike(e.Wanted(like))) || t.add(e.TakeLike(e.Wanted(usual))) || t.add(e.Take(leave))) {
	}
	return t
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
