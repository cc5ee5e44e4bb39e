package env

import (
	"slices"

	"nestling/program"
	"nestling/schedule"
)

// Space is a program on a machine with what is known of its rewrites, which its
// episodes share: what is legal after the same rewrites is found out once, as long as it
// is remembered. It is for one goroutine.
type Space struct {
	program *program.Program
	machine schedule.Machine
	rules   Rules
	stages  map[string]*stage // by the rewrites made so far
}

// NewSpace prepares for episodes on a program, which must not change and must have at
// least one operation.
func NewSpace(p *program.Program, m schedule.Machine, r Rules) *Space {
	s := &Space{program: p, machine: m, rules: r}
	s.forget()
	return s
}

// Default is an episode played by the default schedule, with what was seen and done; an
// error where that does what is not offered.
func (s *Space) Default() (*Episode, []Step, error) {
	e := s.NewEpisode()
	steps, err := e.Follow(schedule.Default(s.program, s.machine))
	return e, steps, err
}

// Machine is what the program is scheduled for.
func (e *Episode) Machine() schedule.Machine { return e.space.machine }

// forget leaves nothing but the program as it is without rewrites.
func (s *Space) forget() { s.stages = map[string]*stage{"": newStage(s.program, nil)} }

// Program is what is scheduled.
func (s *Space) Program() *program.Program { return s.program }

// stage is the program as some rewrites have left it.
type stage struct {
	program *program.Program
	entries schedule.Schedule          // the rewrites, in the order in which they were made
	offers  map[string][]offer         // by operation
	usual   map[string]schedule.Action // what the default schedule would rewrite next, by operation
}

func newStage(p *program.Program, entries schedule.Schedule) *stage {
	return &stage{program: p, entries: entries, offers: map[string][]offer{}, usual: map[string]schedule.Action{}}
}

// made are the rewrites of an operation so far, if it was the last to be rewritten.
func (at *stage) made(op string) []schedule.Action {
	if n := len(at.entries); n > 0 && at.entries[n-1].Op == op {
		return at.entries[n-1].Actions
	}
	return nil
}

// with is the rewrites of the stage and one more.
func (at *stage) with(op string, a schedule.Action) schedule.Schedule {
	made := at.made(op)
	entries := slices.Clone(at.entries)
	if len(made) > 0 {
		entries = entries[:len(entries)-1]
	}
	return append(entries, schedule.OpSchedule{Op: op, Actions: append(slices.Clone(made), a)})
}

// offer is an action that can be taken, as the answers that lead to it.
type offer struct {
	action schedule.Action
	words  []int
	from   *stage // of a rewrite: what it rewrites
}

// rememberedStages is how many stages a space keeps, each a whole program: a training has
// a thousand spaces.
const rememberedStages = 32

// after is the stage that one more rewrite leads to. The rewrite must be legal.
func (s *Space) after(from *stage, op string, a schedule.Action) (*stage, error) {
	entries := from.with(op, a)
	key := entries.String()
	if known := s.stages[key]; known != nil {
		return known, nil
	}
	one := schedule.Schedule{{Op: op, Actions: []schedule.Action{a}}}
	next, _, err := schedule.Rewrite(from.program, one, schedule.Options{Threads: s.machine.Threads})
	if err != nil {
		return nil, err
	}
	if len(s.stages) >= rememberedStages {
		s.forget()
	}
	s.stages[key] = newStage(next, entries)
	return s.stages[key], nil
}

// rewrites lists what may come next for an operation.
func (s *Space) rewrites(at *stage, name string) []offer {
	if known, ok := at.offers[name]; ok {
		return known
	}
	var offers []offer
	if op, err := at.program.OpIndex(name); err == nil {
		for _, a := range schedule.Offers(at.program, op, s.machine, at.made(name)) {
			if s.rules.rewrite(a) {
				offers = append(offers, offer{a, words(a), at})
			}
		}
	}
	if has(offers, schedule.Winograd) && !has(offers, schedule.WinogradChain) {
		offers = append(offers, s.chains(at, name)...)
	}
	at.offers[name] = offers
	return offers
}

// usualRewrite is the first that is offered of what the default schedule would do next to an
// operation.
func (s *Space) usualRewrite(at *stage, name string) schedule.Action {
	if known, ok := at.usual[name]; ok {
		return known
	}
	usual := schedule.Action{Kind: goOn}
	if op, err := at.program.OpIndex(name); err == nil {
		offers := s.rewrites(at, name)
		offered := func(a schedule.Action) bool {
			return slices.ContainsFunc(offers, func(o offer) bool { return same(a, o.action) })
		}
		all := schedule.DefaultRewrites(at.program, op, s.machine)
		if i := slices.IndexFunc(all, offered); i >= 0 {
			usual = all[i]
		}
	}
	at.usual[name] = usual
	return usual
}

func has(offers []offer, k schedule.Kind) bool {
	return slices.ContainsFunc(offers, func(o offer) bool { return o.action.Kind == k })
}

// chains lists the chains with a convolution that has been written out by itself, which
// they undo. Without them a chain would have to be foreseen two operations ahead.
func (s *Space) chains(at *stage, name string) []offer {
	for _, entry := range at.entries {
		if entry.Op == name || entry.Actions[len(entry.Actions)-1].Kind != schedule.Winograd {
			continue
		}
		before, err := s.undone(at, entry.Op)
		if err != nil {
			continue // another rewrite rests on it
		}
		chains := slices.DeleteFunc(slices.Clone(s.rewrites(before, name)), func(o offer) bool {
			return o.from != before || o.action.Kind != schedule.WinogradChain
		})
		if len(chains) > 0 {
			return chains
		}
	}
	return nil
}

// undone is the stage without the last rewrite of one of the operations.
func (s *Space) undone(at *stage, op string) (next *stage, err error) {
	next = s.stages[""]
	for _, entry := range at.entries {
		for i, a := range entry.Actions {
			if entry.Op == op && i == len(entry.Actions)-1 {
				continue
			}
			if next, err = s.after(next, entry.Op, a); err != nil {
				return nil, err
			}
		}
	}
	return next, nil
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
