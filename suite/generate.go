package suite

import (
	"crypto/sha256"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"nestling/program"
)

// Program is one program to train or evaluate on.
type Program struct {
	Name   string // a generated program's symbol, or the path of a user's file
	Module string // MLIR text
	Family string // what a generated program is: "conv", "attention", …
}

// Split is a part of the generated programs.
type Split string

const (
	Train      Split = "train"
	Validation Split = "validation"
	Test       Split = "test"
)

// Limits on the work of a generated program. Below, a run is over before a
// clock shows it; above, unscheduled loops (about 1 GFLOP/s) keep training
// waiting.
const (
	minFlops = 20e3
	maxFlops = 30e6
	// largeFlops is the limit of a few: caches of the second level must be met, too.
	largeFlops = 300e6
	largeShare = 20 // percent of the draws, most of which are small all the same
	maxBytes = 16 << 20 // of all tensors together
)

// Generate returns n different small programs of a split: matrix products,
// linear layers, convolutions, pooling, element-wise chains and reductions.
//
// The same split and seed give the same programs, and fewer of them are a
// prefix of more. Splits are disjoint whatever the seeds, because the program's
// own text decides the split that it belongs to. No operation comes near one of
// the nine benchmarks (see NearBenchmark).
func Generate(split Split, seed uint64, n int) []Program {
	var programs []Program
	for _, w := range generate(split, seed, n) {
		programs = append(programs, Program{Name: w.name, Module: w.module(), Family: w.family})
	}
	return programs
}

func generate(split Split, seed uint64, n int) []*writer {
	rng := rand.New(rand.NewPCG(seed, 0x6e6573746c696e67))
	seen := map[[sha256.Size]byte]bool{}
	var programs []*writer
	for len(programs) < n {
		w := draw(rng)
		hash := sha256.Sum256([]byte(w.module()))
		if seen[hash] || splitOf(hash) != split || !w.trainable() {
			continue
		}
		seen[hash] = true
		w.family = w.name
		// The number keeps symbols apart; it is no part of what was hashed.
		w.name = fmt.Sprintf("%s_%s_%d", split, w.name, len(programs))
		programs = append(programs, w)
	}
	return programs
}

// splitOf deals programs to the splits eight to one to one.
func splitOf(hash [sha256.Size]byte) Split {
	switch hash[0] % 10 {
	case 0:
		return Validation
	case 1:
		return Test
	default:
		return Train
	}
}

// trainable tells whether a program is of a size to train on and far enough
// from the benchmarks.
func (w *writer) trainable() bool {
	if w.flops < minFlops || w.flops > max(w.limit, maxFlops) {
		return false
	}
	bytes := 0
	for _, a := range w.args {
		bytes += 4 * a.Elements()
	}
	for _, o := range w.operations {
		if o.Family != program.Matmul && o.Family != program.Conv && o.Family != program.Pooling {
			bytes += 4 * elements(o.Bounds)
		}
	}
	return bytes <= maxBytes && !NearBenchmark(w.operations)
}

// NearBenchmark tells whether one of the operations has the family of an
// operation of the nine benchmarks and every bound within 25 % of it, in
// whatever order the bounds come. Filling, copying and element-wise work count
// as one family.
func NearBenchmark(operations []Operation) bool {
	for _, o := range operations {
		if slices.ContainsFunc(benchmarkOperations, func(b Operation) bool { return near(o, b) }) {
			return true
		}
	}
	return false
}

var benchmarkOperations = func() []Operation {
	var all []Operation
	for _, b := range Nine() {
		all = append(all, b.Operations...)
	}
	return all
}()

func near(o, benchmark Operation) bool {
	if pointwiseAsOne(o.Family) != pointwiseAsOne(benchmark.Family) || len(o.Bounds) != len(benchmark.Bounds) {
		return false
	}
	// Sorted bounds pair up within a ratio if any order of them does.
	a, b := slices.Sorted(slices.Values(o.Bounds)), slices.Sorted(slices.Values(benchmark.Bounds))
	for i := range a {
		if 4*a[i] < 3*b[i] || 4*a[i] > 5*b[i] {
			return false
		}
	}
	return true
}

func pointwiseAsOne(f program.Family) program.Family {
	if f == program.Fill || f == program.Copy {
		return program.Elementwise
	}
	return f
}

// draw writes one random program, of any size.
func draw(rng *rand.Rand) *writer {
	shapes := []struct {
		weight int
		draw   func(*rand.Rand) *writer
	}{
		{18, drawMatmul},
		{18, drawLinear},
		{3, drawBatchMatmul},
		{12, drawConv},
		{14, drawPaddedConv},
		{5, drawNormalisedConv},
		{8, drawResidual},
		{5, drawOtherConv},
		{3, drawMLP},
		{3, drawAttention},
		{6, drawPool},
		{6, drawElementwise},
		{4, drawReduce},
		{4, drawRows},
	}
	limit := maxFlops
	if chance(rng, largeShare) {
		limit = largeFlops
	}
	total := 0
	for _, s := range shapes {
		total += s.weight
	}
	pick := rng.IntN(total)
	for _, s := range shapes {
		if pick -= s.weight; pick < 0 {
			w := s.draw(rng)
			w.limit = limit
			return w
		}
	}
	panic("unreachable: pick is below the sum of the weights")
}

// Bounds with many divisors are what people's programs mostly have.
var (
	wideBounds    = []int{8, 12, 16, 24, 28, 32, 36, 40, 48, 56, 64, 72, 80, 84, 96, 112, 120, 128, 144, 160, 192, 224, 240, 256, 288, 320, 384, 448, 512}
	longBounds    = []int{512, 640, 768, 896, 1024, 1280, 1536, 2048}
	channelBounds = []int{3, 4, 8, 12, 16, 24, 28, 32, 48, 56, 64, 96, 112, 128}
	imageBounds   = []int{4, 6, 7, 8, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64}
	batchBounds   = []int{1, 1, 2, 2, 4, 6, 7, 8, 14, 16}
)

// bound draws one of the usual bounds, and one time in six any number up to
// the largest of them: primes and odd numbers must be met in training too.
func bound(rng *rand.Rand, usual []int) int {
	if rng.IntN(6) == 0 {
		return 1 + rng.IntN(slices.Max(usual))
	}
	return usual[rng.IntN(len(usual))]
}

func chance(rng *rand.Rand, percent int) bool { return rng.IntN(100) < percent }

func drawMatmul(rng *rand.Rand) *writer {
	w := newWriter("matmul")
	m, n, k := bound(rng, wideBounds), bound(rng, wideBounds), bound(rng, wideBounds)
	if chance(rng, largeShare) {
		n, k = bound(rng, longBounds), bound(rng, longBounds)
	}
	a := w.input("a", m, k)
	b := w.arg("b", []int{k, n}, chance(rng, 30))
	c := w.matmul(a, b, w.fill(0, m, n))
	if chance(rng, 40) {
		c = w.addBias(c, w.weight("bias", n))
	}
	w.result(w.maybeRelu(rng, c))
	return w
}

func drawLinear(rng *rand.Rand) *writer {
	w := newWriter("linear")
	m, n, k := bound(rng, wideBounds), bound(rng, wideBounds), bound(rng, wideBounds)
	if chance(rng, largeShare) {
		n, k = bound(rng, longBounds), bound(rng, longBounds)
	}
	x, weight := w.input("x", m, k), w.weight("weight", n, k)
	init := w.broadcast(w.weight("bias", n), []int{m, n}, 1)
	w.result(w.maybeRelu(rng, w.matmulTransposed(x, weight, init)))
	return w
}

// window is how a kernel walks over an image. Its output has the drawn size:
// it is the output's bounds that are loops.
type window struct {
	kernel, stride, padding int
}

// covers is the extent of an image, before padding, that gives out positions.
func (win window) covers(out int) int {
	return (out-1)*win.stride + win.kernel - 2*win.padding
}

func drawConvWindow(rng *rand.Rand) window {
	win := window{kernel: 3, stride: 1}
	if chance(rng, 30) {
		win.kernel = 1
	}
	if chance(rng, 25) {
		win.stride = 2
	}
	if win.kernel == 3 && chance(rng, 60) {
		win.padding = 1
	}
	return win
}

func drawConv(rng *rand.Rand) *writer {
	w := newWriter("conv")
	win := drawConvWindow(rng)
	in, out := bound(rng, channelBounds), bound(rng, channelBounds)
	height := bound(rng, imageBounds)
	width := height // most images are square
	if chance(rng, 20) {
		width = bound(rng, imageBounds)
	}
	shape := []int{bound(rng, batchBounds), out, height, width}
	x := w.input("x", shape[0], in, win.covers(height), win.covers(width))
	weight := w.weight("weight", out, in, win.kernel, win.kernel)
	bias, biasFirst := chance(rng, 70), chance(rng, 60)
	var init value
	if bias && biasFirst {
		init = w.broadcast(w.weight("bias", out), shape, 1)
	} else {
		init = w.fill(0, shape...)
	}
	y := w.conv(w.pad(x, win.padding, 0), weight, init, win.stride)
	if bias && !biasFirst {
		y = w.addBias(y, w.weight("bias", out))
	}
	w.result(w.maybeRelu(rng, y))
	return w
}

// drawNormalisedConv is half of a residual block: conv, bn, perhaps the input
// added, relu.
func drawNormalisedConv(rng *rand.Rand) *writer {
	w := newWriter("conv_bn")
	in, out := bound(rng, channelBounds), bound(rng, channelBounds)
	residual := chance(rng, 50)
	if residual {
		out = in
	}
	size := bound(rng, imageBounds)
	x := w.input("x", bound(rng, batchBounds), in, size, size)
	y := w.convNormalise(x, w.normalisedConvWeights("", in, out, 3))
	if residual {
		y = w.add(y, x)
	}
	w.result(w.relu(y))
	return w
}

func drawPool(rng *rand.Rand) *writer {
	w := newWriter("pool")
	win := window{kernel: 2 + rng.IntN(2), stride: 1 + rng.IntN(2)}
	largest := chance(rng, 60)
	if win.kernel == 3 && largest && chance(rng, 40) {
		win.padding = 1
	}
	size := bound(rng, imageBounds)
	shape := []int{bound(rng, batchBounds), bound(rng, channelBounds), size, size}
	x := w.input("x", shape[0], shape[1], win.covers(size), win.covers(size))
	if largest {
		padded := w.pad(x, win.padding, -math.MaxFloat32)
		w.result(w.pool("pooling_nchw_max", padded, w.fill(-math.MaxFloat32, shape...), win))
		return w
	}
	sum := w.pool("pooling_nchw_sum", x, w.fill(0, shape...), win)
	w.result(w.pointwise(shape, []value{sum},
		constantStep("share", 1/float64(win.kernel*win.kernel)), "%t0 = arith.mulf %in0, %share : f32"))
	return w
}

// drawElementwise is a chain of element-wise operations on a matrix or images.
func drawElementwise(rng *rand.Rand) *writer {
	w := newWriter("elementwise")
	shape := []int{bound(rng, wideBounds), bound(rng, wideBounds)}
	if chance(rng, 50) {
		size := bound(rng, imageBounds)
		shape = []int{bound(rng, batchBounds), bound(rng, channelBounds), size, size}
	}
	x := w.input("x", shape...)
	y := x
	for i := range 1 + rng.IntN(4) {
		switch rng.IntN(7) {
		case 5:
			y = w.gelu(y)
		case 6:
			y = w.pointwise(shape, []value{y}, "%t0 = arith.mulf %in0, %in0 : f32", "%t1 = arith.negf %t0 : f32", "%t2 = math.exp %t1 : f32")
		case 0:
			y = w.add(y, w.input(fmt.Sprintf("y%d", i), shape...))
		case 1:
			y = w.pointwise(shape, []value{y, w.input(fmt.Sprintf("y%d", i), shape...)}, "%t0 = arith.mulf %in0, %in1 : f32")
		case 2:
			y = w.addBias(y, w.weight(fmt.Sprintf("bias%d", i), shape[1]))
		case 3:
			y = w.sigmoid(y)
		default:
			y = w.relu(y)
		}
	}
	w.result(y)
	return w
}

// drawReduce sums a matrix, or takes its largest elements, along one dimension,
// perhaps of squares.
func drawReduce(rng *rand.Rand) *writer {
	w := newWriter("reduce")
	shape := []int{bound(rng, wideBounds), bound(rng, wideBounds)}
	dim := rng.IntN(2)
	x := w.input("x", shape...)
	if chance(rng, 50) {
		x = w.pointwise(shape, []value{x, x}, "%t0 = arith.mulf %in0, %in1 : f32")
	}
	if chance(rng, 60) {
		w.result(w.reduce("arith.addf", x, w.fill(0, shape[1-dim]), dim))
	} else {
		w.result(w.reduce("arith.maximumf", x, w.fill(-math.MaxFloat32, shape[1-dim]), dim))
	}
	return w
}

func (w *writer) maybeRelu(rng *rand.Rand, x value) value {
	if chance(rng, 40) {
		return w.relu(x)
	}
	return x
}
