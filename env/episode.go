package env

import (
	"fmt"
	"slices"

	"nestling/program"
	"nestling/schedule"
)

// Episode is one program being scheduled, operation by operation from the last
// to the first, each with at most schedule.MaxActions actions.
//
// Three things keep every draw under the mask legal, whatever is drawn:
//   - Sizes of different loops are drawn independently, so all of them may come
//     out 0. That draw, like the permutation that moves nothing, changes nothing
//     and is left out of the schedule, but counts as one of the operation's
//     actions, so an episode always ends.
//   - A permutation is chosen one loop at a time; the last loop is not asked for.
//   - An operation whose actions are used up is ended as it stands, with NT.
type Episode struct {
	program *program.Program
	machine schedule.Machine
	state   *schedule.State
	order   []int
	at      int      // index into order of the current operation
	taken   []Action // on the current operation, those without effect included
	picked  []int    // loops chosen so far of the permutation under way
	picking bool
}

// New starts an episode. The program must have at least one operation.
func New(p *program.Program, m schedule.Machine) *Episode {
	s := schedule.NewState(p)
	return &Episode{program: p, machine: m, state: s, order: s.Order()}
}

// Done tells whether every operation has been scheduled.
func (e *Episode) Done() bool { return e.at == len(e.order) }

// Schedule is what has been chosen so far.
func (e *Episode) Schedule() schedule.Schedule { return e.state.Schedule() }

// Program is what is being scheduled.
func (e *Episode) Program() *program.Program { return e.program }

// Step takes one action and reports whether the episode is over. An action
// outside the mask is an error and changes nothing.
func (e *Episode) Step(a Action) (done bool, err error) {
	if e.Done() {
		return true, fmt.Errorf("program %s: the episode is over; start a new one", e.program.Name)
	}
	mask := e.mask()
	if err := mask.check(a); err != nil {
		return false, fmt.Errorf("%s: %w", e.op().Name, err)
	}
	switch {
	case e.picking:
		err = e.pick(a.Pointer)
	case schedule.Kinds[a.Kind] == schedule.Interchange:
		e.picking = true
		e.taken = append(e.taken, a)
	default:
		e.taken = append(e.taken, a)
		err = e.apply(e.decode(a))
	}
	if err == nil {
		err = e.advance()
	}
	return e.Done(), err
}

func (e *Episode) op() *program.Op { return &e.program.Ops[e.order[e.at]] }

// pick adds a loop to the permutation under way and applies it once the rest
// follows.
func (e *Episode) pick(loop int) error {
	e.picked = append(e.picked, loop)
	n := len(e.op().Loops)
	if len(e.picked) < n-1 {
		return nil
	}
	order := slices.Clone(e.picked)
	for l := range n {
		if !slices.Contains(order, l) {
			order = append(order, l)
		}
	}
	e.picking, e.picked = false, nil
	return e.apply(schedule.Action{Kind: schedule.Interchange, Order: order})
}

func (e *Episode) decode(a Action) schedule.Action {
	out := schedule.Action{Kind: schedule.Kinds[a.Kind]}
	if TileHead(a.Kind) >= 0 {
		for l := range e.op().Loops {
			out.Sizes = append(out.Sizes, TileSizes[a.Tile[l]])
		}
	}
	return out
}

func (e *Episode) apply(a schedule.Action) error {
	if withoutEffect(a) {
		return nil
	}
	return e.state.Apply(e.order[e.at], a)
}

func withoutEffect(a schedule.Action) bool {
	switch a.Kind {
	case schedule.Interchange:
		return slices.IsSorted(a.Order)
	case schedule.Tile, schedule.TileParallel, schedule.TileFuse:
		return !slices.ContainsFunc(a.Sizes, func(n int) bool { return n > 0 })
	}
	return false
}

// advance moves to the next operation when the current one is finished or has
// used up its actions.
func (e *Episode) advance() error {
	op := e.order[e.at]
	if !e.state.Done(op) {
		if e.picking || len(e.taken) < schedule.MaxActions {
			return nil
		}
		if err := e.state.Apply(op, schedule.Action{Kind: schedule.NoTransform}); err != nil {
			return err
		}
	}
	e.at++
	e.taken = nil
	return nil
}

// mask computes what is legal now.
func (e *Episode) mask() Mask {
	var m Mask
	op := e.order[e.at]
	loops := e.state.Loops(op)
	for k := range m.Tile {
		for l := range m.Tile[k] {
			m.Tile[k][l][0] = true
		}
	}
	if e.picking {
		m.Interchanging = true
		for l := range loops {
			m.Pointer[l] = !slices.Contains(e.picked, l)
		}
		return m
	}
	if len(loops) > MaxLoops {
		m.Kind[slices.Index(schedule.Kinds, schedule.NoTransform)] = true
		return m
	}
	for k, kind := range schedule.Kinds {
		m.Kind[k] = e.state.Legal(op, kind) && (kind != schedule.Interchange || len(loops) > 1)
		head := TileHead(k)
		if head >= 0 && m.Kind[k] {
			m.Kind[k] = e.maskTiles(&m.Tile[head], kind)
		}
	}
	return m
}

// maskTiles allows the sizes of one kind and reports whether any loop has one
// besides 0.
func (e *Episode) maskTiles(tiles *[MaxLoops][tileSizes]bool, kind schedule.Kind) bool {
	some := false
	op := e.order[e.at]
	for l := range e.program.Ops[op].Loops {
		for _, size := range e.state.TileSizes(op, l, kind) {
			if i := slices.Index(TileSizes[:], size); i > 0 {
				tiles[l][i] = true
				some = true
			}
		}
	}
	return some
}

func (m *Mask) check(a Action) error {
	if m.Interchanging {
		if a.Pointer < 0 || a.Pointer >= MaxLoops || !m.Pointer[a.Pointer] {
			return fmt.Errorf("pointer %d: no such loop, or already placed", a.Pointer)
		}
		return nil
	}
	if a.Kind < 0 || a.Kind >= len(m.Kind) || !m.Kind[a.Kind] {
		return fmt.Errorf("kind %d is masked; the mask allows %v", a.Kind, m.Kind)
	}
	head := TileHead(a.Kind)
	if head < 0 {
		return nil
	}
	for l, i := range a.Tile {
		if i < 0 || i >= tileSizes || !m.Tile[head][l][i] {
			return fmt.Errorf("%s: size index %d of loop %d is masked", schedule.Kinds[a.Kind], i, l)
		}
	}
	return nil
}
