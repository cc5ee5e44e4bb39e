package env

import (
	"fmt"
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
	next := e.Clone()
	s, err := next.decide(func(int) (int, error) {
		i := slices.IndexFunc(next.open.options, func(o option) bool { return next.leadsTo(o, a) })
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

// leadsTo reports whether an option is the next answer on the way to an action.
func (e *Episode) leadsTo(o option, a schedule.Action) bool {
	if e.open.kind == "" {
		return o.kind == a.Kind
	}
	n := len(e.open.words)
	switch {
	case a.Kind != o.kind:
		return false
	case a.Kind == schedule.Interchange:
		return len(a.Order) == e.open.loops && o.word == a.Order[n]
	case tiles(a.Kind):
		if len(a.Sizes) != e.open.loops { // it is of an operation with other loops
			return false
		}
		loop := e.tiledLoop()
		size := a.Sizes[loop]
		if size == e.state.Loops(e.op())[loop].Bound {
			size = 0
		}
		return o.word == size
	}
	return o.word == words(a)[n]
}
