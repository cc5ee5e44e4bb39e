package schedule

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// nestsOf are the nests of a schedule without rewrites.
func nestsOf(t *testing.T, program, text string) []Nest {
	t.Helper()
	var last *State
	p := programs[program]
	err := replay(p, parsed(t, text), func(before *State, op int, a Action) {
		last = before.Clone()
		last.apply(op, a)
	})
	if err != nil {
		t.Fatal(err)
	}
	return last.Nests()
}

func TestNests(t *testing.T) {
	got := nestsOf(t, "matmul", "matmul0: I(1,0,2) TF(32,8,0) P(1) T(0,0,4) U(2) V\nfill0: NT\n")
	around := []Level{{Loop: 1, Trips: 8, Parallel: true}, {Loop: 0, Trips: 32, Parallel: true}}
	want := []Nest{
		{Op: 0, Into: 1, Levels: around, Tile: []int{8, 32}, Order: []int{0, 1}, Unroll: 1},
		{
			Op: 1, Into: -1, Levels: []Level{around[0], around[1], {Loop: 2, Trips: 64}},
			Tile: []int{8, 32, 4}, Order: []int{1, 0, 2}, Vector: true, Copies: []Copy{{Operand: 1, Depth: 2}}, Unroll: 2,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Whatever the schedule, levels and tile make up all iterations of every loop.
func TestNestsAreWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyProgram(t)
		s := walk(t, p, func(*State, *State, int) {})
		for op, n := range s.Nests() {
			whole := append([]int(nil), n.Tile...)
			for _, l := range n.Levels {
				whole[l.Loop] *= l.Trips
			}
			for l, bound := range whole {
				if want := p.Ops[op].Loops[l].Bound; bound != want {
					t.Fatalf("%s, loop %d: %d iterations, want %d\n%s%+v", p.Ops[op].Name, l, bound, want, s.Schedule(), n)
				}
			}
		}
	})
}
