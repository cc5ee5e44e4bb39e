package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"nestling/blas"
)

// layerCase is one operation on random arguments. Its gradients are compared
// with finite differences and, under the same name in testdata/parity.py, with
// PyTorch's.
type layerCase struct {
	name    string
	shapes  [][]int              // of the differentiable arguments
	extra   map[string][]float32 // other arguments, for PyTorch
	forward func(t *Tape, in []*Tensor) *Tensor
	// exact: no finite differences, because the function has jumps or the case
	// no gradient.
	exact bool
}

var (
	attentionMask = []bool{
		true, false, false, true, true, false, true, true, true, // causal
		true, true, false, true, true, false, true, false, false, // padded
	}
	// The last choice of row 1 is forced; the last logit takes no part.
	categoricalChoices = []Choice{{0, 0, 4, 2}, {1, 4, 7, 1}, {0, 7, 11, 3}, {1, 11, 12, 0}}
	ppoOld             = []float32{0.1, -0.5, 0.4, 2, -2, 0.3}
	ppoAdvantage       = []float32{1, -1, 0.5, 2, -0.7, -1.5}
	mseTarget          = []float32{1, 2, 3, -4, 5, 6}
	adamGradients      = []float32{1, 2, -3, 0, 0.1, -0.2, 0.3, 0, 1e-4, 5, 5, 5}
)

func layerCases() []layerCase {
	unary := func(name string, f func(t *Tape, x *Tensor) *Tensor, shapes ...[]int) layerCase {
		if shapes == nil {
			shapes = [][]int{{5, 7}}
		}
		return layerCase{name: name, shapes: shapes, forward: func(t *Tape, in []*Tensor) *Tensor { return f(t, in[0]) }}
	}
	lstm := func(counts ...int) func(t *Tape, in []*Tensor) *Tensor {
		return func(t *Tape, in []*Tensor) *Tensor {
			return t.LSTM(in[0], counts, LSTMWeights{in[1], in[2], in[3], in[4]})
		}
	}
	return []layerCase{
		{name: "linear", shapes: [][]int{{2, 3, 5}, {4, 5}, {4}}, forward: func(t *Tape, in []*Tensor) *Tensor {
			return t.Linear(in[0], in[1], in[2])
		}},
		{name: "linear_without_bias", shapes: [][]int{{6, 5}, {4, 5}}, forward: func(t *Tape, in []*Tensor) *Tensor {
			return t.Linear(in[0], in[1], nil)
		}},
		{name: "add", shapes: [][]int{{3, 7}, {3, 7}}, forward: func(t *Tape, in []*Tensor) *Tensor { return t.Add(in[0], in[1]) }},
		{name: "mul", shapes: [][]int{{3, 7}, {3, 7}}, forward: func(t *Tape, in []*Tensor) *Tensor { return t.Mul(in[0], in[1]) }},
		unary("square", func(t *Tape, x *Tensor) *Tensor { return t.Mul(x, x) }),
		unary("scale", func(t *Tape, x *Tensor) *Tensor { return t.Scale(x, -1.5) }),
		unary("mean", (*Tape).Mean),
		unary("relu", (*Tape).ReLU),
		unary("elu", (*Tape).ELU),
		unary("gelu", (*Tape).GELU),
		unary("tanh", (*Tape).Tanh),
		unary("sigmoid", (*Tape).Sigmoid),
		unary("softmax", (*Tape).Softmax, []int{4, 19}),
		{name: "layer_norm", shapes: [][]int{{2, 3, 37}, {37}, {37}}, forward: func(t *Tape, in []*Tensor) *Tensor {
			return t.LayerNorm(in[0], in[1], in[2], 1e-5)
		}},
		{name: "concat", shapes: [][]int{{4, 3}, {4, 1}, {4, 5}}, forward: func(t *Tape, in []*Tensor) *Tensor {
			return t.Concat(in...)
		}},
		unary("slice", func(t *Tape, x *Tensor) *Tensor { return t.Slice(x, 2, 5) }),
		{name: "gather", shapes: [][]int{{4, 3}}, extra: map[string][]float32{"index": {3, 0, 3, 3, 1}},
			forward: func(t *Tape, in []*Tensor) *Tensor { return t.Gather(in[0], []int{3, 0, 3, 3, 1}) }},
		{name: "sum_rows", shapes: [][]int{{6, 3}}, extra: map[string][]float32{"counts": {2, 0, 3, 1}},
			forward: func(t *Tape, in []*Tensor) *Tensor { return t.SumRows(in[0], []int{2, 0, 3, 1}) }},
		{name: "log_sum_exp_rows", shapes: [][]int{{6, 1}}, extra: map[string][]float32{"counts": {2, 3, 1}},
			forward: func(t *Tape, in []*Tensor) *Tensor { return t.LogSumExpRows(in[0], []int{2, 3, 1}) }},
		unary("reshape", func(t *Tape, x *Tensor) *Tensor { return t.Scale(t.Reshape(x, 2, 6), 2) }, []int{3, 4}),
		{name: "depthwise", shapes: [][]int{{2, 3, 6, 19}, {3, 1, 5, 5}, {3}}, forward: func(t *Tape, in []*Tensor) *Tensor {
			return t.DepthwiseConv(in[0], in[1], in[2])
		}},
		{name: "lstm", shapes: [][]int{{9, 3}, {20, 3}, {20, 5}, {20}, {20}}, extra: map[string][]float32{"counts": {2, 3, 4}},
			forward: lstm(2, 3, 4)},
		{name: "lstm_one_step", shapes: [][]int{{3, 3}, {68, 3}, {68, 17}, {68}, {68}}, extra: map[string][]float32{"counts": {3}},
			forward: lstm(3)},
		{name: "attention", shapes: [][]int{{2, 3, 8}, {2, 3, 8}, {2, 3, 8}}, extra: map[string][]float32{"mask": asFloats(attentionMask)},
			forward: func(t *Tape, in []*Tensor) *Tensor { return t.Attention(in[0], in[1], in[2], 2, attentionMask) }},
		unary("transpose", (*Tape).Transpose, []int{2, 3, 5}),
		unary("average", (*Tape).Average, []int{2, 3, 5}),
		{name: "scale_columns", shapes: [][]int{{2, 3, 5}, {5}}, forward: func(t *Tape, in []*Tensor) *Tensor {
			return t.ScaleColumns(in[0], in[1])
		}},
		{name: "categorical", shapes: [][]int{{13, 1}}, extra: map[string][]float32{
			"choices": {0, 0, 4, 2, 1, 4, 7, 1, 0, 7, 11, 3, 1, 11, 12, 0}},
			forward: func(t *Tape, in []*Tensor) *Tensor {
				logProb, entropy := t.Categorical(in[0], 2, categoricalChoices)
				return t.Reshape(t.Concat(t.Reshape(logProb, 1, 2), t.Reshape(entropy, 1, 2)), 2, 2)
			}},
		{name: "ppo", shapes: [][]int{{6}}, extra: map[string][]float32{"old": ppoOld, "advantage": ppoAdvantage}, exact: true,
			forward: func(t *Tape, in []*Tensor) *Tensor {
				loss, _ := t.PPOLoss(in[0], ppoOld, ppoAdvantage, 0.2)
				return loss
			}},
		{name: "mse", shapes: [][]int{{6}}, extra: map[string][]float32{"target": mseTarget},
			forward: func(t *Tape, in []*Tensor) *Tensor { return t.MSE(in[0], mseTarget) }},
		{name: "clipped_mse", shapes: [][]int{{6}}, extra: map[string][]float32{"old": ppoOld, "target": mseTarget}, exact: true,
			forward: func(t *Tape, in []*Tensor) *Tensor { return t.ClippedMSE(in[0], ppoOld, mseTarget, 0.2) }},
		{name: "adam", shapes: [][]int{{4}}, extra: map[string][]float32{"gradients": adamGradients}, exact: true, forward: runAdam},
	}
}

// runAdam gives the parameter after three clipped steps; its gradient is zero.
func runAdam(t *Tape, in []*Tensor) *Tensor {
	p := NewParameter("p", in[0].Shape...)
	copy(p.Data, in[0].Data)
	adam := NewAdam([]*Parameter{p}, 0.01)
	for step := range 3 {
		copy(p.Grad, adamGradients[4*step:])
		adam.ClipGradients(1.5)
		adam.Step()
	}
	return t.Add(t.Constant(p.Data, 4), t.Scale(in[0], 0))
}

func asFloats(mask []bool) []float32 {
	out := make([]float32, len(mask))
	for i, m := range mask {
		if m {
			out[i] = 1
		}
	}
	return out
}

// arguments are random and the same for everyone who asks.
func (c *layerCase) arguments() []*Tensor {
	rng := rand.New(rand.NewPCG(1, uint64(len(c.name))))
	var in []*Tensor
	for i, shape := range c.shapes {
		p := NewParameter(strconv.Itoa(i), shape...)
		for j := range p.Data {
			// Away from 0, where ReLU has no derivative.
			v := rng.NormFloat64()
			p.Data[j] = float32(v + math.Copysign(0.02, v))
		}
		in = append(in, p.Tensor)
	}
	return in
}

// weights of the outputs in the sum that is differentiated.
func (c *layerCase) weights(n int) []float32 {
	rng := rand.New(rand.NewPCG(2, uint64(n)))
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(rng.NormFloat64())
	}
	return out
}

// run computes the output and all gradients.
func (c *layerCase) run() (output *Tensor, in []*Tensor) {
	in = c.arguments()
	t := NewTape()
	y := c.forward(t, in)
	n := len(y.Data)
	loss := t.Scale(t.Mean(t.Mul(t.Reshape(y, n), t.Constant(c.weights(n), n))), float32(n))
	t.Backward(loss)
	return y, in
}

// loss is the weighted sum, for finite differences.
func (c *layerCase) loss(t *Tape, in []*Tensor) float64 {
	t.Reset()
	y := c.forward(t, in)
	sum := 0.0
	for i, w := range c.weights(len(y.Data)) {
		sum += float64(w) * float64(y.Data[i])
	}
	return sum
}

func TestMain(m *testing.M) {
	blas.SetThreads(1)
	os.Exit(m.Run())
}

func TestGradientsMatchFiniteDifferences(t *testing.T) {
	tape := NewInferenceTape()
	for _, c := range layerCases() {
		if c.exact {
			continue
		}
		_, in := c.run()
		for a, x := range in {
			for i := range x.Data {
				got, want := float64(x.Grad[i]), c.slope(tape, in, x, i)
				if d := math.Abs(got - want); !(d <= 3e-3*max(1, math.Abs(want))) {
					t.Errorf("%s: argument %d, element %d: gradient %v, finite difference %v", c.name, a, i, got, want)
				}
			}
		}
	}
}

// slope is a central difference.
func (c *layerCase) slope(t *Tape, in []*Tensor, x *Tensor, i int) float64 {
	const h = 5e-3
	at := x.Data[i]
	defer func() { x.Data[i] = at }()
	x.Data[i] = at + h
	above, high := c.loss(t, in), float64(x.Data[i])
	x.Data[i] = at - h
	below, low := c.loss(t, in), float64(x.Data[i])
	return (above - below) / (high - low)
}

func TestLayersMatchPyTorch(t *testing.T) {
	dir := t.TempDir()
	inputs, outputs := filepath.Join(dir, "inputs"), filepath.Join(dir, "outputs")
	var arrays []Array
	for _, c := range layerCases() {
		arrays = append(arrays, c.arrays()...)
	}
	if err := WriteSafetensors(inputs, arrays, map[string]string{}); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(pythonWithTorch(t), filepath.Join("testdata", "parity.py"), inputs, outputs).CombinedOutput()
	if err != nil {
		t.Fatalf("parity.py: %v\n%s", err, out)
	}
	results, err := ReadSafetensors(outputs)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range layerCases() {
		y, in := c.run()
		compare(t, results, c.name+"/output", y.Shape, y.Data)
		for i, x := range in {
			compare(t, results, fmt.Sprintf("%s/%d", c.name, i), x.Shape, x.Grad)
		}
	}
}

// arrays are the case's inputs as parity.py wants them.
func (c *layerCase) arrays() []Array {
	y, in := c.run()
	out := []Array{{c.name + "/weights", y.Shape, c.weights(len(y.Data))}}
	for i, x := range in {
		out = append(out, Array{fmt.Sprintf("%s/%d", c.name, i), x.Shape, x.Data})
	}
	for name, data := range c.extra {
		shape := []int{len(data)}
		if name == "choices" || name == "gradients" {
			shape = []int{len(data) / 4, 4}
		}
		out = append(out, Array{c.name + "/" + name, shape, data})
	}
	return out
}

func compare(t *testing.T, results *Safetensors, name string, shape []int, got []float32) {
	t.Helper()
	want := results.Arrays[name]
	if !slices.Equal(want.Shape, shape) {
		t.Errorf("%s: shape %v, PyTorch %v", name, shape, want.Shape)
		return
	}
	for i := range got {
		if d := math.Abs(float64(got[i] - want.Data[i])); !(d <= 1e-4*max(1, math.Abs(float64(want.Data[i])))) {
			t.Errorf("%s: element %d is %v, PyTorch %v", name, i, got[i], want.Data[i])
		}
	}
}

// pythonWithTorch is the first Python that can import torch. There must be one:
// without it the gradients are untested.
func pythonWithTorch(t *testing.T) string {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", "import torch").Run() == nil {
			return python
		}
	}
	t.Fatal("no Python with PyTorch; install it: apt-get install python3-torch libopenblas0-pthread")
	return ""
}
