package schedule

import (
	"fmt"
	"strconv"
	"strings"

	"nestling/program"
)

// builder makes programs by hand, as data and as the module text that the data
// stands for.
type builder struct{ p program.Program }

func (b *builder) value(v program.Value) int {
	b.p.Values = append(b.p.Values, v)
	return len(b.p.Values) - 1
}

func (b *builder) argument(shape ...int) int {
	v := b.value(program.Value{Kind: program.ValueArgument, Shape: shape, Arg: len(b.p.Args)})
	b.p.Args = append(b.p.Args, v)
	return v
}

func (b *builder) empty(shape ...int) int {
	return b.value(program.Value{Kind: program.ValueEmpty, Shape: shape})
}

func (b *builder) scalar(x float32) int {
	return b.value(program.Value{Kind: program.ValueConstant, IsSplat: true, Splat: x})
}

// use is an operand, with its map in loop names: "n,c,2*h+kh".
type use struct {
	value int
	index string
}

// nest names loops with their bounds: "m=8 n=32 k=4", reductions in brackets: "[k=4]".
func (b *builder) op(name string, family program.Family, nest string, body []program.Instruction, operands ...use) int {
	o := program.Op{Name: name, Kind: "linalg.generic", Family: family, Body: body, Yield: len(operands) + len(body) - 1}
	if len(body) == 0 {
		o.Yield = 0
	}
	var names []string
	for word := range strings.FieldsSeq(nest) {
		iterator := program.Parallel
		if strings.HasPrefix(word, "[") {
			iterator = program.Reduction
		}
		loop, bound, _ := strings.Cut(strings.Trim(word, "[]"), "=")
		n, _ := strconv.Atoi(bound)
		names = append(names, loop)
		o.Loops = append(o.Loops, program.Loop{Bound: n, Iterator: iterator})
	}
	for i, u := range operands {
		o.Operands = append(o.Operands, program.Operand{Value: u.value, Map: accessMap(names, u.index), Init: i == len(operands)-1})
	}
	shape := b.p.Values[operands[len(operands)-1].value].Shape
	o.Result = b.value(program.Value{Kind: program.ValueResult, Shape: shape, Op: len(b.p.Ops)})
	b.p.Ops = append(b.p.Ops, o)
	return o.Result
}

func accessMap(loops []string, index string) program.AccessMap {
	var m program.AccessMap
	if index == "" {
		return m
	}
	for expression := range strings.SplitSeq(index, ",") {
		row, offset := make([]int, len(loops)), 0
		for term := range strings.SplitSeq(expression, "+") {
			factor, name, found := strings.Cut(term, "*")
			if !found {
				factor, name = "1", term
			}
			n, _ := strconv.Atoi(factor)
			if constant, err := strconv.Atoi(name); err == nil {
				offset = constant
				continue
			}
			for l := range loops {
				if loops[l] == name {
					row[l] = n
				}
			}
		}
		m.Coefficients = append(m.Coefficients, row)
		m.Offsets = append(m.Offsets, offset)
	}
	return m
}

// done closes the program with its results and writes its module.
func (b *builder) done(results ...int) *program.Program {
	b.p.Name = "kernel"
	b.p.Results = results
	b.p.Link()
	b.p.Module = moduleText(&b.p)
	return &b.p
}

func tensorType(v program.Value) string {
	if len(v.Shape) == 0 {
		return "f32"
	}
	return "tensor<" + join(v.Shape, "x") + "xf32>"
}

func moduleText(p *program.Program) string {
	var t strings.Builder
	var arguments, results, types []string
	for _, a := range p.Args {
		arguments = append(arguments, fmt.Sprintf("%%v%d: %s", a, tensorType(p.Values[a])))
	}
	for _, r := range p.Results {
		results = append(results, fmt.Sprintf("%%v%d", r))
		types = append(types, tensorType(p.Values[r]))
	}
	fmt.Fprintf(&t, "module {\nfunc.func @%s(%s) -> (%s) {\n", p.Name, strings.Join(arguments, ", "), strings.Join(types, ", "))
	for i, v := range p.Values {
		valueText(&t, p, i, v)
	}
	fmt.Fprintf(&t, "return %s : %s\n}\n}\n", strings.Join(results, ", "), strings.Join(types, ", "))
	return t.String()
}

func valueText(t *strings.Builder, p *program.Program, i int, v program.Value) {
	box := fmt.Sprintf("[%s] [%s] [%s]", join(v.Offsets, ", "), join(v.Shape, ", "), join(v.Strides, ", "))
	switch v.Kind {
	case program.ValueConstant:
		fmt.Fprintf(t, "%%v%d = arith.constant %e : f32\n", i, v.Splat)
	case program.ValueEmpty:
		fmt.Fprintf(t, "%%v%d = tensor.empty() : %s\n", i, tensorType(v))
	case program.ValueSlice:
		fmt.Fprintf(t, "%%v%d = tensor.extract_slice %%v%d%s : %s to %s\n", i, v.Base, box, tensorType(p.Values[v.Base]), tensorType(v))
	case program.ValueInsert:
		source := p.Values[v.Source]
		box = fmt.Sprintf("[%s] [%s] [%s]", join(v.Offsets, ", "), join(source.Shape, ", "), join(v.Strides, ", "))
		fmt.Fprintf(t, "%%v%d = tensor.insert_slice %%v%d into %%v%d%s : %s into %s\n", i, v.Source, v.Base, box, tensorType(source), tensorType(v))
	case program.ValueResult:
		operationText(t, p, i, &p.Ops[v.Op])
	}
}

func operationText(t *strings.Builder, p *program.Program, result int, o *program.Op) {
	var maps, names, types, iterators, parameters []string
	for i, operand := range o.Operands {
		maps = append(maps, mapText(operand.Map, len(o.Loops)))
		names = append(names, fmt.Sprintf("%%v%d", operand.Value))
		types = append(types, tensorType(p.Values[operand.Value]))
		parameters = append(parameters, fmt.Sprintf("%%r%d: f32", i))
	}
	for _, l := range o.Loops {
		iterators = append(iterators, strconv.Quote(string(l.Iterator)))
	}
	last := len(names) - 1
	fmt.Fprintf(t, "%%v%d = linalg.generic {indexing_maps = [%s], iterator_types = [%s]} ins(%s : %s) outs(%s : %s) attrs = {nestling.op = %q} {\n^bb0(%s):\n",
		result, strings.Join(maps, ", "), strings.Join(iterators, ", "), strings.Join(names[:last], ", "), strings.Join(types[:last], ", "),
		names[last], types[last], o.Name, strings.Join(parameters, ", "))
	for i, in := range o.Body {
		r := len(o.Operands) + i
		switch in.Op {
		case "constant":
			fmt.Fprintf(t, "%%r%d = arith.constant %e : f32\n", r, in.Const)
		default:
			fmt.Fprintf(t, "%%r%d = %s %%r%s : f32\n", r, in.Op, join(in.Args, ", %r"))
		}
	}
	fmt.Fprintf(t, "linalg.yield %%r%d : f32\n} -> %s\n", o.Yield, tensorType(p.Values[o.Result]))
}

func mapText(m program.AccessMap, loops int) string {
	var dims, rows []string
	for l := range loops {
		dims = append(dims, fmt.Sprintf("d%d", l))
	}
	for d, row := range m.Coefficients {
		terms := []string{strconv.Itoa(m.Offsets[d])}
		for l, c := range row {
			if c != 0 {
				terms = append(terms, fmt.Sprintf("d%d * %d", l, c))
			}
		}
		rows = append(rows, strings.Join(terms, " + "))
	}
	return fmt.Sprintf("affine_map<(%s) -> (%s)>", strings.Join(dims, ", "), strings.Join(rows, ", "))
}

// Bodies: multiplyAdd accumulates operand 0 × operand 1 into operand 2.
var multiplyAdd = []program.Instruction{{Op: "arith.mulf", Args: []int{0, 1}}, {Op: "arith.addf", Args: []int{2, 3}}}

func (b *builder) fill(name string, x float32, nest, index string, shape ...int) int {
	return b.op(name, program.Fill, nest, nil, use{b.scalar(x), ""}, use{b.empty(shape...), index})
}

func (b *builder) relu(name, nest, index string, input int) int {
	body := []program.Instruction{{Op: "constant"}, {Op: "arith.maximumf", Args: []int{0, 2}}}
	return b.op(name, program.Elementwise, nest, body, use{input, index}, use{b.empty(b.p.Values[input].Shape...), index})
}

func (b *builder) add(name, nest, index string, left, right int, rightIndex string) int {
	body := []program.Instruction{{Op: "arith.addf", Args: []int{0, 1}}}
	return b.op(name, program.Elementwise, nest, body, use{left, index}, use{right, rightIndex}, use{b.empty(b.p.Values[left].Shape...), index})
}

// matmulProgram is fill0 and matmul0.
func matmulProgram(m, n, k int) *program.Program {
	var b builder
	x, y := b.argument(m, k), b.argument(k, n)
	f := b.fill("fill0", 0, fmt.Sprintf("m=%d n=%d", m, n), "m,n", m, n)
	r := b.op("matmul0", program.Matmul, fmt.Sprintf("m=%d n=%d [k=%d]", m, n, k), multiplyAdd, use{x, "m,k"}, use{y, "k,n"}, use{f, "m,n"})
	return b.done(r)
}

// linearProgram is fill0, matmul0 (with a transposed weight), add0 (bias), relu0.
func linearProgram(m, n, k int) *program.Program {
	var b builder
	x, y, bias := b.argument(m, k), b.argument(n, k), b.argument(n)
	nest := fmt.Sprintf("m=%d n=%d", m, n)
	f := b.fill("fill0", 0, nest, "m,n", m, n)
	r := b.op("matmul0", program.Matmul, nest+fmt.Sprintf(" [k=%d]", k), multiplyAdd, use{x, "m,k"}, use{y, "n,k"}, use{f, "m,n"})
	r = b.add("add0", nest, "m,n", r, bias, "n")
	return b.done(b.relu("relu0", nest, "m,n", r))
}

// convProgram is a padded 3×3 convolution with bias and relu: fill0, copy0 (the
// padding), fill1, conv0, add0, relu0.
func convProgram(n, c, f, size, stride int) *program.Program {
	var b builder
	x, w, bias := b.argument(n, c, size, size), b.argument(f, c, 3, 3), b.argument(f)
	padded := size + 2
	border := b.fill("fill0", 0, fmt.Sprintf("n=%d c=%d h=%d w=%d", n, c, padded, padded), "n,c,h,w", n, c, padded, padded)
	offsets, strides := []int{0, 0, 1, 1}, []int{1, 1, 1, 1}
	inside := b.value(program.Value{Kind: program.ValueSlice, Shape: []int{n, c, size, size}, Base: border, Offsets: offsets, Strides: strides})
	copied := b.op("copy0", program.Copy, fmt.Sprintf("n=%d c=%d h=%d w=%d", n, c, size, size), nil, use{x, "n,c,h,w"}, use{inside, "n,c,h,w"})
	image := b.value(program.Value{Kind: program.ValueInsert, Shape: []int{n, c, padded, padded}, Base: border, Source: copied, Offsets: offsets, Strides: strides})
	out := (padded-3)/stride + 1
	nest := fmt.Sprintf("n=%d f=%d h=%d w=%d", n, f, out, out)
	zero := b.fill("fill1", 0, nest, "n,f,h,w", n, f, out, out)
	window := fmt.Sprintf("n,c,%d*h+kh,%d*w+kw", stride, stride)
	r := b.op("conv0", program.Conv, nest+fmt.Sprintf(" [c=%d] [kh=3] [kw=3]", c), multiplyAdd, use{image, window}, use{w, "f,c,kh,kw"}, use{zero, "n,f,h,w"})
	r = b.add("add0", nest, "n,f,h,w", r, bias, "f")
	return b.done(b.relu("relu0", nest, "n,f,h,w", r))
}

// poolProgram is a 2×2 maximum pooling of stride 2: fill0, pool0.
func poolProgram(n, c, size int) *program.Program {
	var b builder
	x := b.argument(n, c, size, size)
	nest := fmt.Sprintf("n=%d c=%d h=%d w=%d", n, c, size/2, size/2)
	f := b.fill("fill0", -3e38, nest, "n,c,h,w", n, c, size/2, size/2)
	maximum := []program.Instruction{{Op: "arith.maximumf", Args: []int{0, 2}}}
	window := b.empty(2, 2)
	r := b.op("pool0", program.Pooling, nest+" [kh=2] [kw=2]", maximum, use{x, "n,c,2*h+kh,2*w+kw"}, use{window, "kh,kw"}, use{f, "n,c,h,w"})
	return b.done(r)
}

// pooledConvProgram is poolProgram and a 1×1 convolution of what it pools: fill1, conv0.
func pooledConvProgram(c, f, size int) *program.Program {
	var b builder
	x, w := b.argument(1, c, size, size), b.argument(f, c)
	nest := fmt.Sprintf("n=1 c=%d h=%d w=%d", c, size/2, size/2)
	zero := b.fill("fill0", -3e38, nest, "n,c,h,w", 1, c, size/2, size/2)
	maximum := []program.Instruction{{Op: "arith.maximumf", Args: []int{0, 2}}}
	pooled := b.op("pool0", program.Pooling, nest+" [kh=2] [kw=2]", maximum, use{x, "n,c,2*h+kh,2*w+kw"}, use{b.empty(2, 2), "kh,kw"}, use{zero, "n,c,h,w"})
	nest = fmt.Sprintf("n=1 f=%d h=%d w=%d", f, size/2, size/2)
	start := b.fill("fill1", 0, nest, "n,f,h,w", 1, f, size/2, size/2)
	return b.done(b.op("conv0", program.Conv, nest+fmt.Sprintf(" [c=%d]", c), multiplyAdd, use{pooled, "n,c,h,w"}, use{w, "f,c"}, use{start, "n,f,h,w"}))
}

// flatProgram is relu0 over a vector.
func flatProgram(n int) *program.Program {
	var b builder
	return b.done(b.relu("relu0", fmt.Sprintf("i=%d", n), "i", b.argument(n)))
}

// filledProgram is fill0 of a matrix.
func filledProgram(rows, columns int) *program.Program {
	var b builder
	return b.done(b.fill("fill0", 0, fmt.Sprintf("i=%d j=%d", rows, columns), "i,j", rows, columns))
}

// rowsProgram is fill0, sum0 over rows, exp0 over the sums.
func rowsProgram(rows, columns int) *program.Program {
	var b builder
	x := b.argument(rows, columns)
	line := fmt.Sprintf("i=%d", rows)
	f := b.fill("fill0", 0, line, "i", rows)
	nest := fmt.Sprintf("%s [j=%d]", line, columns)
	sum := b.op("sum0", program.Reduce, nest, []program.Instruction{{Op: "arith.addf", Args: []int{1, 0}}}, use{x, "i,j"}, use{f, "i"})
	body := []program.Instruction{{Op: "math.exp", Args: []int{0}}, {Op: "arith.divf", Args: []int{3, 1}}}
	nest = fmt.Sprintf("%s j=%d", line, columns)
	return b.done(b.op("exp0", program.Elementwise, nest, body, use{x, "i,j"}, use{sum, "i"}, use{b.empty(rows, columns), "i,j"}))
}

// attentionProgram is softmax(qkᵀ)·v: fill0, matmul0, fill1, max0, exp0, fill2, sum0, div0, fill3,
// matmul1.
func attentionProgram(heads, rows, width int) *program.Program {
	var b builder
	q, k, v := b.argument(heads, rows, width), b.argument(heads, width, rows), b.argument(heads, rows, width)
	line, nest := fmt.Sprintf("h=%d i=%d", heads, rows), fmt.Sprintf("h=%d i=%d j=%d", heads, rows, rows)
	reduce := func(name, fill, op string, start float32, of int) int {
		body := []program.Instruction{{Op: op, Args: []int{1, 0}}}
		return b.op(name, program.Reduce, fmt.Sprintf("%s [j=%d]", line, rows), body, use{of, "h,i,j"}, use{b.fill(fill, start, line, "h,i", heads, rows), "h,i"})
	}
	byRow := func(name string, body []program.Instruction, of, row int) int {
		return b.op(name, program.Elementwise, nest, body, use{of, "h,i,j"}, use{row, "h,i"}, use{b.empty(heads, rows, rows), "h,i,j"})
	}
	zero := b.fill("fill0", 0, nest, "h,i,j", heads, rows, rows)
	scores := b.op("matmul0", program.Matmul, nest+fmt.Sprintf(" [k=%d]", width), multiplyAdd, use{q, "h,i,k"}, use{k, "h,k,j"}, use{zero, "h,i,j"})
	most := reduce("max0", "fill1", "arith.maximumf", -3e38, scores)
	powers := byRow("exp0", []program.Instruction{{Op: "arith.subf", Args: []int{0, 1}}, {Op: "math.exp", Args: []int{3}}}, scores, most)
	sum := reduce("sum0", "fill2", "arith.addf", 0, powers)
	weights := byRow("div0", []program.Instruction{{Op: "arith.divf", Args: []int{0, 1}}}, powers, sum)
	nest = fmt.Sprintf("h=%d i=%d k=%d", heads, rows, width)
	zero = b.fill("fill3", 0, nest, "h,i,k", heads, rows, width)
	return b.done(b.op("matmul1", program.Matmul, nest+fmt.Sprintf(" [j=%d]", rows), multiplyAdd, use{weights, "h,i,j"}, use{v, "h,j,k"}, use{zero, "h,i,k"}))
}

// chainProgram is relu0, add0 over relu0 and an argument, relu1; relu0 has a
// second use, in add1.
func chainProgram(n int) *program.Program {
	var b builder
	x, y := b.argument(n, n), b.argument(n, n)
	nest := fmt.Sprintf("i=%d j=%d", n, n)
	r0 := b.relu("relu0", nest, "i,j", x)
	a0 := b.add("add0", nest, "i,j", r0, y, "i,j")
	r1 := b.relu("relu1", nest, "i,j", a0)
	return b.done(b.add("add1", nest, "i,j", r1, r0, "i,j"))
}

// transposeProgram is generic0, x + xᵀ.
func transposeProgram(n int) *program.Program {
	var b builder
	x := b.argument(n, n)
	body := []program.Instruction{{Op: "arith.addf", Args: []int{0, 1}}}
	return b.done(b.op("generic0", program.Generic, fmt.Sprintf("i=%d j=%d", n, n), body, use{x, "i,j"}, use{x, "j,i"}, use{b.empty(n, n), "i,j"}))
}
