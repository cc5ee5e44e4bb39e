package policy

import (
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

var small = Config{Embedding: 12, Encoder: 10, Trunk: 11, Layers: 2}

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

func newPolicy(t testing.TB, cfg Config) Policy {
	t.Helper()
	p, err := New("lstm", cfg, seeded(1))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// observations are random, with 1 … 4 tokens and masks of every sort.
func observations(n int, rng *rand.Rand) []env.Observation {
	out := make([]env.Observation, n)
	for i := range out {
		for range 1 + rng.IntN(env.MaxTokens) {
			out[i].Tokens = append(out[i].Tokens, noise(env.FeatureSize, rng))
		}
		out[i].History = noise(env.HistorySize, rng)
		out[i].Mask = randomMask(rng)
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

// randomMask allows about half of everything, and something of each.
func randomMask(rng *rand.Rand) env.Mask {
	m := env.Mask{Interchanging: rng.IntN(4) == 0}
	fill := func(x []bool) {
		for i := range x {
			x[i] = rng.IntN(2) == 0
		}
		x[rng.IntN(len(x))] = true
	}
	fill(m.Kind[:])
	fill(m.Pointer[:])
	for head := range m.Tile {
		for loop := range m.Tile[head] {
			fill(m.Tile[head][loop][:])
		}
	}
	return m
}

// legal tells whether a mask allows an action.
func legal(m *env.Mask, a env.Action) bool {
	if m.Interchanging {
		return m.Pointer[a.Pointer]
	}
	if !m.Kind[a.Kind] {
		return false
	}
	if head := env.TileHead(a.Kind); head >= 0 {
		for loop, size := range a.Tile {
			if !m.Tile[head][loop][size] {
				return false
			}
		}
	}
	return true
}

func actions(decisions []Decision) []env.Action {
	out := make([]env.Action, len(decisions))
	for i, d := range decisions {
		out[i] = d.Action
	}
	return out
}

// sharpen makes the policy prefer some actions strongly: masks must hold even
// against that.
func sharpen(p Policy, rng *rand.Rand) {
	for _, q := range p.Parameters() {
		if q.Name == "actor.heads.bias" {
			for i := range q.Data {
				q.Data[i] = 30 * float32(rng.NormFloat64())
			}
		}
	}
}

func TestActObeysMasks(t *testing.T) {
	p := newPolicy(t, small)
	rng := seeded(2)
	for round := range 60 {
		if round == 30 {
			sharpen(p, rng)
		}
		obs := observations(32, rng)
		for i, d := range p.Act(obs, rng, round%3 == 0) {
			if !legal(&obs[i].Mask, d.Action) {
				t.Fatalf("round %d: action %+v is not allowed", round, d.Action)
			}
			for _, v := range []float32{d.LogProb, d.Entropy, d.Value} {
				if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
					t.Fatalf("round %d: decision %+v is not finite", round, d)
				}
			}
		}
	}
}

func TestEverythingLegalIsDrawn(t *testing.T) {
	p := newPolicy(t, small)
	o := observations(1, seeded(3))
	o[0].Mask.Interchanging = false
	o[0].Mask.Kind = [6]bool{true, true, false, true, false, true}
	rng := seeded(4)
	var drawn [6]bool
	for range 300 {
		drawn[p.Act(o, rng, false)[0].Action.Kind] = true
	}
	if drawn != o[0].Mask.Kind {
		t.Errorf("kinds drawn: %v, allowed: %v", drawn, o[0].Mask.Kind)
	}
}

func TestActAgreesWithEvaluate(t *testing.T) {
	p := newPolicy(t, small)
	rng := seeded(5)
	obs := observations(40, rng)
	decisions := p.Act(obs, rng, false)
	logProb, entropy, value := p.Evaluate(nn.NewTape(), obs, actions(decisions))
	for i, d := range decisions {
		if d.LogProb != logProb.Data[i] || d.Entropy != entropy.Data[i] || d.Value != value.Data[i] {
			t.Errorf("observation %d: acted with %+v, evaluated as %v, %v, %v", i, d, logProb.Data[i], entropy.Data[i], value.Data[i])
		}
	}
}

// TestLogProbIsThatOfTheParts computes one decision's by hand.
func TestLogProbIsThatOfTheParts(t *testing.T) {
	p := newPolicy(t, small).(*lstm)
	obs := observations(1, seeded(6))
	obs[0].Mask.Interchanging = false
	obs[0].Mask.Kind = [6]bool{false, true, false, false, true, true}
	a := env.Action{Kind: 1}
	for loop := range a.Tile {
		a.Tile[loop] = slices.Index(obs[0].Mask.Tile[0][loop][:], true)
	}
	x, _ := p.forward(nn.NewInferenceTape(), obs)
	want := logSoftmax(x.Data[:6], obs[0].Mask.Kind[:], 1)
	for loop, size := range a.Tile {
		at := 6 + loop*len(env.TileSizes)
		want += logSoftmax(x.Data[at:at+len(env.TileSizes)], obs[0].Mask.Tile[0][loop][:], size)
	}
	got, _, _ := p.Evaluate(nn.NewTape(), obs, []env.Action{a})
	if math.Abs(float64(got.Data[0])-want) > 1e-4 {
		t.Errorf("log-probability %v, want %v", got.Data[0], want)
	}
}

func logSoftmax(x []float32, mask []bool, i int) float64 {
	sum := 0.0
	for j := range x {
		if mask[j] {
			sum += math.Exp(float64(x[j]))
		}
	}
	return float64(x[i]) - math.Log(sum)
}

// TestCompanyDoesNotMatter: observations with other numbers of tokens in the
// batch, and the order, must not change a decision.
func TestCompanyDoesNotMatter(t *testing.T) {
	p := newPolicy(t, small)
	obs := observations(17, seeded(7))
	together := p.Act(obs, nil, true)
	for i := range obs {
		alone := p.Act(obs[i:i+1], nil, true)[0]
		if alone.Action != together[i].Action || math.Abs(float64(alone.Value-together[i].Value)) > 1e-4 ||
			math.Abs(float64(alone.LogProb-together[i].LogProb)) > 1e-4 {
			t.Errorf("observation %d: %+v alone, %+v in a batch", i, alone, together[i])
		}
	}
}

// TestEncoderReadsTheOperationLast: the state is that of an LSTM which reads an
// observation's tokens one after the other, as they stand.
func TestEncoderReadsTheOperationLast(t *testing.T) {
	p := newPolicy(t, small).(*lstm)
	obs := observations(12, seeded(22))
	tape := nn.NewInferenceTape()
	together := p.encode(tape, obs)
	for i, o := range obs {
		steps := make([]int, len(o.Tokens))
		for s := range steps {
			steps[s] = 1
		}
		x := tape.Constant(slices.Concat(o.Tokens...), len(o.Tokens), env.FeatureSize)
		x = tape.ELU(p.embed1.Forward(tape, x))
		x = tape.ELU(p.embed2.Forward(tape, x))
		for j, want := range p.encoder.Forward(tape, x, steps).Data {
			if got := together.Data[i*small.Encoder+j]; math.Abs(float64(got-want)) > 1e-5 {
				t.Fatalf("observation %d of %d tokens: state %d is %v, want %v", i, len(o.Tokens), j, got, want)
			}
		}
	}
}

func TestTokensAndHistoryMatter(t *testing.T) {
	p := newPolicy(t, small)
	base := observations(1, seeded(8))[0]
	base.Tokens = [][]float32{noise(env.FeatureSize, seeded(9)), noise(env.FeatureSize, seeded(10))}
	reversed, other, longer := base, base, base
	reversed.Tokens = [][]float32{base.Tokens[1], base.Tokens[0]}
	other.History = noise(env.HistorySize, seeded(11))
	longer.Tokens = append([][]float32{noise(env.FeatureSize, seeded(12))}, base.Tokens...)
	d := p.Act([]env.Observation{base, reversed, other, longer}, nil, true)
	for i, name := range []string{"", "the order of tokens", "the history", "another producer"} {
		if i > 0 && d[i].Value == d[0].Value {
			t.Errorf("%s does not change the value", name)
		}
	}
}

// steps trains for some steps on random data and returns the losses.
func steps(p Policy, n int) []float32 {
	rng := seeded(13)
	adam := nn.NewAdam(p.Parameters(), 1e-3)
	tape := nn.NewTape()
	var out []float32
	for range n {
		obs := observations(16, rng)
		decisions := p.Act(obs, rng, false)
		old, advantage := make([]float32, len(obs)), noise(len(obs), rng)
		for i, d := range decisions {
			old[i] = d.LogProb
		}
		tape.Reset()
		loss := ppoLoss(tape, p, obs, actions(decisions), old, advantage)
		tape.Backward(loss)
		adam.ClipGradients(0.5)
		adam.Step()
		out = append(out, loss.Data[0])
	}
	return out
}

func ppoLoss(t *nn.Tape, p Policy, obs []env.Observation, acts []env.Action, old, advantage []float32) *nn.Tensor {
	logProb, entropy, value := p.Evaluate(t, obs, acts)
	loss, _ := t.PPOLoss(logProb, old, advantage, 0.2)
	loss = t.Add(loss, t.Scale(t.MSE(value, advantage), 0.5))
	return t.Add(loss, t.Scale(t.Mean(entropy), -0.01))
}

func TestSameSeedSameBits(t *testing.T) {
	p, q := newPolicy(t, small), newPolicy(t, small)
	if a, b := steps(p, 5), steps(q, 5); !slices.Equal(a, b) {
		t.Errorf("losses %v and %v", a, b)
	}
	for i, x := range p.Parameters() {
		if !slices.Equal(x.Data, q.Parameters()[i].Data) {
			t.Errorf("%s differs", x.Name)
		}
	}
}

// TestGradientOfTheWhole checks the wiring: some elements of every parameter
// against finite differences.
func TestGradientOfTheWhole(t *testing.T) {
	p := newPolicy(t, small)
	rng := seeded(14)
	obs := observations(8, rng)
	decisions := p.Act(obs, rng, false)
	old, advantage := make([]float32, len(obs)), noise(len(obs), rng)
	for i, d := range decisions {
		old[i] = d.LogProb
	}
	tape, inference := nn.NewTape(), nn.NewInferenceTape()
	tape.Backward(ppoLoss(tape, p, obs, actions(decisions), old, advantage))
	loss := func() float64 {
		inference.Reset()
		return float64(ppoLoss(inference, p, obs, actions(decisions), old, advantage).Data[0])
	}
	for _, q := range p.Parameters() {
		// The steepest element shows best above float32's rounding.
		i := 0
		for j := range q.Grad {
			if math.Abs(float64(q.Grad[j])) > math.Abs(float64(q.Grad[i])) {
				i = j
			}
		}
		const h = 2e-3
		at := q.Data[i]
		q.Data[i] = at + h
		above := loss()
		q.Data[i] = at - h
		want := (above - loss()) / (2 * h)
		q.Data[i] = at
		if got := float64(q.Grad[i]); got == 0 || math.Abs(got-want) > 0.02*math.Abs(want)+1e-3 {
			t.Errorf("%s[%d]: gradient %v, finite difference %v", q.Name, i, got, want)
		}
	}
}

// TestLearnsWhatIsRewarded: one kind and one tile size pay; after some updates
// they are chosen.
func TestLearnsWhatIsRewarded(t *testing.T) {
	p := newPolicy(t, small)
	rng := seeded(15)
	adam, tape := nn.NewAdam(p.Parameters(), 1e-2), nn.NewTape()
	obs := observations(32, rng)
	for i := range obs {
		obs[i].Mask.Interchanging = false
		obs[i].Mask.Kind = [6]bool{true, true, true, true, true, true}
		obs[i].Mask.Tile[1][3] = [len(env.TileSizes)]bool{0: true, 5: true, 7: true}
	}
	reward := func(a env.Action) float32 {
		r := float32(0)
		if a.Kind == 2 {
			r = 1
			if a.Tile[3] == 7 {
				r = 2
			}
		}
		return r
	}
	for range 150 {
		decisions := p.Act(obs, rng, false)
		old, advantage := make([]float32, len(obs)), make([]float32, len(obs))
		mean := float32(0)
		for _, d := range decisions {
			mean += reward(d.Action) / float32(len(obs))
		}
		for i, d := range decisions {
			old[i], advantage[i] = d.LogProb, reward(d.Action)-mean
		}
		tape.Reset()
		tape.Backward(ppoLoss(tape, p, obs, actions(decisions), old, advantage))
		adam.ClipGradients(0.5)
		adam.Step()
	}
	sum := float32(0)
	for _, d := range p.Act(obs, nil, true) {
		sum += reward(d.Action) / float32(len(obs))
	}
	if sum < 1.9 {
		t.Errorf("mean reward %v after training, of 2", sum)
	}
}

// TestPlaysEpisodes: the environment accepts what the policy does.
func TestPlaysEpisodes(t *testing.T) {
	p := newPolicy(t, small)
	rng := seeded(16)
	for range 20 {
		var episodes []*env.Episode
		for _, q := range []*program.Program{envtest.Matmul(64, 32, 128), envtest.Add(8, 56, 56), envtest.Matmul(7, 13, 4)} {
			episodes = append(episodes, env.New(q, schedule.Machine{Threads: 2, VectorLanes: 16}))
		}
		err := env.Play(episodes, func(_ []int, obs []env.Observation) []env.Action {
			return actions(p.Act(obs, rng, false))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestNewSaysWhatThereIs(t *testing.T) {
	for _, test := range []struct {
		model, want string
		cfg         Config
	}{
		{"distilbert", `"distilbert" is not available yet; available: lstm`, small},
		{"gpt-2", `"gpt-2" is not available yet; available: lstm`, small},
		{"convnext", `"convnext" is not available yet; available: lstm`, small},
		{"LSTM", `no model "LSTM"; the models are lstm, distilbert, gpt-2, convnext`, small},
		{"lstm", "sizes must be 1 or more", Config{Embedding: 3, Trunk: 2, Layers: 1}},
	} {
		if _, err := New(test.model, test.cfg, seeded(1)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("New(%q): error %v, want %q", test.model, err, test.want)
		}
	}
}

func TestActOnNothing(t *testing.T) {
	if d := newPolicy(t, small).Act(nil, nil, true); d != nil {
		t.Errorf("decisions %v for no observation", d)
	}
}
