package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"nestling/blas"
	"nestling/nn/vector"
)

// Linear computes x·wᵀ + bias for x [..., in], w [out, in] and bias [out] (or nil).
func (t *Tape) Linear(x, w, bias *Tensor) *Tensor {
	rows, in, out := x.Rows(), x.Columns(), w.Shape[0]
	if w.Columns() != in {
		panic(fmt.Sprintf("nn: Linear of %v with a weight of %v", x.Shape, w.Shape))
	}
	y := t.output(withColumns(x.Shape, out), x, w)
	clear(y.Data)
	if bias != nil {
		vector.AddRows(rows, bias.Data, y.Data)
	}
	blas.Gemm(false, true, rows, out, in, 1, x.Data, in, w.Data, in, 1, y.Data, out)
	return t.record(y, func() {
		if w.Grad != nil {
			blas.Gemm(true, false, out, in, rows, 1, y.Grad, out, x.Data, in, 1, w.Grad, in)
		}
		if bias != nil && bias.Grad != nil {
			vector.SumRows(rows, y.Grad, bias.Grad)
		}
		if x.Grad != nil {
			blas.Gemm(false, false, rows, in, out, 1, y.Grad, out, w.Data, in, 1, x.Grad, in)
		}
	})
}

func withColumns(shape []int, columns int) []int {
	out := slices.Clone(shape)
	out[len(out)-1] = columns
	return out
}

func sameShape(op string, a, b *Tensor) {
	if !slices.Equal(a.Shape, b.Shape) {
		panic(fmt.Sprintf("nn: %s of %v and %v", op, a.Shape, b.Shape))
	}
}

// Add computes a + b, element by element.
func (t *Tape) Add(a, b *Tensor) *Tensor {
	sameShape("Add", a, b)
	y := t.output(a.Shape, a, b)
	vector.Add(a.Data, b.Data, y.Data)
	return t.record(y, func() {
		for _, x := range []*Tensor{a, b} {
			if x.Grad != nil {
				vector.Axpy(1, y.Grad, x.Grad)
			}
		}
	})
}

// Mul computes a·b, element by element.
func (t *Tape) Mul(a, b *Tensor) *Tensor {
	sameShape("Mul", a, b)
	y := t.output(a.Shape, a, b)
	vector.Mul(a.Data, b.Data, y.Data)
	return t.record(y, func() {
		if a.Grad != nil {
			vector.MulAdd(y.Grad, b.Data, a.Grad)
		}
		if b.Grad != nil {
			vector.MulAdd(y.Grad, a.Data, b.Grad)
		}
	})
}

// Dropout lets a share of the elements, which rng draws, drop out, and makes up for them by the
// others (Srivastava et al. 2014).
func (t *Tape) Dropout(x *Tensor, share float64, rng *rand.Rand) *Tensor {
	stays := t.Zeros(x.Shape...)
	bits, limit := uint64(0), uint64(share*(1<<16))
	for i := range stays.Data {
		if i%4 == 0 {
			bits = rng.Uint64() // for four
		}
		if bits&(1<<16-1) >= limit {
			stays.Data[i] = float32(1 / (1 - share))
		}
		bits >>= 16
	}
	return t.Mul(x, stays)
}

// Scale computes factor·x.
func (t *Tape) Scale(x *Tensor, factor float32) *Tensor {
	y := t.output(x.Shape, x)
	clear(y.Data)
	vector.Axpy(factor, x.Data, y.Data)
	return t.record(y, func() { vector.Axpy(factor, y.Grad, x.Grad) })
}

// Mean is the mean of all elements, [1].
func (t *Tape) Mean(x *Tensor) *Tensor {
	y := t.output([]int{1}, x)
	sum := 0.0
	for _, v := range x.Data {
		sum += float64(v)
	}
	n := float64(len(x.Data))
	y.Data[0] = float32(sum / n)
	return t.record(y, func() {
		g := y.Grad[0] / float32(n)
		for i := range x.Grad {
			x.Grad[i] += g
		}
	})
}

// activation applies an element-wise function whose gradient needs its result.
func (t *Tape) activation(x *Tensor, forward func(x, y []float32), backward func(y, dy, dx []float32)) *Tensor {
	y := t.output(x.Shape, x)
	forward(x.Data, y.Data)
	return t.record(y, func() { backward(y.Data, y.Grad, x.Grad) })
}

// ReLU computes max(x, 0).
func (t *Tape) ReLU(x *Tensor) *Tensor { return t.activation(x, vector.ReLU, vector.ReLUBackward) }

// ELU computes x where x > 0, else e^x - 1.
func (t *Tape) ELU(x *Tensor) *Tensor { return t.activation(x, vector.ELU, vector.ELUBackward) }

// Tanh computes the hyperbolic tangent.
func (t *Tape) Tanh(x *Tensor) *Tensor { return t.activation(x, vector.Tanh, vector.TanhBackward) }

// Sigmoid computes 1/(1+e^-x).
func (t *Tape) Sigmoid(x *Tensor) *Tensor {
	return t.activation(x, vector.Sigmoid, vector.SigmoidBackward)
}

// GELU computes x·Φ(x), the form with the error function.
func (t *Tape) GELU(x *Tensor) *Tensor {
	y := t.output(x.Shape, x)
	vector.GELU(x.Data, y.Data)
	return t.record(y, func() { vector.GELUBackward(x.Data, y.Grad, x.Grad) })
}

// Concat joins tensors along the last dimension; the others must agree.
func (t *Tape) Concat(parts ...*Tensor) *Tensor {
	rows, columns := parts[0].Rows(), 0
	for _, p := range parts {
		if p.Rows() != rows {
			panic(fmt.Sprintf("nn: Concat of %v and %v", parts[0].Shape, p.Shape))
		}
		columns += p.Columns()
	}
	y := t.output(withColumns(parts[0].Shape, columns), parts...)
	at := 0
	for _, p := range parts {
		for r := range rows {
			copy(y.Data[r*columns+at:], row(p.Data, r, p.Columns()))
		}
		at += p.Columns()
	}
	return t.record(y, func() {
		at := 0
		for _, p := range parts {
			n := p.Columns()
			for r := range rows {
				if p.Grad != nil {
					vector.Axpy(1, y.Grad[r*columns+at:][:n], row(p.Grad, r, n))
				}
			}
			at += n
		}
	})
}

// Slice is columns from … to-1 of x [..., columns].
func (t *Tape) Slice(x *Tensor, from, to int) *Tensor {
	rows, columns, n := x.Rows(), x.Columns(), to-from
	y := t.output(withColumns(x.Shape, n), x)
	for r := range rows {
		copy(row(y.Data, r, n), row(x.Data, r, columns)[from:to])
	}
	return t.record(y, func() {
		for r := range rows {
			vector.Axpy(1, row(y.Grad, r, n), row(x.Grad, r, columns)[from:to])
		}
	})
}

// Gather picks rows of x [rows, columns]: an embedding when x is a table. The
// result is [len(index), columns].
func (t *Tape) Gather(x *Tensor, index []int) *Tensor {
	n := x.Columns()
	y := t.output([]int{len(index), n}, x)
	for i, r := range index {
		copy(row(y.Data, i, n), row(x.Data, r, n))
	}
	return t.record(y, func() {
		for i, r := range index {
			vector.Axpy(1, row(y.Grad, i, n), row(x.Grad, r, n))
		}
	})
}

// SumRows adds up the rows of x [rows, columns], the first counts[0] of them, then the next
// counts[1], and so on. The result is [len(counts), columns].
func (t *Tape) SumRows(x *Tensor, counts []int) *Tensor {
	n := x.Columns()
	y := t.output([]int{len(counts), n}, x)
	clear(y.Data)
	each := func(visit func(sum, r int)) {
		r := 0
		for sum, count := range counts {
			for range count {
				visit(sum, r)
				r++
			}
		}
	}
	each(func(sum, r int) { vector.Axpy(1, row(x.Data, r, n), row(y.Data, sum, n)) })
	return t.record(y, func() {
		each(func(sum, r int) { vector.Axpy(1, row(y.Grad, sum, n), row(x.Grad, r, n)) })
	})
}

// LogSumExpRows is the logarithm of the sum of the exponentials of the rows of x [rows, 1]: of
// the first counts[0] of them, then of the next counts[1], and so on, of none -Inf. The result
// is [len(counts), 1].
func (t *Tape) LogSumExpRows(x *Tensor, counts []int) *Tensor {
	y := t.output([]int{len(counts), 1}, x)
	each := func(visit func(sum int, from, to int)) {
		r := 0
		for sum, count := range counts {
			visit(sum, r, r+count)
			r += count
		}
	}
	each(func(sum, from, to int) { y.Data[sum] = float32(newCategorical(x.Data[from:to]).logSum) })
	return t.record(y, func() {
		each(func(sum, from, to int) {
			for r := from; r < to; r++ {
				x.Grad[r] += y.Grad[sum] * float32(math.Exp(float64(x.Data[r]-y.Data[sum])))
			}
		})
	})
}

func row(x []float32, r, n int) []float32 { return x[r*n : (r+1)*n] }

// Reshape gives the same elements another shape.
func (t *Tape) Reshape(x *Tensor, shape ...int) *Tensor {
	if product(shape) != len(x.Data) {
		panic(fmt.Sprintf("nn: Reshape of %v to %v", x.Shape, shape))
	}
	return &Tensor{Shape: shape, Data: x.Data, Grad: x.Grad}
}

// LayerNorm normalises the last dimension of x to mean 0 and variance 1, then
// scales by gain and adds bias, both [columns].
func (t *Tape) LayerNorm(x, gain, bias *Tensor, epsilon float32) *Tensor {
	rows := x.Rows()
	y := t.output(x.Shape, x, gain, bias)
	norm, inverse := t.arena.alloc(len(x.Data)), t.arena.alloc(rows)
	vector.LayerNorm(rows, epsilon, x.Data, gain.Data, bias.Data, norm, inverse, y.Data)
	return t.record(y, func() {
		n := x.Columns()
		vector.LayerNormBackward(rows, norm, inverse, gain.Data, y.Grad, t.arena.alloc(n),
			t.gradient(x), t.gradient(gain), t.gradient(bias))
	})
}

// gradient is where x's gradient goes: a place of no interest if x has none.
func (t *Tape) gradient(x *Tensor) []float32 {
	if x.Grad == nil {
		return t.arena.zeros(len(x.Data))
	}
	return x.Grad
}

// Softmax normalises e^x over the last dimension.
func (t *Tape) Softmax(x *Tensor) *Tensor {
	rows, n := x.Rows(), x.Columns()
	y := t.output(x.Shape, x)
	vector.Softmax(rows, n, 1, x.Data, nil, y.Data)
	return t.record(y, func() { vector.SoftmaxBackward(rows, n, 1, y.Data, y.Grad, x.Grad) })
}

// DepthwiseConv convolves each channel of x [batch, channels, height, width] with
// its own filter [channels, 1, kernel, kernel], kernel odd, stride 1, "same"
// zeros around, and adds bias [channels].
func (t *Tape) DepthwiseConv(x, filter, bias *Tensor) *Tensor {
	if len(x.Shape) != 4 || filter.Shape[0] != x.Shape[1] || filter.Columns()%2 == 0 {
		panic(fmt.Sprintf("nn: DepthwiseConv of %v with filters %v", x.Shape, filter.Shape))
	}
	p := vector.Planes{Count: x.Shape[0] * x.Shape[1], Channels: x.Shape[1], Height: x.Shape[2], Width: x.Shape[3],
		Kernel: filter.Columns()}
	y := t.output(x.Shape, x, filter, bias)
	vector.Depthwise(p, x.Data, filter.Data, bias.Data, y.Data)
	return t.record(y, func() {
		vector.DepthwiseBackward(p, x.Data, filter.Data, y.Grad, x.Grad, t.gradient(filter), t.gradient(bias))
	})
}
