package ppo

import (
	"slices"

	"nestling/schedule"
)

// explore begins an episode from what is known already, for good schedules are rare, and
// the way to a better one is mostly near them: in four ways that take turns, from the best
// one met on the program or on another like it. However sure the policy is of another
// choice, every choice is tried now and then. What is not the policy's doing is learned by
// imitation alone, if it turns out to be the best.
func (t *trainer) explore(e *episode, turn int) {
	best := t.remembered[e.task.Program.Hash]
	turn %= 5
	if turn == 3 && t.borrow(e) {
		return
	}
	switch {
	case len(best.steps) == 0:
	case (turn == 1 || turn == 4) && best.rewrites() > 0:
		t.rewrite(e, best)
	case turn == 2:
		t.goBack(e, best)
	default:
		t.vary(e, best)
	}
}

// goBack does the first actions of the best episode again, as many as chance will have it,
// and then often an action that is drawn uniformly; the policy does the rest (Ecoffet et
// al. 2021, "First return, then explore").
func (t *trainer) goBack(e *episode, best remembered) {
	at := t.rng.IntN(len(best.steps))
	e.again(best.steps[:at])
	if t.rng.IntN(2) == 0 {
		e.prefix = append(e.prefix, step{Step: e.playing.DrawAction(t.rng)})
	}
}

// vary does the best episode again with one answer changed: a step of a local search.
func (t *trainer) vary(e *episode, best remembered) {
	at := t.rng.IntN(len(best.steps))
	e.again(best.steps[:at])
	e.prefix = append(e.prefix, step{Step: e.playing.Vary(best.steps[at].Answers, t.rng)})
	e.toward(best.schedule)
}

// rewrite makes a rewrite, each that is offered or each kind as likely as any other, where
// the best episode decides on one: in its place or before it. All others stay, or more are
// drawn. Loops are arranged as in the best episode where all others stay, and by rule: what
// a rewrite is worth shows only where the loops that it makes are arranged well, and before
// the policy has met them it cannot do that.
func (t *trainer) rewrite(e *episode, best remembered) {
	e.again(best.steps[:t.crossroads(best.steps[:best.rewrites()])])
	replaced := e.playing.Wanted(best.schedule)
	e.prefix = append(e.prefix, step{Step: e.playing.DrawRewrite(t.rng)})
	alone := t.rng.IntN(2) == 0
	if alone && t.rng.IntN(2) == 0 && e.playing.Rewriting() {
		e.take(replaced)
	}
	for e.playing.Rewriting() {
		switch {
		case alone && e.nextToward(best.schedule):
		case t.rng.IntN(2) == 0:
			e.prefix = append(e.prefix, step{Step: e.playing.GoOn()})
		default:
			e.prefix = append(e.prefix, step{Step: e.playing.DrawRewrite(t.rng)})
		}
	}
	if e.playing.Done() {
		return
	}
	usual := e.playing.DefaultLoops()
	if alone {
		usual = arranged(best.schedule, usual)
	}
	e.toward(usual)
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

// crossroads draws one of some steps, those more often that chose among many kinds of
// action: most operations have nothing to be rewritten but a G.
func (t *trainer) crossroads(steps []step) int {
	ways := func(s step) int { return len(s.Questions[0].Options) - 1 }
	total := 0
	for _, s := range steps {
		total += ways(s)
	}
	at, draw := 0, t.rng.IntN(total)
	for draw >= ways(steps[at]) {
		draw -= ways(steps[at])
		at++
	}
	return at
}

// rewrites is how many of the steps are decisions on rewrites; they come first.
func (r remembered) rewrites() int {
	n := 0
	for n < len(r.steps) && r.steps[n].Observation.Rewriting {
		n++
	}
	return n
}

// again does what was done before.
func (e *episode) again(steps []step) {
	for _, s := range steps {
		if err := e.playing.Repeat(s.Answers); err != nil {
			panic("ppo: what was done cannot be done again: " + err.Error())
		}
		e.prefix = append(e.prefix, s)
	}
}

// toward follows a schedule as far as it can be followed from here.
func (e *episode) toward(want schedule.Schedule) {
	for !e.playing.Done() && e.nextToward(want) {
	}
}

// nextToward takes the next action of a schedule, if it is possible here.
func (e *episode) nextToward(want schedule.Schedule) bool { return e.take(e.playing.Wanted(want)) }

// take takes an action, if it is possible here.
func (e *episode) take(a schedule.Action) bool {
	taken, err := e.playing.Take(a)
	if err != nil {
		return false
	}
	e.prefix = append(e.prefix, step{Step: taken})
	return true
}
