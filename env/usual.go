package env

import (
	"slices"

	"nestling/schedule"
)

// usualAnswer is how the default schedule would answer the open question. It is by rule, and
// right more often than what a policy makes of a program unlike all that it has met.
type usualAnswer struct {
	option
	known    bool
	onTheWay bool // all that was answered about the operation so far was as usual, too
}

// usualLoops is what the default schedule would do with the loops of the current operation,
// none of which must have been arranged yet; nil where rules leave out what it does.
func (e *Episode) usualLoops() []schedule.Action {
	if e.Done() || e.space.rules.Classic {
		return nil
	}
	s := e.state.Clone()
	s.ApplyDefault(e.op(), e.space.machine)
	return s.Actions(e.op())
}

// usualAction is what the default schedule would do now, and whether all that was done to
// the operation was as usual. Of loops that is the action at the same place.
func (e *Episode) usualAction() (usual schedule.Action, onTheWay bool) {
	if e.Rewriting() {
		return e.space.usualRewrite(e.stage, e.current), true
	}
	made := e.state.Actions(e.op())
	n := min(len(made), len(e.usual)-1)
	return e.usual[n], n == len(made) && slices.EqualFunc(made, e.usual[:n], same)
}

// usualAnswer is that to the open question. What follows another answer than the usual is
// known of tilings alone.
func (e *Episode) usualAnswer() usualAnswer {
	if e.space.rules.Classic {
		return usualAnswer{}
	}
	a, onTheWay := e.usualAction()
	answer, known := e.onTheWayTo(a)
	began := known && e.began(a)
	return usualAnswer{option: answer, known: known && (began || tiles(a.Kind)), onTheWay: onTheWay && began}
}

// began tells whether all that was answered of the action that is being put together leads
// to another one.
func (e *Episode) began(a schedule.Action) bool {
	return e.open.kind == "" || a.Kind == e.open.kind && slices.Equal(e.spelled(a)[:len(e.open.words)], e.open.words)
}

// same tells whether two actions are the same in all their numbers.
func same(a, b schedule.Action) bool {
	return a.Kind == b.Kind && slices.Equal(a.Sizes, b.Sizes) && slices.Equal(a.Order, b.Order) && slices.Equal(a.Args, b.Args)
}
