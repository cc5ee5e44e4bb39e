package suite

import (
	"fmt"
	"slices"
	"strings"

	"nestling/program"
)

// writer writes one module, operation by operation. Benchmarks and generated
// programs are both written by it, so both speak the same MLIR, and both leave
// a record of their iteration spaces by which they are kept apart.
type writer struct {
	name       string
	args       []Arg
	returned   value
	body       strings.Builder
	next       int // number of the next SSA value
	family     string  // what a generated program is
	limit      float64 // of its work, where that is above the usual one
	flops      float64
	operations []Operation
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

func newWriter(name string) *writer { return &writer{name: name} }

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
	var others []string
	for d := range shape {
		if d != dim {
			others = append(others, fmt.Sprint(d))
		}
	}
	e := w.empty(shape)
	w.record(program.Copy, 0, shape...)
	return w.line(shape, "linalg.broadcast ins(%s : %s) outs(%s : %s) dimensions = [%s]",
		v.name, v.typ(), e.name, e.typ(), strings.Join(others, ", "))
}

// matmul is init + a·b with a [m,k], b [k,n].
func (w *writer) matmul(a, b, init value) value {
	w.record(program.Matmul, 2, a.shape[0], b.shape[1], a.shape[1])
	return w.line(init.shape, "linalg.matmul %s", operands([]value{a, b}, init))
}

// matmulTransposed is init + x·weightᵀ with x [m,k], weight [n,k].
func (w *writer) matmulTransposed(x, weight, init value) value {
	w.record(program.Matmul, 2, x.shape[0], weight.shape[0], x.shape[1])
	const maps = "affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>"
	return w.line(init.shape, "linalg.matmul indexing_maps = [%s] %s", maps, operands([]value{x, weight}, init))
}

// pad surrounds height and width of an NCHW tensor with by elements of fill.
func (w *writer) pad(x value, by int, fill float64) value {
	if by == 0 {
		return x
	}
	shape := []int{x.shape[0], x.shape[1], x.shape[2] + 2*by, x.shape[3] + 2*by}
	c := w.constant(fill)
	w.record(program.Fill, 0, shape...)
	w.record(program.Copy, 0, x.shape...)
	return w.line(shape, "tensor.pad %s low[0, 0, %d, %d] high[0, 0, %d, %d] {\n"+
		"  ^bb0(%%n: index, %%c: index, %%h: index, %%w: index):\n    tensor.yield %s : f32\n  } : %s to %s",
		x.name, by, by, by, by, c, x.typ(), tensorType(shape))
}

// conv is init + the convolution of x [n,c,h,w] with weight [f,c,kh,kw].
func (w *writer) conv(x, weight, init value, stride int) value {
	o := init.shape
	w.record(program.Conv, 2, o[0], o[1], o[2], o[3], weight.shape[1], weight.shape[2], weight.shape[3])
	return w.line(o, "linalg.conv_2d_nchw_fchw {dilations = dense<1> : tensor<2xi64>, strides = dense<%d> : tensor<2xi64>} %s",
		stride, operands([]value{x, weight}, init))
}

// pool reduces the windows of x; op is linalg's name of the pooling.
func (w *writer) pool(op string, x, init value, win window) value {
	o := init.shape
	extent := w.empty([]int{win.kernel, win.kernel})
	w.record(program.Pooling, 1, o[0], o[1], o[2], o[3], win.kernel, win.kernel)
	return w.line(o, "linalg.%s {dilations = dense<1> : tensor<2xi64>, strides = dense<%d> : tensor<2xi64>} %s",
		op, win.stride, operands([]value{x, extent}, init))
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

func (w *writer) relu(x value) value {
	return w.pointwise(x.shape, []value{x}, constantStep("zero", 0), "%t0 = arith.maximumf %in0, %zero : f32")
}

func (w *writer) add(a, b value) value {
	return w.pointwise(a.shape, []value{a, b}, "%t0 = arith.addf %in0, %in1 : f32")
}

// addBias adds a vector along dimension 1.
func (w *writer) addBias(x, bias value) value {
	return w.pointwise(x.shape, []value{x, bias}, "%t0 = arith.addf %in0, %in1 : f32")
}

// sigmoid is 1 / (1 + exp(-x)).
func (w *writer) sigmoid(x value) value {
	return w.pointwise(x.shape, []value{x}, constantStep("one", 1),
		"%t0 = arith.negf %in0 : f32",
		"%t1 = math.exp %t0 : f32",
		"%t2 = arith.addf %t1, %one : f32",
		"%t3 = arith.divf %one, %t2 : f32")
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
	return w.batchNorm(w.conv(w.pad(x, kernel/2, 0), c.weight, init, 1), c)
}

// batchNorm normalises channels with known statistics. 1/sqrt(variance+ε)
// depends on the weights alone and is an operation of its own, one value per
// channel, as it is in every library.
func (w *writer) batchNorm(x value, c normalisedConv) value {
	scale := w.pointwise(c.variance.shape, []value{c.variance},
		constantStep("epsilon", Epsilon),
		"%t0 = arith.addf %in0, %epsilon : f32",
		"%t1 = math.rsqrt %t0 : f32")
	return w.pointwise(x.shape, []value{x, c.mean, scale, c.gamma, c.beta},
		"%t0 = arith.subf %in0, %in1 : f32",
		"%t1 = arith.mulf %t0, %in2 : f32",
		"%t2 = arith.mulf %t1, %in3 : f32",
		"%t3 = arith.addf %t2, %in4 : f32")
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
