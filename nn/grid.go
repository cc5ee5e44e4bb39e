package nn

import (
	"fmt"

	"nestling/nn/vector"
)

// Transpose swaps the last two dimensions of x [batch, rows, columns].
func (t *Tape) Transpose(x *Tensor) *Tensor {
	if len(x.Shape) != 3 {
		panic(fmt.Sprintf("nn: Transpose of %v", x.Shape))
	}
	batch, m, n := x.Shape[0], x.Shape[1], x.Shape[2]
	y := t.output([]int{batch, n, m}, x)
	for b := range batch {
		transpose(m, n, x.Data[b*m*n:], y.Data[b*m*n:])
	}
	return t.record(y, func() {
		back := t.arena.alloc(m * n)
		for b := range batch {
			transpose(n, m, y.Grad[b*m*n:], back)
			vector.Axpy(1, back, x.Grad[b*m*n:(b+1)*m*n])
		}
	})
}

// transpose writes x [m, n] as y [n, m].
func transpose(m, n int, x, y []float32) {
	for i := range m {
		for j, v := range x[i*n : (i+1)*n] {
			y[j*m+i] = v
		}
	}
}

// ScaleColumns multiplies every row of x by factor [columns].
func (t *Tape) ScaleColumns(x, factor *Tensor) *Tensor {
	rows, n := x.Rows(), x.Columns()
	if len(factor.Data) != n {
		panic(fmt.Sprintf("nn: ScaleColumns of %v by %v", x.Shape, factor.Shape))
	}
	y := t.output(x.Shape, x, factor)
	for r := range rows {
		a, b := row(x.Data, r, n), row(y.Data, r, n)
		for j, f := range factor.Data {
			b[j] = a[j] * f
		}
	}
	return t.record(y, func() {
		for r := range rows {
			a, dy := row(x.Data, r, n), row(y.Grad, r, n)
			for j, f := range factor.Data {
				if x.Grad != nil {
					x.Grad[r*n+j] += dy[j] * f
				}
				if factor.Grad != nil {
					factor.Grad[j] += dy[j] * a[j]
				}
			}
		}
	})
}

// Average is the mean over the middle dimension of x [batch, tokens, columns]: [batch,
// columns].
func (t *Tape) Average(x *Tensor) *Tensor {
	if len(x.Shape) != 3 {
		panic(fmt.Sprintf("nn: Average of %v", x.Shape))
	}
	batch, tokens, n := x.Shape[0], x.Shape[1], x.Shape[2]
	share := 1 / float32(tokens)
	y := t.output([]int{batch, n}, x)
	clear(y.Data)
	for r := range batch * tokens {
		vector.Axpy(share, row(x.Data, r, n), row(y.Data, r/tokens, n))
	}
	return t.record(y, func() {
		for r := range batch * tokens {
			vector.Axpy(share, row(y.Grad, r/tokens, n), row(x.Grad, r, n))
		}
	})
}

// Norm is a layer normalisation of gain and bias [columns].
type Norm struct {
	Gain, Bias *Parameter
	epsilon    float32
}

// NewNorm returns a normalisation that neither scales nor shifts yet.
func NewNorm(name string, columns int, epsilon float32) Norm {
	n := Norm{NewParameter(name+".weight", columns), NewParameter(name+".bias", columns), epsilon}
	for i := range n.Gain.Data {
		n.Gain.Data[i] = 1
	}
	return n
}

// Forward normalises the last dimension.
func (n Norm) Forward(t *Tape, x *Tensor) *Tensor {
	return t.LayerNorm(x, n.Gain.Tensor, n.Bias.Tensor, n.epsilon)
}

// Parameters lists gain and bias.
func (n Norm) Parameters() []*Parameter { return []*Parameter{n.Gain, n.Bias} }
