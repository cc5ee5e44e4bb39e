package envtest

import (
	"bytes"
	"io"
	"slices"

	"nestling/env"
	"nestling/program"
	"nestling/schedule"
)

// Tabulate is a recording, in the form of env.ReadRecording, of every schedule
// that an agent can reach on some small programs. Nothing was measured: what a
// schedule is worth (ln of its speedup) is computed by the test that asks.
func Tabulate(worth func(schedule.Schedule) float64, programs ...*program.Program) (io.Reader, error) {
	var out bytes.Buffer
	for _, p := range programs {
		for _, s := range Reachable(p) {
			if err := env.WriteRecord(&out, env.Task{Program: p, Schedule: s}, env.Feedback{LogSpeedup: worth(s)}); err != nil {
				return nil, err
			}
		}
	}
	return &out, nil
}

// Reachable lists every complete schedule that an agent can reach. Their number
// grows quickly with loops, bounds and operations.
func Reachable(p *program.Program) []schedule.Schedule {
	r := reach{order: schedule.NewState(p).Order(), program: p}
	r.from(schedule.NewState(p), 0)
	return r.found
}

type reach struct {
	program *program.Program
	order   []int
	found   []schedule.Schedule
}

// from follows every action on the at-th operation to be scheduled.
func (r *reach) from(s *schedule.State, at int) {
	if at == len(r.order) {
		r.found = append(r.found, s.Schedule())
		return
	}
	op := r.order[at]
	if s.Done(op) {
		r.from(s, at+1)
		return
	}
	for _, a := range actions(s, op) {
		if s.Check(op, a) != nil {
			continue
		}
		next := s.Clone()
		if err := next.Apply(op, a); err != nil {
			panic(err) // Check has just allowed it
		}
		r.from(next, at)
	}
}

// actions lists the candidates for the next action, illegal ones among them.
func actions(s *schedule.State, op int) []schedule.Action {
	out := []schedule.Action{{Kind: schedule.Vectorize}, {Kind: schedule.NoTransform}}
	loops := s.Loops(op)
	for _, order := range permutations(len(loops)) {
		if !slices.IsSorted(order) {
			out = append(out, schedule.Action{Kind: schedule.Interchange, Order: order})
		}
	}
	for _, kind := range []schedule.Kind{schedule.Tile, schedule.TileParallel, schedule.TileFuse} {
		sizes := [][]int{nil}
		for l := range loops {
			var longer [][]int
			for _, head := range sizes {
				longer = append(longer, append(slices.Clone(head), 0))
				for _, size := range s.TileSizes(op, l, kind) {
					if slices.Contains(env.TileSizes[:], size) {
						longer = append(longer, append(slices.Clone(head), size))
					}
				}
			}
			sizes = longer
		}
		for _, tile := range sizes {
			out = append(out, schedule.Action{Kind: kind, Sizes: tile})
		}
	}
	return out
}

func permutations(n int) [][]int {
	out := [][]int{nil}
	for i := range n {
		var longer [][]int
		for _, head := range out {
			for at := range len(head) + 1 {
				longer = append(longer, slices.Insert(slices.Clone(head), at, i))
			}
		}
		out = longer
	}
	return out
}
