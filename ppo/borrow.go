package ppo

import (
	"fmt"
	"math"
	"strings"

	"nestling/program"
)

// borrow does what was best on another program of the same structure, as nearly as that is
// possible, and reports whether there is one: what was found on one program is tried on
// the others soon, and not only when the policy has become sure enough of it.
func (t *trainer) borrow(e *episode) bool {
	lender := t.lender(e.task.Program)
	if lender != nil {
		e.began(e.playing.Resemble(t.remembered[lender.Hash].schedule, t.rng))
	}
	return lender != nil
}

// lender draws some of the programs of the same structure that something better than their
// default schedule is known of, and returns the one whose loops are most like the
// program's; nil if there are none.
func (t *trainer) lender(p *program.Program) (nearest *program.Program) {
	var known []*program.Program
	for _, q := range t.alike[structure(p)] {
		if q != p && t.state.Memories[q.Hash].Reward > 0 {
			known = append(known, q)
		}
	}
	least := math.Inf(1)
	for range min(t.Config.Lenders, len(known)) {
		q := known[t.rng.IntN(len(known))]
		if d := distance(p, q); d < least {
			nearest, least = q, d
		}
	}
	return nearest
}

// byStructure groups programs that are made of the same operations.
func byStructure(programs []*program.Program) map[string][]*program.Program {
	out := map[string][]*program.Program{}
	for _, p := range programs {
		out[structure(p)] = append(out[structure(p)], p)
	}
	return out
}

// structure is what programs must have in common to borrow schedules from each other: the
// names of their operations, by which a schedule speaks of them, and their numbers of loops.
func structure(p *program.Program) string {
	var s strings.Builder
	for _, op := range p.Ops {
		fmt.Fprintf(&s, "%s:%d ", op.Name, len(op.Loops))
	}
	return s.String()
}

// distance is how much the loops of programs of the same structure differ: the sum of the
// logarithms of their bounds' ratios.
func distance(p, q *program.Program) float64 {
	sum := 0.0
	for i, op := range p.Ops {
		for l, loop := range op.Loops {
			sum += math.Abs(math.Log(float64(loop.Bound) / float64(q.Ops[i].Loops[l].Bound)))
		}
	}
	return sum
}
