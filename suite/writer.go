package suite

import (
	"fmt"
	"slices"
	"strings"

	"nestling/program"
)

// writer writes one module, operation by operation. Benchmarks and generated
// programs are both written by it, so both speak the same MLIR, and both leave
// a record of their iteration spaces by which they are kept apart. Layers are
// recorded as PyTorch's, too: see graph.
type writer struct {
	name       string
	args       []Arg
	returned   value
	body       strings.Builder
	next       int // number of the next SSA value
	flops      float64
	operations []Operation
	layers     map[string]Layer // by what they make
	held       map[string]Held  // by argument
	order      []int            // of the result's dimensions, see Graph
}

// value is an SSA name with its tensor shape.
type value struct {
	name  string
	shape []int
}

func (v value) typ() string { return tensorType(v.shape) }

func tensorType(shape []int) string {
	var b strings.Builder
	b.WriteString("tensor<")
	for _, d := range shape {
		fmt.Fprintf(&b, "%dx", d)
	}
	b.WriteString("f32>")
	return b.String()
}

func newWriter(name string) *writer {
	return &writer{name: name, layers: map[string]Layer{}, held: map[string]Held{}}
}

func (w *writer) input(name string, shape ...int) value  { return w.arg(name, shape, false) }
func (w *writer) weight(name string, shape ...int) value { return w.arg(name, shape, true) }

func (w *writer) arg(name string, shape []int, weight bool) value {
	w.args = append(w.args, Arg{Name: name, Shape: shape, Weight: weight})
	return value{"%" + name, shape}
}

func (w *writer) result(v value) { w.returned = v }

// line writes one line that defines a value, and returns that value.
func (w *writer) line(shape []int, format string, args ...any) value {
	v := value{fmt.Sprintf("%%v%d", w.next), shape}
	w.next++
	fmt.Fprintf(&w.body, "  %s = %s\n", v.name, fmt.Sprintf(format, args...))
	return v
}

// record notes the iteration space of the operation just written. flops is
// what one iteration costs.
func (w *writer) record(family program.Family, flops int, bounds ...int) {
	w.operations = append(w.operations, Operation{family, bounds})
	w.flops += float64(flops) * float64(elements(bounds))
}

// constantStep is a line of a body that names a constant.
func constantStep(name string, x float64) string {
	return fmt.Sprintf("%%%s = arith.constant %s : f32", name, floatLiteral(x))
}

// computed counts the steps that compute something: those that define %t….
func computed(steps []string) int {
	n := 0
	for _, s := range steps {
		if strings.HasPrefix(s, "%t") {
			n++
		}
	}
	return n
}

func (w *writer) constant(x float64) string {
	name := fmt.Sprintf("%%c%d", w.next)
	w.next++
	fmt.Fprintf(&w.body, "  %s = arith.constant %s : f32\n", name, floatLiteral(x))
	return name
}

// floatLiteral writes x as MLIR reads it: with a point, exactly as a double.
func floatLiteral(x float64) string { return fmt.Sprintf("%.9e", x) }

func (w *writer) empty(shape []int) value {
	return w.line(shape, "tensor.empty() : %s", tensorType(shape))
}

func (w *writer) fill(x float64, shape ...int) value {
	c, e := w.constant(x), w.empty(shape)
	w.record(program.Fill, 0, shape...)
	return w.line(shape, "linalg.fill ins(%s : f32) outs(%s : %s) -> %s", c, e.name, e.typ(), e.typ())
}

// broadcast spreads a vector over a tensor, along dimension dim.
func (w *writer) broadcast(v value, shape []int, dim int) value {
	var others []int
	for d := range shape {
		if d != dim {
			others = append(others, d)
		}
	}
	w.record(program.Copy, 0, shape...)
	return w.moved("broadcast", v, w.empty(shape), "dimensions", others)
}

// matmul is init + a·b with a [m,k], b [k,n].
func (w *writer) matmul(a, b, init value) value {
	w.record(program.Matmul, 2, a.shape[0], b.shape[1], a.shape[1])
	return w.named("matmul", "", []value{a, b}, init)
}

// matmulTransposed is init + x·weightᵀ with x [m,k], weight [n,k].
func (w *writer) matmulTransposed(x, weight, init value) value {
	w.record(program.Matmul, 2, x.shape[0], weight.shape[0], x.shape[1])
	const maps = "affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>"
	return w.named("matmul", "indexing_maps = ["+maps+"] ", []value{x, weight}, init)
}

// batchMatmul is init + a·b with a [batch,m,k], b [batch,k,n].
func (w *writer) batchMatmul(a, b, init value) value {
	w.record(program.Matmul, 2, a.shape[0], a.shape[1], b.shape[2], a.shape[2])
	return w.named("batch_matmul", "", []value{a, b}, init)
}

// batchMatmulTransposed is init + a·bᵀ with a [batch,m,k], b [batch,n,k].
func (w *writer) batchMatmulTransposed(a, b, init value) value {
	w.record(program.Matmul, 2, a.shape[0], a.shape[1], b.shape[1], a.shape[2])
	const maps = "affine_map<(b, m, n, k) -> (b, m, k)>, affine_map<(b, m, n, k) -> (b, n, k)>, affine_map<(b, m, n, k) -> (b, m, n)>"
	return w.named("batch_matmul", "indexing_maps = ["+maps+"] ", []value{a, b}, init)
}

// pad surrounds height and width of images with by elements of fill.
func (w *writer) pad(layout string, x value, by int, fill float64) value {
	if by == 0 {
		return x
	}
	border := image(layout, 0, 0, by, by)
	shape := slices.Clone(x.shape)
	for d := range shape {
		shape[d] += 2 * border[d]
	}
	c := w.constant(fill)
	w.record(program.Fill, 0, shape...)
	w.record(program.Copy, 0, x.shape...)
	return w.line(shape, "tensor.pad %s low[%s] high[%s] {\n"+
		"  ^bb0(%%n: index, %%c: index, %%h: index, %%w: index):\n    tensor.yield %s : f32\n  } : %s to %s",
		x.name, integers(border), integers(border), c, x.typ(), tensorType(shape))
}

// conv is init + the convolution of x with weight, both in the layout's order:
// [n,c,h,w] with [f,c,kh,kw], or [n,h,w,c] with [kh,kw,c,f].
func (w *writer) conv(layout string, x, weight, init value, win window) value {
	op, summed := "conv_2d_nchw_fchw", weight.shape[1:]
	if layout == "nhwc" {
		op, summed = "conv_2d_nhwc_hwcf", weight.shape[:3]
	}
	w.record(program.Conv, 2, slices.Concat(init.shape, summed)...)
	return w.named(op, win.attributes(), []value{x, weight}, init)
}

// depthwise is init + the convolution of every channel of x with a kernel of its
// own; weight is [c,kh,kw] or [kh,kw,c].
func (w *writer) depthwise(layout string, x, weight, init value, win window) value {
	op := map[string]string{"nchw": "depthwise_conv_2d_nchw_chw", "nhwc": "depthwise_conv_2d_nhwc_hwc"}[layout]
	w.record(program.Conv, 2, append(slices.Clone(init.shape), win.kernel, win.kernel)...)
	return w.named(op, win.attributes(), []value{x, weight}, init)
}

// pool reduces the windows of x; op is linalg's name of the pooling.
func (w *writer) pool(op string, x, init value, win window) value {
	extent := w.empty([]int{win.kernel, win.kernel})
	w.record(program.Pooling, 1, append(slices.Clone(init.shape), win.kernel, win.kernel)...)
	return w.named(op, win.attributes(), []value{x, extent}, init)
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

// transpose reorders the dimensions of x: result dimension i is x's permutation[i].
func (w *writer) transpose(x value, permutation ...int) value {
	out := make([]int, len(x.shape))
	for i, from := range permutation {
		out[i] = x.shape[from]
	}
	w.record(program.Copy, 0, out...)
	return w.moved("transpose", x, w.empty(out), "permutation", permutation)
}

// fold reduces dimensions of x, from an initial value, with one operation of arith.
func (w *writer) fold(op string, initial float64, x value, dimensions ...int) value {
	var kept []int
	for d, size := range x.shape {
		if !slices.Contains(dimensions, d) {
			kept = append(kept, size)
		}
	}
	w.record(program.Reduce, 1, x.shape...)
	return w.moved("reduce { "+op+" }", x, w.fill(initial, kept...), "dimensions", dimensions)
}

func integers(numbers []int) string {
	words := make([]string, len(numbers))
	for i, n := range numbers {
		words[i] = fmt.Sprint(n)
	}
	return strings.Join(words, ", ")
}

// operands writes "ins(…) outs(…) -> type" of a named operation.
func operands(ins []value, out value) string {
	names, types := make([]string, len(ins)), make([]string, len(ins))
	for i, v := range ins {
		names[i], types[i] = v.name, v.typ()
	}
	return fmt.Sprintf("ins(%s : %s) outs(%s : %s) -> %s",
		strings.Join(names, ", "), strings.Join(types, ", "), out.name, out.typ(), out.typ())
}

// pointwise writes a generic operation that computes every element of the
// result from one element of each input. An input of one dimension in a result
// of more is indexed by dimension 1, the channel of NCHW and the column of a
// matrix. steps are lines of the body: they use %in0, %in1, … and define
// constants by name and %t0, %t1, …, of which the last is the result.
func (w *writer) pointwise(shape []int, ins []value, steps ...string) value {
	loops := loopNames(len(shape))
	identity := strings.Join(loops, ", ")
	var maps []string
	for _, v := range ins {
		index := identity
		if len(v.shape) < len(shape) {
			index = loops[1]
		}
		maps = append(maps, affineMap(identity, index))
	}
	maps = append(maps, affineMap(identity, identity))
	w.record(program.Elementwise, computed(steps), shape...)
	return w.generic(ins, w.empty(shape), maps, slices.Repeat([]string{"parallel"}, len(shape)), steps)
}

// reduce folds dimension dim of x into init with one operation of arith.
func (w *writer) reduce(op string, x, init value, dim int) value {
	loops := loopNames(len(x.shape))
	kept := slices.Delete(slices.Clone(loops), dim, dim+1)
	all := strings.Join(loops, ", ")
	iterators := slices.Repeat([]string{"parallel"}, len(loops))
	iterators[dim] = "reduction"
	w.record(program.Reduce, 1, x.shape...)
	return w.generic([]value{x}, init, []string{affineMap(all, all), affineMap(all, strings.Join(kept, ", "))},
		iterators, []string{"%t0 = " + op + " %in0, %out : f32"})
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
	w.record(program.Elementwise, computed(steps), shape...)
	return w.generic(slices.Concat(full, perRow, perColumn), w.empty(shape), maps, []string{"parallel", "parallel"}, steps)
}

// reduceSquares sums the squares of every row of x.
func (w *writer) reduceSquares(x, init value) value {
	const loops = "d0, d1"
	w.record(program.Reduce, 2, x.shape...)
	return w.generic([]value{x}, init, []string{affineMap(loops, loops), affineMap(loops, "d0")}, []string{"parallel", "reduction"},
		[]string{"%t0 = arith.mulf %in0, %in0 : f32", "%t1 = arith.addf %t0, %out : f32"})
}

func (w *writer) generic(ins []value, out value, maps, iterators, steps []string) value {
	var block []string
	for i := range ins {
		block = append(block, fmt.Sprintf("%%in%d: f32", i))
	}
	block = append(block, "%out: f32")
	return w.line(out.shape, "linalg.generic {indexing_maps = [%s], iterator_types = [%s]} %s",
		strings.Join(maps, ", "), quoted(iterators), w.region(ins, out, block, steps))
}

func (w *writer) region(ins []value, out value, block, steps []string) string {
	head, result, _ := strings.Cut(operands(ins, out), " -> ")
	return fmt.Sprintf("%s {\n  ^bb0(%s):\n    %s\n    linalg.yield %%t%d : f32\n  } -> %s",
		head, strings.Join(block, ", "), strings.Join(steps, "\n    "), computed(steps)-1, result)
}

// module returns the text of the function written so far.
func (w *writer) module() string {
	var args []string
	for _, a := range w.args {
		mark := ""
		if a.Weight {
			mark = " {nestling.weight}"
		}
		args = append(args, fmt.Sprintf("%%%s: %s%s", a.Name, tensorType(a.Shape), mark))
	}
	t := w.returned.typ()
	return fmt.Sprintf("func.func @%s(%s) -> %s {\n%s  return %s : %s\n}\n",
		w.name, strings.Join(args, ", "), t, w.body.String(), w.returned.name, t)
}

func (w *writer) benchmark(kind Kind, description string) Benchmark {
	return Benchmark{
		Name: w.name, Description: description, Kind: kind, Module: w.module(),
		Args: w.args, Result: w.returned.shape, Flops: w.flops, Operations: w.operations,
	}
}

func loopNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("d%d", i)
	}
	return names
}

func affineMap(loops, index string) string {
	return fmt.Sprintf("affine_map<(%s) -> (%s)>", loops, index)
}

func quoted(words []string) string {
	return `"` + strings.Join(words, `", "`) + `"`
}
