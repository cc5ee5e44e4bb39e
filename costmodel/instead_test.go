package costmodel

import (
	"math/rand/v2"
	"testing"

	"nestling/env"
	"nestling/env/envtest"
	"nestling/schedule"
)

// The default schedule is taken instead of what the model has learned to be slower, and of
// nothing else.
func TestInstead(t *testing.T) {
	machine := schedule.Machine{Threads: 2, VectorLanes: 16}
	space := env.NewSpace(envtest.Matmul(64, 96, 128), machine, env.Rules{})
	usual, steps, err := space.Default()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		others float64 // what all but the default schedule earn; that earns 0
		want   bool
	}{{"slower", -1, true}, {"faster", 1, false}} {
		rng := rand.New(rand.NewPCG(1, 1))
		m := New(rng)
		group := []Measured{{Features: Describe(steps)}}
		for range 16 {
			group = append(group, Measured{Features: Describe(drawn(t, space, rng)), Reward: c.others})
		}
		for range 200 {
			if _, err := m.Learn([][]Measured{group}); err != nil {
				t.Fatal(err)
			}
		}
		instead := m.Instead(space, drawn(t, space, rng))
		if got := instead != nil; got != c.want {
			t.Errorf("the default is taken instead of what is %s: %v", c.name, got)
		}
		if c.want && instead != nil && instead.Schedule().String() != usual.Schedule().String() {
			t.Errorf("taken instead is\n%snot\n%s", instead.Schedule(), usual.Schedule())
		}
		if m.Instead(space, steps) != nil {
			t.Error("the default is taken instead of itself")
		}
	}
	var none *Model
	if none.Instead(space, steps) != nil {
		t.Error("something is taken instead without a model")
	}
}

// drawn are the steps of a schedule other than the default one.
func drawn(t *testing.T, space *env.Space, rng *rand.Rand) []env.Step {
	t.Helper()
	usual, _, err := space.Default()
	if err != nil {
		t.Fatal(err)
	}
	for {
		e := space.NewEpisode()
		e.Draw(rng)
		steps, err := space.NewEpisode().Retrace(e.Answers())
		if err != nil {
			t.Fatal(err)
		}
		if e.Done() && e.Schedule().String() != usual.Schedule().String() {
			return steps
		}
	}
}
