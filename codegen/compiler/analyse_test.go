package compiler

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nestling/program"
	"nestling/suite"
)

func TestAnalyseMatmul(t *testing.T) {
	c := New()
	defer c.Close()
	p := analyse(t, c, suite.Matmul("product", 8, 16, 4).Module)
	if len(p.Ops) != 2 || p.Ops[0].Name != "fill0" || p.Ops[1].Name != "matmul0" {
		t.Fatalf("operations %+v, want fill0 and matmul0", p.Ops)
	}
	o := p.Ops[1]
	loops := []program.Loop{{Bound: 8, Iterator: program.Parallel}, {Bound: 16, Iterator: program.Parallel}, {Bound: 4, Iterator: program.Reduction}}
	if diff := cmp.Diff(loops, o.Loops); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([][]int{{0, 0, 1}, {0, 1, 0}}, o.Operands[1].Map.Coefficients); diff != "" {
		t.Errorf("map of B: %s", diff)
	}
	if o.Kind != "linalg.matmul" || o.Family != program.Matmul || o.Flops() != 2*8*16*4 {
		t.Errorf("kind %s, family %s, %v flops", o.Kind, o.Family, o.Flops())
	}
	if diff := cmp.Diff([]int{0}, o.Producers); diff != "" {
		t.Errorf("producers: %s", diff)
	}
}

// Padding becomes a fill and a copy that schedules can speak of.
func TestAnalyseWritesPaddingOut(t *testing.T) {
	c := New()
	defer c.Close()
	p := analyse(t, c, suite.Conv2D("conv", suite.Conv{Batch: 1, In: 2, Height: 4, Width: 4, Out: 2, Kernel: 3}).Module)
	families := map[program.Family]int{}
	for _, o := range p.Ops {
		families[o.Family]++
	}
	want := map[program.Family]int{program.Fill: 1, program.Copy: 2, program.Conv: 1}
	if diff := cmp.Diff(want, families); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(p.Module, "tensor.pad") {
		t.Error("the normal form still pads")
	}
}

// What was analysed once is analysed the same again from its normal form, where
// that has one function: no weights.
func TestNormalFormIsStable(t *testing.T) {
	c := New()
	defer c.Close()
	for _, b := range suite.Generate(suite.Train, 1, 60) {
		first := analyse(t, c, b.Module)
		if strings.Contains(first.Module, program.AttributePrepare) {
			continue
		}
		// Values are numbered anew once: in the order of their use.
		second := analyse(t, c, first.Module)
		third := analyse(t, c, second.Module)
		if second.Hash != third.Hash {
			t.Errorf("%s: the normal form of the normal form is another one", b.Name)
		}
		if diff := cmp.Diff(names(first), names(second)); diff != "" {
			t.Errorf("%s: %s", b.Name, diff)
		}
	}
}

func names(p *program.Program) []string {
	var out []string
	for _, o := range p.Ops {
		out = append(out, o.Name)
	}
	return out
}

func TestAnalyseRefuses(t *testing.T) {
	c := New()
	defer c.Close()
	const body = `func.func @f(%%a: %[1]s) -> %[1]s { return %%a : %[1]s }`
	for _, test := range []struct{ name, source, want string }{
		{"syntax", "func.func @f( {", "test.mlir:1:"},
		{"no linalg", strings.ReplaceAll(strings.ReplaceAll(body, "%[1]s", "tensor<4xf32>"), "%%", "%"), "no linalg operation"},
		{"other type", `func.func @f(%a: tensor<4xf64>) -> tensor<4xf64> { return %a : tensor<4xf64> }`, "f64"},
		{"dynamic", `func.func @f(%a: tensor<?xf32>) -> tensor<?xf32> { return %a : tensor<?xf32> }`, "dynamic shape"},
		{"scalar argument", `func.func @f(%a: f32) -> f32 { return %a : f32 }`, "expected a ranked tensor"},
		{"no function", "module {}", "0 functions"},
		{"two functions", "module { func.func @f() { return } func.func @g() { return } }", "2 functions"},
		{"foreign operation", `func.func @f(%a: tensor<4xf32>) -> tensor<4xf32> {
			%b = math.exp %a : tensor<4xf32>
			return %b : tensor<4xf32> }`, "math.exp is not supported"},
		{"inner type", `func.func @f(%a: tensor<4x4xf32>) -> tensor<4x4xf32> {
			%e = tensor.empty() : tensor<4x4xi32>
			%i = arith.constant 0 : i32
			%z = linalg.fill ins(%i : i32) outs(%e : tensor<4x4xi32>) -> tensor<4x4xi32>
			return %a : tensor<4x4xf32> }`, "tensor.empty: element type i32"},
	} {
		_, err := c.Analyse([]byte(test.source), "test.mlir")
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want an error with %q", test.name, err, test.want)
		}
	}
}
