package winograd

import (
	"slices"
	"strings"
	"testing"
)

// spec is a convolution that can be written.
func spec() Spec {
	return Spec{Images: 4, In: 20, Out: 48, Height: 9, Width: 10, PadTop: 1, PadBottom: 1, PadLeft: 1, PadRight: 1,
		M: 4, Rows: 1, Group: 2, Threads: 2, Bias: true}
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		change func(*Spec)
		want   string // "": no error
	}{
		{func(*Spec) {}, ""},
		{func(s *Spec) { s.M, s.Rows = 2, 5 }, ""},
		{func(s *Spec) { s.M = 3 }, "tiles of 3×3 outputs"},
		{func(s *Spec) { s.Rows = 4 }, "4 tile rows a strip; the image has 3"},
		{func(s *Spec) { s.Rows = 0 }, "0 tile rows"},
		{func(s *Spec) { s.Group = 3 }, "3 images a strip do not divide 4"},
		{func(s *Spec) { s.Prefetch = 4 }, "prefetch 4"},
		{func(s *Spec) { s.Threads = 0 }, "0 threads"},
		{func(s *Spec) { s.PadLeft = 2 }, "padding of 2"},
		{func(s *Spec) { s.Height, s.PadTop, s.PadBottom = 2, 0, 0 }, "smaller than the window"},
	} {
		s := spec()
		test.change(&s)
		err := s.Check()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", s, err, test.want)
		}
	}
}

func TestChainCheck(t *testing.T) {
	chain := func() Chain {
		first := spec()
		first.Group = 1
		second := first
		second.In, second.Out = first.Out, 7
		return Chain{first, second}
	}
	for _, test := range []struct {
		change func(*Chain)
		want   string
	}{
		{func(*Chain) {}, ""},
		{func(c *Chain) { c.Second.In = 20 }, "does not read what the first computes"},
		{func(c *Chain) { c.First.Residual = true }, "adds another tensor"},
		{func(c *Chain) { c.Second.Rows = 2 }, "same tiles and strips"},
		{func(c *Chain) { c.First.M = 5 }, "the first convolution: tiles of 5×5"},
	} {
		c := chain()
		test.change(&c)
		_, err := WriteChain("conv0", "conv1", c)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", c, err, test.want)
		}
	}
}

// What can be scheduled is described as it is written.
func TestParts(t *testing.T) {
	code, err := Write("conv0", spec())
	if err != nil {
		t.Fatal(err)
	}
	if want := [][]int{{4, 20, 9, 10}, {36, 3, 2, 16, 16}, {48}}; !slices.EqualFunc(code.Operands, want, slices.Equal) {
		t.Errorf("operands %v, want %v", code.Operands, want)
	}
	part := code.Parts[0]
	var bounds []int
	for _, l := range part.Gemm.Loops {
		bounds = append(bounds, l.Bound)
	}
	if want := []int{6, 3, 16, 2, 16}; !slices.Equal(bounds, want) { // 2 images of 3 tiles
		t.Errorf("the product has loops %v, want %v", bounds, want)
	}
	for _, name := range []string{part.Gemm.Name, part.Fill.Name} {
		if strings.Count(code.Statements, `nestling.op = "`+name+`"`) != 1 {
			t.Errorf("%s is not tagged once", name)
		}
	}
}
