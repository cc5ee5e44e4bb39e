package ppo

import "nestling/schedule"

// explore begins an episode from the best one met on its program, for good schedules are
// rare, and the way to a better one is mostly near them: it returns to a place on the way
// and tries something else there, in three ways that take turns. However sure the policy
// is of another choice, every choice is tried now and then. What is not the policy's doing
// is learned by imitation alone, if it turns out to be the best.
func (t *trainer) explore(e *episode, turn int) {
	best := t.remembered[e.task.Program.Hash]
	switch {
	case len(best.steps) == 0:
	case turn%2 == 1 && best.rewrites() > 0:
		t.rewrite(e, best)
	case turn%4 == 2:
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
// the best episode decides on one, and either leaves all others or draws more. Loops are
// arranged by rule: what a rewrite is worth shows only where the loops that it makes are
// arranged well, and before the policy has met them it cannot do that.
func (t *trainer) rewrite(e *episode, best remembered) {
	e.again(best.steps[:t.crossroads(best.steps[:best.rewrites()])])
	e.prefix = append(e.prefix, step{Step: e.playing.DrawRewrite(t.rng)})
	alone := t.rng.IntN(2) == 0
	for e.playing.Rewriting() {
		switch {
		case alone && e.nextToward(best.schedule):
		case t.rng.IntN(2) == 0:
			e.prefix = append(e.prefix, step{Step: e.playing.GoOn()})
		default:
			e.prefix = append(e.prefix, step{Step: e.playing.DrawRewrite(t.rng)})
		}
	}
	if !e.playing.Done() {
		e.toward(e.playing.DefaultLoops())
	}
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
func (e *episode) nextToward(want schedule.Schedule) bool {
	taken, err := e.playing.Toward(want)
	if err != nil {
		return false
	}
	e.prefix = append(e.prefix, step{Step: taken})
	return true
}
