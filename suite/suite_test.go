package suite

import (
	"math"
	"slices"
	"strings"
	"testing"

	"nestling/program"
)

// TestNine holds the nine to their published names, shapes and weights.
func TestNine(t *testing.T) {
	want := []struct {
		name   string
		args   string // name:shape, weights in brackets
		result []int
		flops  float64 // of the matrix products or convolutions alone
	}{
		{"matmul_small", "a:256×256 b:256×256", []int{256, 256}, 2 * 256 * 256 * 256},
		{"matmul_medium", "a:512×512 b:512×512", []int{512, 512}, 2 * 512 * 512 * 512},
		{"matmul_large", "a:1024×1024 b:1024×1024", []int{1024, 1024}, 2 * 1024 * 1024 * 1024},
		{"conv2d_small", "x:8×32×28×28 [weight:32×32×3×3] [bias:32]", []int{8, 32, 28, 28}, 2 * 8 * 32 * 32 * 28 * 28 * 9},
		{"conv2d_medium", "x:16×64×56×56 [weight:64×64×3×3] [bias:64]", []int{16, 64, 56, 56}, 2 * 16 * 64 * 64 * 56 * 56 * 9},
		{"conv2d_large", "x:32×128×56×56 [weight:128×128×3×3] [bias:128]", []int{32, 128, 56, 56}, 2 * 32 * 128 * 128 * 56 * 56 * 9},
		{"resnet_block", "x:32×64×56×56 " +
			"[weight1:64×64×3×3] [gamma1:64] [beta1:64] [mean1:64] [variance1:64] " +
			"[weight2:64×64×3×3] [gamma2:64] [beta2:64] [mean2:64] [variance2:64]",
			[]int{32, 64, 56, 56}, 2 * 2 * 32 * 64 * 64 * 56 * 56 * 9},
		{"linear_small", "x:64×128 [weight:64×128] [bias:64]", []int{64, 64}, 2 * 64 * 64 * 128},
		{"linear_large", "x:256×1024 [weight:512×1024] [bias:512]", []int{256, 512}, 2 * 256 * 512 * 1024},
	}
	nine := Nine()
	if len(nine) != len(want) {
		t.Fatalf("%d benchmarks, want %d", len(nine), len(want))
	}
	for i, w := range want {
		b := nine[i]
		var args []string
		for _, a := range b.Args {
			text := a.Name + ":" + times(a.Shape)
			if a.Weight {
				text = "[" + text + "]"
			}
			args = append(args, text)
		}
		if b.Name != w.name || strings.Join(args, " ") != w.args || !slices.Equal(b.Result, w.result) {
			t.Errorf("got %s %s → %v\nwant %s %s → %v", b.Name, strings.Join(args, " "), b.Result, w.name, w.args, w.result)
		}
		// Element-wise work comes on top, and is little.
		if b.Flops < w.flops || b.Flops > 1.01*w.flops {
			t.Errorf("%s: %g floating-point operations, want about %g", b.Name, b.Flops, w.flops)
		}
	}
}

func TestFind(t *testing.T) {
	b, err := Find("linear_small")
	if err != nil || b.Name != "linear_small" {
		t.Errorf("got %s, %v", b.Name, err)
	}
	_, err = Find("matmul_huge")
	if err == nil || !strings.Contains(err.Error(), `no benchmark "matmul_huge"; there are matmul_small, matmul_medium, `) ||
		!strings.HasSuffix(err.Error(), "linear_large") {
		t.Errorf("got %v", err)
	}
}

func TestGenerateIsDeterministic(t *testing.T) {
	few, many := Generate(Train, 7, 20), Generate(Train, 7, 40)
	if !slices.Equal(few, many[:20]) {
		t.Error("20 programs are not the first 20 of 40 of the same seed")
	}
	if slices.Equal(few, Generate(Train, 8, 20)) {
		t.Error("two seeds give the same programs")
	}
}

// TestSplitsAreDisjoint compares what the programs compute, not their names,
// over several seeds.
func TestSplitsAreDisjoint(t *testing.T) {
	owner := map[string]Split{}
	for _, split := range []Split{Train, Validation, Test} {
		for seed := range uint64(3) {
			text := map[string]bool{}
			for _, p := range Generate(split, seed, 150) {
				_, body, _ := strings.Cut(p.Module, "(")
				if text[body] {
					t.Errorf("%s, seed %d: %s is there twice", split, seed, p.Name)
				}
				text[body] = true
				if o, ok := owner[body]; ok && o != split {
					t.Errorf("%s is in %s too", p.Name, o)
				}
				owner[body] = split
			}
		}
	}
}

// TestGenerateVaries looks for everything training is meant to meet.
func TestGenerateVaries(t *testing.T) {
	var text strings.Builder
	families := map[string]int{}
	for _, p := range Generate(Train, 1, 600) {
		text.WriteString(p.Module)
		families[p.Family]++
	}
	for _, family := range []string{"matmul", "linear", "batch_matmul", "conv", "conv_bn", "residual", "mlp", "attention", "pool",
		"elementwise", "reduce", "softmax", "layer_norm", "transpose", "conv_nhwc", "depthwise_nchw", "depthwise_nhwc"} {
		if families[family] == 0 {
			t.Errorf("none of 600 programs is a %s: %v", family, families)
		}
	}
	for _, want := range []string{
		"linalg.matmul ins", "linalg.matmul indexing_maps", "linalg.conv_2d_nchw_fchw", "tensor.pad",
		"strides = dense<1>", "strides = dense<2>", "linalg.pooling_nchw_max", "linalg.pooling_nchw_sum",
		"linalg.broadcast", "linalg.fill", "math.rsqrt", "math.exp", "arith.maximumf", `"reduction"`,
		"3x3xf32> {nestling.weight}", "1x1xf32> {nestling.weight}", "_conv_bn_",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no program in 400 has %q", want)
		}
	}
}

// TestBounds counts the usual tile sizes that divide each loop: most loops must
// have several, and some none.
func TestBounds(t *testing.T) {
	several, none, all := 0, 0, 0
	for _, w := range generate(Train, 1, 300) {
		for _, o := range w.operations {
			for _, bound := range o.Bounds {
				all++
				switch divisors := tileSizes(bound); {
				case divisors >= 2:
					several++
				case divisors == 0 && bound > 3:
					none++
				}
			}
		}
	}
	if 2*several < all || 50*none < all {
		t.Errorf("of %d bounds, %d have several tile sizes and %d have none", all, several, none)
	}
}

func tileSizes(bound int) int {
	n := 0
	for _, size := range []int{2, 4, 7, 8, 14, 16, 28, 32, 56, 64, 128} {
		if bound%size == 0 {
			n++
		}
	}
	return n
}

// TestGeneratedAreTrainable checks size, and with a rule of its own that no
// operation is near one of the benchmarks'.
func TestGeneratedAreTrainable(t *testing.T) {
	for _, split := range []Split{Train, Validation, Test} {
		for _, w := range generate(split, 3, 500) {
			if w.flops < 20e3 || w.flops > 300e6 {
				t.Errorf("%s: %g floating-point operations", w.name, w.flops)
			}
			for _, o := range w.operations {
				for _, b := range Nine() {
					for _, bo := range b.Operations {
						if o.Family == bo.Family && within25Percent(o.Bounds, bo.Bounds) {
							t.Errorf("%s has %v; %s has %v", w.name, o, b.Name, bo)
						}
					}
				}
			}
		}
	}
}

func within25Percent(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if math.Abs(float64(a[i])/float64(b[i])-1) > 0.25 {
			return false
		}
	}
	return true
}

func TestNearBenchmark(t *testing.T) {
	for _, tc := range []struct {
		name   string
		family program.Family
		bounds []int
		want   bool
	}{
		{"matmul_small itself", program.Matmul, []int{256, 256, 256}, true},
		{"upper edge of matmul_small", program.Matmul, []int{320, 256, 192}, true},
		{"beyond one edge", program.Matmul, []int{321, 256, 256}, false},
		{"below one edge", program.Matmul, []int{256, 191, 256}, false},
		{"linear_small with loops in another order", program.Matmul, []int{128, 64, 64}, true},
		{"a matrix half the size", program.Matmul, []int{128, 128, 128}, false},
		{"conv2d_small nearly", program.Conv, []int{7, 28, 30, 30, 36, 3, 3}, true},
		{"conv2d_small with 1×1 kernel", program.Conv, []int{8, 32, 28, 28, 32, 1, 1}, false},
		{"another family", program.Reduce, []int{256, 256, 256}, false},
		{"result of linear_small, element-wise", program.Elementwise, []int{64, 64}, true},
		{"statistics of the ResNet block", program.Fill, []int{70}, true},
		{"fewer loops", program.Matmul, []int{256, 256}, false},
	} {
		if got := NearBenchmark([]Operation{{program.Reduce, []int{2}}, {tc.family, tc.bounds}}); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}
