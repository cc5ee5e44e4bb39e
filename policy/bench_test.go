package policy

import (
	"testing"

	"nestling/env"
	"nestling/nn"
)

// large has 3.3 million parameters.
var large = Config{Embedding: 512, Encoder: 411, Trunk: 288, Layers: 3}

func benchmarkObservations(n int) []env.Observation {
	rng := seeded(30)
	obs := observations(n, rng)
	for i := range obs {
		for len(obs[i].Tokens) < 4 {
			obs[i].Tokens = append(obs[i].Tokens, noise(env.FeatureSize, rng))
		}
	}
	return obs
}

// BenchmarkLSTMStep is a whole update at batch 64 with 4 tokens: forward,
// backward, clip, Adam.
func BenchmarkLSTMStep(b *testing.B) {
	b.Run("3.3M", func(b *testing.B) { benchmarkStep(b, large) })
	b.Run("default", func(b *testing.B) { benchmarkStep(b, DefaultConfig()) })
}

func benchmarkStep(b *testing.B, cfg Config) {
	p := newPolicy(b, cfg)
	n := 0
	for _, q := range p.Parameters() {
		n += len(q.Data)
	}
	obs := benchmarkObservations(64)
	decisions := p.Act(obs, seeded(31), false)
	old, advantage := make([]float32, len(obs)), noise(len(obs), seeded(32))
	for i, d := range decisions {
		old[i] = d.LogProb
	}
	adam, tape := nn.NewAdam(p.Parameters(), 1e-4), nn.NewTape()
	for b.Loop() {
		tape.Reset()
		tape.Backward(ppoLoss(tape, p, obs, actions(decisions), old, advantage))
		adam.ClipGradients(0.5)
		adam.Step()
	}
	b.ReportMetric(float64(n), "parameters")
}

// BenchmarkAct draws actions for a batch of 64 with 4 tokens.
func BenchmarkAct(b *testing.B) {
	b.Run("3.3M", func(b *testing.B) { benchmarkAct(b, large) })
	b.Run("default", func(b *testing.B) { benchmarkAct(b, DefaultConfig()) })
}

func benchmarkAct(b *testing.B, cfg Config) {
	p, obs, rng := newPolicy(b, cfg), benchmarkObservations(64), seeded(33)
	for b.Loop() {
		p.Act(obs, rng, false)
	}
}
