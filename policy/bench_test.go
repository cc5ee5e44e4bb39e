package policy

import (
	"maps"
	"slices"
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
