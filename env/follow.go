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
		s := Step{Observation: e.Observe()}
		for acted := false; !acted; {
			a := e.wanted(want)
			i := slices.IndexFunc(e.open.options, func(o option) bool { return e.leadsTo(o, a) })
			if i < 0 {
				return nil, fmt.Errorf("%s: %s cannot be reached; offered are %v", e.Asked(), a, e.Labels())
			}
			s.Questions, s.Answers = append(s.Questions, e.Question()), append(s.Answers, i)
			var err error
			if acted, err = e.Answer(i); err != nil {
				return nil, err
			}
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// wanted is the action that a schedule has next for the current operation.
func (e *Episode) wanted(s schedule.Schedule) schedule.Action {
	taken, rest := len(e.made), schedule.Action{Kind: goOn}
	if !e.rewriting() {
		taken, rest = len(e.state.Actions(e.op())), schedule.Action{Kind: schedule.NoTransform}
	}
	for _, o := range s {
		if o.Op != e.self().Name {
			continue
		}
		var actions []schedule.Action
		for _, a := range o.Actions {
			if slices.Contains(schedule.Rewrites, a.Kind) == e.rewriting() {
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
		return o.word == a.Order[n]
	case tiles(a.Kind):
		loop := e.tiledLoop()
		size := a.Sizes[loop]
		if size == e.state.Loops(e.op())[loop].Bound {
			size = 0
		}
		return o.word == size
	}
	return o.word == words(a)[n]
}
