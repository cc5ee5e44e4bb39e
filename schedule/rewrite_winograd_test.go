package schedule

import (
	"strings"
	"testing"

	"nestling/program"
)

// bareConvolution is a convolution of an image without zeros around it, with
// window×window weights, whose sums start from zeros.
func bareConvolution(window, stride int) *program.Program {
	row := func(pairs ...int) []int {
		r := make([]int, 7)
		for i := 0; i < len(pairs); i += 2 {
			r[pairs[i]] = pairs[i+1]
		}
		return r
	}
	high := 4
	p := &program.Program{Name: "f", Args: []int{0, 1}, Results: []int{5}}
	p.Values = []program.Value{
		{Kind: program.ValueArgument, Shape: []int{2, 3, stride*(high-1) + window, stride*(high-1) + window}},
		{Kind: program.ValueArgument, Shape: []int{5, 3, window, window}, Arg: 1, Weight: true},
		{Kind: program.ValueConstant, IsSplat: true, Scalar: true, Weight: true},
		{Kind: program.ValueEmpty, Shape: []int{2, 5, high, high}},
		{Kind: program.ValueResult, Shape: []int{2, 5, high, high}},
		{Kind: program.ValueResult, Shape: []int{2, 5, high, high}},
	}
	fill := program.Op{Name: "fill0", Family: program.Fill, Operands: []program.Operand{{Value: 2}, {Value: 3, Map: identity(4), Init: true}}, Result: 4}
	for _, n := range []int{2, 5, high, high} {
		fill.Loops = append(fill.Loops, program.Loop{Bound: n, Iterator: program.Parallel})
	}
	conv := program.Op{
		Name: "conv0", Family: program.Conv, Result: 5, Yield: 4,
		Operands: []program.Operand{
			{Value: 0, Map: program.AccessMap{Coefficients: [][]int{row(0, 1), row(4, 1), row(2, stride, 5, 1), row(3, stride, 6, 1)}, Offsets: make([]int, 4)}},
			{Value: 1, Map: program.AccessMap{Coefficients: [][]int{row(1, 1), row(4, 1), row(5, 1), row(6, 1)}, Offsets: make([]int, 4)}},
			{Value: 4, Map: program.AccessMap{Coefficients: [][]int{row(0, 1), row(1, 1), row(2, 1), row(3, 1)}, Offsets: make([]int, 4)}, Init: true},
		},
		Body: []program.Instruction{{Op: "arith.mulf", Args: []int{0, 1}}, {Op: "arith.addf", Args: []int{2, 3}}},
	}
	for l, n := range []int{2, 5, high, high, 3, window, window} {
		iterator := program.Parallel
		if l > 3 {
			iterator = program.Reduction
		}
		conv.Loops = append(conv.Loops, program.Loop{Bound: n, Iterator: iterator})
	}
	p.Ops = []program.Op{fill, conv}
	p.Link()
	return p
}

// W opens the product, drops the zeros it starts from, and prepares the weights.
func TestWinogradOpensParts(t *testing.T) {
	s, err := Parse("conv0: W(4,1,2,0)\nconv0.gemm: T(0,0,0,0,4) V\n")
	if err != nil {
		t.Fatal(err)
	}
	p, loops, err := Rewrite(bareConvolution(3, 1), s, Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"conv0", "conv0.gemm", "conv0.fill", "conv0.weights"} {
		if _, err := p.OpIndex(name); err != nil {
			t.Error(err)
		}
	}
	if _, err := p.OpIndex("fill0"); err == nil {
		t.Error("fill0 is still there, which nobody reads")
	}
	if len(loops) != 1 || loops[0].Op != "conv0.gemm" {
		t.Errorf("loop actions left: %v", loops)
	}
	weights, _ := p.OpIndex("conv0.weights")
	if !p.Values[p.Ops[weights].Result].Weight {
		t.Error("transformed weights are not made ahead of time")
	}
}

func TestWinogradRefuses(t *testing.T) {
	for _, test := range []struct {
		program    *program.Program
		text, want string
	}{
		{bareConvolution(3, 2), "conv0: W(4,1,1,0)", "of stride 1"},
		{bareConvolution(5, 1), "conv0: W(4,1,1,0)", "the window is 5×5"},
		{bareConvolution(3, 1), "fill0: W(4,1,1,0)", "needs a 3×3 convolution"},
		{bareConvolution(3, 1), "conv0: W(4,1,1)", "has 3 numbers"},
		{bareConvolution(3, 1), "conv0: W(4,2,1,0)", "2 tile rows a strip; the image has 1"},
		{bareConvolution(3, 1), "conv0: WC(4,1,0)", "what another convolution computes"},
		{bareConvolution(3, 1), "conv0: W(4,1,1,0) V", "its parts can be scheduled"},
	} {
		s, err := Parse(test.text)
		if err != nil {
			t.Fatal(err)
		}
		if err := Check(test.program, s); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.text, err, test.want)
		}
	}
}
