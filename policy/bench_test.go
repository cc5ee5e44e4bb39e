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
func BenchmarkStep(b *testing.B) {
	for _, model := range slices.Sorted(maps.Keys(models)) {
		b.Run(model, func(b *testing.B) {
			p, err := New(model, DefaultConfig(model), seeded(1))
			if err != nil {
				b.Fatal(err)
			}
			rng := seeded(30)
			decisions := p.Act(started(64, rng), rng, false)
			old, advantage := make([]float32, len(decisions)), noise(len(decisions), rng)
			adam, tape := nn.NewAdam(p.Parameters(), 1e-4), nn.NewTape()
			for b.Loop() {
				tape.Reset()
				tape.Backward(ppoLoss(tape, p, steps(decisions), old, advantage))
				adam.ClipGradients(0.5)
				adam.Step()
			}
		})
	}
}

// BenchmarkHalves is as BenchmarkStep with a half of the actions on each of two cores.
func BenchmarkHalves(b *testing.B) {
	for _, model := range slices.Sorted(maps.Keys(models)) {
		b.Run(model, func(b *testing.B) {
			p, err := New(model, DefaultConfig(model), seeded(1))
			if err != nil {
				b.Fatal(err)
			}
			twin, rng := p.Twin(), seeded(30)
			decisions := p.Act(started(64, rng), rng, false)
			old, advantage := make([]float32, len(decisions)), noise(len(decisions), rng)
			adam, tapes := nn.NewAdam(p.Parameters(), 1e-4), []*nn.Tape{nn.NewTape(), nn.NewTape()}
			for b.Loop() {
				var both sync.WaitGroup
				for i, agent := range []*Policy{p, twin} {
					both.Go(func() {
						tapes[i].Reset()
						part := decisions[32*i : 32*i+32]
						tapes[i].Backward(ppoLoss(tapes[i], agent, steps(part), old[32*i:32*i+32], advantage[32*i:32*i+32]))
					})
				}
				both.Wait()
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
