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
		all = append(all, Case{Program{Name: w.name, Module: w.module(), Family: family}, memoryBound})
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

func productCases() []member {
	var all []member
	for _, s := range [][3]int{{96, 160, 192}, {384, 320, 640}, {100, 100, 100}, {127, 113, 131}, {1, 768, 768}} {
		all = append(all, matmulCase("matmul", s), matmulCase("matmul_transposed_a", s), matmulCase("matmul_transposed_b", s))
	}
	for _, s := range [][4]int{{12, 64, 64, 96}, {32, 128, 96, 64}, {3, 31, 29, 37}} {
		m := newMember("batch_matmul", s[:]...)
		a, b := m.input("a", s[0], s[1], s[3]), m.input("b", s[0], s[3], s[2])
		all = append(all, m.returning(m.batchMatmul(a, b, m.fill(0, s[0], s[1], s[2]))))
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

func convolutionCases() []member {
	var all []member
	for _, c := range []convolution{
		{4, 24, 48, 20, 20, window{3, 1, 1, 0}}, {2, 96, 96, 40, 40, window{3, 1, 1, 0}}, {2, 13, 17, 23, 29, window{3, 1, 1, 0}},
		{4, 96, 160, 26, 26, window{1, 1, 1, 0}}, {4, 48, 80, 28, 28, window{3, 2, 1, 0}}, {2, 32, 48, 24, 24, window{3, 1, 2, 0}},
		{2, 24, 40, 32, 32, window{5, 1, 1, 0}}, {2, 3, 64, 112, 112, window{7, 2, 1, 0}},
	} {
		all = append(all, c.dense("nchw"), c.dense("nhwc"))
	}
	for _, c := range []convolution{
		{1, 32, 32, 28, 28, window{3, 1, 1, 0}}, {4, 96, 96, 112, 112, window{3, 1, 1, 0}}, {4, 64, 64, 56, 56, window{3, 2, 1, 0}}, {2, 19, 19, 37, 41, window{3, 1, 1, 0}},
	} {
		all = append(all, c.perChannel("nchw"), c.perChannel("nhwc"))
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

func (c convolution) dense(layout string) member {
	m := c.member("conv_" + layout)
	return m.returning(m.plainConv(layout, m.input("x", c.input(layout)...), c))
}

func (c convolution) perChannel(layout string) member {
	m := c.member("depthwise_" + layout)
	return m.returning(m.plainDepthwise(layout, m.input("x", c.input(layout)...), c))
}

func poolingCases() []member {
	var all []member
	for _, c := range []convolution{
		{2, 32, 32, 14, 14, window{2, 2, 1, 0}},
		{4, 64, 64, 56, 56, window{3, 2, 1, 0}},
		{16, 64, 64, 112, 112, window{2, 2, 1, 0}},
		{4, 48, 48, 54, 54, window{3, 1, 1, 0}},
		{2, 23, 23, 31, 37, window{3, 2, 1, 0}},
	} {
		for _, layout := range []string{"nchw", "nhwc"} {
			all = append(all, c.pooling("max_pool", layout), c.pooling("average_pool", layout))
		}
	}
	return all
}

// pooling takes the maximum or the mean of windows.
func (c convolution) pooling(kind, layout string) member {
	m := newMember(kind+"_"+layout, c.batch, c.in, c.height, c.width)
	m.name = fmt.Sprintf("%dx%d_%s_stride%d", c.kernel, c.kernel, m.name, c.stride)
	pool := map[string]func(*writer, string, value, convolution) value{"max_pool": (*writer).maxPool, "average_pool": (*writer).averagePool}[kind]
	return m.returning(pool(m.writer, layout, m.input("x", c.input(layout)...), c))
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
	return m.returning(m.fold(op, initial, m.input("x", shape...), dimensions...))
}

func softmaxCase(shape []int) member {
	m := newMember("softmax", shape...)
	return m.returning(m.softmax(m.input("x", shape...)))
}

func layerNormCase(shape []int) member {
	m := newMember("layer_norm", shape...)
	columns := shape[1]
	return m.returning(m.layerNorm(m.input("x", shape...), m.weight("gamma", columns), m.weight("beta", columns)))
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
	return m.returning(m.transpose(m.input("x", shape...), permutation...))
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
		all = append(all, Case{Program: Program{Name: m.name, Module: m.module(), Family: m.family}})
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
		return drawConvolutionMember(rng)
	case 3:
		c := convolution{batch: 1 + rng.IntN(3), in: size(), height: 1 + rng.IntN(20), width: size(), window: window{1 + rng.IntN(3), 1 + rng.IntN(2), 1, 0}}
		c.out = c.in
		return c.pooling([]string{"max_pool", "average_pool"}[rng.IntN(2)], layouts[rng.IntN(2)])
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

func drawConvolutionMember(rng *rand.Rand) member {
	channels := 1 + rng.IntN(24)
	c := convolution{batch: 1 + rng.IntN(3), in: channels, out: 1 + rng.IntN(40), height: 1 + rng.IntN(12), width: 1 + rng.IntN(40),
		window: window{1 + rng.IntN(3), 1 + rng.IntN(2), 1 + rng.IntN(2), 0}}
	if kind := rng.IntN(4); kind < len(layouts) {
		return c.dense(layouts[kind])
	}
	c.out = channels
	return c.perChannel(layouts[rng.IntN(2)])
}
