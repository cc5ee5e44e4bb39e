package compiler

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"nestling/codegen"
	"nestling/program"
	"nestling/schedule"
)

// The functions are written out once for each type, scalars and vectors of any rank,
// and the module they are in is whole again afterwards.
func TestMathForTypes(t *testing.T) {
	c := New()
	defer c.Close()
	for _, typ := range []string{"f32", "vector<16xf32>", "vector<4x8xf32>"} {
		m, err := c.context.Parse(mathFor(typ, ".x"), "math.mlir")
		if err != nil {
			t.Fatalf("%s: %v", typ, err)
		}
		if err := m.Verify(); err != nil {
			t.Errorf("%s: %v", typ, err)
		}
		for _, f := range expanded {
			if want := fmt.Sprintf("@%s.x(", f); !strings.Contains(m.String(), want) {
				t.Errorf("%s: no function %s", typ, want)
			}
		}
		m.Close()
	}
}

// What counts as an exponential is expanded or stays a call, and not both: models of what
// schedules cost ask which.
func TestMathIsExpandedOrCalled(t *testing.T) {
	for _, name := range program.ScalarNames() {
		o := program.Op{Body: []program.Instruction{{Op: name}}}
		o.CountArithmetic()
		if costly, function := o.Arith.Exp > 0, expanded[name] != ""; costly != (function != o.CallsLibrary()) {
			t.Errorf("%s: counts as an exponential: %v, expanded: %v, a call: %v", name, costly, function, o.CallsLibrary())
		}
	}
}

// Compared with float64 all along their ranges, unscheduled, which LLVM vectorizes.
func TestMathIsAccurate(t *testing.T) {
	const points = 1 << 16
	c := New()
	defer c.Close()
	for _, f := range []struct {
		name     string
		from, to float64
		of       func(float64) float64
	}{
		{"exp", -87, 88.7, math.Exp}, {"exp", -1e-3, 1e-3, math.Exp}, {"tanh", -12, 12, math.Tanh}, {"tanh", -1e-3, 1e-3, math.Tanh},
		{"erf", -6, 6, math.Erf}, {"erf", -1e-3, 1e-3, math.Erf},
	} {
		x := make([]float32, points)
		for i := range x {
			x[i] = float32(f.from + (f.to-f.from)*float64(i)/points)
		}
		y := runMath(t, c, mathOf(f.name, points), x)
		for i := range x {
			want := f.of(float64(x[i]))
			if got := float64(y[i]); math.Abs(got-want) > 1e-6*math.Abs(want) {
				t.Fatalf("%s(%g) = %g, want %g", f.name, x[i], got, want)
			}
		}
	}
}

// No result is beyond 1, at the end of their ranges it is 1, and the sign of a zero stays.
func TestBoundedMath(t *testing.T) {
	c := New()
	defer c.Close()
	for name, limit := range map[string]float32{"tanh": 9.02, "erf": 3.95} {
		x := []float32{limit, math.Nextafter32(limit, 0), math.Nextafter32(limit, 10), float32(math.Copysign(0, -1)), 1e-40}
		for len(x) < 1<<14 {
			x = append(x, limit*float32(len(x))/(1<<14))
		}
		y := runMath(t, c, mathOf(name, len(x)), x)
		for i := range y {
			if y[i] > 1 {
				t.Errorf("%s(%g) = %g, beyond 1", name, x[i], y[i])
			}
		}
		if y[0] != 1 || y[1] != 1 || y[2] != 1 {
			t.Errorf("%s at %g: %v, want 1", name, limit, y[:3])
		}
		if y[3] != 0 || !math.Signbit(float64(y[3])) {
			t.Errorf("%s(-0) = %g", name, y[3])
		}
		if y[4] < x[4]*0.99 || y[4] > x[4]*1.2 {
			t.Errorf("%s(%g) = %g", name, x[4], y[4])
		}
	}
}

// mathOf applies an operation to n numbers.
func mathOf(name string, n int) string {
	return fmt.Sprintf(`func.func @f(%%x: tensor<%[1]dxf32>) -> tensor<%[1]dxf32> {
  %%e = tensor.empty() : tensor<%[1]dxf32>
  %%y = linalg.%[2]s ins(%%x : tensor<%[1]dxf32>) outs(%%e : tensor<%[1]dxf32>) -> tensor<%[1]dxf32>
  return %%y : tensor<%[1]dxf32>
}`, n, name)
}

// What is no number, or no finite one.
func TestMathAtTheEdges(t *testing.T) {
	c := New()
	defer c.Close()
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, want := range map[string][]float32{"exp": {nan, inf, 0, 1, inf, 0}, "tanh": {nan, 1, -1, 0, 1, -1}, "erf": {nan, 1, -1, 0, 1, -1}} {
		got := runMath(t, c, mathOf(name, 6), []float32{nan, inf, -inf, 0, 200, -200})
		for i := range want {
			if got[i] != want[i] && (got[i] == got[i] || want[i] == want[i]) {
				t.Errorf("%s: result %d is %g, want %g", name, i, got[i], want[i])
			}
		}
	}
}

// runMath runs a program of one input and one result unscheduled.
func runMath(t *testing.T, c *Compiler, source string, x []float32) []float32 {
	t.Helper()
	p, err := c.Analyse([]byte(source), "math.mlir")
	if err != nil {
		t.Fatal(err)
	}
	code, err := schedule.Write(p, nil, schedule.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Compile(codegen.Request{Module: code.Module, Script: code.Script, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	k := load(t, p, r, [][]float32{x})
	if err := k.loaded.Call(k.symbol+"_run_packed", k.run...); err != nil {
		t.Fatal(err)
	}
	return k.outputs[0]
}
