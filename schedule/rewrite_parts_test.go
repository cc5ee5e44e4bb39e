package schedule

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"nestling/program"
)

// sumOfAll adds the elements of a matrix to one.
func sumOfAll(rows, columns int) *program.Program {
	var b builder
	x := b.argument(rows, columns)
	zero := b.op("fill0", program.Fill, "", nil, use{b.scalar(0), ""}, use{b.empty(), ""})
	sum := []program.Instruction{{Op: "arith.addf", Args: []int{0, 1}}}
	nest := fmt.Sprintf("[m=%d] [n=%d]", rows, columns)
	return b.done(b.op("sum0", program.Reduce, nest, sum, use{x, "m,n"}, use{zero, ""}))
}

// The partial results are as many as the loop has iterations, and begin with what changes
// nothing; the whole begins where it did.
func TestPartsOfAMaximum(t *testing.T) {
	var b builder
	x, before := b.argument(6, 8, 5), b.argument(5)
	maximum := []program.Instruction{{Op: "arith.maximumf", Args: []int{0, 1}}}
	y := b.op("max0", program.Reduce, "[m=6] [n=8] c=5", maximum, use{x, "m,n,c"}, use{before, "c"})
	q, _, err := Rewrite(b.done(y), parsed(t, "max0: R(1)"), Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) *program.Op {
		op, err := q.OpIndex(name)
		if err != nil {
			t.Fatal(err)
		}
		return &q.Ops[op]
	}
	parts, whole := at("max0.parts"), at("max0")
	if l := parts.Loops; l[0].Iterator != program.Reduction || l[1].Iterator != program.Parallel {
		t.Errorf("loops of the parts: %v", l)
	}
	if shape := join(q.Values[parts.Result].Shape, "x"); shape != "8x5" {
		t.Errorf("the parts are %s, want 8x5", shape)
	}
	if start := q.Values[at("max0.parts.fill").Operands[0].Value].Splat; !math.IsInf(float64(start), -1) {
		t.Errorf("the parts begin with %v, want -Inf", start)
	}
	if init := q.Values[whole.Init().Value]; init.Kind != program.ValueArgument || init.Arg != 1 {
		t.Errorf("the whole begins with a %s, want the second argument", init.Kind)
	}
}

func TestPartsThatAreRefused(t *testing.T) {
	refuses(t, sumOfAll(6, 8), map[string]string{
		"sum0: R(2)":                   "no loop 2; there are 2, counted from 0",
		"sum0: R(0,2)":                 "has 2 numbers, needs the loop, as in R(0)",
		"sum0: R(0) R(0)":              "no other loop reduces; split loop 0 of 6 first, as in S(0,3)",
		"sum0: S(0,3) R(0) R(0)":       "no other loop reduces, and nothing divides loop 0 of 2",
		"fill0: R(0)":                  "no loop 0",
		"sum0: R(1)\nsum0.parts: R(1)": "loop 1 is no reduction",
	})
}

// What is reduced to one element is shared by the threads; where it is small, or there is
// but one thread, it stays whole.
func TestDefaultReducesInParts(t *testing.T) {
	for _, c := range []struct {
		program *program.Program
		threads int
		parts   bool
	}{
		{sumOfAll(1024, 2048), 2, true}, {sumOfAll(1023, 2048), 2, true}, {sumOfAll(2, 1<<20), 2, true},
		{sumOfAll(1024, 2048), 1, false}, {sumOfAll(64, 512), 2, false}, {sumOfAll(1023, 2047), 2, false},
	} {
		c.program.Link()
		s := Default(c.program, Machine{Threads: c.threads, VectorLanes: 16})
		if got := strings.Contains(s.String(), "R("); got != c.parts {
			t.Errorf("%v on %d threads:\n%s", c.program.Ops[1].Loops, c.threads, s)
		}
		if _, _, err := Rewrite(c.program, s, Options{Threads: c.threads}); err != nil {
			t.Error(err)
		}
	}
}
