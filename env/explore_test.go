package env_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"nestling/env"
	"nestling/env/envtest"
	"nestling/program"
	"nestling/schedule/scheduletest"
)

// However a schedule is explored from, what is returned is what was done.
func TestExploringReturnsWhatWasDone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{16, 24, 96, 512})
		draw := func() *program.Program {
			return envtest.Matmul(n.Draw(t, "m"), n.Draw(t, "n"), n.Draw(t, "k"))
		}
		p, q := draw(), draw()
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		good := env.NewSpace(q, machine, env.Rules{}).NewEpisode()
		good.Draw(rng)
		e := env.NewSpace(p, machine, env.Rules{}).NewEpisode()
		var steps []env.Step
		if p.Hash == q.Hash && e.Rewriting() && rapid.Bool().Draw(t, "rearrange") {
			steps = e.Rearrange(good.Schedule(), rng)
		} else {
			steps = e.Resemble(good.Schedule(), rng)
		}
		again := env.NewSpace(p, machine, env.Rules{}).NewEpisode()
		for _, s := range steps {
			if err := again.Repeat(s.Answers); err != nil {
				t.Fatal(err)
			}
		}
		if again.Done() != e.Done() || again.Schedule().String() != e.Schedule().String() {
			t.Fatalf("the steps lead to\n%snot to\n%s", again.Schedule(), e.Schedule())
		}
	})
}

// Of a good schedule with two rewrites, each comes to be replaced, or to have another before
// it, while the loops stay as they were arranged.
func TestRearrangeChangesRewritesAlone(t *testing.T) {
	p := envtest.Matmul(96, 96, 96)
	space := env.NewSpace(p, machine, env.Rules{})
	good := scheduletest.Parse(t, "matmul1: S(1,16) L(1,1,0,2) T(8,0,0,0) NT\n")
	kept, changed := 0, map[string]bool{}
	for seed := range uint64(200) {
		e := space.NewEpisode()
		e.Rearrange(good, rand.New(rand.NewPCG(seed, 0)))
		s := e.Schedule().String()
		if strings.Contains(s, "T(8,0,0,0)") {
			kept++
		}
		rewrites, _, _ := strings.Cut(s, "\n")
		changed[rewrites] = true
	}
	if kept < 20 || len(changed) < 20 {
		t.Errorf("of 200 episodes, %d keep the loops, and %d are different", kept, len(changed))
	}
}

// A varied schedule is like the good one but for one answer.
func TestNeighbourChangesOneAnswer(t *testing.T) {
	space := env.NewSpace(envtest.Matmul(96, 96, 96), machine, env.Rules{})
	good := scheduletest.Parse(t, "matmul1: T(8,32,0) T(0,0,4) V\nfill0: NT\n")
	steps, err := space.NewEpisode().Follow(good)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for seed := range uint64(300) {
		e := space.NewEpisode()
		varied := e.Neighbour(good, steps, rand.New(rand.NewPCG(seed, 0)))
		if e.Done() {
			found[e.Schedule().String()] = true
		}
		if again, err := space.NewEpisode().Retrace(answersOf(varied)); err != nil || len(again) != len(varied) {
			t.Fatalf("what was done cannot be done again: %v", err)
		}
	}
	for _, neighbour := range []string{
		"matmul1: T(8,16,0) T(0,0,4) V\nfill0: NT\n", "matmul1: T(4,32,0) T(0,0,4) V\nfill0: NT\n",
		"matmul1: T(8,32,0) T(0,0,2) V\nfill0: NT\n", "matmul1: T(8,32,0) T(0,0,4) NT\nfill0: NT\n",
	} {
		if !found[neighbour] {
			t.Errorf("of 300, none is\n%s", neighbour)
		}
	}
	if found[good.String()] {
		t.Error("nothing was changed")
	}
}

func answersOf(steps []env.Step) (all []int) {
	for _, s := range steps {
		all = append(all, s.Answers...)
	}
	return all
}
