package suite

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
	if !cmp.Equal(few, many[:20]) {
		t.Error("20 programs are not the first 20 of 40 of the same seed")
	}
	if cmp.Equal(few, Generate(Train, 8, 20)) {
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
	families := map[string]bool{}
	for _, p := range Generate(Train, 1, 1000) {
		text.WriteString(p.Module)
		families[p.Family] = true
	}
	for _, want := range []string{
		"linalg.matmul ins", "linalg.matmul indexing_maps", "linalg.batch_matmul ins", "linalg.batch_matmul indexing_maps",
		"linalg.conv_2d_nchw_fchw", "linalg.conv_2d_nhwc_hwcf", "linalg.depthwise_conv_2d_nchw_chw", "linalg.depthwise_conv_2d_nhwc_hwc",
		"tensor.pad", "strides = dense<1>", "strides = dense<2>", "dilations = dense<2>",
		"linalg.pooling_nchw_max", "linalg.pooling_nchw_sum", "linalg.pooling_nhwc_max",
		"linalg.broadcast", "linalg.fill", "linalg.transpose", "linalg.reduce", "linalg.softmax",
		"math.rsqrt", "math.exp", "math.erf", "math.tanh", "arith.maximumf", `"reduction"`,
		"1x1xf32> {nestling.weight}", "3x3xf32> {nestling.weight}", "5x5xf32> {nestling.weight}", "7x7xf32> {nestling.weight}",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no program in 1000 has %q", want)
		}
	}
	for _, family := range GeneratedFamilies() {
		if !families[family] {
			t.Errorf("no program in 1000 is of family %s", family)
		}
	}
}

// TestShares counts what learning is to see most of.
func TestShares(t *testing.T) {
	const n = 2000
	kinds := map[string][]string{
		"convolutions": {"conv", "conv_bn", "conv_nhwc"},
		"products":     {"matmul", "linear", "batch_matmul"},
		"graphs":       {"residual", "mlp", "attention"},
	}
	count := map[string]int{}
	for _, m := range generate(Train, 2, n, recipes) {
		for kind, families := range kinds {
			if slices.Contains(families, m.family) {
				count[kind]++
			}
		}
		if m.flops > 60e6 {
			count["large"]++
		}
		if m.family == "conv" && slices.ContainsFunc(m.operations, isBlocked) {
			count["blocked"]++
		}
	}
	for kind, percent := range map[string]float64{"convolutions": 30, "products": 35, "graphs": 10, "large": 69. / 4, "blocked": 9} {
		if share := float64(count[kind]) / n * 100; math.Abs(share-percent) > 3 {
			t.Errorf("%.1f %% of the programs are %s, want about %g", share, kind, percent)
		}
	}
}

// isBlocked tells a 3×3 convolution of channels in whole vectors.
func isBlocked(o Operation) bool {
	return o.Family == program.Conv && o.Bounds[1]%16 == 0 && o.Bounds[4]%16 == 0 && o.Bounds[5] == 3
}

func TestGenerateFamilies(t *testing.T) {
	all, err := GenerateFamilies(Test, 4, 30, nil)
	if err != nil || !cmp.Equal(all, Generate(Test, 4, 30)) {
		t.Errorf("no families are not all of them: %v", err)
	}
	some, err := GenerateFamilies(Train, 4, 30, []string{"residual", "softmax"})
	if err != nil || len(some) != 30 {
		t.Fatalf("%d programs, %v", len(some), err)
	}
	for _, p := range some {
		if p.Family != "residual" && p.Family != "softmax" {
			t.Errorf("%s is of family %s", p.Name, p.Family)
		}
	}
	for _, tc := range []struct {
		split  Split
		family string
		want   string
	}{
		{"dev", "conv", `no split "dev"; there are train, validation, test`},
		{Train, "cnov", `no family "cnov"; there are conv, conv_bn, `},
	} {
		if _, err := GenerateFamilies(tc.split, 1, 1, []string{tc.family}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("got %v, want %q", err, tc.want)
		}
	}
}

// TestGenerateEnds where there are no more programs than those that were drawn.
func TestGenerateEnds(t *testing.T) {
	one := recipe{"one", 1, false, func(_ *rand.Rand, w *writer) { w.result(w.relu(w.input("x", 100, 700))) }}
	drawn := 0
	for _, split := range splits {
		drawn += len(generate(split, 1, 3, []recipe{one}))
	}
	if drawn != 1 {
		t.Errorf("one program is drawn %d times", drawn)
	}
}

// TestBounds counts the usual tile sizes that divide each loop: most loops must
// have several, and some none.
func TestBounds(t *testing.T) {
	several, none, all := 0, 0, 0
	for _, w := range generate(Train, 1, 300, recipes) {
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
// operation of any family is near one of the benchmarks', over several seeds.
func TestGeneratedAreTrainable(t *testing.T) {
	for seed := range uint64(10) {
		split := Train
		if seed > 7 { // they take ten times as long to draw
			split = splits[seed-7]
		}
		for _, m := range generate(split, seed, 250, recipes) {
			if most := map[bool]float64{false: 60e6, true: 600e6}[mayBeLarge(m.family)]; m.flops > most {
				t.Errorf("%s: %g floating-point operations", m.name, m.flops)
			}
			if m.flops < 20e3 && m.elements() < 20e3 {
				t.Errorf("%s: %g floating-point operations, %d elements", m.name, m.flops, m.elements())
			}
			for _, o := range m.operations {
				checkDistance(t, m.name, o)
			}
		}
	}
}

func mayBeLarge(family string) bool {
	return slices.Contains([]string{"conv", "conv_bn", "conv_nhwc", "matmul", "linear", "batch_matmul", "residual"}, family)
}

func checkDistance(t *testing.T, name string, o Operation) {
	t.Helper()
	for _, b := range Nine() {
		for _, bo := range b.Operations {
			if o.Family == bo.Family && within25Percent(o.Bounds, bo.Bounds) {
				t.Errorf("%s has %v; %s has %v", name, o, b.Name, bo)
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
		{"matmul_small as a batch of one", program.Matmul, []int{1, 256, 256, 256}, true},
		{"matmul_small as a batch of two", program.Matmul, []int{2, 256, 256, 256}, false},
	} {
		if got := NearBenchmark([]Operation{{program.Reduce, []int{2}}, {tc.family, tc.bounds}}); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}
