package costmodel

import (
	"math/rand/v2"
	"testing"

	"nestling/env"
	"nestling/env/envtest"
	"nestling/policy"
	"nestling/schedule"
)

// The first choice is the default schedule where the model has learned that everything else
// is slower, something else where it has learned the contrary, and the most probable schedule
// without a model; always the same one.
func TestFirst(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	p, err := policy.New("lstm", policy.Config{Width: 8, Layers: 1, Trunk: 8, TrunkLayers: 1, Option: 8}, rng)
	if err != nil {
		t.Fatal(err)
	}
	space := env.NewSpace(envtest.Matmul(64, 96, 128), schedule.Machine{Threads: 2, VectorLanes: 16}, env.Rules{})
	usual, steps, err := space.Default()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		others float64 // what all but the default schedule earn; that earns 0
		want   bool
	}{{"slower", -1, true}, {"faster", 1, false}} {
		m := New(rng)
		group := []Measured{{Features: Describe(steps, usual)}}
		for range 32 {
			other, over := drawnOther(t, space, rng)
			group = append(group, Measured{Features: Describe(other, over), Reward: c.others})
		}
		for range 100 {
			if _, err := m.Learn([][]Measured{group}, rng); err != nil {
				t.Fatal(err)
			}
		}
		first := First(p, m, space).Schedule().String()
		if got := first == usual.Schedule().String(); got != c.want {
			t.Errorf("others are %s, and the default schedule is the first choice: %v", c.name, got)
		}
		if again := First(p, m, space).Schedule().String(); again != first {
			t.Errorf("the first choice is\n%sand then\n%s", first, again)
		}
		if glance := Glance(p, m, space).Schedule().String(); (glance == usual.Schedule().String()) != c.want {
			t.Errorf("others are %s, and at a glance the first choice is\n%s", c.name, glance)
		}
	}
	probable := play(p, []*env.Episode{space.NewEpisode()}, nil)[0].episode.Schedule().String()
	if first := First(p, nil, space).Schedule().String(); first != probable {
		t.Errorf("without a model the first choice is\n%sand not the most probable schedule\n%s", first, probable)
	}
}

// Of a program without a choice there is one schedule.
func TestFirstWithoutAChoice(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	p, err := policy.New("lstm", policy.Config{Width: 8, Layers: 1, Trunk: 8, TrunkLayers: 1, Option: 8}, rng)
	if err != nil {
		t.Fatal(err)
	}
	space := env.NewSpace(envtest.Add(1), schedule.Machine{}, env.Rules{})
	if !space.NewEpisode().Done() {
		t.Fatal("there is a choice")
	}
	if first := First(p, New(rng), space); !first.Done() {
		t.Errorf("the first choice is not whole:\n%s", first.Schedule())
	}
}

// drawnOther are the steps of a schedule other than the default one, and their end.
func drawnOther(t *testing.T, space *env.Space, rng *rand.Rand) ([]env.Step, *env.Episode) {
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
			return steps, e
		}
	}
}

// What is looked at around a schedule is whole, and can be reached by the steps that are told.
func TestAround(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	p, err := policy.New("lstm", policy.Config{Width: 8, Layers: 1, Trunk: 8, TrunkLayers: 1, Option: 8}, rng)
	if err != nil {
		t.Fatal(err)
	}
	space := env.NewSpace(envtest.Matmul(64, 96, 128), machine, env.Rules{})
	c := newClimb(p, New(rng), space, 1)
	if len(c.best) != parents || c.best[0].promise < c.best[parents-1].promise {
		t.Fatalf("%d parents, of promise %v to %v", len(c.best), c.best[0].promise, c.best[len(c.best)-1].promise)
	}
	for _, a := range c.around(rng) {
		e := space.NewEpisode()
		for _, s := range a.steps {
			if err := e.Repeat(s.Answers); err != nil {
				t.Fatal(err)
			}
		}
		if !e.Done() || e.Schedule().String() != a.episode.Schedule().String() {
			t.Fatalf("the steps lead to\n%sinstead of\n%s", e.Schedule(), a.episode.Schedule())
		}
	}
	before := c.best[0].promise
	c.add(c.around(rng))
	if c.best[0].promise < before {
		t.Errorf("the best has a promise of %v, before of %v", c.best[0].promise, before)
	}
}
