package vector

import (
	"math"
	"testing"
)

// grid is dense around zero and covers what float32 exp can represent.
func grid() []float32 {
	var x []float32
	for v := -86.0; v <= 86; v += 0.0137 {
		x = append(x, float32(v))
	}
	for v := 1e-6; v < 2; v *= 1.01 {
		x = append(x, float32(v), float32(-v))
	}
	return x
}

func TestApproximations(t *testing.T) {
	tests := []struct {
		name     string
		kernel   func(x, y []float32)
		exact    func(float64) float64
		relative bool
		limit    float64
	}{
		{"exp", Exp, math.Exp, true, 3e-7},
		{"tanh", Tanh, math.Tanh, true, 3e-7},
		{"sigmoid", Sigmoid, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, true, 3e-7},
		{"elu", ELU, func(x float64) float64 { return max(x, math.Expm1(min(x, 0))) }, false, 3e-7},
		{"relu", ReLU, func(x float64) float64 { return max(x, 0) }, true, 1e-9},
		{"gelu", GELU, func(x float64) float64 { return x * 0.5 * math.Erfc(-x/math.Sqrt2) }, false, 1e-6},
	}
	for _, test := range tests {
		x := grid()
		y := make([]float32, len(x))
		test.kernel(x, y)
		worst, at := 0.0, float32(0)
		for i := range x {
			want := test.exact(float64(x[i]))
			e := math.Abs(float64(y[i]) - want)
			if test.relative && want != 0 {
				e /= math.Abs(want)
			} else {
				e /= max(1, math.Abs(want))
			}
			if !(e <= worst) {
				worst, at = e, x[i]
			}
		}
		if !(worst <= test.limit) {
			t.Errorf("%s: error %.2g at %v, allowed %.2g", test.name, worst, at, test.limit)
		}
	}
}

func TestNaNIsNotHidden(t *testing.T) {
	nan := float32(math.NaN())
	for name, kernel := range map[string]func(x, y []float32){
		"exp": Exp, "tanh": Tanh, "sigmoid": Sigmoid, "relu": ReLU, "elu": ELU, "gelu": GELU,
	} {
		y := make([]float32, 20)
		kernel([]float32{19: nan}, y)
		if y[19] == y[19] {
			t.Errorf("%s(NaN) = %v", name, y[19])
		}
	}
}

func TestAdamMatchesTheFormula(t *testing.T) {
	p, g := []float32{1, 2, 3, 4, 5}, []float32{0.5, -1e-3, 0, 1e-20, 3e8}
	m, v := make([]float32, 5), make([]float32, 5)
	const b1, b2, lr, eps = 0.9, 0.999, 1e-3, 1e-8
	want := make([]float64, 5)
	for i := range p {
		d := float64(g[i])
		want[i] = float64(p[i]) - lr*d/(math.Abs(d)+eps)
	}
	Adam(p, g, m, v, AdamStep{Rate: lr / (1 - b1), Beta1: b1, Beta2: b2, Epsilon: eps,
		InverseUnbias2: float32(1 / math.Sqrt(1-b2))})
	for i := range p {
		if math.Abs(float64(p[i])-want[i]) > 1e-6 || g[i] != 0 {
			t.Errorf("element %d: %v, gradient %v; want %v, 0", i, p[i], g[i], want[i])
		}
	}
}

func TestShortSlicePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a slice that is too short was given to C")
		}
	}()
	Add(make([]float32, 4), make([]float32, 3), make([]float32, 4))
}
