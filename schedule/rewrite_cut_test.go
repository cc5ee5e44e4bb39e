package schedule

import (
	"testing"

	"nestling/program"
)

// oddProduct is a product of 5×7 by 7×9, from zeros.
func oddProduct() *program.Program {
	var b builder
	x, w := b.argument(5, 7), b.argument(7, 9)
	zeros := b.op("fill0", program.Fill, "m=5 n=9", nil, use{b.scalar(0), ""}, use{b.empty(5, 9), "m,n"})
	y := b.op("matmul0", program.Matmul, "m=5 n=9 [k=7]", []program.Instruction{
		{Op: "arith.mulf", Args: []int{0, 1}}, {Op: "arith.addf", Args: []int{2, 3}},
	}, use{x, "m,k"}, use{w, "k,n"}, use{zeros, "m,n"})
	return b.done(y)
}

func cutOdd(t *testing.T, text string) (*program.Program, error) {
	t.Helper()
	s, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	q, _, err := Rewrite(oddProduct(), s, Options{Threads: 1})
	return q, err
}

// Each part has its zeros and its product, and both lie in one tensor.
func TestCutTakesTheChainAlong(t *testing.T) {
	q, err := cutOdd(t, "matmul0: C(1,8)\n")
	if err != nil {
		t.Fatal(err)
	}
	for name, columns := range map[string]int{"fill0": 8, "matmul0": 8, "fill0.rest": 1, "matmul0.rest": 1} {
		op, err := q.OpIndex(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := q.Ops[op].Loops[1].Bound; got != columns {
			t.Errorf("%s has %d columns, want %d", name, got, columns)
		}
	}
	result := q.Values[q.Results[0]]
	if result.Kind != program.ValueInsert || q.Values[result.Base].Kind != program.ValueInsert {
		t.Errorf("the result is %s over %s, want both parts inserted", result.Kind, q.Values[result.Base].Kind)
	}
}

// The second part may have some of the first part's iterations again.
func TestCutOverlaps(t *testing.T) {
	q, err := cutOdd(t, "matmul0: C(1,8,4)\n")
	if err != nil {
		t.Fatal(err)
	}
	result := q.Values[q.Results[0]]
	if result.Offsets[1] != 5 || q.Values[result.Source].Shape[1] != 4 {
		t.Errorf("the second part is of %v at %v, want 4 columns at 5", q.Values[result.Source].Shape, result.Offsets)
	}
}

// A reduction's second part goes on from the sums of the first.
func TestCutOfAReduction(t *testing.T) {
	q, err := cutOdd(t, "matmul0: C(2,4)\n")
	if err != nil {
		t.Fatal(err)
	}
	first, _ := q.OpIndex("matmul0")
	second, err := q.OpIndex("matmul0.rest")
	if err != nil {
		t.Fatal(err)
	}
	if q.Ops[second].Init().Value != q.Ops[first].Result || q.Results[0] != q.Ops[second].Result {
		t.Error("the second part does not go on from the first")
	}
}

// What is computed ahead of time stays whole, and the parts read their slices of it.
func TestCutLeavesWeightsWhole(t *testing.T) {
	p := oddProduct()
	zeros := &p.Ops[0]
	p.Values[zeros.Result].Weight = true
	s, err := Parse("matmul0: C(1,8,4)\n")
	if err != nil {
		t.Fatal(err)
	}
	q, _, err := Rewrite(p, s, Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.OpIndex("fill0.rest"); err == nil || len(q.Ops) != 3 {
		t.Errorf("%d operations, want the product cut alone", len(q.Ops))
	}
	program.Print(q) // in an order in which all is defined before it is read
}

func TestCutRefuses(t *testing.T) {
	refuses(t, oddProduct(), map[string]string{
		"matmul0: C(1)":     "has 1 numbers",
		"matmul0: C(3,1)":   "no loop 3",
		"matmul0: C(1,9)":   "allowed: 1 to 8",
		"matmul0: C(1,8,9)": "allowed: 1 to 8",
		"matmul0: C(1,4,4)": "allowed: 5 to 8",
		"matmul0: C(2,4,4)": "parts cannot overlap",
	})
}
