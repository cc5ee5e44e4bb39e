package reference

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"

	"nestling/program"
)

// builder puts programs together by hand. Loops are written "i:4 k:6r" (a
// letter, its bound, r for a reduction), indices "2i+k+1".
type builder struct{ program.Program }

func (b *builder) value(v program.Value) int {
	b.Values = append(b.Values, v)
	return len(b.Values) - 1
}

func (b *builder) argument(shape ...int) int {
	v := b.value(program.Value{Kind: program.ValueArgument, Shape: shape, Arg: len(b.Args)})
	b.Args = append(b.Args, v)
	return v
}

func (b *builder) empty(shape ...int) int {
	return b.value(program.Value{Kind: program.ValueEmpty, Shape: shape})
}

func (b *builder) splat(x float32, shape ...int) int {
	return b.value(program.Value{Kind: program.ValueConstant, Shape: shape, IsSplat: true, Splat: x})
}

func (b *builder) dense(data []float32, shape ...int) int {
	v := program.Value{Kind: program.ValueConstant, Shape: shape}
	for _, x := range data {
		v.Data = binary.LittleEndian.AppendUint32(v.Data, math.Float32bits(x))
	}
	return b.value(v)
}

func (b *builder) slice(base int, shape, offsets, strides []int) int {
	return b.value(program.Value{Kind: program.ValueSlice, Base: base, Shape: shape, Offsets: offsets, Strides: strides})
}

func (b *builder) insert(source, base int, offsets, strides []int) int {
	return b.value(program.Value{Kind: program.ValueInsert, Base: base, Source: source, Shape: b.Values[base].Shape, Offsets: offsets, Strides: strides})
}

func (b *builder) reshape(base int, shape ...int) int {
	return b.value(program.Value{Kind: program.ValueReshape, Base: base, Shape: shape})
}

type use struct {
	value   int
	indices []string
}

func at(value int, indices ...string) use { return use{value, indices} }

// op adds an operation; the last use is the init. The body's last instruction
// is yielded, or register 0 if there is none.
func (b *builder) op(name, loops string, uses []use, body ...program.Instruction) int {
	o := program.Op{Name: name, Body: body}
	var letters string
	for loop := range strings.FieldsSeq(loops) {
		letters += loop[:1]
		l := program.Loop{Iterator: program.Parallel}
		bound, reduction := strings.CutSuffix(loop[2:], "r")
		if reduction {
			l.Iterator = program.Reduction
		}
		l.Bound = number(bound)
		o.Loops = append(o.Loops, l)
	}
	for _, u := range uses {
		o.Operands = append(o.Operands, program.Operand{Value: u.value, Map: accessMap(letters, u.indices)})
	}
	o.Operands[len(uses)-1].Init = true
	if len(body) > 0 {
		o.Yield = len(uses) + len(body) - 1
	}
	o.Result = b.value(program.Value{Kind: program.ValueResult, Op: len(b.Ops), Shape: b.Values[uses[len(uses)-1].value].Shape})
	b.Ops = append(b.Ops, o)
	return o.Result
}

func accessMap(letters string, indices []string) program.AccessMap {
	m := program.AccessMap{Coefficients: [][]int{}, Offsets: []int{}}
	for _, text := range indices {
		row, offset := make([]int, len(letters)), 0
		for term := range strings.SplitSeq(text, "+") {
			loop := strings.IndexByte(letters, term[len(term)-1])
			switch {
			case loop < 0:
				offset += number(term)
			case len(term) == 1:
				row[loop]++
			default:
				row[loop] += number(term[:len(term)-1])
			}
		}
		m.Coefficients = append(m.Coefficients, row)
		m.Offsets = append(m.Offsets, offset)
	}
	return m
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return n
}

func instruction1(op string, args ...int) program.Instruction {
	return program.Instruction{Op: op, Args: args}
}

func constant1(x float64) program.Instruction { return program.Instruction{Op: "constant", Const: x} }

func (b *builder) fill(name string, x float32, shape ...int) int {
	letters := strings.Split("abcdef", "")[:len(shape)]
	loops := ""
	for d, n := range shape {
		loops += letters[d] + ":" + strconv.Itoa(n) + " "
	}
	return b.op(name, loops, []use{at(b.splat(x)), at(b.empty(shape...), letters...)})
}

func mulAdd() []program.Instruction {
	return []program.Instruction{instruction1("arith.mulf", 0, 1), instruction1("arith.addf", 2, 3)}
}

func loopText(pairs ...any) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		b.WriteString(pairs[i].(string)[:1] + ":" + strconv.Itoa(pairs[i+1].(int)) + pairs[i].(string)[1:] + " ")
	}
	return b.String()
}

func matmul(m, n, k int) *program.Program {
	b := &builder{}
	x, y := b.argument(m, k), b.argument(k, n)
	c := b.fill("fill0", 0, m, n)
	r := b.op("matmul0", loopText("i", m, "j", n, "kr", k), []use{at(x, "i", "k"), at(y, "k", "j"), at(c, "i", "j")}, mulAdd()...)
	b.Results = []int{r}
	return &b.Program
}

// convolution describes a 2-d convolution with bias on NCHW tensors.
type convolution struct {
	images, channels, height, width, filters, kernel, stride, dilation, pad int
}

func (c convolution) out() (h, w int) {
	reach := c.dilation*(c.kernel-1) + 1
	return (c.height+2*c.pad-reach)/c.stride + 1, (c.width+2*c.pad-reach)/c.stride + 1
}

// program pads as the normal form does: fill, and a copy into a slice.
func (c convolution) program() *program.Program {
	b := &builder{}
	x := b.argument(c.images, c.channels, c.height, c.width)
	w := b.argument(c.filters, c.channels, c.kernel, c.kernel)
	bias := b.argument(c.filters)
	padded := x
	if c.pad > 0 {
		padded = b.pad(x, c)
	}
	oh, ow := c.out()
	init := b.op("bias0", loopText("n", c.images, "f", c.filters, "h", oh, "w", ow),
		[]use{at(bias, "f"), at(b.empty(c.images, c.filters, oh, ow), "n", "f", "h", "w")})
	s, d := strconv.Itoa(c.stride), strconv.Itoa(c.dilation)
	r := b.op("conv0", loopText("n", c.images, "f", c.filters, "h", oh, "w", ow, "cr", c.channels, "yr", c.kernel, "xr", c.kernel),
		[]use{at(padded, "n", "c", s+"h+"+d+"y", s+"w+"+d+"x"), at(w, "f", "c", "y", "x"), at(init, "n", "f", "h", "w")}, mulAdd()...)
	b.Results = []int{r}
	return &b.Program
}

func (b *builder) pad(x int, c convolution) int {
	shape := b.Values[x].Shape
	whole := b.fill("fill0", 0, c.images, c.channels, c.height+2*c.pad, c.width+2*c.pad)
	offsets, ones := []int{0, 0, c.pad, c.pad}, []int{1, 1, 1, 1}
	inside := b.slice(whole, shape, offsets, ones)
	copied := b.op("copy0", loopText("n", c.images, "c", c.channels, "h", c.height, "w", c.width),
		[]use{at(x, "n", "c", "h", "w"), at(inside, "n", "c", "h", "w")})
	return b.insert(copied, whole, offsets, ones)
}

// naive computes the same in plain loops: values and Σ|terms|.
func (c convolution) naive(x, w, bias []float32) (values, scales []float64) {
	oh, ow := c.out()
	for n := range c.images {
		for f := range c.filters {
			for h := range oh {
				for v := range ow {
					sum, scale := c.naiveElement(x, w, n, f, h, v)
					values = append(values, sum+float64(bias[f]))
					scales = append(scales, scale+math.Abs(float64(bias[f])))
				}
			}
		}
	}
	return values, scales
}

func (c convolution) naiveElement(x, w []float32, n, f, h, v int) (sum, scale float64) {
	for ch := range c.channels {
		for i := range c.kernel {
			for j := range c.kernel {
				row, column := h*c.stride+i*c.dilation-c.pad, v*c.stride+j*c.dilation-c.pad
				if row < 0 || row >= c.height || column < 0 || column >= c.width {
					continue
				}
				term := float64(x[((n*c.channels+ch)*c.height+row)*c.width+column]) * float64(w[((f*c.channels+ch)*c.kernel+i)*c.kernel+j])
				sum += term
				scale += math.Abs(term)
			}
		}
	}
	return sum, scale
}

// softmax is exp(x-max)/Σexp(x-max) over the last dimension.
func softmax(rows, columns int) *program.Program {
	b := &builder{}
	x := b.argument(rows, columns)
	b.Results = []int{b.softmax(x, rows, columns)}
	return &b.Program
}

func (b *builder) softmax(x, rows, columns int) int {
	over := loopText("i", rows, "jr", columns)
	each := loopText("i", rows, "j", columns)
	top := b.op("max0", over, []use{at(x, "i", "j"), at(b.fill("fill0", float32(math.Inf(-1)), rows), "i")}, instruction1("arith.maximumf", 0, 1))
	e := b.op("exp0", each, []use{at(x, "i", "j"), at(top, "i"), at(b.empty(rows, columns), "i", "j")},
		instruction1("arith.subf", 0, 1), instruction1("math.exp", 3))
	sum := b.op("sum0", over, []use{at(e, "i", "j"), at(b.fill("fill1", 0, rows), "i")}, instruction1("arith.addf", 0, 1))
	return b.op("div0", each, []use{at(e, "i", "j"), at(sum, "i"), at(b.empty(rows, columns), "i", "j")}, instruction1("arith.divf", 0, 1))
}

// maxpool with a window of 3, NCHW.
func maxpool(images, channels, height, width, stride int) *program.Program {
	b := &builder{}
	x := b.argument(images, channels, height, width)
	oh, ow := (height-3)/stride+1, (width-3)/stride+1
	window := b.empty(3, 3)
	s := strconv.Itoa(stride)
	r := b.op("pool0", loopText("n", images, "c", channels, "h", oh, "w", ow, "yr", 3, "xr", 3),
		[]use{at(x, "n", "c", s+"h+y", s+"w+x"), at(window, "y", "x"), at(b.fill("fill0", float32(math.Inf(-1)), images, channels, oh, ow), "n", "c", "h", "w")},
		instruction1("arith.maximumf", 2, 0))
	b.Results = []int{r}
	return &b.Program
}

// batchNorm in inference mode with relu, eps 1e-5, NC.
func batchNorm(rows, channels int) *program.Program {
	b := &builder{}
	x, mean, variance := b.argument(rows, channels), b.argument(channels), b.argument(channels)
	gamma, beta := b.argument(channels), b.argument(channels)
	r := b.op("bn0", loopText("n", rows, "c", channels),
		[]use{at(x, "n", "c"), at(mean, "c"), at(variance, "c"), at(gamma, "c"), at(beta, "c"), at(b.empty(rows, channels), "n", "c")},
		constant1(float64(float32(1e-5))), instruction1("arith.addf", 2, 6), instruction1("math.rsqrt", 7),
		instruction1("arith.subf", 0, 1), instruction1("arith.mulf", 9, 8), instruction1("arith.mulf", 10, 3), instruction1("arith.addf", 11, 4),
		constant1(0), instruction1("arith.maximumf", 12, 13))
	b.Results = []int{r}
	return &b.Program
}
