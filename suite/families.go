package suite

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// Case is a program of one family of operations. Default schedules are judged by
// these; nothing is trained on them.
type Case struct {
	Program
	Family string // "matmul", "conv_nhwc", "softmax", …
	// MemoryBound tells that moving the arguments and the result is the work: such a
	// program is held against a plain loop that moves as much.
	MemoryBound bool
}

// Families returns programs of every family in several shapes: some fit the
// first-level caches, some the last-level cache, some neither, and some have
// bounds that are odd or prime.
func Families() []Case {
	var all []Case
	add := func(family string, memoryBound bool, w *writer) {
		w.name = family + "_" + w.name
		all = append(all, Case{Program{Name: w.name, Module: w.module()}, family, memoryBound})
	}
	for _, w := range productCases() {
		add(w.family, false, w.writer)
	}
	for _, w := range convolutionCases() {
		add(w.family, false, w.writer)
	}
	for _, w := range slices.Concat(poolingCases(), pointwiseCases(), reductionCases(), movingCases()) {
		add(w.family, true, w.writer)
	}
	return all
}

// FamilyNames lists the families, each once.
func FamilyNames() []string {
	var names []string
	for _, c := range Families() {
		if !slices.Contains(names, c.Family) {
			names = append(names, c.Family)
		}
	}
	return names
}

// member is a case under construction; the writer's name tells it from the
// others of its family.
type member struct {
	family string
	*writer
}

func newMember(family string, shape ...int) member {
	return member{family, newWriter(strings.ReplaceAll(times(shape), "×", "x"))}
}

// returning ends a member with its result.
func (m member) returning(v value) member {
	m.result(v)
	return m
}

// named writes a named operation of linalg; attributes may be "".
func (w *writer) named(op, attributes string, ins []value, out value) value {
	return w.line(out.shape, "linalg.%s %s%s", op, attributes, operands(ins, out))
}

// moved writes linalg.transpose, broadcast or reduce, whose result type is implied.
func (w *writer) moved(op string, in, out value, clause string, dimensions []int) value {
	return w.line(out.shape, "linalg.%s ins(%s : %s) outs(%s : %s) %s = [%s]", op,
		in.name, in.typ(), out.name, out.typ(), clause, integers(dimensions))
}

func integers(numbers []int) string {
	words := make([]string, len(numbers))
	for i, n := range numbers {
		words[i] = fmt.Sprint(n)
	}
	return strings.Join(words, ", ")
}

func productCases() []member {
	var all []member
	for _, s := range [][3]int{{96, 160, 192}, {384, 320, 640}, {100, 100, 100}, {127, 113, 131}, {1, 768, 768}} {
		all = append(all, matmulCase("matmul", s), matmulCase("matmul_transposed_a", s), matmulCase("matmul_transposed_b", s))
	}
	for _, s := range [][4]int{{12, 64, 64, 96}, {32, 128, 96, 64}, {3, 31, 29, 37}} {
		m := newMember("batch_matmul", s[:]...)
		a, b := m.input("a", s[0], s[1], s[3]), m.input("b", s[0], s[3], s[2])
		all = append(all, m.returning(m.named("batch_matmul", "", []value{a, b}, m.fill(0, s[0], s[1], s[2]))))
	}
	return all
}

// matmulCase is a product with s = m, n, k.
func matmulCase(family string, s [3]int) member {
	member := newMember(family, s[:]...)
	a, b := []int{s[0], s[2]}, []int{s[2], s[1]}
	first, second := "(m, k)", "(k, n)"
	switch family {
	case "matmul_transposed_a":
		a, first = []int{s[2], s[0]}, "(k, m)"
	case "matmul_transposed_b":
		b, second = []int{s[1], s[2]}, "(n, k)"
	}
	maps := fmt.Sprintf("indexing_maps = [affine_map<(m, n, k) -> %s>, affine_map<(m, n, k) -> %s>, affine_map<(m, n, k) -> (m, n)>] ", first, second)
	operands := []value{member.input("a", a...), member.input("b", b...)}
	return member.returning(member.named("matmul", maps, operands, member.fill(0, s[0], s[1])))
}

// convolution is one shape of a convolution; height and width are the output's.
type convolution struct {
	batch, in, out, height, width int
	kernel, stride, dilation      int
}

func (c convolution) covers(out int) int {
	return (out-1)*c.stride + (c.kernel-1)*c.dilation + 1
}

func (c convolution) attributes() string {
	return fmt.Sprintf("{dilations = dense<%d> : tensor<2xi64>, strides = dense<%d> : tensor<2xi64>} ", c.dilation, c.stride)
}

func convolutionCases() []member {
	var all []member
	for _, c := range []convolution{
		{4, 24, 48, 20, 20, 3, 1, 1}, {2, 96, 96, 40, 40, 3, 1, 1}, {2, 13, 17, 23, 29, 3, 1, 1},
		{4, 96, 160, 26, 26, 1, 1, 1}, {4, 48, 80, 28, 28, 3, 2, 1}, {2, 32, 48, 24, 24, 3, 1, 2},
		{2, 24, 40, 32, 32, 5, 1, 1}, {2, 3, 64, 112, 112, 7, 2, 1},
	} {
		all = append(all, c.nchw(), c.nhwc())
	}
	for _, c := range []convolution{
		{1, 32, 32, 28, 28, 3, 1, 1}, {4, 96, 96, 112, 112, 3, 1, 1}, {4, 64, 64, 56, 56, 3, 2, 1}, {2, 19, 19, 37, 41, 3, 1, 1},
	} {
		all = append(all, c.depthwise("nchw"), c.depthwise("nhwc"))
	}
	return all
}

// member is named by its kernel, its channels, its output, stride and dilation.
func (c convolution) member(family string) member {
	m := newMember(family, c.batch, c.in, c.out, c.height, c.width)
	m.name = fmt.Sprintf("%dx%d_%s", c.kernel, c.kernel, m.name)
	if c.stride > 1 {
		m.name += fmt.Sprintf("_stride%d", c.stride)
	}
	if c.dilation > 1 {
		m.name += fmt.Sprintf("_dilation%d", c.dilation)
	}
	return m
}

func (c convolution) nchw() member {
	m := c.member("conv_nchw")
	x := m.input("x", c.batch, c.in, c.covers(c.height), c.covers(c.width))
	w := m.weight("w", c.out, c.in, c.kernel, c.kernel)
	return m.returning(m.named("conv_2d_nchw_fchw", c.attributes(), []value{x, w}, m.fill(0, c.batch, c.out, c.height, c.width)))
}

func (c convolution) nhwc() member {
	m := c.member("conv_nhwc")
	x := m.input("x", c.batch, c.covers(c.height), c.covers(c.width), c.in)
	w := m.weight("w", c.kernel, c.kernel, c.in, c.out)
	return m.returning(m.named("conv_2d_nhwc_hwcf", c.attributes(), []value{x, w}, m.fill(0, c.batch, c.height, c.width, c.out)))
}

// depthwise is a convolution of every channel with a kernel of its own.
func (c convolution) depthwise(layout string) member {
	m := c.member("depthwise_" + layout)
	op, weight := "depthwise_conv_2d_nchw_chw", []int{c.in, c.kernel, c.kernel}
	if layout == "nhwc" {
		op, weight = "depthwise_conv_2d_nhwc_hwc", []int{c.kernel, c.kernel, c.in}
	}
	x := m.input("x", image(layout, c.batch, c.in, c.covers(c.height), c.covers(c.width))...)
	y := m.fill(0, image(layout, c.batch, c.in, c.height, c.width)...)
	return m.returning(m.named(op, c.attributes(), []value{x, m.weight("w", weight...)}, y))
}

// image is the shape of images in a layout, "nchw" or "nhwc".
func image(layout string, batch, channels, height, width int) []int {
	if layout == "nhwc" {
		return []int{batch, height, width, channels}
	}
	return []int{batch, channels, height, width}
}

func poolingCases() []member {
	var all []member
	for _, c := range []convolution{
		{batch: 2, in: 32, height: 14, width: 14, kernel: 2, stride: 2, dilation: 1},
		{batch: 4, in: 64, height: 56, width: 56, kernel: 3, stride: 2, dilation: 1},
		{batch: 16, in: 64, height: 112, width: 112, kernel: 2, stride: 2, dilation: 1},
		{batch: 4, in: 48, height: 54, width: 54, kernel: 3, stride: 1, dilation: 1},
		{batch: 2, in: 23, height: 31, width: 37, kernel: 3, stride: 2, dilation: 1},
	} {
		for _, layout := range []string{"nchw", "nhwc"} {
			all = append(all, c.pooling(layout, "max", -math.MaxFloat32), c.pooling(layout, "sum", 0))
		}
	}
	return all
}

// pooling takes the maximum or, with the scaling after it, the mean of windows.
func (c convolution) pooling(layout, kind string, initial float64) member {
	family := map[string]string{"max": "max_pool_", "sum": "average_pool_"}[kind] + layout
	m := newMember(family, c.batch, c.in, c.height, c.width)
	m.name = fmt.Sprintf("%dx%d_%s_stride%d", c.kernel, c.kernel, m.name, c.stride)
	x := m.input("x", image(layout, c.batch, c.in, c.covers(c.height), c.covers(c.width))...)
	window := m.empty([]int{c.kernel, c.kernel})
	y := m.fill(initial, image(layout, c.batch, c.in, c.height, c.width)...)
	y = m.named("pooling_"+layout+"_"+kind, c.attributes(), []value{x, window}, y)
	if kind == "sum" {
		y = m.pointwise(y.shape, []value{y}, constantStep("share", 1/float64(c.kernel*c.kernel)), "%t0 = arith.mulf %in0, %share : f32")
	}
	return m.returning(y)
}

// flatShapes are those of element-wise programs, from 64 KiB a tensor to 48 MiB.
var flatShapes = [][]int{{64, 256}, {512, 1024}, {3072, 4096}, {251, 509}, {1000003}}

func pointwiseCases() []member {
	var all []member
	for _, shape := range flatShapes {
		for _, op := range []string{"add", "mul"} {
			m := newMember(op, shape...)
			ins := []value{m.input("a", shape...), m.input("b", shape...)}
			all = append(all, m.returning(m.named(op, "", ins, m.empty(shape))))
		}
		for _, op := range []string{"exp", "tanh", "sqrt"} {
			m := newMember(op, shape...)
			all = append(all, m.returning(m.named(op, "", []value{m.input("x", shape...)}, m.empty(shape))))
		}
		for _, f := range []struct {
			op    string
			write func(w *writer, x value) value
		}{
			{"relu", (*writer).relu}, {"sigmoid", (*writer).sigmoid}, {"gelu", (*writer).gelu}, {"gelu_tanh", (*writer).geluTanh},
		} {
			m := newMember(f.op, shape...)
			all = append(all, m.returning(f.write(m.writer, m.input("x", shape...))))
		}
		all = append(all, chainCase(shape))
	}
	slices.SortStableFunc(all, func(a, b member) int { return strings.Compare(a.family, b.family) })
	return all
}

// chainCase is relu(a·b + a), three operations.
func chainCase(shape []int) member {
	m := newMember("chain", shape...)
	a, b := m.input("a", shape...), m.input("b", shape...)
	product := m.named("mul", "", []value{a, b}, m.empty(shape))
	return m.returning(m.relu(m.add(product, a)))
}

// gelu is x/2 · (1 + erf(x/√2)).
func (w *writer) gelu(x value) value {
	return w.pointwise(x.shape, []value{x}, constantStep("half", 0.5), constantStep("one", 1), constantStep("root", math.Sqrt2/2),
		"%t0 = arith.mulf %in0, %root : f32", "%t1 = math.erf %t0 : f32", "%t2 = arith.addf %t1, %one : f32",
		"%t3 = arith.mulf %in0, %half : f32", "%t4 = arith.mulf %t3, %t2 : f32")
}

// geluTanh is x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³))).
func (w *writer) geluTanh(x value) value {
	return w.pointwise(x.shape, []value{x}, constantStep("half", 0.5), constantStep("one", 1),
		constantStep("cubic", 0.044715), constantStep("root", math.Sqrt(2/math.Pi)),
		"%t0 = arith.mulf %in0, %in0 : f32", "%t1 = arith.mulf %t0, %cubic : f32", "%t2 = arith.addf %t1, %one : f32",
		"%t3 = arith.mulf %in0, %t2 : f32", "%t4 = arith.mulf %t3, %root : f32", "%t5 = math.tanh %t4 : f32",
		"%t6 = arith.addf %t5, %one : f32", "%t7 = arith.mulf %in0, %half : f32", "%t8 = arith.mulf %t7, %t6 : f32")
}

// rowShapes are those of programs that reduce rows.
var rowShapes = [][]int{{64, 512}, {512, 1000}, {6144, 2048}, {127, 509}, {96, 7}}

func reductionCases() []member {
	var all []member
	for _, shape := range rowShapes {
		all = append(all,
			reduceCase("sum_rows", "arith.addf", 0, shape, 1), reduceCase("max_rows", "arith.maximumf", -math.MaxFloat32, shape, 1),
			reduceCase("sum_columns", "arith.addf", 0, shape, 0), reduceCase("sum_all", "arith.addf", 0, shape, 0, 1),
			softmaxCase(shape), layerNormCase(shape))
	}
	all = append(all, reduceCase("mean_of_images", "arith.addf", 0, []int{8, 256, 14, 14}, 2, 3),
		reduceCase("mean_of_images", "arith.addf", 0, []int{32, 128, 56, 56}, 2, 3))
	slices.SortStableFunc(all, func(a, b member) int { return strings.Compare(a.family, b.family) })
	return all
}

func reduceCase(family, op string, initial float64, shape []int, dimensions ...int) member {
	m := newMember(family, shape...)
	x := m.input("x", shape...)
	var kept []int
	for d, size := range shape {
		if !slices.Contains(dimensions, d) {
			kept = append(kept, size)
		}
	}
	return m.returning(m.moved("reduce { "+op+" }", x, m.fill(initial, kept...), "dimensions", dimensions))
}

func softmaxCase(shape []int) member {
	m := newMember("softmax", shape...)
	return m.returning(m.named("softmax", "dimension(1) ", []value{m.input("x", shape...)}, m.empty(shape)))
}

// layerNormCase is (x - mean) / √(variance + ε) · γ + β of every row.
func layerNormCase(shape []int) member {
	m := newMember("layer_norm", shape...)
	rows, columns := shape[0], shape[1]
	x, gamma, beta := m.input("x", shape...), m.weight("gamma", columns), m.weight("beta", columns)
	share := constantStep("share", 1/float64(columns))
	sum := m.reduce("arith.addf", x, m.fill(0, rows), 1)
	mean := m.pointwise([]int{rows}, []value{sum}, share, "%t0 = arith.mulf %in0, %share : f32")
	centred := m.rowwise(shape, []value{x}, []value{mean}, nil, "%t0 = arith.subf %in0, %in1 : f32")
	squares := m.reduceSquares(centred, m.fill(0, rows))
	scale := m.pointwise([]int{rows}, []value{squares}, share, constantStep("epsilon", Epsilon),
		"%t0 = arith.mulf %in0, %share : f32", "%t1 = arith.addf %t0, %epsilon : f32", "%t2 = math.rsqrt %t1 : f32")
	return m.returning(m.rowwise(shape, []value{centred}, []value{scale}, []value{gamma, beta},
		"%t0 = arith.mulf %in0, %in1 : f32", "%t1 = arith.mulf %t0, %in2 : f32", "%t2 = arith.addf %t1, %in3 : f32"))
}

// rowwise is pointwise on a matrix with inputs that have one element per element,
// per row, and per column.
func (w *writer) rowwise(shape []int, full, perRow, perColumn []value, steps ...string) value {
	const loops = "d0, d1"
	var maps []string
	for index, ins := range [][]value{full, perRow, perColumn} {
		for range ins {
			maps = append(maps, affineMap(loops, []string{loops, "d0", "d1"}[index]))
		}
	}
	maps = append(maps, affineMap(loops, loops))
	return w.generic(slices.Concat(full, perRow, perColumn), w.empty(shape), maps, []string{"parallel", "parallel"}, steps)
}

// reduceSquares sums the squares of every row of x.
func (w *writer) reduceSquares(x, init value) value {
	const loops = "d0, d1"
	return w.generic([]value{x}, init, []string{affineMap(loops, loops), affineMap(loops, "d0")}, []string{"parallel", "reduction"},
		[]string{"%t0 = arith.mulf %in0, %in0 : f32", "%t1 = arith.addf %t0, %out : f32"})
}

// movingCases only move elements, or make them.
func movingCases() []member {
	var all []member
	for _, shape := range [][]int{{96, 160}, {768, 1024}, {3072, 4096}, {251, 509}} {
		all = append(all, transposeCase("transpose", shape, 1, 0))
	}
	for _, s := range [][4]int{{4, 32, 28, 28}, {8, 128, 96, 96}, {3, 13, 17, 19}} {
		all = append(all, transposeCase("nchw_to_nhwc", s[:], 0, 2, 3, 1),
			transposeCase("nhwc_to_nchw", []int{s[0], s[2], s[3], s[1]}, 0, 3, 1, 2))
	}
	for _, shape := range flatShapes[:4] {
		all = append(all, broadcastCase("broadcast_row", shape, 1), broadcastCase("broadcast_column", shape, 0))
	}
	for _, shape := range flatShapes {
		m := newMember("fill", shape...)
		all = append(all, m.returning(m.fill(1.5, shape...)))
		m = newMember("copy", shape...)
		all = append(all, m.returning(m.named("copy", "", []value{m.input("x", shape...)}, m.empty(shape))))
	}
	slices.SortStableFunc(all, func(a, b member) int { return strings.Compare(a.family, b.family) })
	return all
}

func transposeCase(family string, shape []int, permutation ...int) member {
	m := newMember(family, shape...)
	out := make([]int, len(shape))
	for i, from := range permutation {
		out[i] = shape[from]
	}
	return m.returning(m.moved("transpose", m.input("x", shape...), m.empty(out), "permutation", permutation))
}

func broadcastCase(family string, shape []int, dim int) member {
	m := newMember(family, shape...)
	return m.returning(m.broadcast(m.input("x", shape[dim]), shape, dim))
}

// DrawFamilies draws n programs of random families and random small shapes, to test
// with: odd numbers, primes and ones are as likely as any.
func DrawFamilies(rng *rand.Rand, n int) []Case {
	var all []Case
	for i := range n {
		m := drawMember(rng)
		m.name = fmt.Sprintf("%s_%s_%d", m.family, m.name, i)
		all = append(all, Case{Program: Program{Name: m.name, Module: m.module()}, Family: m.family})
	}
	return all
}

func drawMember(rng *rand.Rand) member {
	size := func() int { return 1 + rng.IntN(48) }
	matrix := []int{size(), size()}
	switch rng.IntN(9) {
	case 0:
		return matmulCase([]string{"matmul", "matmul_transposed_a", "matmul_transposed_b"}[rng.IntN(3)], [3]int{size(), size(), size()})
	case 1, 2:
		return drawConvolution(rng)
	case 3:
		c := convolution{batch: 1 + rng.IntN(3), in: size(), height: 1 + rng.IntN(20), width: size(), kernel: 1 + rng.IntN(3), stride: 1 + rng.IntN(2), dilation: 1}
		kind := rng.IntN(2)
		return c.pooling(layouts[rng.IntN(2)], []string{"max", "sum"}[kind], []float64{-math.MaxFloat32, 0}[kind])
	case 4:
		if rng.IntN(2) == 0 {
			return softmaxCase(matrix)
		}
		return layerNormCase(matrix)
	case 5:
		shape := []int{1 + rng.IntN(9), size(), size()}
		return reduceCase("sum", "arith.addf", 0, shape, [][]int{{0}, {1}, {2}, {0, 1}, {1, 2}, {0, 2}, {0, 1, 2}}[rng.IntN(7)]...)
	case 6:
		return transposeCase("transpose", []int{1 + rng.IntN(9), size(), size()}, rng.Perm(3)...)
	case 7:
		return broadcastCase("broadcast", matrix, rng.IntN(2))
	}
	write := []func(*writer, value) value{(*writer).relu, (*writer).sigmoid, (*writer).gelu, (*writer).geluTanh}[rng.IntN(4)]
	m := newMember("pointwise", matrix...)
	return m.returning(m.add(write(m.writer, m.input("x", matrix...)), m.input("y", matrix...)))
}

var layouts = []string{"nchw", "nhwc"}

func drawConvolution(rng *rand.Rand) member {
	channels := 1 + rng.IntN(24)
	c := convolution{batch: 1 + rng.IntN(3), in: channels, out: 1 + rng.IntN(40), height: 1 + rng.IntN(12), width: 1 + rng.IntN(40),
		kernel: 1 + rng.IntN(3), stride: 1 + rng.IntN(2), dilation: 1 + rng.IntN(2)}
	switch rng.IntN(4) {
	case 0:
		return c.nchw()
	case 1:
		return c.nhwc()
	}
	c.out = channels
	return c.depthwise(layouts[rng.IntN(2)])
}
