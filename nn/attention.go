package nn

import (
	"fmt"
	"math"

	"nestling/blas"
	"nestling/nn/vector"
)

// Attention is multi-head scaled dot-product attention. q, k and v are
// [batch, tokens, heads·size]; mask [batch·tokens·tokens] tells per query which
// keys it may see (nil: all), and a query that sees none gives zeros. The result
// has q's shape.
func (t *Tape) Attention(q, k, v *Tensor, heads int, mask []bool) *Tensor {
	sameShape("Attention", q, k)
	sameShape("Attention", q, v)
	if len(q.Shape) != 3 || q.Columns()%heads != 0 || mask != nil && len(mask) != q.Rows()*q.Shape[1] {
		panic(fmt.Sprintf("nn: Attention of %v with %d heads and %d mask elements", q.Shape, heads, len(mask)))
	}
	a := &attention{q: q, k: k, v: v, tokens: q.Shape[1], width: q.Columns(), heads: heads}
	a.scale = float32(1 / math.Sqrt(float64(a.width/heads)))
	y := t.output(q.Shape, q, k, v)
	n := a.tokens * a.tokens
	a.weights = t.arena.alloc(q.Shape[0] * heads * n)
	scores := t.arena.alloc(n)
	for i := range q.Shape[0] * heads {
		var m []bool
		if mask != nil {
			m = mask[i/heads*n : (i/heads+1)*n]
		}
		a.forward(i, scores, m, y.Data)
	}
	return t.record(y, func() {
		dweights, dscores := t.arena.alloc(n), t.arena.alloc(n)
		dq, dk, dv := t.gradient(q), t.gradient(k), t.gradient(v)
		for i := range q.Shape[0] * heads {
			a.backward(i, y.Grad, dweights, dscores, dq, dk, dv)
		}
	})
}

type attention struct {
	q, k, v              *Tensor
	tokens, width, heads int
	scale                float32
	weights              []float32 // softmax results, [batch, heads, tokens, tokens]
}

// of is the matrix [tokens, size], leading dimension width, of batch element and
// head i in a tensor's data.
func (a *attention) of(i int, data []float32) []float32 {
	b, head := i/a.heads, i%a.heads
	return data[b*a.tokens*a.width+head*(a.width/a.heads) : (b+1)*a.tokens*a.width]
}

func (a *attention) forward(i int, scores []float32, mask []bool, y []float32) {
	n, size := a.tokens, a.width/a.heads
	weights := row(a.weights, i, n*n)
	blas.Gemm(false, true, n, n, size, 1, a.of(i, a.q.Data), a.width, a.of(i, a.k.Data), a.width, 0, scores, n)
	vector.Softmax(n, n, a.scale, scores, mask, weights)
	blas.Gemm(false, false, n, size, n, 1, weights, n, a.of(i, a.v.Data), a.width, 0, a.of(i, y), a.width)
}

func (a *attention) backward(i int, dy, dweights, dscores, dq, dk, dv []float32) {
	n, size, w := a.tokens, a.width/a.heads, a.width
	weights := row(a.weights, i, n*n)
	blas.Gemm(true, false, n, size, n, 1, weights, n, a.of(i, dy), w, 1, a.of(i, dv), w)
	blas.Gemm(false, true, n, n, size, 1, a.of(i, dy), w, a.of(i, a.v.Data), w, 0, dweights, n)
	clear(dscores)
	vector.SoftmaxBackward(n, n, a.scale, weights, dweights, dscores)
	blas.Gemm(false, false, n, size, n, 1, dscores, n, a.of(i, a.k.Data), w, 1, a.of(i, dq), w)
	blas.Gemm(true, false, n, size, n, 1, dscores, n, a.of(i, a.q.Data), w, 1, a.of(i, dk), w)
}
