// Package envtest builds small programs for tests, without a compiler.
package envtest

import (
	"crypto/sha256"
	"fmt"

	"nestling/program"
)

// Builder adds operations to a program one after the other. The programs have
// no module text: they can be scheduled, not compiled.
type Builder struct{ p program.Program }

// Argument adds a function argument and returns its value.
func (b *Builder) Argument(shape ...int) int {
	v := b.value(program.Value{Kind: program.ValueArgument, Shape: shape, Arg: len(b.p.Args)})
	b.p.Args = append(b.p.Args, v)
	return v
}

func (b *Builder) value(v program.Value) int {
	b.p.Values = append(b.p.Values, v)
	return len(b.p.Values) - 1
}

func (b *Builder) operand(value int, loops int, dims ...int) program.Operand {
	o := program.Operand{Value: value}
	for _, l := range dims {
		row := make([]int, loops)
		row[l] = 1
		o.Map.Coefficients = append(o.Map.Coefficients, row)
		o.Map.Offsets = append(o.Map.Offsets, 0)
	}
	return o
}

func (b *Builder) op(o program.Op) int {
	index := len(b.p.Ops)
	o.Name = fmt.Sprintf("%s%d", o.Family, index)
	init := &o.Operands[len(o.Operands)-1]
	init.Init = true
	o.Result = b.value(program.Value{Kind: program.ValueResult, Shape: b.p.Values[init.Value].Shape, Op: index})
	for _, operand := range o.Operands {
		if v := b.p.Values[operand.Value]; v.Kind == program.ValueResult {
			o.Producers = append(o.Producers, v.Op)
			b.p.Ops[v.Op].Consumers = append(b.p.Ops[v.Op].Consumers, index)
		}
	}
	b.p.Ops = append(b.p.Ops, o)
	return o.Result
}

// Fill is a new tensor of zeros.
func (b *Builder) Fill(shape ...int) int {
	zero := b.value(program.Value{Kind: program.ValueConstant, IsSplat: true})
	empty := b.value(program.Value{Kind: program.ValueEmpty, Shape: shape})
	loops := parallel(shape)
	return b.op(program.Op{
		Family: program.Fill, Kind: "linalg.fill", Loops: loops,
		Operands: []program.Operand{{Value: zero}, b.operand(empty, len(shape), indices(len(shape))...)},
	})
}

// Matmul is x [m, k] · y [k, n].
func (b *Builder) Matmul(x, y int) int {
	m, k, n := b.p.Values[x].Shape[0], b.p.Values[x].Shape[1], b.p.Values[y].Shape[1]
	init := b.Fill(m, n)
	return b.op(program.Op{
		Family: program.Matmul, Kind: "linalg.matmul",
		Loops: append(parallel([]int{m, n}), program.Loop{Bound: k, Iterator: program.Reduction}),
		Operands: []program.Operand{
			b.operand(x, 3, 0, 2), b.operand(y, 3, 2, 1), b.operand(init, 3, 0, 1),
		},
		Body: []program.Instruction{{Op: "arith.mulf", Args: []int{0, 1}}, {Op: "arith.addf", Args: []int{2, 3}}}, Yield: 4,
		Arith: program.Arithmetic{Add: 1, Mul: 1},
	})
}

// Convolution is that of images x [n, c, …] with weights w [f, c, kh, kw].
func (b *Builder) Convolution(x, w, stride int) int {
	image, window := b.p.Values[x].Shape, b.p.Values[w].Shape
	result := []int{image[0], window[0], (image[2]-window[2])/stride + 1, (image[3]-window[3])/stride + 1}
	init := b.Fill(result...)
	pixels := b.operand(x, 7, 0, 4, 2, 3)
	for d, kernel := range []int{5, 6} {
		row := pixels.Map.Coefficients[2+d]
		row[2+d], row[kernel] = stride, 1
	}
	loops := parallel(result)
	for _, bound := range window[1:] {
		loops = append(loops, program.Loop{Bound: bound, Iterator: program.Reduction})
	}
	return b.op(program.Op{
		Family: program.Conv, Kind: "linalg.conv_2d_nchw_fchw", Loops: loops,
		Operands: []program.Operand{pixels, b.operand(w, 7, 1, 4, 5, 6), b.operand(init, 7, 0, 1, 2, 3)},
		Body:     []program.Instruction{{Op: "arith.mulf", Args: []int{0, 1}}, {Op: "arith.addf", Args: []int{2, 3}}}, Yield: 4,
		Arith: program.Arithmetic{Add: 1, Mul: 1},
	})
}

// Add is x + y, element by element.
func (b *Builder) Add(x, y int) int {
	shape := b.p.Values[x].Shape
	n := len(shape)
	empty := b.value(program.Value{Kind: program.ValueEmpty, Shape: shape})
	return b.op(program.Op{
		Family: program.Elementwise, Kind: "linalg.add", Loops: parallel(shape),
		Operands: []program.Operand{
			b.operand(x, n, indices(n)...), b.operand(y, n, indices(n)...), b.operand(empty, n, indices(n)...),
		},
		Body: []program.Instruction{{Op: "arith.addf", Args: []int{0, 1}}}, Yield: 3,
		Arith: program.Arithmetic{Add: 1},
	})
}

// Program is what has been built, with the given value as its result.
func (b *Builder) Program(name string, result int) *program.Program {
	p := b.p
	p.Name = name
	p.Results = []int{result}
	p.Hash = fmt.Sprintf("%x", sha256.Sum256([]byte(name)))
	return &p
}

// Shape is the shape of a value.
func (b *Builder) Shape(value int) []int { return b.p.Values[value].Shape }

// Matmul is a program that multiplies [m, k] by [k, n].
func Matmul(m, n, k int) *program.Program {
	var b Builder
	product := b.Matmul(b.Argument(m, k), b.Argument(k, n))
	return b.Program(fmt.Sprintf("matmul_%dx%dx%d", m, n, k), product)
}

// Add is a program that adds two tensors.
func Add(shape ...int) *program.Program {
	var b Builder
	sum := b.Add(b.Argument(shape...), b.Argument(shape...))
	return b.Program(fmt.Sprintf("add_%v", shape), sum)
}

func parallel(bounds []int) []program.Loop {
	var out []program.Loop
	for _, n := range bounds {
		out = append(out, program.Loop{Bound: n, Iterator: program.Parallel})
	}
	return out
}

func indices(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
