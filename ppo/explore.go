package ppo

import "nestling/env"

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
	case (turn == 1 || turn == 4) && e.playing.Rewriting():
		e.began(e.playing.Rearrange(best.schedule, t.rng))
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
		e.began([]env.Step{e.playing.DrawAction(t.rng)})
	}
}

// vary does the best episode again with one answer changed: a step of a local search.
func (t *trainer) vary(e *episode, best remembered) {
	at := t.rng.IntN(len(best.steps))
	e.again(best.steps[:at])
	e.began([]env.Step{e.playing.Vary(best.steps[at].Answers, t.rng)})
	for !e.playing.Done() {
		s, err := e.playing.Toward(best.schedule)
		if err != nil {
			break // the policy goes on from here
		}
		e.began([]env.Step{s})
	}
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

// began adds what was done to what the episode begins with.
func (e *episode) began(steps []env.Step) {
	for _, s := range steps {
		e.prefix = append(e.prefix, step{Step: s})
	}
}
