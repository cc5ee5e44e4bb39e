package reference

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"nestling/program"

	"pgregory.net/rapid"
)

// compute computes a program both ways and requires that they agree.
func compute(t rapid.TB, p *program.Program, inputs [][]float32) *Reference {
	t.Helper()
	kernels, err := prepare(p, inputs)
	if err != nil {
		t.Fatal(err)
	}
	exactly, err := small(p, inputs, kernels)
	if err != nil {
		t.Fatal(err)
	}
	quickly, err := large(p, inputs, kernels)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range exactly.Results {
		got := quickly.Results[i]
		noise := scaleNoise * float64(slices.Max(want.Scales))
		for n := range want.Values {
			if e := weighed(float64(got.Values[n]), float64(want.Values[n]), float64(want.Scales[n])); e > 1e-6 {
				t.Fatalf("output %d[%d]: float32 %v, float64 %v (scale %v)", i, n, got.Values[n], want.Values[n], want.Scales[n])
			}
			if math.Abs(float64(got.Scales[n]-want.Scales[n])) > scaleTolerance*float64(want.Scales[n])+noise {
				t.Fatalf("scale of output %d[%d]: float32 %v, float64 %v", i, n, got.Scales[n], want.Scales[n])
			}
		}
	}
	return exactly
}

func near(t rapid.TB, what string, got, want, tolerance float64) {
	t.Helper()
	if math.IsNaN(got) && math.IsNaN(want) {
		return
	}
	if !(math.Abs(got-want) <= tolerance*math.Max(1, math.Abs(want))) {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func allNear(t rapid.TB, what string, got []float32, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d elements, want %d", what, len(got), len(want))
	}
	for i := range want {
		near(t, fmt.Sprintf("%s[%d]", what, i), float64(got[i]), want[i], 1e-6)
	}
}

func TestMatmul(t *testing.T) {
	const m, n, k = 33, 21, 47
	p := matmul(m, n, k)
	in := Inputs(p, 1)
	r := compute(t, p, in)
	var values, scales []float64
	for i := range m {
		for j := range n {
			sum, scale := 0.0, 0.0
			for l := range k {
				term := float64(in[0][i*k+l]) * float64(in[1][l*n+j])
				sum += term
				scale += math.Abs(term)
			}
			values, scales = append(values, sum), append(scales, scale)
		}
	}
	allNear(t, "values", r.Results[0].Values, values)
	allNear(t, "scales", r.Results[0].Scales, scales)
}

// TestConvolution draws shapes, strides, dilations and paddings.
func TestConvolution(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		small := func(name string, most int) int { return rapid.IntRange(1, most).Draw(t, name) }
		c := convolution{
			images: small("images", 3), channels: small("channels", 6), filters: small("filters", 7),
			height: small("height", 12) + 6, width: small("width", 12) + 6,
			kernel: small("kernel", 3), stride: small("stride", 3), dilation: small("dilation", 2), pad: small("pad", 3) - 1,
		}
		p := c.program()
		in := Inputs(p, rapid.Uint64().Draw(t, "seed"))
		r := compute(t, p, in)
		values, scales := c.naive(in[0], in[1], in[2])
		allNear(t, "values", r.Results[0].Values, values)
		allNear(t, "scales", r.Results[0].Scales, scales)
	})
}

// TestContraction draws products in which every operand has its dimensions in
// an order of its own, with batches or without, and loops of one iteration.
func TestContraction(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bound := rapid.IntRange(1, 9)
		n := map[string]int{}
		for _, l := range []string{"b", "i", "j", "k", "l"} {
			n[l] = bound.Draw(t, l)
		}
		order := func(name string, letters ...string) (indices []string, shape []int) {
			indices = rapid.Permutation(letters).Draw(t, name)
			for _, l := range indices {
				shape = append(shape, n[l])
			}
			return indices, shape
		}
		ai, as := order("a", "b", "i", "k", "l")
		bi, bs := order("b", "b", "j", "k", "l")
		ci, cs := order("c", "b", "i", "j")
		b := &builder{}
		x, y, z := b.argument(as...), b.argument(bs...), b.argument(cs...)
		r := b.op("matmul0", loopText("b", n["b"], "i", n["i"], "j", n["j"], "kr", n["k"], "lr", n["l"]),
			[]use{at(x, ai...), at(y, bi...), at(z, ci...)}, mulAdd()...)
		b.Results = []int{r}
		in := Inputs(&b.Program, rapid.Uint64().Draw(t, "seed"))
		got := compute(t, &b.Program, in).Results[0]

		want := make([]float64, len(in[2]))
		for i, v := range in[2] {
			want[i] = float64(v)
		}
		where := func(indices []string, point map[string]int) int {
			at := 0
			for _, l := range indices {
				at = at*n[l] + point[l]
			}
			return at
		}
		for point := range points(n) {
			want[where(ci, point)] += float64(in[0][where(ai, point)]) * float64(in[1][where(bi, point)])
		}
		allNear(t, "values", got.Values, want)
	})
}

// points visits an iteration space.
func points(bounds map[string]int) func(func(map[string]int) bool) {
	return func(yield func(map[string]int) bool) {
		total := 1
		for _, n := range bounds {
			total *= n
		}
		for i := range total {
			point := map[string]int{}
			for _, l := range []string{"b", "i", "j", "k", "l"} {
				point[l] = i % bounds[l]
				i /= bounds[l]
			}
			if !yield(point) {
				return
			}
		}
	}
}

func TestMaxPool(t *testing.T) {
	p := maxpool(2, 3, 13, 17, 2)
	in := Inputs(p, 3)
	r := compute(t, p, in).Results[0]
	i := 0
	for plane := range 2 * 3 {
		for h := range 6 {
			for w := range 8 {
				want := math.Inf(-1)
				for y := range 3 {
					for x := range 3 {
						want = math.Max(want, float64(in[0][plane*13*17+(2*h+y)*17+2*w+x]))
					}
				}
				near(t, "value", float64(r.Values[i]), want, 0)
				// An infinite init must not make the scale infinite.
				near(t, "scale", float64(r.Scales[i]), math.Abs(want), 0.05)
				i++
			}
		}
	}
}

func TestSoftmax(t *testing.T) {
	p := softmax(9, 300)
	in := Inputs(p, 4)
	r := compute(t, p, in).Results[0]
	for i := range 9 {
		row := in[0][i*300 : (i+1)*300]
		sum := 0.0
		for _, x := range row {
			sum += math.Exp(float64(x))
		}
		for j, x := range row {
			want := math.Exp(float64(x)) / sum
			near(t, "value", float64(r.Values[i*300+j])/want, 1, 1e-6)
			if scale := float64(r.Scales[i*300+j]); scale < want || scale > 50*want {
				t.Fatalf("scale %v of %v", scale, want)
			}
		}
	}
}

func TestBatchNorm(t *testing.T) {
	p := batchNorm(40, 12)
	in := Inputs(p, 5)
	r := compute(t, p, in).Results[0]
	for i := range r.Values {
		c := i % 12
		f := func(n int) float64 { return float64(in[n][c]) }
		want := math.Max(0, (float64(in[0][i])-f(1))/math.Sqrt(f(2)+float64(float32(1e-5)))*f(3)+f(4))
		near(t, "value", float64(r.Values[i]), want, 1e-6)
	}
}

// TestViews follows slices, insertions, reshapes, constants and indices.
func TestViews(t *testing.T) {
	b := &builder{}
	x := b.argument(6, 10)
	part := b.slice(x, []int{3, 4}, []int{1, 2}, []int{2, 2})
	flat := b.reshape(part, 12)
	numbers := b.dense([]float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 12)
	sum := b.op("add0", "i:12", []use{at(flat, "i"), at(numbers, "i"), at(b.empty(12), "i")},
		instruction1("arith.addf", 0, 1), instruction1("index", 0), instruction1("arith.addf", 3, 4))
	back := b.insert(b.reshape(sum, 4, 3), b.splat(7, 9, 8), []int{2, 1}, []int{1, 3})
	// Writes the odd places of the first row only; the others keep the init.
	sparse := b.op("copy0", "i:5", []use{at(sum, "2i"), at(x, "0", "2i+1")})
	b.Results = []int{back, sparse, x}
	in := Inputs(&b.Program, 6)
	r := compute(t, &b.Program, in)

	var sums [12]float64
	for i := range sums {
		sums[i] = float64(in[0][(1+i/4*2)*10+2+i%4*2]) + float64(2*i)
	}
	want := make([]float64, 72)
	for i := range want {
		want[i] = 7
	}
	for i, s := range sums {
		want[(2+i/3)*8+1+i%3*3] = s
	}
	allNear(t, "insertion", r.Results[0].Values, want)
	want = nil
	for i, v := range in[0] {
		want = append(want, float64(v))
		if i < 10 && i%2 == 1 {
			want[i] = sums[i-1]
		}
	}
	allNear(t, "sparse", r.Results[1].Values, want)
	if got := r.Results[2].Values[3]; got != in[0][3] {
		t.Errorf("an argument returned as it is: got %v, want %v", got, in[0][3])
	}
}

// TestScalars compares each scalar operation with its meaning, and its scale
// with the change that a small change of the operands makes.
func TestScalars(t *testing.T) {
	want := map[string]func(a, b, c float64) float64{
		"arith.addf":     func(a, b, _ float64) float64 { return a + b },
		"arith.subf":     func(a, b, _ float64) float64 { return a - b },
		"arith.mulf":     func(a, b, _ float64) float64 { return a * b },
		"arith.divf":     func(a, b, _ float64) float64 { return a / b },
		"arith.negf":     func(a, _, _ float64) float64 { return -a },
		"arith.maximumf": func(a, b, _ float64) float64 { return max(a, b) }, "arith.minimumf": func(a, b, _ float64) float64 { return min(a, b) },
		"arith.maxnumf": func(a, b, _ float64) float64 { return max(a, b) }, "arith.minnumf": func(a, b, _ float64) float64 { return min(a, b) },
		"math.absf":     func(a, _, _ float64) float64 { return max(a, -a) },
		"math.copysign": func(a, b, _ float64) float64 { return math.Abs(a) * b / math.Abs(b) },
		"math.cos":      func(a, _, _ float64) float64 { return math.Sin(a + math.Pi/2) }, "math.sin": func(a, _, _ float64) float64 { return math.Cos(a - math.Pi/2) },
		"math.erf": func(a, _, _ float64) float64 { return 1 - math.Erfc(a) },
		"math.exp": func(a, _, _ float64) float64 { return math.Pow(math.E, a) }, "math.exp2": func(a, _, _ float64) float64 { return math.Pow(2, a) },
		"math.expm1": func(a, _, _ float64) float64 { return math.Pow(math.E, a) - 1 },
		"math.fma":   func(a, b, c float64) float64 { return a*b + c },
		"math.log":   func(a, _, _ float64) float64 { return math.Log2(a) * math.Ln2 }, "math.log2": func(a, _, _ float64) float64 { return math.Log(a) / math.Ln2 },
		"math.log10": func(a, _, _ float64) float64 { return math.Log(a) / math.Ln10 }, "math.log1p": func(a, _, _ float64) float64 { return math.Log(a + 1) },
		"math.powf": func(a, b, _ float64) float64 { return math.Exp(math.Log(a) * b) },
		"math.sqrt": func(a, _, _ float64) float64 { return math.Pow(a, 0.5) }, "math.rsqrt": func(a, _, _ float64) float64 { return math.Pow(a, -0.5) },
		"math.tanh": func(a, _, _ float64) float64 { return 1 - 2/(math.Exp(2*a)+1) },
	}
	jumps := map[string][3]float64{ // at 2.5, -2.5 and 3.2
		"math.ceil": {3, -2, 4}, "math.floor": {2, -3, 3}, "math.round": {3, -3, 3}, "math.roundeven": {2, -2, 3}, "math.trunc": {2, -2, 3},
	}
	for name, o := range operations {
		if name == "arith.select" || strings.HasSuffix(name, "i") && strings.HasPrefix(name, "arith.") {
			continue // conditions: TestConditions
		}
		if w, found := jumps[name]; found {
			for i, x := range []float64{2.5, -2.5, 3.2} {
				near(t, name, o.apply(exact(x), pair{}, pair{}).value, w[i], 0)
			}
			continue
		}
		f, found := want[name]
		if !found {
			t.Errorf("%s is not tested", name)
			continue
		}
		for _, x := range [][3]float64{{0.3, 1.7, -0.4}, {2.5, 0.6, 3}, {1.1, 4.2, 0.01}} {
			a, b, c := exact(x[0]), exact(x[1]), exact(x[2])
			got := o.apply(a, b, c)
			near(t, name, got.value, f(x[0], x[1], x[2]), 1e-12)
			const e = 1e-4
			for _, d := range [][3]float64{{1 + e, 1, 1}, {1, 1 + e, 1}, {1, 1, 1 + e}} {
				moved := o.apply(exact(x[0]*d[0]), exact(x[1]*d[1]), exact(x[2]*d[2]))
				if change := math.Abs(moved.value - got.value); change > 1.1*e*got.scale {
					t.Errorf("%s%v: an operand changed by %v makes %v, the scale is %v", name, x, e, change, got.scale)
				}
			}
		}
	}
}

func TestConditions(t *testing.T) {
	b := &builder{}
	x, y := b.argument(4), b.argument(4)
	compare := func(predicate string, a, b int) program.Instruction {
		return program.Instruction{Op: "arith.cmpf", Args: []int{a, b}, Predicate: predicate}
	}
	r := b.op("select0", "i:4", []use{at(x, "i"), at(y, "i"), at(b.empty(4), "i")},
		compare("olt", 0, 1), compare("uno", 0, 0), instruction1("arith.ori", 3, 4), instruction1("arith.select", 5, 0, 1))
	b.Results = []int{r}
	nan := float32(math.NaN())
	got := compute(t, &b.Program, [][]float32{{1, 5, nan, 0}, {2, 3, 8, -1e30}}).Results[0]
	want := []float32{1, 3, nan, -1e30}
	for i := range want {
		if got.Values[i] != want[i] && !(math.IsNaN(float64(got.Values[i])) && math.IsNaN(float64(want[i]))) {
			t.Errorf("element %d: got %v, want %v", i, got.Values[i], want[i])
		}
	}
	// The branch not taken must not weigh in where the choice is clear.
	if got.Scales[0] != 1 || got.Scales[1] != 3 {
		t.Errorf("scales %v", got.Scales)
	}
	for name, holds := range predicates {
		for _, v := range [][2]float64{{1, 2}, {2, 1}, {1, 1}, {math.NaN(), 1}} {
			unordered := math.IsNaN(v[0])
			want := map[string]bool{
				"false": false, "oeq": v[0] == v[1], "ogt": v[0] > v[1], "oge": v[0] >= v[1], "olt": v[0] < v[1], "ole": v[0] <= v[1],
				"one": v[0] != v[1] && !unordered, "ord": !unordered, "ueq": v[0] == v[1] || unordered, "ugt": v[0] > v[1] || unordered,
				"uge": v[0] >= v[1] || unordered, "ult": v[0] < v[1] || unordered, "ule": v[0] <= v[1] || unordered,
				"une": v[0] != v[1], "uno": unordered, "true": true,
			}[name]
			if holds(v[0], v[1]) != want {
				t.Errorf("%s%v is %v", name, v, !want)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	p := matmul(16, 24, 512)
	in := Inputs(p, 7)
	r, err := Compute(p, in)
	if err != nil {
		t.Fatal(err)
	}
	want := r.Results[0].Values
	outputs := func(change func(out []float32)) [][]float32 {
		out := append([]float32(nil), want...)
		change(out)
		return [][]float32{out}
	}
	if e, err := r.Check(outputs(func([]float32) {}), DefaultTolerance); e != 0 || err != nil {
		t.Errorf("the reference itself: error %v, %v", e, err)
	}
	// One of 512 products left out of one of 384 sums.
	e, err := r.Check(outputs(func(out []float32) { out[5*24+7] -= in[0][5*512+511] * in[1][511*24+7] }), DefaultTolerance)
	if err == nil || !strings.Contains(err.Error(), "output 0[5 7]") || e < DefaultTolerance {
		t.Errorf("a dropped term: error %v, %v", e, err)
	}
	if !strings.Contains(err.Error(), fmt.Sprint(want[5*24+7])) || !strings.Contains(err.Error(), fmt.Sprint(r.Results[0].Scales[5*24+7])) {
		t.Errorf("the message lacks what was wanted or the scale: %v", err)
	}
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if e, err := r.Check(outputs(func(out []float32) { out[383] = float32(x) }), 1e30); err == nil || !math.IsInf(e, 1) {
			t.Errorf("%v: error %v, %v", x, e, err)
		}
	}
	// The worst element is named, not the first.
	_, err = r.Check(outputs(func(out []float32) { out[0] += 10; out[200] += 1000 }), DefaultTolerance)
	if err == nil || !strings.Contains(err.Error(), "output 0[8 8]") {
		t.Errorf("two wrong elements: %v", err)
	}
	// Float32 in any order of summation passes.
	if e, err := r.Check(outputs(func(out []float32) {
		for i := range 16 {
			for j := range 24 {
				sum := float32(0)
				for k := 511; k >= 0; k-- {
					sum += in[0][i*512+k] * in[1][k*24+j]
				}
				out[i*24+j] = sum
			}
		}
	}), 1e-6); err != nil || e == 0 {
		t.Errorf("float32: error %v, %v", e, err)
	}
	if _, err := r.Check(nil, 1); err == nil {
		t.Error("a missing output passes")
	}
	if _, err := r.Check([][]float32{want[1:]}, 1); err == nil {
		t.Error("an output of another size passes")
	}
}

// TestCheckSpecial covers results that are not finite, zero, or denormal.
func TestCheckSpecial(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, c := range []struct {
		want, scale, got float32
		passes           bool
	}{
		{nan, 0, nan, true}, {nan, 0, 1, false}, {inf, 0, inf, true}, {inf, 0, -inf, false}, {inf, 0, 3e38, false},
		{0, 0, 0, true}, {0, 0, 1e-20, false}, {0, 0, 1e-43, true}, {1, inf, 1.00001, true}, {1, inf, 2, false}, {1, nan, 2, false},
	} {
		r := &Reference{Results: []Result{{Shape: []int{1}, Values: []float32{c.want}, Scales: []float32{c.scale}}}}
		if _, err := r.Check([][]float32{{c.got}}, DefaultTolerance); (err == nil) != c.passes {
			t.Errorf("want %v (scale %v), got %v: %v", c.want, c.scale, c.got, err)
		}
	}
}

// TestVerification breaks what BLAS made and expects to be told.
func TestVerification(t *testing.T) {
	p := matmul(64, 64, 64)
	in := Inputs(p, 8)
	kernels, err := prepare(p, in)
	if err != nil {
		t.Fatal(err)
	}
	r, err := large(p, in, kernels)
	if err != nil {
		t.Fatal(err)
	}
	result := r.Results[0]
	for _, spoil := range []func(){
		func() { result.Values[0]++ }, // a corner
		func() {
			for i := range 64 {
				result.Values[i*64+17] += 3
			}
		}, // a column
		func() {
			for i := range 64 {
				result.Scales[31*64+i] /= 2
			}
		}, // a row of scales
	} {
		values, scales := append([]float32(nil), result.Values...), append([]float32(nil), result.Scales...)
		spoil()
		if err := verifyResults(p, in, kernels, r); err == nil {
			t.Error("a wrong result was verified")
		}
		copy(result.Values, values)
		copy(result.Scales, scales)
	}
}

// TestDeep has elements that depend on more than can be followed back.
func TestDeep(t *testing.T) {
	b := &builder{}
	x := b.argument(96, 96)
	for i := range 8 {
		w := b.argument(96, 96)
		c := b.fill(fmt.Sprint("fill", i), 0, 96, 96)
		x = b.op(fmt.Sprint("matmul", i), "i:96 j:96 k:96r", []use{at(x, "i", "k"), at(w, "k", "j"), at(c, "i", "j")}, mulAdd()...)
	}
	b.Results = []int{x}
	compute(t, &b.Program, Inputs(&b.Program, 9))
}

func TestInputs(t *testing.T) {
	p := batchNorm(3000, 50)
	in, again, other := Inputs(p, 1), Inputs(p, 1), Inputs(p, 2)
	for i := range in {
		least := math.Inf(1)
		for n, x := range in[i] {
			least = math.Min(least, float64(x))
			if x != again[i][n] {
				t.Fatalf("input %d[%d]: %v and %v for the same seed", i, n, x, again[i][n])
			}
		}
		if variance := i == 2; variance != (least >= 0.5) {
			t.Errorf("input %d: least element %v", i, least)
		}
		if in[i][0] == other[i][0] {
			t.Errorf("input %d is the same for another seed", i)
		}
	}
	mean, square := 0.0, 0.0
	for _, x := range in[0] {
		mean += float64(x) / float64(len(in[0]))
		square += float64(x) * float64(x) / float64(len(in[0]))
	}
	near(t, "mean", mean, 0, 0.02)
	near(t, "variance", square, 1, 0.02)
	if in[0][0] == in[0][chunk] {
		t.Error("chunks repeat")
	}
}

// TestInputsPositive: what passes through a difference or a square may be negative.
func TestInputsPositive(t *testing.T) {
	b := &builder{}
	x, y, z, w := b.argument(4, 4), b.argument(4, 4), b.argument(4), b.argument(16)
	m := b.op("matmul0", "i:4 j:4 k:4r", []use{at(x, "i", "k"), at(y, "k", "j"), at(b.fill("fill0", 0, 4, 4), "i", "j")}, mulAdd()...)
	square := b.op("square0", "i:4", []use{at(z, "i"), at(b.empty(4), "i")}, instruction1("arith.mulf", 0, 0))
	root := b.op("log0", "i:4 j:4", []use{at(m, "i", "j"), at(square, "j"), at(b.reshape(w, 4, 4), "i", "j"), at(b.empty(4, 4), "i", "j")},
		instruction1("math.log", 0), instruction1("math.sqrt", 1), instruction1("arith.divf", 4, 2), instruction1("arith.subf", 6, 5))
	b.Results = []int{root}
	got := positiveValues(&b.Program)
	for v, want := range map[int]bool{x: true, y: true, z: false, w: true} {
		if got[v] != want {
			t.Errorf("argument %d: positive %v, want %v", v, got[v], want)
		}
	}
}

func TestErrors(t *testing.T) {
	spoil := func(change func(p *program.Program)) *program.Program {
		p := matmul(4, 5, 6)
		change(p)
		return p
	}
	for _, c := range []struct {
		name, want string
		p          *program.Program
	}{
		{"unknown scalar operation", "matmul0: instruction 0: the reference does not know the scalar operation \"math.foo\"",
			spoil(func(p *program.Program) { p.Ops[1].Body[0].Op = "math.foo" })},
		{"out of bounds", "matmul0: operand 0: indices 1…4 of dimension 0 leave its shape [4 6]",
			spoil(func(p *program.Program) { p.Ops[1].Operands[0].Map.Offsets[0] = 1 })},
		{"unwritten", "matmul0: operand 2 is read but was never written",
			spoil(func(p *program.Program) { p.Ops[1].Operands[2].Value = p.Ops[0].Operands[1].Value })},
		{"two loops in a dimension", "shares a dimension of the result",
			spoil(func(p *program.Program) {
				p.Ops[1].Loops[0].Bound, p.Ops[1].Loops[2].Bound = 2, 2
				p.Ops[1].Operands[2].Map.Coefficients[0][2] = 1
			})},
		{"predicate", "unknown predicate \"huh\"",
			spoil(func(p *program.Program) {
				p.Ops[1].Body[0] = program.Instruction{Op: "arith.cmpf", Args: []int{0, 1}, Predicate: "huh"}
			})},
		{"arguments", "arith.mulf takes 2 operands, has 1", spoil(func(p *program.Program) { p.Ops[1].Body[0].Args = []int{0} })},
		{"zero loop", "matmul0: a loop runs 0 times", spoil(func(p *program.Program) { p.Ops[1].Loops[2].Bound = 0 })},
	} {
		_, err := Compute(c.p, Inputs(matmul(4, 5, 6), 1))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	p := matmul(4, 5, 6)
	if _, err := Compute(p, nil); err == nil {
		t.Error("no inputs are accepted")
	}
	if _, err := Compute(p, [][]float32{make([]float32, 24), make([]float32, 29)}); err == nil || !strings.Contains(err.Error(), "input 1: got 29 elements, want 30") {
		t.Errorf("a short input: %v", err)
	}
}

// TestResidualBlock chains convolutions through relu, where an element near
// zero has a scale that may go either way.
func TestResidualBlock(t *testing.T) {
	c := convolution{images: 2, channels: 16, height: 14, width: 14, filters: 16, kernel: 3, stride: 1, dilation: 1, pad: 1}
	b := &builder{}
	x := b.argument(2, 16, 14, 14)
	layer := func(in int, name string) int {
		w := b.argument(16, 16, 3, 3)
		zero := b.fill("fill"+name, 0, 2, 16, 14, 14)
		return b.op("conv"+name, "n:2 f:16 h:14 w:14 c:16r y:3r x:3r",
			[]use{at(b.pad(in, c), "n", "c", "h+y", "w+x"), at(w, "f", "c", "y", "x"), at(zero, "n", "f", "h", "w")}, mulAdd()...)
	}
	relu := func(in, other int, name string) int {
		return b.op("relu"+name, "n:2 f:16 h:14 w:14",
			[]use{at(in, "n", "f", "h", "w"), at(other, "n", "f", "h", "w"), at(b.empty(2, 16, 14, 14), "n", "f", "h", "w")},
			instruction1("arith.addf", 0, 1), constant1(0), instruction1("arith.maximumf", 3, 4))
	}
	first := relu(layer(x, "0"), b.splat(0.25, 2, 16, 14, 14), "0")
	b.Results = []int{relu(layer(first, "1"), x, "1"), first}
	for seed := range uint64(5) {
		compute(t, &b.Program, Inputs(&b.Program, seed))
	}
}

// TestWholeReduction has no independent loop at all, or hardly any.
func TestWholeReduction(t *testing.T) {
	b := &builder{}
	x := b.argument(3, 1000)
	all := b.op("sum0", "i:3r j:1000r", []use{at(x, "i", "j"), at(b.fill("fill0", 0))}, instruction1("arith.addf", 0, 1))
	rows := b.op("sum1", "i:3 j:1000r", []use{at(x, "i", "j"), at(b.fill("fill1", 5, 3), "i")},
		instruction1("arith.mulf", 0, 0), instruction1("arith.addf", 1, 2))
	last := b.op("last0", "i:3 j:1000r", []use{at(x, "i", "j"), at(b.empty(3), "i")},
		instruction1("index", 1), instruction1("arith.mulf", 0, 2))
	b.Results = []int{all, rows, last}
	in := Inputs(&b.Program, 12)
	r := compute(t, &b.Program, in)
	sum, squares, lasts := 0.0, []float64{5, 5, 5}, []float64{0, 0, 0}
	for i, v := range in[0] {
		sum += float64(v)
		squares[i/1000] += float64(v) * float64(v)
		lasts[i/1000] = float64(v) * 999
	}
	allNear(t, "sum", r.Results[0].Values, []float64{sum})
	allNear(t, "squares", r.Results[1].Values, squares)
	allNear(t, "last", r.Results[2].Values, lasts)
}
