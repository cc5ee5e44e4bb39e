package compiler

import (
	"flag"
	"math/rand/v2"
	"slices"
	"testing"

	"nestling/measure/reference"
	"nestling/program"
	"nestling/schedule"
	"nestling/suite"
)

// rewrites is how many random rewrites TestRewritesKeepTheResult tries.
var rewrites = flag.Int("rewrites", 2000, "random rewrites to compare with the program they change")

// A rewritten program computes what the program does: in float64, so that all
// that may differ is the order of sums. Every twentieth goes through MLIR too.
func TestRewritesKeepTheResult(t *testing.T) {
	c := New()
	defer c.Close()
	rng := rand.New(rand.NewPCG(7, uint64(*rewrites)))
	programs := smallPrograms(t, c)
	applied := map[schedule.Kind]int{}
	for range *rewrites {
		p := programs[rng.IntN(len(programs))]
		s, q := randomRewrites(p, rng)
		for _, o := range s {
			for _, a := range o.Actions {
				applied[a.Kind]++
			}
		}
		compare(t, p, q, s)
		if rng.IntN(20) == 0 {
			written, err := schedule.Write(p, s, schedule.Options{Threads: 1})
			if err != nil {
				t.Fatalf("%s\n%s%v", p.Name, s, err)
			}
			m, err := c.context.Parse(written.Module, "rewritten.mlir")
			if err != nil {
				t.Fatalf("%s\n%s%v\n%s", p.Name, s, err, written.Module)
			}
			m.Close()
		}
	}
	// R is rarely legal: few operations reduce along two loops.
	for kind, share := range map[schedule.Kind]int{schedule.Split: 20, schedule.Layout: 20, schedule.Cut: 20, schedule.Parts: 40} {
		if applied[kind] < *rewrites/share {
			t.Errorf("%s was tried %d times only", kind, applied[kind])
		}
	}
}

// Batch normalisation disappears from a residual block, and the block computes
// the same.
func TestFoldNormOfAResidualBlock(t *testing.T) {
	c := New()
	defer c.Close()
	p := analyse(t, c, suite.ResNetBlock("block", 2, 4, 6, 5).Module)
	s, err := schedule.Parse("conv0: FN\nconv1: FN\n")
	if err != nil {
		t.Fatal(err)
	}
	q, _, err := schedule.Rewrite(p, s, schedule.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	compare(t, p, q, s)
	for i := range q.Ops {
		if o := &q.Ops[i]; o.Arith.Sub > 0 && !q.Values[o.Result].Weight {
			t.Errorf("%s still normalises at run time", o.Name)
		}
	}
}

// Two operations ahead of time that compute the same become one, and what they return one
// buffer.
func TestSameWeightsTwice(t *testing.T) {
	c := New()
	defer c.Close()
	for _, channels := range []int{2, 8, 17} {
		module := suite.ResNetBlock("block", 2, channels, 6, 10).Module
		checkSchedule(t, t, c, module, "conv1: C(3,8) FN\nconv1.rest: FN\nconv1.rest.shift: V\nconv1.shift: V\n", 2)
	}
}

// A buffer that is returned in two shapes is given the first, and copied into the other.
func TestWeightsInTwoShapes(t *testing.T) {
	c := New()
	defer c.Close()
	module := suite.ResNetBlock("block", 2, 8, 6, 10).Module
	checkSchedule(t, t, c, module, "conv0: FN C(2,4) L(2,0,2,3,1) C(3,4) S(4,4) NT\nconv0.rest2: S(1,4) NT\n", 2)
}

// Between two convolutions that both work on channels last nothing is copied but
// into the padded image.
func TestLayoutIsKeptInAChain(t *testing.T) {
	c := New()
	defer c.Close()
	p := analyse(t, c, suite.ResNetBlock("block", 2, 4, 6, 5).Module)
	s, err := schedule.Parse(`
conv0: FN L(0,0,2,3,1) L(2,0,2,3,1)
map2: L(0,0,2,3,1) L(1,0,2,3,1)
conv1: FN L(0,0,2,3,1) L(2,0,2,3,1)
`)
	if err != nil {
		t.Fatal(err)
	}
	q, _, err := schedule.Rewrite(p, s, schedule.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	compare(t, p, q, s)
	var copies []string
	for i := range q.Ops {
		if o := &q.Ops[i]; o.Family == program.Copy && !q.Values[o.Result].Weight {
			copies = append(copies, o.Name)
		}
	}
	// The two biases, the two padded images, and the block's result.
	if len(copies) != 5 || !slices.Contains(copies, "conv1.out") {
		t.Errorf("copies at run time: %v", copies)
	}
}

// smallPrograms are programs of every family whose float64 results come fast.
func smallPrograms(t *testing.T, c *Compiler) []*program.Program {
	var out []*program.Program
	for _, g := range suite.Generate(suite.Train, 11, 300) {
		if p := analyse(t, c, g.Module); p.Flops() < 1e6 {
			out = append(out, p)
		}
	}
	if len(out) < 20 {
		t.Fatalf("only %d small programs", len(out))
	}
	return out
}

// randomRewrites draws up to three rewrites that are legal one after the other.
func randomRewrites(p *program.Program, rng *rand.Rand) (schedule.Schedule, *program.Program) {
	var s schedule.Schedule
	q := p
	for range 1 + rng.IntN(3) {
		o := q.Ops[rng.IntN(len(q.Ops))]
		step := schedule.Schedule{{Op: o.Name, Actions: []schedule.Action{randomRewrite(&o, rng)}}}
		next, _, err := schedule.Rewrite(q, step, schedule.Options{Threads: 1})
		if err != nil {
			continue
		}
		q, s = next, append(s, step...)
	}
	return s, q
}

func randomRewrite(o *program.Op, rng *rand.Rand) schedule.Action {
	loop := rng.IntN(len(o.Loops))
	bound := o.Loops[loop].Bound
	switch rng.IntN(4) {
	case 0:
		return schedule.Action{Kind: schedule.Split, Args: []int{loop, 2 + rng.IntN(4)}}
	case 1:
		cut := schedule.Action{Kind: schedule.Cut, Args: []int{loop, 1 + rng.IntN(bound)}}
		if rng.IntN(2) == 0 { // parts that overlap
			cut.Args = append(cut.Args, 1+rng.IntN(bound))
		}
		return cut
	}
	if at := slices.IndexFunc(o.Loops, func(l program.Loop) bool { return l.Iterator == program.Reduction }); at >= 0 && rng.IntN(2) == 0 {
		return schedule.Action{Kind: schedule.Parts, Args: []int{at}}
	}
	operand := rng.IntN(len(o.Operands))
	return schedule.Action{Kind: schedule.Layout,
		Args: append([]int{operand}, rng.Perm(len(o.Operands[operand].Map.Coefficients))...)}
}

func compare(t *testing.T, p, q *program.Program, s schedule.Schedule) {
	t.Helper()
	inputs := reference.Inputs(p, 3)
	want, err := reference.Compute(p, inputs)
	if err != nil {
		t.Fatal(err)
	}
	got, err := reference.Compute(q, inputs)
	if err != nil {
		t.Fatalf("%s\n%s%v", p.Name, s, err)
	}
	for i := range want.Results {
		if d := want.Distance(i, got.Results[i].Values, want.Results[i].Values); d > 1e-6 {
			t.Fatalf("%s\n%sresult %d is off by %.1e of its scale", p.Name, s, i, d)
		}
	}
}
