package env

import (
	"fmt"
	"slices"

	"nestling/program"
	"nestling/schedule"
)

// Episode is one program being scheduled: first its operations are rewritten, from the
// first to the last and then those that rewrites made; then the loops of each operation
// are arranged, from the last to the first.
//
// An action is found by questions: which action, then each of its numbers. Only what is
// legal can be answered, and every answer leads on to a legal action:
//   - A question with one answer is not asked.
//   - The last loop of a tiling must be tiled if none was before, and the last loops of
//     a permutation must move if none did.
//   - An operation has at most schedule.MaxActions loop actions and
//     schedule.MaxRewrites rewrites; V or NT can always be the last.
//
// What is computed ahead of time costs nothing at run time: it gets its default schedule.
type Episode struct {
	space *Space
	stage *stage
	state *schedule.State // loop actions on the program of the stage

	waiting []string // operations whose rewrites are to come
	current string   // the operation being rewritten

	order []int             // of operations, for loop actions
	at    int               // index into order
	usual []schedule.Action // what the default schedule does with the loops of the current one

	past    []pastAction
	answers []int // to the questions that were asked
	open    action
}

// pastAction is an action taken. Going on to the next operation is none.
type pastAction struct {
	op     string
	action schedule.Action
}

// NewEpisode starts an episode.
func (s *Space) NewEpisode() *Episode {
	e := &Episode{space: s, stage: s.stages[""], waiting: s.program.OpNames()}
	e.state = schedule.NewState(e.stage.program)
	e.nextRewritten()
	e.settle()
	return e
}

// Done tells whether every operation has been scheduled.
func (e *Episode) Done() bool { return !e.Rewriting() && e.at == len(e.order) }

// Schedule is what has been chosen so far.
func (e *Episode) Schedule() schedule.Schedule {
	return schedule.Join(e.stage.entries, e.state.Schedule())
}

// Nests are what has been made so far of the loops of each operation, with the program as
// rewrites have left it.
func (e *Episode) Nests() (*program.Program, []schedule.Nest) {
	return e.stage.program, e.state.Nests()
}

// Rewriting tells whether operations are still being rewritten.
func (e *Episode) Rewriting() bool { return e.current != "" }

// op is the current operation, an index into the stage's program.
func (e *Episode) op() int {
	if e.Rewriting() {
		op, _ := e.stage.program.OpIndex(e.current)
		return op
	}
	return e.order[e.at]
}

func (e *Episode) self() *program.Op { return &e.stage.program.Ops[e.op()] }

// nextRewritten goes on to the next operation that has something to rewrite, or else to
// the loops.
func (e *Episode) nextRewritten() {
	for len(e.waiting) > 0 {
		e.current, e.waiting = e.waiting[0], e.waiting[1:]
		if len(e.space.rewrites(e.stage, e.current)) > 0 {
			return
		}
	}
	e.current = ""
	e.order = e.state.Order()
	e.beginLoops()
}

// beginLoops comes to the next operation whose loops are to be arranged: those that are
// computed ahead of time are given their default schedule.
func (e *Episode) beginLoops() {
	p := e.stage.program
	for e.at < len(e.order) && p.Values[p.Ops[e.order[e.at]].Result].Weight {
		e.state.ApplyDefault(e.order[e.at], e.space.machine)
		e.at++
	}
	e.usual = e.usualLoops()
}

// Answer answers the open question by an index into its options, and reports whether
// that made an action complete. Another index is an error and changes nothing.
func (e *Episode) Answer(index int) (acted bool, err error) {
	if e.Done() {
		return false, fmt.Errorf("program %s: the episode is over; start a new one", e.space.program.Name)
	}
	if index < 0 || index >= len(e.open.options) {
		return false, fmt.Errorf("program %s: answer %d; the question has %d options, counted from 0", e.space.program.Name, index, len(e.open.options))
	}
	if acted, err = e.answer(index); err != nil {
		return false, err
	}
	e.answers = append(e.answers, index)
	return e.settle() || acted, nil
}

// Answers are those given so far.
func (e *Episode) Answers() []int { return slices.Clone(e.answers) }

// settle asks the next question, and answers those that have one answer.
func (e *Episode) settle() (acted bool) {
	for !e.Done() {
		e.open.options = e.options()
		if len(e.open.options) != 1 {
			return acted
		}
		done, err := e.answer(0)
		if err != nil {
			panic(fmt.Sprintf("env: the only legal answer is not: %v", err))
		}
		acted = acted || done
	}
	return acted
}

func (e *Episode) answer(index int) (acted bool, err error) {
	a, complete := e.open.with(e.open.options[index])
	if !complete {
		e.open = a
		return false, nil
	}
	if err := e.act(a); err != nil {
		return false, fmt.Errorf("program %s: %w", e.space.program.Name, err)
	}
	e.open = action{}
	return true, nil
}

// act takes a complete action.
func (e *Episode) act(a action) error {
	switch {
	case a.kind == goOn:
		e.nextRewritten()
		return nil
	case e.Rewriting():
		return e.rewrite(a.offers[0])
	}
	op := e.op()
	if err := e.state.Apply(op, a.action()); err != nil {
		return err
	}
	e.past = append(e.past, pastAction{e.self().Name, a.action()})
	if e.state.Done(op) {
		e.at++
		e.beginLoops()
	}
	return nil
}

func (e *Episode) rewrite(o offer) error {
	next, err := e.space.after(o.from, e.current, o.action)
	if err != nil {
		return err
	}
	e.waiting = append(e.waiting, schedule.Added(e.stage.program, next.program)...)
	e.past = append(e.past, pastAction{e.current, o.action})
	e.stage, e.state = next, schedule.NewState(next.program)
	if len(e.space.rewrites(next, e.current)) == 0 {
		e.nextRewritten()
	}
	return nil
}

// Clone is an independent episode at the same place.
func (e *Episode) Clone() *Episode {
	c := *e
	c.state = e.state.Clone()
	// What is appended to one of the two must not be seen by the other.
	c.waiting, c.past, c.answers = slices.Clip(e.waiting), slices.Clip(e.past), slices.Clip(e.answers)
	return &c
}
