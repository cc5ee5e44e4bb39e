package env

import (
	"slices"

	"nestling/program"
	"nestling/schedule"
)

// Space is a program on a machine with what is known of its rewrites, which its
// episodes share: what is legal after the same rewrites is found out once. It is for
// one goroutine.
type Space struct {
	program *program.Program
	machine schedule.Machine
	rules   Rules
	stages  map[string]*stage // by the rewrites made so far
}

// NewSpace prepares for episodes on a program, which must not change and must have at
// least one operation.
func NewSpace(p *program.Program, m schedule.Machine, r Rules) *Space {
	return &Space{program: p, machine: m, rules: r, stages: map[string]*stage{"": newStage(p)}}
}

// Program is what is scheduled.
func (s *Space) Program() *program.Program { return s.program }

// stage is the program as some rewrites have left it.
type stage struct {
	program *program.Program
	offers  map[string][]offer // by operation
}

func newStage(p *program.Program) *stage {
	return &stage{program: p, offers: map[string][]offer{}}
}

// offer is an action that can be taken, as the answers that lead to it.
type offer struct {
	action schedule.Action
	words  []int
}

// after is the stage that one more rewrite leads to. The rewrite must be legal.
func (s *Space) after(from *stage, made schedule.Schedule, op string, a schedule.Action) (*stage, error) {
	key := made.String()
	if known := s.stages[key]; known != nil {
		return known, nil
	}
	one := schedule.Schedule{{Op: op, Actions: []schedule.Action{a}}}
	next, _, err := schedule.Rewrite(from.program, one, schedule.Options{Threads: s.machine.Threads})
	if err != nil {
		return nil, err
	}
	s.stages[key] = newStage(next)
	return s.stages[key], nil
}

// rewrites lists what may come next for an operation.
func (s *Space) rewrites(at *stage, name string, made []schedule.Action) []offer {
	if known, ok := at.offers[name]; ok {
		return known
	}
	var offers []offer
	if op, err := at.program.OpIndex(name); err == nil {
		for _, a := range schedule.Offers(at.program, op, s.machine, made) {
			if s.rules.rewrite(a) {
				offers = append(offers, offer{a, words(a)})
			}
		}
	}
	at.offers[name] = offers
	return offers
}

// words spells a rewrite as answers: its numbers, except that an order of dimensions is
// the dimension that it moves, and whether behind the others or before them.
func words(a schedule.Action) []int {
	switch {
	case a.Kind == schedule.Cut && len(a.Args) == 2:
		return append(slices.Clone(a.Args), 0) // no overlap
	case a.Kind != schedule.Layout:
		return a.Args
	}
	order := a.Args[1:]
	if d := order[len(order)-1]; slices.Equal(a.Args, schedule.MoveDimension(a.Args[0], d, len(order), true)) {
		return []int{a.Args[0], 2 * d}
	}
	return []int{a.Args[0], 2*order[0] + 1}
}
