package schedule

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"nestling/program"
)

func TestDefault(t *testing.T) {
	avx512 := Machine{Threads: 1, VectorLanes: 16}
	for _, c := range []struct {
		name    string
		program *program.Program
		machine Machine
		want    string
	}{
		{"a product in registers, its columns outermost", programs["matmul"], avx512,
			"matmul0: I(1,0,2) TF(32,8,0) T(0,0,4) V\nfill0: V\n"},
		{"half the columns with half the lanes", programs["matmul"], Machine{Threads: 1, VectorLanes: 8},
			"matmul0: I(1,0,2) TF(16,4,0) T(0,0,4) V\nfill0: V\n"},
		{"weights laid out for the lanes", programs["linear"], avx512,
			"matmul0: L(1,1,0) T(0,0,4) V\nrelu0: TF(8,32) V\nadd0: V\nmatmul0.in1: TP(64,0) T(16,16) V\nfill0: V\n"},
		{"a convolution under its epilogue", programs["conv"], avx512,
			"conv0: C(3,16,16) T(0,0,0,0,4,1,1) V\nrelu0.rest: TF(1,8,2,0) V\nadd0.rest: V\nconv0.rest: T(0,0,0,0,4,1,1) V\nfill1.rest: V\n" +
				"relu0: TF(1,8,2,0) V\nadd0: V\nfill1: V\ncopy0: TP(1,1,2,0) V\nfill0: TP(1,4,0,0) NT\n"},
		{"a strided one with channels last", programs["strided"], avx512,
			"conv0: L(1,1,2,3,0) L(2,0,2,3,1) T(0,0,0,1,4,1,1) V\nrelu0: TF(0,0,1,0) V\nadd0: V\nconv0.out: V\nconv0.in1: TP(8,0,0,0) NT\nfill1: V\n" +
				"copy0: TP(1,1,2,0) V\nfill0: TP(1,4,0,0) NT\n"},
		{"a large product in panels", matmulProgram(1024, 1024, 1024), avx512,
			"matmul0: S(1,32) L(1,1,0,2) TF(8,1,0,0) T(0,0,0,4) V\nmatmul0.in1: TP(1,2,0) V\nfill0: V\n"},
		{"a chain that is worth fusing, and threads with it", chainProgram(64), Machine{Threads: 2, VectorLanes: 16},
			"add1: TF(1,0) V\nrelu1: V\nadd0: V\nrelu0: V\n"},
		{"strided windows of odd rows", programs["pool"], avx512,
			"pool0: TF(1,1,1,0,0,0) NT\nfill0: V\n"},
		{"a reduction along the rows", programs["softmax"], avx512,
			"exp0: TF(4,0) T(1,64) V\nsum0: NT\nfill0: NT\n"},
		{"small operations without threads", chainProgram(32), Machine{Threads: 2, VectorLanes: 16},
			"add1: T(2,0) V\nrelu1: T(2,0) V\nadd0: T(2,0) V\nrelu0: T(2,0) V\n"},
		{"loops without divisors, cut", programs["prime"], avx512,
			"matmul0: C(1,32,16) C(0,32) TF(8,0,0) T(0,0,1) V\nmatmul0.rest: C(0,32) TF(16,0,0) T(0,0,1) V\nmatmul0.rest.rest: T(0,0,1) V\n" +
				"fill0.rest.rest: NT\nfill0.rest: V\nmatmul0.rest2: T(0,0,1) V\nfill0.rest2: NT\nfill0: V\n"},
		{"a fill, left to LLVM", filledProgram(3072, 4096), avx512, "fill0: TP(1,0) NT\n"},
		{"of one image", filledProgram(1, 4096), avx512, "fill0: NT\n"},
		{"of a vector, for one thread", filledProgram(1, 1<<20), Machine{Threads: 2, VectorLanes: 16}, "fill0: NT\n"},
		{"of a longer one, for two", filledProgram(1, 1<<22), Machine{Threads: 2, VectorLanes: 16}, "fill0: TP(0,64) V\n"},
		{"one to be stored past the caches", filledProgram(4096, 4096), avx512, "fill0: TP(1,64) V\n"},
		{"a large transposition, fetched ahead", transposeProgram(1024), avx512, "generic0: TP(64,128) T(16,16) PF(1) V\n"},
		{"a long vector without divisors, cut", flatProgram(1000003), Machine{Threads: 2, VectorLanes: 16},
			"relu0: C(0,999424) TP(64) V\nrelu0.rest: NT\n"},
		{"a convolution over what is pooled keeps its tile", pooledConvProgram(16, 32, 56), avx512,
			"conv0: C(3,16,16) TF(0,16,1,0,0) T(0,0,0,0,4) V\nconv0.rest: TF(0,16,1,0,0) T(0,0,0,0,4) V\nfill1.rest: V\n" +
				"pool0.rest: I(0,1,2,4,5,3) TF(0,1,1,0,0,0) NT\nfill0.rest: V\nfill1: V\npool0: I(0,1,2,4,5,3) TF(0,1,1,0,0,0) NT\nfill0: V\n"},
		{"a transposition", programs["transpose"], avx512, "generic0: TP(64,0) T(16,16) V\n"},
		{"nothing to do", programs["single"], avx512,
			"matmul0: I(0,2,1) NT\nfill0: NT\n"},
	} {
		got := Default(c.program, c.machine)
		if diff := cmp.Diff(c.want, got.String()); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

// TestDefaultGroups computes by image where threads can share images, and one is large enough to
// be worth a loop of its own and small enough for the cache.
func TestDefaultGroups(t *testing.T) {
	two := Machine{Threads: 2, VectorLanes: 16}
	for _, c := range []struct {
		name    string
		program *program.Program
		machine Machine
		want    string // the operation that ends the group, "" for none
	}{
		{"a padded convolution", convProgram(2, 16, 32, 32, 1), two, "relu0"},
		{"of images that threads cannot share", convProgram(3, 16, 32, 32, 1), two, ""},
		{"of one image", convProgram(1, 16, 32, 32, 1), Machine{Threads: 1, VectorLanes: 16}, ""},
		{"of images with few pixels", convProgram(2, 64, 64, 4, 1), two, ""},
		{"of images with little work", convProgram(2, 1, 1, 16, 1), two, ""},
		{"of images that do not stay in the cache", convProgram(2, 128, 32, 64, 1), two, ""},
		{"of products that are kept in another order", convProgram(2, 16, 32, 32, 2), two, ""},
		{"what is one nest already", poolProgram(2, 16, 64), two, ""},
		{"a product", matmulProgram(512, 512, 512), two, ""},
		{"the weights of attention", attentionProgram(4, 64, 32), two, "div0"},
		{"of heads that threads cannot share", attentionProgram(5, 64, 32), two, ""},
	} {
		got := ""
		for _, entry := range Default(c.program, c.machine) {
			if slices.ContainsFunc(entry.Actions, func(a Action) bool { return a.Kind == Group }) {
				got += entry.Op
			}
		}
		if got != c.want {
			t.Errorf("%s: the group ends with %q, want %q", c.name, got, c.want)
		}
	}
}

// TestDefaultPanels copies into panels what is large, comes at run time, and is read often.
func TestDefaultPanels(t *testing.T) {
	const mib = 1 << 20
	batch := func() *program.Program {
		var b builder
		x, y := b.argument(4, 512, 512), b.argument(4, 512, 1024)
		zero := b.fill("fill0", 0, "b=4 m=512 n=1024", "b,m,n", 4, 512, 1024)
		return b.done(b.op("matmul0", program.Matmul, "b=4 m=512 n=1024 [k=512]", multiplyAdd, use{x, "b,m,k"}, use{y, "b,k,n"}, use{zero, "b,m,n"}))
	}
	chained := func() *program.Program {
		var b builder
		x, y, z := b.argument(1024, 1024), b.argument(1024, 1024), b.argument(1024, 1024)
		zero := b.fill("fill0", 0, "m=1024 n=1024", "m,n", 1024, 1024)
		xy := b.op("matmul0", program.Matmul, "m=1024 n=1024 [k=1024]", multiplyAdd, use{x, "m,k"}, use{y, "k,n"}, use{zero, "m,n"})
		zero = b.fill("fill1", 0, "m=1024 n=1024", "m,n", 1024, 1024)
		return b.done(b.op("matmul1", program.Matmul, "m=1024 n=1024 [k=1024]", multiplyAdd, use{xy, "m,k"}, use{z, "k,n"}, use{zero, "m,n"}))
	}
	for _, c := range []struct {
		name    string
		program *program.Program
		l2      int
		want    string
	}{
		{"a product", matmulProgram(512, 1024, 512), mib, "matmul0: S(1,32) L(1,1,0,2)\n"},
		{"by what is transposed", linearProgram(512, 1024, 512), mib, "matmul0: S(1,32) L(1,0,2,1)\n"},
		{"that fits the cache", matmulProgram(512, 1024, 512), 4 * mib, ""},
		{"of few rows", matmulProgram(64, 1024, 512), mib, ""},
		{"of odd columns", matmulProgram(512, 1040, 512), mib, ""},
		{"of many matrices", batch(), mib, ""},
		{"and another one of it", chained(), mib, "matmul1: S(1,32) L(1,1,0,2)\n"},
	} {
		_, got := rewritten(c.program, Machine{Threads: 2, VectorLanes: 16, Caches: [3]int{0, c.l2}})
		if diff := cmp.Diff(c.want, got.String()); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

// TestDefaultIsLegal for any shapes and machine, and leaves no operation out.
func TestDefaultIsLegal(t *testing.T) {
	size := rapid.IntRange(1, 130)
	rapid.Check(t, func(t *rapid.T) {
		var p *program.Program
		switch rapid.IntRange(0, 5).Draw(t, "family") {
		case 0:
			p = matmulProgram(size.Draw(t, "m"), size.Draw(t, "n"), size.Draw(t, "k"))
		case 1:
			p = linearProgram(size.Draw(t, "m"), size.Draw(t, "n"), size.Draw(t, "k"))
		case 2:
			p = convProgram(size.Draw(t, "n"), size.Draw(t, "c"), size.Draw(t, "f"), size.Draw(t, "size"), rapid.IntRange(1, 2).Draw(t, "stride"))
		case 3:
			p = poolProgram(size.Draw(t, "n"), size.Draw(t, "c"), 2*size.Draw(t, "size"))
		case 4:
			p = rowsProgram(size.Draw(t, "rows"), size.Draw(t, "columns"))
		case 5:
			p = chainProgram(size.Draw(t, "n"))
		}
		m := Machine{Threads: rapid.IntRange(1, 4).Draw(t, "threads"), VectorLanes: rapid.SampledFrom([]int{4, 8, 16}).Draw(t, "lanes")}
		s := Default(p, m)
		if err := Check(p, s); err != nil {
			t.Fatalf("%v in\n%s", err, s)
		}
		parts, _, err := Rewrite(p, s, Options{Threads: m.Threads})
		if err != nil || len(s) != len(parts.Ops) {
			t.Fatalf("%d of %d operations, %v:\n%s", len(s), len(parts.Ops), err, s)
		}
	})
}
