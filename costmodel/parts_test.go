package costmodel

import (
	"math"
	"testing"

	"nestling/env/envtest"
	"nestling/program"
)

// convolution reads images of 2×channels×height×30 with 3×3 weights of as many channels;
// twice, one after the other, if asked to.
func convolution(channels, height, stride int, again bool) *program.Program {
	var b envtest.Builder
	result := b.Convolution(b.Argument(2, channels, height, 30), b.Argument(channels, channels, 3, 3), stride)
	if again {
		result = b.Convolution(result, b.Argument(channels, channels, 3, 3), stride)
	}
	return b.Program("convolution", result)
}

// find is the nest of an operation.
func (v *view) find(t *testing.T, name string) *nest {
	t.Helper()
	op, err := v.program.OpIndex(name)
	if err != nil {
		t.Fatal(err)
	}
	return v.newNest(&v.nests[op])
}

// Along the lanes of a convolution pixels lie side by side, unless every other one is read.
func TestTilesOfConvolutions(t *testing.T) {
	for stride, gathered := range map[int]float64{1: 0, 2: 1} {
		v := newView(over(t, convolution(16, 30, stride, false), "conv1: NT\n"))
		tile := v.find(t, "conv1").tile
		if tile.lanes != 3 || tile.contiguous != 1-gathered || tile.gathered != gathered || tile.broadcast != 1 {
			t.Errorf("stride %d: %+v", stride, tile)
		}
	}
}

// The parts of a convolution by Winograd's algorithm are done for each frequency of each
// strip, by threads that share strips, or images where there are two convolutions.
func TestPartsOfWinograd(t *testing.T) {
	for text, want := range map[string]struct{ runs, pieces, speed float64 }{
		"conv1: W(4,1,1,0)\n": {36 * 7 * 2, 7 * 2, 2},
		"conv1: W(4,7,1,0)\n": {36 * 2, 2, 2},
		"conv1: W(4,7,2,0)\n": {36, 1, 1},
		"conv3: WC(2,2,0)\n":  {16 * 7 * 2, 2, 2},
	} {
		again, name := text[4] == '3', text[:5]
		v := newView(over(t, convolution(32, 30, 1, again), text))
		gemm, around := v.find(t, name+".gemm"), v.find(t, name)
		if gemm.runs != want.runs || gemm.pieces != want.pieces || gemm.speed != want.speed {
			t.Errorf("%s%g runs in %g pieces, %g times as fast as one thread", text, gemm.runs, gemm.pieces, gemm.speed)
		}
		if around.runs != 1 || around.pieces != want.pieces || around.speed != want.speed {
			t.Errorf("%saround: %g runs in %g pieces, %g times as fast as one thread", text, around.runs, around.pieces, around.speed)
		}
	}
}

// What the transformations of a convolution by Winograd's algorithm move into a cache: all
// that they transform; into one that a strip fits into, image and result; nothing into one
// that all fits into.
func TestTransformationsOfWinograd(t *testing.T) {
	v := newView(over(t, convolution(256, 30, 1, false), "conv1: W(4,1,1,0)\n"))
	n := v.find(t, "conv1")
	const strip = 36 * 7 * 256 * 4
	transformed, around := 2*2*7*float64(strip), float64(2*256*(30*30+28*28)*4)
	if got := n.around().scratch(); got != 2*strip {
		t.Errorf("a strip takes %g bytes, want %d", got, 2*strip)
	}
	for level, want := range []float64{transformed + around, around, 0} {
		if got := n.passes(level); got != want {
			t.Errorf("%g bytes come into cache %d, want %g", got, level+1, want)
		}
	}
	if got, want := n.compute()*n.speed, transformed/copyBytes; math.Abs(got-want) > 1 {
		t.Errorf("%g ns to transform, want %g", got, want)
	}
	// The products find their image in the cache, but not all weights, of 9 MiB.
	gemm := v.find(t, "conv1.gemm")
	size := gemm.room(1)
	for i, near := range []bool{true, false, true} {
		if gemm.near(gemm.op.Operands[i], size) != near {
			t.Errorf("operand %d of products: near is %v", i, !near)
		}
	}
}

// What groups operations does nothing but that: its parts read and write all for it.
func TestPartsOfGroups(t *testing.T) {
	var b envtest.Builder
	product := b.Matmul(b.Argument(96, 64), b.Argument(64, 128))
	p := b.Program("group", b.Add(product, b.Argument(96, 128)))
	v := newView(over(t, p, "elementwise2: G(0)\n"))
	around, part := v.find(t, "elementwise2.loop"), v.find(t, "matmul1")
	if e := around.estimate(); e.total() > startThreads+startNest || around.starts != 1 {
		t.Errorf("what is around the parts takes %g ns: %+v", e.total(), e)
	}
	if part.runs != 96 || part.pieces != 96 || part.speed != 2 || part.starts > 0 {
		t.Errorf("a part: %g runs in %g pieces, %g times as fast as one thread", part.runs, part.pieces, part.speed)
	}
	if sum := v.find(t, "elementwise2"); !sum.near(sum.op.Operands[0], sum.room(0)) {
		t.Error("what one part computes is not near to the next")
	}
}
