package ppo

import (
	"cmp"
	"slices"

	"nestling/env"
	"nestling/program"
	"nestling/schedule"
)

// explore begins episodes from what is known already, for good schedules are rare, and the
// way to a better one is mostly near them: in four ways that take turns, from the best one
// met on the program or on another like it. However sure the policy is of another choice,
// every choice is tried now and then. What is not the policy's doing is learned by imitation
// alone, if it turns out to be the best.
//
// Of each several are proposed, and the most promising by policy and cost model is mostly
// taken: to ask them costs a hundredth of what it costs to compile.
func (t *trainer) explore(slots []slot) []*episode {
	proposals := make([][]*episode, len(slots))
	var all []*episode
	for i, s := range slots {
		for range t.Config.Proposals {
			proposals[i] = append(proposals[i], t.propose(s))
		}
		all = append(all, proposals[i]...)
	}
	t.roll(all)
	if t.Config.Proposals > 1 {
		t.score(all)
	}
	chosen := make([]*episode, len(slots))
	for i, s := range slots {
		chosen[i] = t.choose(proposals[i], t.remembered[s.program.Hash].schedule)
	}
	return chosen
}

// choose takes the most promising of some proposals, and any of them now and then, but not
// what is known if there is another.
func (t *trainer) choose(proposals []*episode, known schedule.Schedule) *episode {
	text := known.String()
	others := slices.DeleteFunc(slices.Clone(proposals), func(e *episode) bool { return e.task.Schedule.String() == text })
	switch {
	case len(others) == 0:
		return proposals[0]
	case t.rng.IntN(4) == 0:
		return others[0]
	}
	return slices.MaxFunc(others, func(a, b *episode) int { return cmp.Compare(a.promise, b.promise) })
}

// ways is how many turns there are to begin from what is known; returning is that of going
// back to a place on the way of the best episode, and from borrowing on they are those of
// another program's: of what was borrowed one schedule in ten was found to be the best, of what
// was varied or returned to one in forty.
const ways, returning, borrowing = 5, 2, 3

// slot is an episode to be begun.
type slot struct {
	program *program.Program
	turn    int
}

// propose begins an episode in the way whose turn it is.
func (t *trainer) propose(s slot) *episode {
	e := t.episode(s.program)
	best := t.remembered[s.program.Hash]
	turn := s.turn % ways
	if turn >= borrowing && t.borrow(e) {
		e.way = wayBorrowed
		return e
	}
	switch {
	case len(best.steps) == 0:
	case (turn == 1 || turn == 4) && e.playing.Rewriting():
		e.way = wayRearranged
		e.began(e.playing.Rearrange(best.schedule, t.rng))
	case turn == returning:
		e.way = wayReturned
		t.goBack(e, best)
	default:
		e.way = wayVaried
		t.vary(e, best)
	}
	return e
}

// The ways to begin an episode, as metrics name them.
const (
	wayPolicy     = "policy" // from the beginning
	wayVaried     = "varied"
	wayRearranged = "rearranged"
	wayReturned   = "returned"
	wayBorrowed   = "borrowed"
)

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
	e.began(e.playing.VaryToward(best.schedule, best.steps[at].Answers, t.rng))
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

// stepsOf are steps of which nothing is known but what was seen and done.
func stepsOf(seen []env.Step) []step {
	steps := make([]step, len(seen))
	for i, s := range seen {
		steps[i].Step = s
	}
	return steps
}

// began adds what was done to what the episode begins with.
func (e *episode) began(steps []env.Step) {
	e.prefix = append(e.prefix, stepsOf(steps)...)
}
