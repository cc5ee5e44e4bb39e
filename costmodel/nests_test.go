package costmodel

import (
	"math"
	"testing"

	"nestling/env"
	"nestling/env/envtest"
	"nestling/program"
	"nestling/schedule"
)

var machine = schedule.Machine{Threads: 2, VectorLanes: 16, Caches: [3]int{32 << 10, 1 << 20, 32 << 20}}

// over is the end of an episode that follows a schedule.
func over(t *testing.T, p *program.Program, text string) *env.Episode {
	t.Helper()
	s, err := schedule.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	e := env.NewSpace(p, machine, env.Rules{}).NewEpisode()
	if _, err := e.Follow(s); err != nil {
		t.Fatal(err)
	}
	return e
}

// estimated is how long a program is estimated to take, in nanoseconds.
func estimated(rows []float32) float64 {
	sum := 0.0
	for i := 0; i < len(rows); i += 1 + NestSize {
		sum += math.Exp(float64(rows[i]))
	}
	return sum
}

// What is known to be faster is estimated to be, by less than a hundredfold, and nothing as
// faster than the machine can be.
func TestEstimates(t *testing.T) {
	const peak = 2 * 128.0 // floating-point operations in a nanosecond
	flops := 2 * math.Pow(512, 3)
	before := flops / peak
	for _, text := range []string{
		"matmul1: TF(8,32,0) T(0,0,4) V\nfill0: V\n",
		"matmul1: T(8,32,0) T(0,0,4) V\nfill0: T(1,32) V\n", // one thread
		"matmul1: T(1,32,0) T(0,0,4) V\nfill0: T(1,32) V\n", // little reuse in registers
		"matmul1: NT\nfill0: T(1,32) V\n",                   // no vectors, columns of a row-major matrix
	} {
		took := estimated(describeNests(over(t, envtest.Matmul(512, 512, 512), text)))
		if took < before || took > 100*before {
			t.Errorf("estimated at %.0f ns, want it to be above %.0f:\n%s", took, before, text)
		}
		before = took
	}
}

// Every operation has a row, of numbers that a network can take.
func TestRowsOfNests(t *testing.T) {
	p := envtest.Matmul(64, 96, 128)
	rows := describeNests(over(t, p, "matmul1: NT\n"))
	if want := len(p.Ops) * (1 + NestSize); len(rows) != want {
		t.Fatalf("%d numbers for %d operations, want %d", len(rows), len(p.Ops), want)
	}
	for i, x := range rows {
		if !(math.Abs(float64(x)) <= 30) {
			t.Errorf("number %d is %g", i, x)
		}
	}
}

// A product that is cut into panels reads what they hold once for all rows that use it while
// it is in the cache, and the other operand once for each panel.
func TestTraffic(t *testing.T) {
	e := over(t, envtest.Matmul(256, 544, 128), "matmul1: T(0,32,0) T(8,0,0) T(0,0,4) V\nfill0: T(1,32) V\n")
	v := newView(e)
	v.machine.Caches[0] = 80 << 10 // of which 64 KiB count
	n := v.newNest(&v.nests[1])
	depth := n.fits(0) // all rows and a panel are 128 + 16 + 32 KiB, 8 rows 4 + 16 + 1
	if depth != 2 {
		t.Fatalf("what fits is within %d levels, want 2", depth)
	}
	for i, want := range []float64{256 * 128 * 4 * 17, 128 * 544 * 4, 256 * 544 * 4} {
		if got := n.traffic(n.op.Operands[i], depth); got != want {
			t.Errorf("operand %d: %g bytes come into the cache, want %g", i, got, want)
		}
	}
}

// Lines of a column are all in one set of a cache where rows are a multiple of 4 KiB long, and
// spread over all where they are a line longer.
func TestFootprint(t *testing.T) {
	const sets = 64
	for _, c := range []struct {
		columns int
		extents []int
		bytes   float64
	}{
		{1024, []int{1, 16, 128}, 128 * sets * 64},
		{1024, []int{1, 16, 1}, 64},
		{1024, []int{1, 32, 128}, 128 * sets * 64}, // two lines of each row are in two sets
		{1024, []int{1, 1024, 3}, 3 * 4096},
		{1040, []int{1, 16, 128}, 128 * 64},
		{512, []int{1, 16, 128}, 64 * sets * 64}, // every other row in the same set
	} {
		v := newView(over(t, envtest.Matmul(64, c.columns, 256), "matmul1: NT\n"))
		if got := v.footprint(v.program.Ops[1].Operands[1], c.extents, sets); got != c.bytes {
			t.Errorf("%v iterations of a product with %d columns need %g bytes, want %g", c.extents, c.columns, got, c.bytes)
		}
	}
	v := newView(over(t, envtest.Matmul(64, 1024, 256), "matmul1: T(0,16,128) P(1) NT\n"))
	if n := v.newNest(&v.nests[1]); n.sets(0, 1, len(n.Levels)) != 0 || n.sets(0, 0, len(n.Levels)) == 0 {
		t.Error("an operand that is copied crowds, or another does not")
	}
}

// LLVM makes vectors of the innermost loop where its elements lie side by side.
func TestVectorizes(t *testing.T) {
	for text, want := range map[string]bool{
		"matmul1: NT\n":                   false, // along the sum, down the columns of the second operand
		"matmul1: I(0,2,1) NT\n":          true,
		"matmul1: T(0,0,1) NT\n":          true,
		"matmul1: I(0,2,1) T(0,0,8) NT\n": false, // half a vector
		"matmul1: I(1,2,0) NT\n":          false,
	} {
		v := newView(over(t, envtest.Matmul(64, 96, 128), text))
		if n := v.newNest(&v.nests[1]); n.vectorizes() != want {
			t.Errorf("%q: LLVM makes vectors of it: %v, want %v", text, !want, want)
		}
	}
}

// What a library computes is computed one after another, in vectors and in loops.
func TestCalls(t *testing.T) {
	for _, text := range []string{"matmul1: I(0,2,1) NT\n", "matmul1: T(4,32,0) T(0,0,4) V\n"} {
		v := newView(over(t, envtest.Matmul(64, 96, 128), text))
		n := v.newNest(&v.nests[1])
		before := n.compute()
		n.op.Body = append(n.op.Body, program.Instruction{Op: "math.log"})
		if n.vectorizes() || n.compute() < 8*before {
			t.Errorf("%q: %g ns with logarithms, %g without", text, n.compute(), before)
		}
	}
}

func TestLines(t *testing.T) {
	v := newView(over(t, envtest.Matmul(256, 512, 128), "matmul1: NT\n"))
	x := v.program.Ops[1].Operands[0] // 256×128
	for _, c := range []struct {
		extents    []int
		bytes, run float64
	}{
		{[]int{1, 1, 1}, 64, 4},
		{[]int{4, 512, 17}, 4 * 128, 4 * 17},
		{[]int{4, 1, 128}, 4 * 128 * 4, 4 * 128 * 4}, // whole rows lie together
	} {
		if bytes, run := v.lines(x, c.extents); bytes != c.bytes || run != c.run {
			t.Errorf("%v iterations touch %g bytes in runs of %g, want %g and %g", c.extents, bytes, run, c.bytes, c.run)
		}
	}
	v.program.Values = append(v.program.Values, program.Value{Kind: program.ValueSlice, Base: x.Value, Shape: []int{256, 64}})
	x.Value = len(v.program.Values) - 1
	if bytes, run := v.lines(x, []int{4, 1, 64}); bytes != 4*64*4 || run != 64*4 {
		t.Errorf("4 rows of a slice are %g bytes in runs of %g, want %d and %d: they are parts of rows", bytes, run, 4*64*4, 64*4)
	}
}
