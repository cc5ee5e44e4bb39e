package env

import (
	"fmt"
	"math"
	"slices"

	"nestling/schedule"
)

// Follow plays an episode by a schedule that is known, and returns what was seen and
// done. What the schedule asks for and the questions do not offer is an error; operations
// that it does not mention are ended by NT, and those computed ahead of time are none of
// its business.
func (e *Episode) Follow(want schedule.Schedule) ([]Step, error) {
	var steps []Step
	for !e.Done() {
		s, err := e.Toward(want)
		if err != nil {
			return steps, err
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// Toward takes the one action that comes next on the way to a schedule, as Follow does, and
// returns it with what was seen. An action that is not offered here is an error, and then
// nothing is done. The episode must not be over.
func (e *Episode) Toward(want schedule.Schedule) (Step, error) { return e.Take(e.Wanted(want)) }

// Take takes one action as it would be chosen, and returns it with what was seen. An
// action that is not offered is an error, and then nothing is done. The episode must not be
// over.
func (e *Episode) Take(a schedule.Action) (Step, error) {
	return e.take(a, func(*Episode) int { return -1 })
}

// TakeLike takes the action that is most like one from another program's schedule: that
// itself where it is offered, or else one of its kind with tiles and numbers as near to it
// as there are. Where nothing is like it, it is an error as it is with Take.
func (e *Episode) TakeLike(a schedule.Action) (Step, error) {
	return e.take(a, func(next *Episode) int { return next.nearest(a) })
}

// take takes an action, with other answers where those on the way to it are not offered.
func (e *Episode) take(a schedule.Action, other func(*Episode) int) (Step, error) {
	next := e.Clone()
	s, err := next.decide(func(int) (int, error) {
		i := -1
		if answer, there := next.onTheWayTo(a); there {
			i = slices.IndexFunc(next.open.options, answer.is)
		}
		if i < 0 {
			i = other(next)
		}
		if i < 0 {
			return 0, fmt.Errorf("%s: %s cannot be reached; offered are %v", next.Asked(), a, next.Labels())
		}
		return i, nil
	})
	if err == nil {
		*e = *next
	}
	return s, err
}

// DefaultLoops is the schedule with the default loop actions for the program as rewrites
// have left it so far.
func (e *Episode) DefaultLoops() schedule.Schedule {
	return schedule.DefaultLoops(e.stage.program, e.space.machine)
}

// Wanted is the action that a schedule has next for the current operation.
func (e *Episode) Wanted(s schedule.Schedule) schedule.Action {
	taken, rest := len(e.stage.made(e.current)), schedule.Action{Kind: goOn}
	if !e.Rewriting() {
		taken, rest = len(e.state.Actions(e.op())), schedule.Action{Kind: schedule.NoTransform}
	}
	for _, o := range s {
		if o.Op != e.self().Name {
			continue
		}
		var actions []schedule.Action
		for _, a := range o.Actions {
			if a.Kind.IsRewrite() == e.Rewriting() {
				actions = append(actions, a)
			}
		}
		if taken < len(actions) {
			return actions[taken]
		}
	}
	return rest
}

// onTheWayTo is the answer to the open question that an action asks for, if it has one: of
// two tilings the sizes answer for each other, whatever kind they are.
func (e *Episode) onTheWayTo(a schedule.Action) (answer option, there bool) {
	if e.open.kind == "" {
		return option{kind: a.Kind}, e.hasLoopsOf(a)
	}
	if a.Kind != e.open.kind && !(tiles(a.Kind) && tiles(e.open.kind)) {
		return option{}, false
	}
	spelled, n := e.spelled(a), len(e.open.words)
	if n >= len(spelled) {
		return option{}, false
	}
	return option{kind: e.open.kind, word: spelled[n]}, true
}

// hasLoopsOf reports whether an action speaks of as many loops as the operation has, if it
// speaks of any.
func (e *Episode) hasLoopsOf(a schedule.Action) bool {
	if n := len(a.Order) + len(a.Sizes); n > 0 {
		return n == len(e.state.Loops(e.op()))
	}
	return true
}

// spelled is an action as the answers that lead to it, after that to which action it is.
func (e *Episode) spelled(a schedule.Action) []int {
	switch {
	case a.Kind == schedule.Interchange:
		return a.Order[:len(a.Order)-1]
	case tiles(a.Kind):
		sizes := slices.Clone(a.Sizes)
		for l, loop := range e.state.Loops(e.op()) {
			if sizes[l] == loop.Bound {
				sizes[l] = 0
			}
		}
		slices.Reverse(sizes)
		return sizes
	}
	return words(a)
}

// nearest is the option whose size or number is nearest to an action's, by their ratio, or
// -1 where the answer is none of that sort.
func (e *Episode) nearest(a schedule.Action) int {
	sized := tiles(a.Kind) || slices.Contains([]schedule.Kind{schedule.Split, schedule.Cut, schedule.Winograd, schedule.WinogradChain}, a.Kind)
	if !sized || e.open.kind == "" {
		return -1
	}
	answer, there := e.onTheWayTo(a)
	if !there {
		return -1
	}
	distance := func(o option) float64 {
		return math.Abs(math.Log(float64(max(o.word, 0)+1) / float64(max(answer.word, 0)+1)))
	}
	best := -1
	for i, o := range e.open.options {
		if best < 0 || distance(o) < distance(e.open.options[best]) {
			best = i
		}
	}
	return best
}
