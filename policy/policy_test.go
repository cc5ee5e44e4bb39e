package policy

import (
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"nestling/blas"
	"nestling/env"
	"nestling/env/envtest"
	"nestling/nn"
	"nestling/program"
	"nestling/schedule"
)

func TestMain(m *testing.M) {
	blas.SetThreads(1)
	os.Exit(m.Run())
}

var (
	machine = schedule.Machine{Threads: 2, VectorLanes: 16}
	small   = map[string]Config{
		"lstm":       {Width: 12, Layers: 1, Trunk: 11, TrunkLayers: 2, Option: 10},
		"distilbert": {Width: 12, Layers: 2, Heads: 3, Trunk: 11, TrunkLayers: 2, Option: 10},
		"gpt-2":      {Width: 12, Layers: 2, Heads: 3, Trunk: 11, TrunkLayers: 2, Option: 10},
		"convnext":   {Width: 6, Layers: 2, Stages: []int{1, 1}, Trunk: 11, TrunkLayers: 2, Option: 10},
	}
	programs = []*program.Program{envtest.Matmul(64, 32, 128), envtest.Add(8, 56, 56), envtest.Matmul(7, 13, 4), envtest.Add(64)}
)

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// each runs a test for every model.
func each(t *testing.T, test func(t *testing.T, model string)) {
	for _, model := range slices.Sorted(maps.Keys(models)) {
		t.Run(model, func(t *testing.T) { test(t, model) })
	}
}

func newPolicy(t testing.TB, model string) *Policy {
	t.Helper()
	p, err := New(model, small[model], seeded(1))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// started are n episodes, each some random answers in.
func started(n int, rng *rand.Rand) []*env.Episode {
	var out []*env.Episode
	for len(out) < n {
		e := env.NewSpace(programs[len(out)%len(programs)], machine, env.Rules{}).NewEpisode()
		for range rng.IntN(12) {
			if e.Done() {
				break
			}
			if _, err := e.Answer(rng.IntN(len(e.Question().Options))); err != nil {
				panic(err)
			}
		}
		if !e.Done() {
			out = append(out, e)
		}
	}
	return out
}

func clones(episodes []*env.Episode) []*env.Episode {
	var out []*env.Episode
	for _, e := range episodes {
		out = append(out, e.Clone())
	}
	return out
}

func steps(decisions []Decision) []env.Step {
	out := make([]env.Step, len(decisions))
	for i, d := range decisions {
		out[i] = d.Step
	}
	return out
}

func near(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-4 }

func TestActAgreesWithEvaluate(t *testing.T) {
	each(t, func(t *testing.T, model string) {
		p := newPolicy(t, model)
		decisions := p.Act(started(24, seeded(2)), seeded(3), false)
		logProb, entropy, value := p.Evaluate(nn.NewTape(), steps(decisions))
		for i, d := range decisions {
			if !near(d.LogProb, logProb.Data[i]) || !near(d.Entropy, entropy.Data[i]) || !near(d.Value, value.Data[i]) {
				t.Errorf("episode %d: acted with %v, %v, %v, evaluated as %v, %v, %v", i,
					d.LogProb, d.Entropy, d.Value, logProb.Data[i], entropy.Data[i], value.Data[i])
			}
		}
	})
}

// TestForeseeIsWhatActDrawsFrom compares frequencies with probabilities.
func TestForeseeIsWhatActDrawsFrom(t *testing.T) {
	each(t, func(t *testing.T, model string) {
		p, rng := newPolicy(t, model), seeded(48)
		e := started(1, rng)
		probabilities, _ := p.Foresee(e)
		counts := make([]float64, len(probabilities[0]))
		const batches, size = 40, 64
		for range batches {
			var copies []*env.Episode
			for range size {
				copies = append(copies, e[0].Clone())
			}
			for _, d := range p.Act(copies, rng, false) {
				counts[d.Answers[0]]++
			}
		}
		const n = batches * size
		for i, want := range probabilities[0] {
			if d := math.Abs(counts[i]/n - want); d > 5*math.Sqrt(want*(1-want)/n)+1e-9 {
				t.Errorf("option %d: drawn with frequency %v, probability %v", i, counts[i]/n, want)
			}
		}
	})
}

// TestCompanyDoesNotMatter: what else is in the batch, and how long it is, must not change
// a decision.
func TestCompanyDoesNotMatter(t *testing.T) {
	each(t, func(t *testing.T, model string) {
		p := newPolicy(t, model)
		episodes := started(17, seeded(5))
		alone := clones(episodes)
		together := p.Act(episodes, nil, true)
		for i := range alone {
			d := p.Act(alone[i:i+1], nil, true)[0]
			if !slices.Equal(d.Answers, together[i].Answers) || !near(d.Value, together[i].Value) || !near(d.LogProb, together[i].LogProb) {
				t.Errorf("episode %d: %v, %v alone, %v, %v in a batch", i, d.Answers, d.Value, together[i].Answers, together[i].Value)
			}
		}
	})
}

// TestWhatIsSeenMatters changes parts of an observation.
func TestWhatIsSeenMatters(t *testing.T) {
	each(t, func(t *testing.T, model string) {
		p := newPolicy(t, model)
		rng := seeded(6)
		base := seen(rng)
		value := func(o *env.Observation) float32 {
			_, v := p.look(nn.NewInferenceTape(), []*env.Observation{o})
			return v.Data[0]
		}
		before := value(base)
		for _, change := range []struct {
			what string
			make func(o *env.Observation)
		}{
			{"the operation", func(o *env.Observation) { jitter(o.Ops[len(o.Ops)-1].Features, rng) }},
			{"its loops", func(o *env.Observation) { jitter(o.Ops[len(o.Ops)-1].Loops[0], rng) }},
			{"its operands", func(o *env.Observation) { jitter(o.Ops[len(o.Ops)-1].Operands[0].Features, rng) }},
			{"its producer", func(o *env.Observation) { jitter(o.Ops[0].Features, rng) }},
			{"the past", func(o *env.Observation) { jitter(o.Past[len(o.Past)-1], rng) }},
			{"a longer past", func(o *env.Observation) { o.Past = append(o.Past, o.Past[0]) }},
		} {
			o := seen(seeded(6))
			change.make(o)
			if value(o) == before {
				t.Errorf("%s does not change the value", change.what)
			}
		}
	})
}

// seen is an observation with a producer and a past.
func seen(rng *rand.Rand) *env.Observation {
	for {
		for _, e := range started(16, rng) {
			if o := e.Observe(); len(o.Ops) > 1 && len(o.Past) > 1 && len(o.Past) < 4 {
				return o
			}
		}
	}
}

func jitter(v []float32, rng *rand.Rand) {
	for i := range v {
		v[i] += float32(rng.NormFloat64())
	}
}

func ppoLoss(t *nn.Tape, p *Policy, s []env.Step, old, advantage []float32) *nn.Tensor {
	logProb, entropy, value := p.Evaluate(t, s)
	loss, _ := t.PPOLoss(logProb, old, advantage, 0.2)
	loss = t.Add(loss, t.Scale(t.MSE(value, advantage), 0.5))
	return t.Add(loss, t.Scale(t.Mean(entropy), -0.01))
}

// updates makes some steps on random advantages and returns the losses.
func updates(p *Policy, n int) []float32 {
	rng := seeded(7)
	adam, tape := nn.NewAdam(p.Parameters(), 1e-3), nn.NewTape()
	var out []float32
	for range n {
		decisions := p.Act(started(16, rng), rng, false)
		old, advantage := make([]float32, len(decisions)), noise(len(decisions), rng)
		for i, d := range decisions {
			old[i] = d.LogProb
		}
		tape.Reset()
		loss := ppoLoss(tape, p, steps(decisions), old, advantage)
		tape.Backward(loss)
		adam.ClipGradients(0.5)
		adam.Step()
		out = append(out, loss.Data[0])
	}
	return out
}

func noise(n int, rng *rand.Rand) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(rng.NormFloat64())
	}
	return out
}

func TestSameSeedSameBits(t *testing.T) {
	each(t, func(t *testing.T, model string) {
		p, q := newPolicy(t, model), newPolicy(t, model)
		if a, b := updates(p, 5), updates(q, 5); !slices.Equal(a, b) {
			t.Errorf("losses %v and %v", a, b)
		}
		for i, x := range p.Parameters() {
			if !slices.Equal(x.Data, q.Parameters()[i].Data) {
				t.Errorf("%s differs", x.Name)
			}
		}
	})
}

// TestGradientOfTheWhole checks the wiring: the steepest element of every parameter
// against finite differences.
func TestGradientOfTheWhole(t *testing.T) {
	each(t, func(t *testing.T, model string) {
		p, rng := newPolicy(t, model), seeded(48)
		for _, q := range p.Parameters() { // away from what is zero at first
			jitterBy(q.Data, 0.1, rng)
		}
		decisions := p.Act(started(12, rng), rng, false)
		old, advantage := make([]float32, len(decisions)), noise(len(decisions), rng)
		for i, d := range decisions {
			old[i] = d.LogProb
		}
		tape, inference := nn.NewTape(), nn.NewInferenceTape()
		tape.Backward(ppoLoss(tape, p, steps(decisions), old, advantage))
		loss := func() float64 {
			inference.Reset()
			return float64(ppoLoss(inference, p, steps(decisions), old, advantage).Data[0])
		}
		for _, q := range p.Parameters() {
			i := 0
			for j := range q.Grad {
				if math.Abs(float64(q.Grad[j])) > math.Abs(float64(q.Grad[i])) {
					i = j
				}
			}
			slope := func(h float32) float64 {
				at := q.Data[i]
				q.Data[i] = at + h
				above := loss()
				q.Data[i] = at - h
				below := loss()
				q.Data[i] = at
				return (above - below) / float64(2*h)
			}
			want := (4*slope(5e-4) - slope(1e-3)) / 3 // Richardson's extrapolation
			// These shift all scores alike: their gradient is zero.
			shift := q.Name == "head.score.bias" || strings.HasSuffix(q.Name, "k_lin.bias") || strings.HasSuffix(q.Name, "attn.k.bias")
			if got := float64(q.Grad[i]); got == 0 && !shift || math.Abs(got-want) > 0.03*math.Abs(want)+4e-3 {
				t.Errorf("%s[%d]: gradient %v, finite difference %v", q.Name, i, got, want)
			}
		}
	})
}

// What two twins find for a half each is, in sum, what one finds for the whole.
func TestTwinsShareTheirWeights(t *testing.T) {
	each(t, func(t *testing.T, model string) {
		p, rng := newPolicy(t, model), seeded(11)
		decisions := p.Act(started(12, rng), rng, false)
		old, advantage := make([]float32, len(decisions)), noise(len(decisions), rng)
		gradient := func(agent *Policy, from, to int, share float32) {
			tape := nn.NewTape()
			tape.Backward(tape.Scale(ppoLoss(tape, agent, steps(decisions[from:to]), old[from:to], advantage[from:to]), share))
		}
		gradient(p, 0, 12, -1)
		largest := float32(0)
		for _, q := range p.Parameters() {
			largest = max(largest, slices.Max(q.Grad))
		}
		twin := p.Twin()
		gradient(p, 0, 5, 5./12)
		gradient(twin, 5, 12, 7./12)
		others := twin.Parameters()
		for i, q := range p.Parameters() {
			if &q.Data[0] != &others[i].Data[0] {
				t.Fatalf("%s has weights of its own", q.Name)
			}
			for j, g := range q.Grad {
				if rest := g + others[i].Grad[j]; math.Abs(float64(rest)) > 1e-5*float64(largest) {
					t.Fatalf("%s[%d]: the gradients differ by %g, of at most %g", q.Name, j, rest, largest)
				}
			}
		}
	})
}

func jitterBy(v []float32, scale float32, rng *rand.Rand) {
	for i := range v {
		v[i] += scale * float32(rng.NormFloat64())
	}
}

// TestLearnsWhatIsRewarded: tiles of 4 pay; after some updates they are chosen.
func TestLearnsWhatIsRewarded(t *testing.T) {
	each(t, func(t *testing.T, model string) {
		p, rng := newPolicy(t, model), seeded(48)
		adam, tape := nn.NewAdam(p.Parameters(), 1e-2), nn.NewTape()
		fours := func(d Decision) float32 {
			n := float32(0)
			for i, q := range d.Questions {
				const sizeAsked, log2Size = 2, 6 + 17 + 3 + env.LoopSize
				if o := q.Options[d.Answers[i]]; o[sizeAsked] == 1 && near(8*o[log2Size], 2) {
					n++
				}
			}
			return n
		}
		mean := func(decisions []Decision) float32 {
			sum := float32(0)
			for _, d := range decisions {
				sum += fours(d) / float32(len(decisions))
			}
			return sum
		}
		before := mean(p.Act(started(256, seeded(10)), seeded(11), false))
		for range 120 {
			decisions := p.Act(started(32, rng), rng, false)
			old, advantage, base := make([]float32, len(decisions)), make([]float32, len(decisions)), mean(decisions)
			for i, d := range decisions {
				old[i], advantage[i] = d.LogProb, fours(d)-base
			}
			tape.Reset()
			tape.Backward(ppoLoss(tape, p, steps(decisions), old, advantage))
			adam.ClipGradients(0.5)
			adam.Step()
		}
		if after := mean(p.Act(started(256, seeded(10)), seeded(11), false)); after < 2*before {
			t.Errorf("%v tiles of 4 an action at first, %v after training", before, after)
		}
	})
}

// TestPlaysEpisodes: what a policy does is legal, however sure it is of itself.
func TestPlaysEpisodes(t *testing.T) {
	each(t, func(t *testing.T, model string) {
		p, rng := newPolicy(t, model), seeded(48)
		for round := range 6 {
			if round == 3 {
				jitterBy(p.head.prior.Data, 30, rng)
			}
			for _, target := range programs {
				e := env.NewSpace(target, machine, env.Rules{}).NewEpisode()
				for !e.Done() {
					for _, d := range p.Act([]*env.Episode{e}, rng, round%2 == 0) {
						if x := float64(d.LogProb + d.Entropy + d.Value); math.IsNaN(x) || math.IsInf(x, 0) {
							t.Fatalf("decision %v, %v, %v", d.LogProb, d.Entropy, d.Value)
						}
					}
				}
				if err := schedule.Check(target, e.Schedule()); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// The default sizes train well on a processor.
func TestDefaultSizes(t *testing.T) {
	each(t, func(t *testing.T, model string) {
		p, err := New(model, DefaultConfig(model), seeded(1))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, q := range p.Parameters() {
			n += len(q.Data)
		}
		t.Logf("%d parameters", n)
		if n > 1_200_000 {
			t.Errorf("%d parameters, more than 1.2 million", n)
		}
	})
}

// The namesake's size builds, makes a step, and comes back from the disk.
func TestFullSizes(t *testing.T) {
	each(t, func(t *testing.T, model string) {
		p, err := New(model, FullConfig(model), seeded(1))
		if err != nil {
			t.Fatal(err)
		}
		decisions := p.Act(started(2, seeded(2)), seeded(3), false)
		adam, tape := nn.NewAdam(p.Parameters(), 1e-4), nn.NewTape()
		old := make([]float32, len(decisions))
		tape.Backward(ppoLoss(tape, p, steps(decisions), old, []float32{1, -1}))
		if norm := adam.ClipGradients(0.5); !(norm > 0) {
			t.Fatalf("gradient norm %v", norm)
		}
		adam.Step()
		dir := t.TempDir()
		if err := Save(p, dir); err != nil {
			t.Fatal(err)
		}
		loaded, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		for i, q := range loaded.Parameters() {
			if !slices.Equal(q.Data, p.Parameters()[i].Data) {
				t.Fatalf("%s came back changed", q.Name)
			}
		}
	})
}

func TestNewSaysWhatThereIs(t *testing.T) {
	for _, test := range []struct {
		model, want string
		cfg         Config
	}{
		{"LSTM", `no model "LSTM"; the models are convnext, distilbert, gpt-2, lstm`, small["lstm"]},
		{"lstm", "sizes must be 1 or more", Config{Width: 3, Trunk: 2, TrunkLayers: 1, Option: 1}},
		{"gpt-2", "5 heads do not divide a width of 12", Config{Width: 12, Layers: 1, Heads: 5, Trunk: 2, TrunkLayers: 1, Option: 1}},
	} {
		if _, err := New(test.model, test.cfg, seeded(1)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("New(%q): error %v, want %q", test.model, err, test.want)
		}
	}
}

func TestActOnNothing(t *testing.T) {
	if d := newPolicy(t, "lstm").Act(nil, nil, true); d != nil {
		t.Errorf("decisions %v for no episode", d)
	}
}
