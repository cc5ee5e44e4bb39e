package suite

import (
	"math"
	"math/rand/v2"

	"nestling/program"
)

// What generated programs are made of beyond single operations, and the rarer
// operations.

// usualWindow is what most convolutions of people's programs are: the channels whole
// vectors, the window 3×3, the image padded.
func usualWindow(rng *rand.Rand) (channels int, win window) {
	return []int{16, 32, 48, 64, 96, 128}[rng.IntN(6)], window{kernel: 3, stride: 1, padding: 1}
}

// drawPaddedConv is a convolution with bias as in most networks.
func drawPaddedConv(rng *rand.Rand) *writer {
	w := newWriter("conv")
	in, win := usualWindow(rng)
	out, _ := usualWindow(rng)
	size := bound(rng, imageBounds)
	x := w.input("x", bound(rng, batchBounds), in, size, size)
	init := w.broadcast(w.weight("bias", out), []int{x.shape[0], out, size, size}, 1)
	y := w.conv(w.pad(x, win.padding, 0), w.weight("weight", out, in, 3, 3), init, 1)
	y = w.maybeRelu(rng, y)
	if size%2 == 0 && chance(rng, 10) {
		halved := window{kernel: 2, stride: 2}
		y = w.pool("pooling_nchw_max", y, w.fill(-math.MaxFloat32, x.shape[0], out, size/2, size/2), halved)
	}
	w.result(y)
	return w
}

// drawResidual is a residual block as in the networks of He et al.
func drawResidual(rng *rand.Rand) *writer {
	w := newWriter("residual")
	channels, _ := usualWindow(rng)
	size := bound(rng, imageBounds)
	x := w.input("x", bound(rng, batchBounds), channels, size, size)
	first, second := w.normalisedConvWeights("1", channels, channels, 3), w.normalisedConvWeights("2", channels, channels, 3)
	y := w.convNormalise(w.relu(w.convNormalise(x, first)), second)
	w.result(w.relu(w.add(y, x)))
	return w
}

// drawMLP is two linear layers.
func drawMLP(rng *rand.Rand) *writer {
	w := newWriter("mlp")
	rows, in, hidden, out := bound(rng, wideBounds), bound(rng, wideBounds), bound(rng, wideBounds), bound(rng, wideBounds)
	linear := func(x value, suffix string, n int) value {
		init := w.broadcast(w.weight("bias"+suffix, n), []int{x.shape[0], n}, 1)
		return w.matmulTransposed(x, w.weight("weight"+suffix, n, x.shape[1]), init)
	}
	y := w.relu(linear(w.input("x", rows, in), "1", hidden))
	w.result(linear(y, "2", out))
	return w
}

// drawAttention is one head: softmax(q·kᵀ/√d)·v.
func drawAttention(rng *rand.Rand) *writer {
	w := newWriter("attention")
	rows, width := bound(rng, wideBounds), []int{16, 32, 48, 64, 96}[rng.IntN(5)]
	q, k, v := w.input("q", rows, width), w.input("k", rows, width), w.input("v", rows, width)
	scores := w.matmulTransposed(q, k, w.fill(0, rows, rows))
	scaled := w.pointwise(scores.shape, []value{scores}, constantStep("scale", 1/math.Sqrt(float64(width))), "%t0 = arith.mulf %in0, %scale : f32")
	w.result(w.matmul(w.softmax(scaled), v, w.fill(0, rows, width)))
	return w
}

// softmax of every row.
func (w *writer) softmax(x value) value {
	w.record(program.Reduce, 2, x.shape...)
	w.record(program.Elementwise, 3, x.shape...)
	return w.named("softmax", "dimension(1) ", []value{x}, w.empty(x.shape))
}

func drawBatchMatmul(rng *rand.Rand) *writer {
	w := newWriter("batch_matmul")
	batch, m, n, k := 2+rng.IntN(15), bound(rng, channelBounds), bound(rng, channelBounds), bound(rng, channelBounds)
	a, b := w.input("a", batch, m, k), w.input("b", batch, k, n)
	init := w.fill(0, batch, m, n)
	w.record(program.Matmul, 2, batch, m, n, k)
	w.result(w.named("batch_matmul", "", []value{a, b}, init))
	return w
}

// drawOtherConv is a convolution that most networks have one of: channels last, strided,
// dilated, of 5×5 and 7×7, or of every channel by itself.
func drawOtherConv(rng *rand.Rand) *writer {
	c := convolution{
		batch: bound(rng, batchBounds), in: bound(rng, channelBounds), out: bound(rng, channelBounds),
		height: bound(rng, imageBounds), width: bound(rng, imageBounds),
		kernel: []int{1, 3, 3, 5, 7}[rng.IntN(5)], stride: 1 + rng.IntN(2), dilation: 1,
	}
	if c.kernel == 3 && chance(rng, 20) {
		c.dilation = 2
	}
	var m member
	depthwise := false
	switch rng.IntN(5) {
	case 0:
		m = c.nchw()
	case 1, 2:
		m = c.nhwc()
	default:
		c.out, depthwise = c.in, true
		m = c.depthwise(layouts[rng.IntN(2)])
	}
	bounds := []int{c.batch, c.out, c.height, c.width, c.in, c.kernel, c.kernel}
	if depthwise {
		bounds = []int{c.batch, c.in, c.height, c.width, c.kernel, c.kernel}
	}
	m.record(program.Conv, 2, bounds...)
	m.writer.name = m.family
	return m.writer
}

// drawRows is a normalisation of rows, or a transposition.
func drawRows(rng *rand.Rand) *writer {
	shape := []int{bound(rng, wideBounds), bound(rng, wideBounds)}
	var m member
	switch rng.IntN(4) {
	case 0, 1:
		m = softmaxCase(shape)
		m.record(program.Reduce, 2, shape...)
		m.record(program.Elementwise, 3, shape...)
	case 2:
		m = layerNormCase(shape)
		m.record(program.Reduce, 3, shape...)
		m.record(program.Elementwise, 4, shape...)
	default:
		m = transposeCase("transpose", shape, 1, 0)
		m.record(program.Copy, 1, shape...)
	}
	m.writer.name = m.family
	return m.writer
}
