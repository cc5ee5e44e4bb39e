package suite

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// recipe draws the programs of one family, of any size.
type recipe struct {
	family string
	weight int  // share of the programs, in percent
	large  bool // some have more work than others may have, see largeWork
	draw   func(*rand.Rand, *writer)
}

// Convolutions are 28 % of the programs, products and linear layers 35, small
// graphs 12, and what mostly moves memory 25.
var recipes = []recipe{
	{"conv", 17, true, drawConv},
	{"conv_bn", 6, true, drawNormalisedConv},
	{"conv_nhwc", 5, true, drawConvNHWC},

	{"matmul", 15, true, drawMatmul},
	{"linear", 15, true, drawLinear},
	{"batch_matmul", 5, true, drawBatchMatmul},

	{"residual", 6, true, drawResidual},
	{"mlp", 3, false, drawMLP},
	{"attention", 3, false, drawAttention},

	{"pool", 4, false, drawPool},
	{"conv_pool", 3, false, drawPooledConv},
	{"depthwise", 4, false, drawDepthwise},
	{"elementwise", 5, false, drawElementwise},
	{"softmax", 3, false, drawSoftmax},
	{"layernorm", 2, false, drawLayerNorm},
	{"reduce", 2, false, drawReduce},
	{"transpose", 2, false, drawTranspose},
}

func pickRecipe(rng *rand.Rand, from []recipe) recipe {
	total := 0
	for _, r := range from {
		total += r.weight
	}
	pick := rng.IntN(total)
	for _, r := range from {
		if pick -= r.weight; pick < 0 {
			return r
		}
	}
	panic("unreachable: pick is below the sum of the weights")
}

// Bounds with many divisors are what people's programs mostly have.
var (
	wideBounds    = []int{8, 12, 16, 24, 28, 32, 36, 40, 48, 56, 64, 72, 80, 84, 96, 112, 120, 128, 144, 160, 192, 224, 240, 256, 288, 320, 384, 448, 512}
	longBounds    = []int{640, 768, 896, 1000, 1024, 1280, 1536, 2048, 3072}
	channelBounds = []int{3, 4, 8, 12, 16, 24, 28, 32, 48, 56, 64, 96, 112, 128}
	imageBounds   = []int{4, 6, 7, 8, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64}
	batchBounds   = []int{1, 1, 2, 2, 4, 6, 7, 8, 14, 16}
	headBounds    = []int{1, 2, 3, 4, 6, 8, 12, 16}
	tokenBounds   = []int{8, 12, 16, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128}
)

// bound draws one of the usual bounds, and one time in six any number up to
// the largest of them: primes and odd numbers must be met in training too.
func bound(rng *rand.Rand, usual []int) int {
	if rng.IntN(6) == 0 {
		return 1 + rng.IntN(slices.Max(usual))
	}
	return usual[rng.IntN(len(usual))]
}

// width draws a bound of a product. One in five is long: what it takes to stream through
// matrices that no near cache holds is not to be seen in small ones.
func width(rng *rand.Rand) int {
	if rng.IntN(5) == 0 {
		return longBounds[rng.IntN(len(longBounds))]
	}
	return bound(rng, wideBounds)
}

// blockedChannels are whole vectors, on which Winograd and blocked direct
// convolutions can be learned.
func blockedChannels(rng *rand.Rand) int { return 16 * (1 + rng.IntN(8)) }

func chance(rng *rand.Rand, percent int) bool { return rng.IntN(100) < percent }

// drawLayout is NCHW, PyTorch's, more often than not.
func drawLayout(rng *rand.Rand) string {
	if chance(rng, 35) {
		return "nhwc"
	}
	return "nchw"
}

func (w *writer) maybeRelu(rng *rand.Rand, x value) value {
	if chance(rng, 40) {
		return w.relu(x)
	}
	return x
}

func drawMatmul(rng *rand.Rand, w *writer) {
	m, n, k := width(rng), width(rng), width(rng)
	a := w.input("a", m, k)
	var c value
	if chance(rng, 20) {
		c = w.productTransposed(a, w.input("b", n, k))
	} else {
		c = w.product(a, w.arg("b", []int{k, n}, chance(rng, 30)))
	}
	if chance(rng, 40) {
		c = w.addBias(c, w.weight("bias", n))
	}
	w.result(w.maybeRelu(rng, c))
}

func drawLinear(rng *rand.Rand, w *writer) {
	x := w.input("x", width(rng), width(rng))
	w.result(w.maybeRelu(rng, w.linear(x, width(rng), "")))
}

func drawBatchMatmul(rng *rand.Rand, w *writer) {
	batch := bound(rng, headBounds)
	m, n, k := bound(rng, wideBounds), bound(rng, wideBounds), bound(rng, tokenBounds)
	a := w.input("a", batch, m, k)
	if chance(rng, 40) {
		w.result(w.batchProductTransposed(a, w.input("b", batch, n, k)))
	} else {
		w.result(w.batchProduct(a, w.input("b", batch, k, n)))
	}
}

// drawConvolution draws a shape. Half are what residual networks are made of:
// 3×3, stride 1, padded to keep their size, between whole vectors of channels.
func drawConvolution(rng *rand.Rand) convolution {
	size := bound(rng, imageBounds)
	c := convolution{bound(rng, batchBounds), bound(rng, channelBounds), bound(rng, channelBounds), size, size, drawWindow(rng)}
	if chance(rng, 20) { // most images are square
		c.width = bound(rng, imageBounds)
	}
	if chance(rng, 50) {
		c.in, c.out, c.window = blockedChannels(rng), blockedChannels(rng), window{3, 1, 1, 1}
	}
	return c
}

// drawWindow is 3×3 or 1×1, and now and then larger or dilated.
func drawWindow(rng *rand.Rand) window {
	win := window{kernel: 3, stride: 1, dilation: 1}
	switch kind := rng.IntN(100); {
	case kind < 25:
		win.kernel = 1
	case kind < 33:
		win.kernel = 5
	case kind < 38:
		win.kernel = 7
	case kind < 46:
		win.dilation = 2
	}
	if chance(rng, 25) {
		win.stride = 2
	}
	if chance(rng, 60) {
		win.padding = win.dilation * (win.kernel - 1) / 2
	}
	return win
}

func drawConv(rng *rand.Rand, w *writer) {
	c := drawConvolution(rng)
	x := w.input("x", c.input("nchw")...)
	if chance(rng, 40) {
		w.result(w.maybeRelu(rng, w.biasedConv("nchw", x, c)))
		return
	}
	y := w.plainConv("nchw", x, c)
	if chance(rng, 50) {
		y = w.addBias(y, w.weight("bias", c.out))
	}
	w.result(w.maybeRelu(rng, y))
}

func drawConvNHWC(rng *rand.Rand, w *writer) {
	c := drawConvolution(rng)
	x := w.input("x", c.input("nhwc")...)
	if chance(rng, 60) {
		w.result(w.maybeRelu(rng, w.biasedConv("nhwc", x, c)))
	} else {
		w.result(w.maybeRelu(rng, w.plainConv("nhwc", x, c)))
	}
}

// drawNormalisedConv is half of a residual block: conv, bn, perhaps the input
// added, relu.
func drawNormalisedConv(rng *rand.Rand, w *writer) {
	in, out := bound(rng, channelBounds), bound(rng, channelBounds)
	if chance(rng, 50) {
		in, out = blockedChannels(rng), blockedChannels(rng)
	}
	kernel := 3
	if chance(rng, 25) {
		kernel = 1
	}
	residual := chance(rng, 50)
	if residual {
		out = in
	}
	size := bound(rng, imageBounds)
	x := w.input("x", bound(rng, batchBounds), in, size, size)
	y := w.convNormalise(x, w.normalisedConvWeights("", in, out, kernel))
	if residual {
		y = w.add(y, x)
	}
	w.result(w.relu(y))
}

// drawResidual is a residual block whose two convolutions stay within the usual
// work.
func drawResidual(rng *rand.Rand, w *writer) {
	channels := blockedChannels(rng)
	if chance(rng, 30) {
		channels = bound(rng, channelBounds)
	}
	size := bound(rng, imageBounds[2:])
	w.result(w.residualBlock(w.input("x", bound(rng, batchBounds), channels, size, size)))
}

// drawPooledConv is a convolution with a bias, perhaps relu, and pooling: how
// classifiers begin.
func drawPooledConv(rng *rand.Rand, w *writer) {
	size := bound(rng, imageBounds[:10])
	pool := convolution{height: size, width: size, window: window{kernel: 2 + rng.IntN(2), stride: 2, dilation: 1}}
	size = pool.covers(size)
	c := convolution{bound(rng, batchBounds), bound(rng, channelBounds), bound(rng, channelBounds), size, size, window{3, 1, 1, 1}}
	if chance(rng, 40) {
		c.out = blockedChannels(rng)
	}
	pool.batch, pool.in, pool.out = c.batch, c.out, c.out
	y := w.maybeRelu(rng, w.biasedConv("nchw", w.input("x", c.input("nchw")...), c))
	if chance(rng, 70) {
		w.result(w.maxPool("nchw", y, pool))
	} else {
		w.result(w.averagePool("nchw", y, pool))
	}
}

func drawDepthwise(rng *rand.Rand, w *writer) {
	c, layout := drawConvolution(rng), drawLayout(rng)
	c.out = c.in
	if c.kernel == 1 { // a mere scaling of channels
		c.kernel, c.padding = 3, 1
	}
	w.result(w.maybeRelu(rng, w.plainDepthwise(layout, w.input("x", c.input(layout)...), c)))
}

func drawPool(rng *rand.Rand, w *writer) {
	size, channels, layout := bound(rng, imageBounds), bound(rng, channelBounds), drawLayout(rng)
	win := window{kernel: 2 + rng.IntN(2), stride: 1 + rng.IntN(2), dilation: 1}
	largest := chance(rng, 60)
	if win.kernel == 3 && largest && chance(rng, 40) {
		win.padding = 1
	}
	c := convolution{bound(rng, batchBounds), channels, channels, size, size, win}
	x := w.input("x", c.input(layout)...)
	if largest {
		w.result(w.maxPool(layout, x, c))
	} else {
		w.result(w.averagePool(layout, x, c))
	}
}

// drawMLP is linear, relu, linear.
func drawMLP(rng *rand.Rand, w *writer) {
	x := w.input("x", bound(rng, wideBounds), bound(rng, wideBounds))
	hidden := w.relu(w.linear(x, bound(rng, wideBounds), "1"))
	w.result(w.linear(hidden, bound(rng, wideBounds), "2"))
}

// drawAttention has as many keys as queries, or another number of them.
func drawAttention(rng *rand.Rand, w *writer) {
	heads, size := bound(rng, headBounds), 8*(1+rng.IntN(8))
	queries := bound(rng, tokenBounds)
	keys := queries
	if chance(rng, 25) {
		keys = bound(rng, tokenBounds)
	}
	q := w.input("q", heads, queries, size)
	w.result(w.attention(q, w.input("k", heads, keys, size), w.input("v", heads, keys, size)))
}

// drawShape is that of a matrix, or half of the time of images in NCHW.
func drawShape(rng *rand.Rand) []int {
	if chance(rng, 50) {
		return []int{bound(rng, wideBounds), bound(rng, wideBounds)}
	}
	size := bound(rng, imageBounds)
	return []int{bound(rng, batchBounds), bound(rng, channelBounds), size, size}
}

// drawElementwise is a chain of element-wise operations.
func drawElementwise(rng *rand.Rand, w *writer) {
	y := w.input("x", drawShape(rng)...)
	if chance(rng, 20) { // later in the chain, e^x could overflow
		y = w.exp(y)
	}
	for i := range 1 + rng.IntN(4) {
		y = w.drawStep(rng, i, y)
	}
	w.result(y)
}

// drawStep is step i of a chain.
func (w *writer) drawStep(rng *rand.Rand, i int, x value) value {
	other := fmt.Sprintf("y%d", i)
	switch rng.IntN(7) {
	case 0:
		return w.add(x, w.input(other, x.shape...))
	case 1:
		return w.multiply(x, w.input(other, x.shape...))
	case 2:
		return w.addBias(x, w.weight(fmt.Sprintf("bias%d", i), x.shape[1]))
	case 3:
		return w.sigmoid(x)
	case 4:
		return w.gelu(x)
	case 5:
		return w.geluTanh(x)
	}
	return w.relu(x)
}

// drawSoftmax normalises the rows of a matrix, or of the scores of several heads.
func drawSoftmax(rng *rand.Rand, w *writer) {
	shape := []int{bound(rng, wideBounds), bound(rng, wideBounds)}
	if chance(rng, 40) {
		shape = append([]int{bound(rng, headBounds)}, bound(rng, tokenBounds), bound(rng, tokenBounds))
	}
	w.result(w.softmax(w.input("x", shape...)))
}

func drawLayerNorm(rng *rand.Rand, w *writer) {
	rows, columns := bound(rng, wideBounds), bound(rng, wideBounds)
	x := w.input("x", rows, columns)
	w.result(w.layerNorm(x, w.weight("gamma", columns), w.weight("beta", columns)))
}

// drawReduce sums a tensor, or takes its largest elements: a matrix along one
// dimension, images to one number per channel. It may do so of squares.
func drawReduce(rng *rand.Rand, w *writer) {
	shape := drawShape(rng)
	dimensions := []int{rng.IntN(2)}
	if len(shape) == 4 {
		dimensions = []int{2, 3}
	}
	x := w.input("x", shape...)
	if chance(rng, 50) {
		x = w.multiply(x, x)
	}
	if chance(rng, 60) {
		w.result(w.sum(x, dimensions...))
	} else {
		w.result(w.largest(x, dimensions...))
	}
}

// drawTranspose turns a matrix, or brings images into the other layout.
func drawTranspose(rng *rand.Rand, w *writer) {
	x := w.input("x", drawShape(rng)...)
	switch {
	case len(x.shape) == 2:
		w.result(w.reorder(x, 1, 0))
	case chance(rng, 50):
		w.result(w.reorder(x, 0, 2, 3, 1))
	default:
		w.result(w.reorder(x, 0, 3, 1, 2))
	}
}
