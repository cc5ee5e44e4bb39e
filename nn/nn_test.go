package nn

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSampleFollowsTheDistribution(t *testing.T) {
	logits := []float32{1, -1, 0}
	rng := rand.New(rand.NewPCG(3, 4))
	const n = 100000
	var counts [3]float64
	for range n {
		counts[Sample(logits, rng)]++
	}
	sum := math.E + 1/math.E + 1
	probabilities := []float64{math.E / sum, 1 / math.E / sum, 1 / sum}
	for i, p := range Softmax(logits) {
		if math.Abs(p-probabilities[i]) > 1e-6 {
			t.Errorf("Softmax gives index %d %v, want %v", i, p, probabilities[i])
		}
	}
	for i, p := range probabilities {
		if d := math.Abs(counts[i]/n - p); d > 5*math.Sqrt(p*(1-p)/n) {
			t.Errorf("index %d drawn with frequency %v, probability %v", i, counts[i]/n, p)
		}
	}
}

func TestArgmaxIsTheFirstOfEquals(t *testing.T) {
	if got := Argmax([]float32{3, -9, 5, 5}); got != 2 {
		t.Errorf("Argmax = %d, want 2", got)
	}
}

func TestPanics(t *testing.T) {
	tape := NewTape()
	x := NewParameter("x", 2, 3)
	for name, f := range map[string]func(){
		"no such choice":  func() { tape.Categorical(x.Tensor, 2, []Choice{{1, 0, 3, 3}}) },
		"shapes of a sum": func() { tape.Add(x.Tensor, tape.Zeros(3, 2)) },
		"not one number":  func() { tape.Backward(tape.Scale(x.Tensor, 2)) },
		"falling counts":  func() { (&recurrence{x: x.Tensor, counts: []int{2, 1}}).check() },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestCategoricalStaysFinite(t *testing.T) {
	p := NewParameter("logits", 1, 4)
	copy(p.Data, []float32{1e4, -1e4, 3e4, 0})
	tape := NewTape()
	logProb, entropy := tape.Categorical(p.Tensor, 1, []Choice{{0, 0, 2, 1}})
	tape.Backward(tape.Mean(tape.Add(logProb, entropy)))
	for _, v := range slices.Concat(logProb.Data, entropy.Data, p.Grad) {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			t.Errorf("log-probability %v, entropy %v, gradient %v", logProb.Data, entropy.Data, p.Grad)
			break
		}
	}
	if p.Grad[2] != 0 || p.Grad[3] != 0 {
		t.Error("a logit that took no part has a gradient")
	}
}

func TestPPOStats(t *testing.T) {
	tape := NewInferenceTape()
	_, s := tape.PPOLoss(tape.Constant([]float32{0, 1, 0.1, -0.1}, 4), make([]float32, 4), make([]float32, 4), 0.2)
	want := (math.E - 2 + math.Exp(0.1) - 1.1 + math.Exp(-0.1) - 0.9) / 4
	if s.ClipFraction != 0.25 || math.Abs(s.KL-want) > 1e-6 {
		t.Errorf("%+v, want clip fraction 0.25, KL %v", s, want)
	}
}

func TestOrthogonal(t *testing.T) {
	for _, shape := range [][]int{{4, 9}, {9, 4}, {5, 5}} {
		p := NewParameter("w", shape...)
		Orthogonal(p, 2, rand.New(rand.NewPCG(1, 2)))
		short, long := shape[0], shape[1]
		at := func(i, j int) float64 { return float64(p.Data[i*long+j]) }
		if shape[0] > shape[1] {
			short, long = long, short
			at = func(i, j int) float64 { return float64(p.Data[j*short+i]) }
		}
		for a := range short {
			for b := range short {
				dot, want := 0.0, 0.0
				for j := range long {
					dot += at(a, j) * at(b, j)
				}
				if a == b {
					want = 4
				}
				if math.Abs(dot-want) > 1e-5 {
					t.Errorf("%v: product of vectors %d and %d is %v, want %v", shape, a, b, dot, want)
				}
			}
		}
	}
}

func TestXavierVariance(t *testing.T) {
	p := NewParameter("w", 100, 200)
	Xavier(p, rand.New(rand.NewPCG(1, 2)))
	sum := 0.0
	for _, v := range p.Data {
		sum += float64(v) * float64(v)
	}
	if got, want := sum/float64(len(p.Data)), 2.0/300; math.Abs(got/want-1) > 0.05 {
		t.Errorf("variance %v, want %v", got, want)
	}
}

// fit trains a small network of every kind of layer for some steps and returns
// the losses and its parameters.
func fit(t *testing.T, steps int, between func(step int, adam *Adam, p []*Parameter)) ([]float32, []*Parameter) {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 6))
	l1, l2, rnn := NewLinear("in", 6, 8), NewLinear("out", 7, 1), NewLSTM("rnn", 8, 7)
	Orthogonal(l1.Weight, 1, rng)
	Xavier(l2.Weight, rng)
	rnn.Init(rng)
	parameters := slices.Concat(l1.Parameters(), rnn.Parameters(), l2.Parameters())
	adam := NewAdam(parameters, 0.02)
	x := make([]float32, 12*6)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	tape := NewTape()
	var losses []float32
	for step := range steps {
		tape.Reset()
		h := tape.ELU(l1.Forward(tape, tape.Constant(x, 12, 6)))
		y := l2.Forward(tape, rnn.Forward(tape, h, []int{3, 4, 5}))
		loss := tape.MSE(y, []float32{1, -1, 0.5, 2, 0})
		tape.Backward(loss)
		if norm := adam.ClipGradients(0.5); norm <= 0 {
			t.Fatalf("gradient norm %v", norm)
		}
		adam.Step()
		losses = append(losses, loss.Data[0])
		between(step, adam, parameters)
	}
	return losses, parameters
}

func TestTrainingLearnsAndRepeats(t *testing.T) {
	nothing := func(int, *Adam, []*Parameter) {}
	first, p := fit(t, 200, nothing)
	second, q := fit(t, 200, nothing)
	if last := first[len(first)-1]; !(last < first[0]/100) {
		t.Errorf("loss from %v to %v", first[0], last)
	}
	if !slices.Equal(first, second) {
		t.Error("the same seed gave other losses")
	}
	for i := range p {
		if !slices.Equal(p[i].Data, q[i].Data) {
			t.Errorf("the same seed gave another %s", p[i].Name)
		}
	}
}

// TestTrainingResumes loads weights and optimizer from files half-way, after
// spoiling them, and must end with the same bits.
func TestTrainingResumes(t *testing.T) {
	dir := t.TempDir()
	weights, state := filepath.Join(dir, "weights"), filepath.Join(dir, "state")
	want, _ := fit(t, 20, func(int, *Adam, []*Parameter) {})
	got, _ := fit(t, 20, func(step int, adam *Adam, p []*Parameter) {
		if step != 9 {
			return
		}
		if err := WriteSafetensors(weights, Arrays(p), nil); err != nil {
			t.Fatal(err)
		}
		if err := adam.Save(state); err != nil {
			t.Fatal(err)
		}
		for i := range p {
			clear(p[i].Data)
			clear(adam.mean[i])
			clear(adam.square[i])
		}
		adam.steps = 0
		file, err := ReadSafetensors(weights)
		if err != nil {
			t.Fatal(err)
		}
		if err := file.CopyTo(Arrays(p)); err != nil {
			t.Fatal(err)
		}
		if err := adam.Load(state); err != nil {
			t.Fatal(err)
		}
	})
	if !slices.Equal(got, want) {
		t.Errorf("losses %v after a resume, %v without", got, want)
	}
}

func TestAdamRefusesForeignState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weights")
	p := []*Parameter{NewParameter("w", 2)}
	if err := WriteSafetensors(path, Arrays(p), nil); err != nil {
		t.Fatal(err)
	}
	if err := NewAdam(p, 1).Load(path); err == nil || !strings.Contains(err.Error(), "not an optimizer's state") {
		t.Errorf("weights loaded as an optimizer's state: %v", err)
	}
	if err := NewAdam(p, 1).Save(path); err != nil {
		t.Fatal(err)
	}
	if err := NewAdam([]*Parameter{NewParameter("w", 3)}, 1).Load(path); err == nil || !strings.Contains(err.Error(), "[2], want [3]") {
		t.Errorf("the state of another network was loaded: %v", err)
	}
}

func TestInfiniteGradientIsNotScaled(t *testing.T) {
	p := NewParameter("w", 2)
	p.Grad[0], p.Grad[1] = float32(math.NaN()), 1
	if norm := NewAdam([]*Parameter{p}, 1).ClipGradients(0.5); !math.IsNaN(norm) || p.Grad[1] != 1 {
		t.Errorf("norm %v, gradient %v", norm, p.Grad)
	}
}

func TestResetTakesMemoryBack(t *testing.T) {
	tape := NewTape()
	for range 50 {
		tape.Reset()
		for range 5 {
			tape.Zeros(blockSize/2 + 1)
		}
		tape.Zeros(3 * blockSize)
	}
	if n := len(tape.arena.blocks); n > 6 {
		t.Errorf("%d blocks after 50 rounds of 6 allocations", n)
	}
}

// What drops out gives and gets nothing; the rest makes up for it.
func TestDropout(t *testing.T) {
	const n, share = 40000, 0.2
	x := NewParameter("x", n/4, 4)
	for i := range x.Data {
		x.Data[i] = 3
	}
	tape := NewTape()
	y := tape.Dropout(x.Tensor, share, rand.New(rand.NewPCG(1, 1)))
	tape.Backward(tape.Mean(y))
	gone := 0
	for i, v := range y.Data {
		kept := float32(3 / (1 - share))
		switch {
		case v == 0 && x.Grad[i] == 0:
			gone++
		case v != kept || math.Abs(float64(x.Grad[i]*n)-1/(1-share)) > 1e-4:
			t.Fatalf("element %d is %g with the gradient %g/%d, want 0, or %g and %g", i, v, x.Grad[i]*n, n, kept, 1/(1-share))
		}
	}
	if d := math.Abs(float64(gone) - share*n); d > 4*math.Sqrt(n*share*(1-share)) {
		t.Errorf("%d of %d dropped out, want about %g", gone, n, share*n)
	}
}

func TestApproach(t *testing.T) {
	mean, other := NewParameter("w", 2), NewParameter("w", 2)
	copy(mean.Data, []float32{1, -2})
	copy(other.Data, []float32{3, 6})
	Approach([]*Parameter{mean}, []*Parameter{other}, 0.25)
	if want := []float32{1.5, 0}; !slices.Equal(mean.Data, want) {
		t.Errorf("a quarter of the way is %v, want %v", mean.Data, want)
	}
	if Approach([]*Parameter{mean}, []*Parameter{other}, 1); !slices.Equal(mean.Data, other.Data) {
		t.Errorf("all the way is %v, want %v", mean.Data, other.Data)
	}
}
