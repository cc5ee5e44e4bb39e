package suite

import (
	"fmt"
	"math"
	"strings"

	"nestling/program"
)

// Layers of neural networks, written as the operations that libraries take them
// apart into.

// window is how a kernel walks over an image.
type window struct {
	kernel, stride, dilation, padding int
}

// covers is the extent of an image, before padding, that gives out positions.
func (win window) covers(out int) int {
	return (out-1)*win.stride + (win.kernel-1)*win.dilation + 1 - 2*win.padding
}

func (win window) attributes() string {
	return fmt.Sprintf("{dilations = dense<%d> : tensor<2xi64>, strides = dense<%d> : tensor<2xi64>} ", win.dilation, win.stride)
}

// convolution is one shape of a convolution or pooling; height and width are the
// output's, for it is the output's bounds that are loops.
type convolution struct {
	batch, in, out, height, width int
	window
}

func (c convolution) input(layout string) []int {
	return image(layout, c.batch, c.in, c.covers(c.height), c.covers(c.width))
}

func (c convolution) output(layout string) []int {
	return image(layout, c.batch, c.out, c.height, c.width)
}

func (c convolution) weights(layout string) []int {
	if layout == "nhwc" {
		return []int{c.kernel, c.kernel, c.in, c.out}
	}
	return []int{c.out, c.in, c.kernel, c.kernel}
}

// depthwiseWeights are one kernel per channel.
func (c convolution) depthwiseWeights(layout string) []int {
	if layout == "nhwc" {
		return []int{c.kernel, c.kernel, c.in}
	}
	return []int{c.in, c.kernel, c.kernel}
}

// layouts of images, by the order of batch, channels, height and width.
var layouts = []string{"nchw", "nhwc"}

// image is the shape of images in a layout.
func image(layout string, batch, channels, height, width int) []int {
	if layout == "nhwc" {
		return []int{batch, height, width, channels}
	}
	return []int{batch, channels, height, width}
}

// plainConv is a convolution without a bias.
func (w *writer) plainConv(layout string, x value, c convolution) value {
	weight, init := w.weight("weight", c.weights(layout)...), w.fill(0, c.output(layout)...)
	y := w.conv(layout, w.pad(layout, x, c.padding, 0), weight, init, c.window)
	return w.convolved(y, layout, c.window, x, weight)
}

// biasedConv is a convolution whose sums begin with the bias.
func (w *writer) biasedConv(layout string, x value, c convolution) value {
	weight, bias := w.weight("weight", c.weights(layout)...), w.weight("bias", c.out)
	init := w.broadcast(bias, c.output(layout), strings.Index(layout, "c"))
	y := w.conv(layout, w.pad(layout, x, c.padding, 0), weight, init, c.window)
	return w.convolved(y, layout, c.window, x, weight, bias)
}

// plainDepthwise convolves every channel with a kernel of its own.
func (w *writer) plainDepthwise(layout string, x value, c convolution) value {
	weight, init := w.weight("weight", c.depthwiseWeights(layout)...), w.fill(0, c.output(layout)...)
	y := w.depthwise(layout, w.pad(layout, x, c.padding, 0), weight, init, c.window)
	return w.convolved(y, layout, c.window, x, weight)
}

// maxPool takes the largest element of every window.
func (w *writer) maxPool(layout string, x value, c convolution) value {
	init := w.fill(-math.MaxFloat32, c.output(layout)...)
	y := w.pool("pooling_"+layout+"_max", w.pad(layout, x, c.padding, -math.MaxFloat32), init, c.window)
	return w.pooled(y, "F.max_pool2d", layout, c.window, x)
}

// averagePool is the mean of every window, without padding.
func (w *writer) averagePool(layout string, x value, c convolution) value {
	sum := w.pool("pooling_"+layout+"_sum", x, w.fill(0, c.output(layout)...), c.window)
	return w.pooled(w.scale(sum, 1/float64(c.kernel*c.kernel)), "F.avg_pool2d", layout, c.window, x)
}

// product is a·b with a [m,k], b [k,n].
func (w *writer) product(a, b value) value {
	return w.layer(w.matmul(a, b, w.fill(0, a.shape[0], b.shape[1])), "torch.matmul", nil, a, b)
}

// productTransposed is a·bᵀ with a [m,k], b [n,k].
func (w *writer) productTransposed(a, b value) value {
	return w.layer(w.matmulTransposed(a, b, w.fill(0, a.shape[0], b.shape[0])), "F.linear", nil, a, b)
}

// batchProduct is a·b with a [batch,m,k], b [batch,k,n].
func (w *writer) batchProduct(a, b value) value {
	init := w.fill(0, a.shape[0], a.shape[1], b.shape[2])
	return w.layer(w.batchMatmul(a, b, init), "torch.bmm", nil, a, b)
}

// batchProductTransposed is a·bᵀ with a [batch,m,k], b [batch,n,k].
func (w *writer) batchProductTransposed(a, b value) value {
	init := w.fill(0, a.shape[0], a.shape[1], b.shape[1])
	return w.timesTransposed(w.batchMatmulTransposed(a, b, init), a, b)
}

// linear is x·Wᵀ + b with W [out, in]; suffix tells its weights from others.
func (w *writer) linear(x value, out int, suffix string) value {
	weight, bias := w.weight("weight"+suffix, out, x.shape[1]), w.weight("bias"+suffix, out)
	y := w.matmulTransposed(x, weight, w.broadcast(bias, []int{x.shape[0], out}, 1))
	return w.layer(y, "F.linear", nil, x, weight, bias)
}

// residualBlock is relu(x + bn(conv(relu(bn(conv(x)))))) with 3×3 kernels.
func (w *writer) residualBlock(x value) value {
	channels := x.shape[1]
	var halves [2]normalisedConv
	for i := range halves {
		halves[i] = w.normalisedConvWeights(fmt.Sprint(i+1), channels, channels, 3)
	}
	y := w.relu(w.convNormalise(x, halves[0]))
	y = w.convNormalise(y, halves[1])
	return w.relu(w.add(y, x))
}

// attention is softmax(q·kᵀ/√d)·v of every head: q [heads,m,d], k and v [heads,n,d].
func (w *writer) attention(q, k, v value) value {
	factor := 1 / math.Sqrt(float64(q.shape[2]))
	scores := w.scale(w.batchProductTransposed(q, k), factor)
	// torch.nn.MultiheadAttention scales the queries, which are fewer numbers.
	queries := w.layer(scores.between("a"), "torch.mul", attributes{"other": factor}, q)
	w.timesTransposed(scores, queries, k)
	return w.batchProduct(w.softmax(scores), v)
}

// softmax normalises e^x over the last dimension.
func (w *writer) softmax(x value) value {
	last := len(x.shape) - 1
	rows := x.shape[:last]
	// What linalg.softmax is taken apart into: largest, e^(x-largest), sum, quotient.
	w.record(program.Fill, 0, rows...)
	w.record(program.Reduce, 1, x.shape...)
	w.record(program.Elementwise, 2, x.shape...)
	w.record(program.Fill, 0, rows...)
	w.record(program.Reduce, 1, x.shape...)
	w.record(program.Elementwise, 1, x.shape...)
	y := w.named("softmax", fmt.Sprintf("dimension(%d) ", last), []value{x}, w.empty(x.shape))
	return w.layer(y, "torch.softmax", attributes{"dim": -1}, x)
}

// layerNorm is (x - mean) / √(variance + ε) · γ + β of every row.
func (w *writer) layerNorm(x, gamma, beta value) value {
	rows, columns := x.shape[0], x.shape[1]
	share := constantStep("share", 1/float64(columns))
	sum := w.reduce("arith.addf", x, w.fill(0, rows), 1)
	mean := w.pointwise([]int{rows}, []value{sum}, share, "%t0 = arith.mulf %in0, %share : f32")
	centred := w.rowwise(x.shape, []value{x}, []value{mean}, nil, "%t0 = arith.subf %in0, %in1 : f32")
	squares := w.reduceSquares(centred, w.fill(0, rows))
	scale := w.pointwise([]int{rows}, []value{squares}, share, constantStep("epsilon", Epsilon),
		"%t0 = arith.mulf %in0, %share : f32", "%t1 = arith.addf %t0, %epsilon : f32", "%t2 = math.rsqrt %t1 : f32")
	y := w.rowwise(x.shape, []value{centred}, []value{scale}, []value{gamma, beta},
		"%t0 = arith.mulf %in0, %in1 : f32", "%t1 = arith.mulf %t0, %in2 : f32", "%t2 = arith.addf %t1, %in3 : f32")
	return w.layer(y, "layer_norm", attributes{"eps": Epsilon}, x, gamma, beta)
}

// sum adds up elements along dimensions.
func (w *writer) sum(x value, dimensions ...int) value {
	return w.layer(w.fold("arith.addf", 0, x, dimensions...), "torch.sum", attributes{"dim": dimensions}, x)
}

// largest takes the largest elements along dimensions.
func (w *writer) largest(x value, dimensions ...int) value {
	y := w.fold("arith.maximumf", -math.MaxFloat32, x, dimensions...)
	return w.layer(y, "torch.amax", attributes{"dim": dimensions}, x)
}

// reorder is transpose; the result is in memory in the order of its dimensions.
func (w *writer) reorder(x value, permutation ...int) value {
	y := w.transpose(x, permutation...)
	view := w.layer(y.between("view"), "torch.permute", attributes{"dims": permutation}, x)
	return w.layer(y, "torch.Tensor.contiguous", nil, view)
}

// scale multiplies by a constant.
func (w *writer) scale(x value, by float64) value {
	y := w.pointwise(x.shape, []value{x}, constantStep("factor", by), "%t0 = arith.mulf %in0, %factor : f32")
	return w.layer(y, "torch.mul", attributes{"other": by}, x)
}

func (w *writer) exp(x value) value {
	return w.layer(w.pointwise(x.shape, []value{x}, "%t0 = math.exp %in0 : f32"), "torch.exp", nil, x)
}

func (w *writer) relu(x value) value {
	y := w.pointwise(x.shape, []value{x}, constantStep("zero", 0), "%t0 = arith.maximumf %in0, %zero : f32")
	return w.layer(y, "torch.relu", nil, x)
}

func (w *writer) multiply(a, b value) value {
	return w.layer(w.pointwise(a.shape, []value{a, b}, "%t0 = arith.mulf %in0, %in1 : f32"), "torch.mul", nil, a, b)
}

func (w *writer) add(a, b value) value {
	return w.layer(w.pointwise(a.shape, []value{a, b}, "%t0 = arith.addf %in0, %in1 : f32"), "torch.add", nil, a, b)
}

// addBias adds a vector along dimension 1.
func (w *writer) addBias(x, bias value) value {
	return w.biased(w.pointwise(x.shape, []value{x, bias}, "%t0 = arith.addf %in0, %in1 : f32"), x, bias)
}

// sigmoid is 1 / (1 + exp(-x)).
func (w *writer) sigmoid(x value) value {
	y := w.pointwise(x.shape, []value{x}, constantStep("one", 1),
		"%t0 = arith.negf %in0 : f32",
		"%t1 = math.exp %t0 : f32",
		"%t2 = arith.addf %t1, %one : f32",
		"%t3 = arith.divf %one, %t2 : f32")
	return w.layer(y, "torch.sigmoid", nil, x)
}

// gelu is x/2 · (1 + erf(x/√2)).
func (w *writer) gelu(x value) value {
	y := w.pointwise(x.shape, []value{x}, constantStep("half", 0.5), constantStep("one", 1), constantStep("root", math.Sqrt2/2),
		"%t0 = arith.mulf %in0, %root : f32", "%t1 = math.erf %t0 : f32", "%t2 = arith.addf %t1, %one : f32",
		"%t3 = arith.mulf %in0, %half : f32", "%t4 = arith.mulf %t3, %t2 : f32")
	return w.layer(y, "F.gelu", nil, x)
}

// geluTanh is x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³))).
func (w *writer) geluTanh(x value) value {
	y := w.pointwise(x.shape, []value{x}, constantStep("half", 0.5), constantStep("one", 1),
		constantStep("cubic", 0.044715), constantStep("root", math.Sqrt(2/math.Pi)),
		"%t0 = arith.mulf %in0, %in0 : f32", "%t1 = arith.mulf %t0, %cubic : f32", "%t2 = arith.addf %t1, %one : f32",
		"%t3 = arith.mulf %in0, %t2 : f32", "%t4 = arith.mulf %t3, %root : f32", "%t5 = math.tanh %t4 : f32",
		"%t6 = arith.addf %t5, %one : f32", "%t7 = arith.mulf %in0, %half : f32", "%t8 = arith.mulf %t7, %t6 : f32")
	return w.layer(y, "F.gelu", attributes{"approximate": "tanh"}, x)
}

// normalisedConv holds the weights of a convolution and the batch
// normalisation after it.
type normalisedConv struct {
	weight, gamma, beta, mean, variance value
}

func (w *writer) normalisedConvWeights(suffix string, in, out, kernel int) normalisedConv {
	return normalisedConv{
		weight:   w.weight("weight"+suffix, out, in, kernel, kernel),
		gamma:    w.weight("gamma"+suffix, out),
		beta:     w.weight("beta"+suffix, out),
		mean:     w.weight("mean"+suffix, out),
		variance: w.weight("variance"+suffix, out),
	}
}

// convNormalise is batch normalisation of a convolution that keeps its size.
func (w *writer) convNormalise(x value, c normalisedConv) value {
	out, kernel := c.weight.shape[0], c.weight.shape[2]
	init := w.fill(0, x.shape[0], out, x.shape[2], x.shape[3])
	win := window{kernel: kernel, stride: 1, dilation: 1, padding: kernel / 2}
	y := w.conv("nchw", w.pad("nchw", x, win.padding, 0), c.weight, init, win)
	return w.batchNorm(w.convolved(y, "nchw", win, x, c.weight), c)
}

// batchNorm normalises channels with known statistics. 1/sqrt(variance+ε)
// depends on the weights alone and is an operation of its own, one value per
// channel, as it is in every library.
func (w *writer) batchNorm(x value, c normalisedConv) value {
	scale := w.pointwise(c.variance.shape, []value{c.variance},
		constantStep("epsilon", Epsilon),
		"%t0 = arith.addf %in0, %epsilon : f32",
		"%t1 = math.rsqrt %t0 : f32")
	y := w.pointwise(x.shape, []value{x, c.mean, scale, c.gamma, c.beta},
		"%t0 = arith.subf %in0, %in1 : f32",
		"%t1 = arith.mulf %t0, %in2 : f32",
		"%t2 = arith.mulf %t1, %in3 : f32",
		"%t3 = arith.addf %t2, %in4 : f32")
	return w.layer(y, "F.batch_norm", attributes{"eps": Epsilon}, x, c.mean, c.variance, c.gamma, c.beta)
}
