package schedule

import (
	"fmt"
	"slices"

	"nestling/program"
)

// LoopState is one loop of an operation as the schedule so far has left it.
type LoopState struct {
	// Bound is the number of iterations: after tiling, the tile's.
	Bound    int
	Iterator program.Iterator
	// Parallel tells that the loop runs inside a loop whose iterations may run
	// at the same time.
	Parallel bool
}

// State is a schedule under construction. It follows in plain Go what the
// script will do, so that it can say what is legal next; every schedule built
// through it compiles, and to the right result.
//
// Operations are scheduled from the last of the program to the first, so that a
// consumer that fuses its producer comes before the producer's own actions.
type State struct {
	program *program.Program
	ops     []opState
	limit   int // of actions of one operation
}

type opState struct {
	bounds    []int // of the current loops
	order     []int // original loop of each current loop
	actions   []Action
	packed    []int // operands copied since the last tiling
	trips     int   // of the innermost loop that a T made last, 0 if there is none to unroll
	fusedInto int   // consumer, -1 if none
	parallel  bool  // inside an scf.forall
	done      bool
}

// arguments lists the first numbers of the actions of a kind so far.
func (o *opState) arguments(k Kind) []int {
	var out []int
	for _, a := range o.actions {
		if a.Kind == k {
			out = append(out, a.Args[0])
		}
	}
	return out
}

// NewState is the empty schedule of p, which must not change while it is used.
func NewState(p *program.Program) *State {
	s := &State{program: p, ops: make([]opState, len(p.Ops)), limit: MaxActions}
	for i := range p.Ops {
		o := &s.ops[i]
		o.fusedInto = -1
		for l, loop := range p.Ops[i].Loops {
			o.bounds = append(o.bounds, loop.Bound)
			o.order = append(o.order, l)
		}
	}
	return s
}

// Order lists the operations, as indices into Program.Ops, in the order in which
// they are scheduled: last to first.
func (s *State) Order() []int {
	order := make([]int, len(s.ops))
	for i := range order {
		order[i] = len(order) - 1 - i
	}
	return order
}

// Loops lists an operation's current loops, outermost first: permuted by I, with
// the tile's bounds after T, TP and TF. A fused producer has its tile's bounds.
func (s *State) Loops(op int) []LoopState {
	o := &s.ops[op]
	loops := make([]LoopState, len(o.bounds))
	for i, bound := range o.bounds {
		loops[i] = LoopState{Bound: bound, Iterator: s.iterator(op, i), Parallel: o.parallel}
	}
	return loops
}

// LoopOrder gives, for each current loop, which of the operation's loops it was.
func (s *State) LoopOrder(op int) []int { return slices.Clone(s.ops[op].order) }

// Done reports whether the operation's schedule has been ended by V or NT.
func (s *State) Done(op int) bool { return s.ops[op].done }

// Actions lists what was applied to the operation so far.
func (s *State) Actions(op int) []Action { return s.ops[op].actions }

// FusedInto is the operation whose TF took op into its loops, or -1.
func (s *State) FusedInto(op int) int { return s.ops[op].fusedInto }

// Schedule is what was applied so far, in scheduling order, without the
// operations that nothing was applied to.
func (s *State) Schedule() Schedule {
	var out Schedule
	for _, op := range s.Order() {
		if actions := s.ops[op].actions; len(actions) > 0 {
			out = append(out, OpSchedule{Op: s.program.Ops[op].Name, Actions: slices.Clone(actions)})
		}
	}
	return out
}

// Clone is an independent copy over the same program.
func (s *State) Clone() *State {
	c := &State{program: s.program, ops: slices.Clone(s.ops), limit: s.limit}
	for i := range c.ops {
		o := &c.ops[i]
		o.bounds = slices.Clone(o.bounds)
		o.order = slices.Clone(o.order)
		o.actions = slices.Clone(o.actions)
		o.packed = slices.Clone(o.packed)
	}
	return c
}

// Apply appends an action to an operation's schedule, or returns Check's reason
// why it cannot be.
func (s *State) Apply(op int, a Action) error {
	if err := s.Check(op, a); err != nil {
		return err
	}
	s.apply(op, a)
	return nil
}

// apply appends an action that is known to be legal.
func (s *State) apply(op int, a Action) {
	o := &s.ops[op]
	switch a.Kind {
	case Interchange:
		s.interchange(op, a.Order)
	case Tile:
		s.tile(op, a.Sizes)
	case TileParallel:
		s.tile(op, a.Sizes)
		o.parallel, o.trips = true, 0
	case TileFuse:
		s.fuse(op, a.Sizes)
		s.tile(op, a.Sizes)
		o.parallel, o.trips = true, 0
	case Pack:
		o.packed = append(o.packed, a.Args[0])
	case Unroll:
		o.trips = 0
	case Vectorize, NoTransform:
		o.done = true
	}
	o.actions = append(o.actions, Action{Kind: a.Kind, Sizes: slices.Clone(a.Sizes), Order: slices.Clone(a.Order), Args: slices.Clone(a.Args)})
}

func (s *State) interchange(op int, order []int) {
	o := &s.ops[op]
	bounds, loops := slices.Clone(o.bounds), slices.Clone(o.order)
	for i, from := range order {
		o.bounds[i], o.order[i] = bounds[from], loops[from]
	}
}

func (s *State) tile(op int, sizes []int) {
	o := &s.ops[op]
	o.packed = nil
	for l, size := range s.effectiveSizes(op, sizes) {
		if size > 0 {
			o.trips = o.bounds[l] / size
			o.bounds[l] = size
		}
	}
}

// iterator is the kind of a current loop.
func (s *State) iterator(op, loop int) program.Iterator {
	return s.program.Ops[op].Loops[s.ops[op].order[loop]].Iterator
}

// Check reports whether a whole schedule is legal for p; nil if it is, else the
// first reason that it is not. Operations that s does not mention count as NT.
func Check(p *program.Program, s Schedule) error {
	rewritten, loops, err := Rewrite(p, s, Options{Threads: 1})
	if err != nil {
		return err
	}
	return replay(rewritten, loops, func(*State, int, Action) {})
}

// replay applies a whole schedule to an empty state, and shows each action, once
// it is known to be legal, to visit, with the state before it.
func replay(p *program.Program, s Schedule, visit func(before *State, op int, a Action)) error {
	actions, err := completeActions(p, s)
	if err != nil {
		return err
	}
	state := NewState(p)
	state.limit = MaxWrittenActions
	for _, op := range state.Order() {
		for _, a := range actions[op] {
			if err := state.Check(op, a); err != nil {
				return err
			}
			visit(state, op, a)
			state.apply(op, a)
		}
	}
	return nil
}

// completeActions gives each operation its actions, NT to those without.
func completeActions(p *program.Program, s Schedule) ([][]Action, error) {
	actions := make([][]Action, len(p.Ops))
	for _, o := range s {
		op, err := p.OpIndex(o.Op)
		if err != nil {
			return nil, err
		}
		if actions[op] != nil {
			return nil, fmt.Errorf("%s is scheduled twice", o.Op)
		}
		if len(o.Actions) == 0 || !o.Actions[len(o.Actions)-1].ends() {
			return nil, fmt.Errorf("%s: the last action must be V or NT", o.Op)
		}
		actions[op] = o.Actions
	}
	for op := range actions {
		if actions[op] == nil {
			actions[op] = []Action{{Kind: NoTransform}}
		}
	}
	return actions, nil
}
