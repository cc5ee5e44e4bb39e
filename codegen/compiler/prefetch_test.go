package compiler

import (
	"strings"
	"testing"

	"nestling/measure/reference"
)

// Prefetches are in the code, as many as there are lines, and the results stay right.
func TestPrefetch(t *testing.T) {
	c := New()
	defer c.Close()
	for name, k := range map[string]struct {
		module, schedule string
		threads, lines   int
	}{
		"the next block of a transposition": {transposition([][]int{{96, 128}}, [][]int{{1, 0}}), "copy0: TP(64,32) T(16,16) PF(0) V", 1, 16},
		"of a thread":                       {transposition([][]int{{96, 128}}, [][]int{{1, 0}}), "copy0: TP(64,32) T(16,16) PF(0) V", 2, 16},
		"laid-out weights and rows":         {product("{nestling.weight}"), "matmul0: S(1,32) L(1,1,0,2) TF(8,1,0,0) T(0,0,0,4) PF(0) PF(1) V\nfill0: V", 1, 8 + 4*2},
		"a tile in a tile":                  {product(""), "matmul0: T(0,32,0) T(8,0,0) T(0,0,4) PF(1) V\nfill0: NT", 1, 4 * 2},
		"for loops over scalars":            {product(""), "matmul0: TF(8,32,0) T(0,0,4) PF(1) NT", 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := analyse(t, c, k.module)
			inputs := reference.Inputs(p, 1)
			want, err := reference.Compute(p, inputs)
			if err != nil {
				t.Fatal(err)
			}
			// LLVM may unroll the loop that they are in.
			got := strings.Count(assembly(t, c, p, k.schedule, k.threads), "prefetch")
			if got%max(k.lines, 1) != 0 || (got > 0) != (k.lines > 0) {
				t.Errorf("%d prefetches, want %d in each step", got, k.lines)
			}
			load(t, p, compile(t, c, p, k.schedule), inputs).check(t, want)
		})
	}
}

// product is a product of 96×64 by 64×128, whose second operand has attributes.
func product(attributes string) string {
	return `func.func @p(%a: tensor<96x64xf32>, %b: tensor<64x128xf32> ` + attributes + `) -> tensor<96x128xf32> {
		%c = arith.constant 0.0 : f32
		%e = tensor.empty() : tensor<96x128xf32>
		%z = linalg.fill ins(%c : f32) outs(%e : tensor<96x128xf32>) -> tensor<96x128xf32>
		%y = linalg.matmul ins(%a, %b : tensor<96x64xf32>, tensor<64x128xf32>) outs(%z : tensor<96x128xf32>) -> tensor<96x128xf32>
		return %y : tensor<96x128xf32>
	}`
}

// A tile with a single step of the sum becomes multiply-adds all the same, with nothing
// shuffled.
func TestOneStepOfASum(t *testing.T) {
	c := New()
	defer c.Close()
	convolution := `func.func @c(%x: tensor<1x5x18x18xf32>, %w: tensor<16x5x3x3xf32>) -> tensor<1x16x16x16xf32> {
		%c = arith.constant 0.0 : f32
		%e = tensor.empty() : tensor<1x16x16x16xf32>
		%z = linalg.fill ins(%c : f32) outs(%e : tensor<1x16x16x16xf32>) -> tensor<1x16x16x16xf32>
		%y = linalg.conv_2d_nchw_fchw ins(%x, %w : tensor<1x5x18x18xf32>, tensor<16x5x3x3xf32>) outs(%z : tensor<1x16x16x16xf32>) -> tensor<1x16x16x16xf32>
		return %y : tensor<1x16x16x16xf32>
	}`
	for _, k := range [][2]string{
		{product(""), "matmul0: TF(8,32,0) T(0,0,1) V\nfill0: V"},
		{product(""), "matmul0: I(1,0,2) TF(32,8,0) T(0,0,1) V\nfill0: V"},
		{convolution, "conv0: TF(1,8,1,16,0,0,0) T(0,0,0,0,1,1,1) V\nfill0: V"},
		{convolution, "conv0: TF(1,8,2,16,0,0,0) T(0,0,0,0,1,1,1) V\nfill0: V"},
	} {
		p := analyse(t, c, k[0])
		inputs := reference.Inputs(p, 1)
		want, err := reference.Compute(p, inputs)
		if err != nil {
			t.Fatal(err)
		}
		text := assembly(t, c, p, k[1], 1)
		if !strings.Contains(text, "vfmadd") || strings.Contains(text, "vperm") || strings.Contains(text, "vunpck") {
			t.Errorf("%s: no multiply-adds, or shuffles:\n%s", k[1], text)
		}
		load(t, p, compile(t, c, p, k[1]), inputs).check(t, want)
	}
}
