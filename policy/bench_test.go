package policy

import (
	"maps"
	"slices"
	"sync"
	"testing"

	"nestling/nn"
)

// BenchmarkStep is a whole update of 64 actions at the default sizes: forward, backward,
// clip, Adam.
func BenchmarkStep(b *testing.B) { benchmarkUpdate(b, 1) }

// BenchmarkHalves is as BenchmarkStep with a half of the actions on each of two cores.
func BenchmarkHalves(b *testing.B) { benchmarkUpdate(b, 2) }

// benchmarkUpdate deals 64 actions to the policy and to twins of it, all at once.
func benchmarkUpdate(b *testing.B, parts int) {
	for _, model := range slices.Sorted(maps.Keys(models)) {
		b.Run(model, func(b *testing.B) {
			p, err := New(model, DefaultConfig(model), seeded(1))
			if err != nil {
				b.Fatal(err)
			}
			rng := seeded(30)
			decisions := p.Act(started(64, rng), rng, false)
			old, advantage := make([]float32, len(decisions)), noise(len(decisions), rng)
			agents, tapes := []*Policy{p}, []*nn.Tape{nn.NewTape()}
			for len(agents) < parts {
				agents, tapes = append(agents, p.Twin()), append(tapes, nn.NewTape())
			}
			adam, size := nn.NewAdam(p.Parameters(), 1e-4), len(decisions)/parts
			for b.Loop() {
				var all sync.WaitGroup
				for i, agent := range agents {
					all.Go(func() {
						from, to := i*size, (i+1)*size
						tapes[i].Reset()
						tapes[i].Backward(ppoLoss(tapes[i], agent, steps(decisions[from:to]), old[from:to], advantage[from:to]))
					})
				}
				all.Wait()
				adam.ClipGradients(0.5)
				adam.Step()
			}
		})
	}
}

// BenchmarkAct takes an action in each of 32 episodes.
func BenchmarkAct(b *testing.B) {
	for _, model := range slices.Sorted(maps.Keys(models)) {
		b.Run(model, func(b *testing.B) {
			p, err := New(model, DefaultConfig(model), seeded(1))
			if err != nil {
				b.Fatal(err)
			}
			rng := seeded(31)
			episodes := started(32, rng)
			for b.Loop() {
				p.Act(clones(episodes), rng, false)
			}
		})
	}
}
