package nn

import (
	"fmt"

	"nestling/blas"
	"nestling/nn/vector"
)

// LSTMWeights are an LSTM's parameters in PyTorch's layout: Input [4·hidden, in]
// and Hidden [4·hidden, hidden], their biases [4·hidden]; the order of the gates
// is input, forget, cell, output.
type LSTMWeights struct {
	Input, Hidden, InputBias, HiddenBias *Tensor
}

// LSTM runs sequences that may differ in length and end together. Step s holds
// the inputs of the first counts[s] sequences, and counts never falls: a sequence
// joins when its first input comes. x is [Σcounts, in], step after step. The
// result is the hidden state after the last step, [counts[last], hidden].
func (t *Tape) LSTM(x *Tensor, counts []int, w LSTMWeights) *Tensor {
	r := &recurrence{tape: t, x: x, w: w, counts: counts, hidden: w.Hidden.Columns()}
	r.check()
	r.forward()
	last := r.starts[len(counts)-1]
	y := t.output([]int{counts[len(counts)-1], r.hidden}, x, w.Input, w.Hidden)
	copy(y.Data, r.state[last*r.hidden:])
	return t.record(y, func() { r.backward(y.Grad) })
}

// recurrence is one run of an LSTM, with what its backward pass needs.
type recurrence struct {
	tape   *Tape
	x      *Tensor
	w      LSTMWeights
	counts []int
	hidden int
	starts []int // first row of each step
	// Per row: activations [4·hidden], cell, tanh(cell) and hidden state.
	gates, cell, squashed, state []float32
}

func (r *recurrence) check() {
	at, before := 0, 0
	for _, n := range r.counts {
		if n < before || n == 0 {
			panic(fmt.Sprintf("nn: LSTM step counts %v fall", r.counts))
		}
		r.starts = append(r.starts, at)
		at, before = at+n, n
	}
	if at == 0 || at != r.x.Rows() || r.w.Input.Columns() != r.x.Columns() {
		panic(fmt.Sprintf("nn: LSTM of %v with %d rows in steps and weights %v", r.x.Shape, at, r.w.Input.Shape))
	}
}

// old is how many sequences go on from the step before, and its first row.
func (r *recurrence) old(step int) (prev, start int) {
	if step == 0 {
		return 0, 0
	}
	return r.counts[step-1], r.starts[step-1]
}

func (r *recurrence) forward() {
	rows, in, h := r.x.Rows(), r.x.Columns(), r.hidden
	a := &r.tape.arena
	r.gates = a.zeros(rows * 4 * h)
	r.cell, r.squashed, r.state = a.alloc(rows*h), a.alloc(rows*h), a.alloc(rows*h)
	vector.AddRows(rows, r.w.InputBias.Data, r.gates)
	vector.AddRows(rows, r.w.HiddenBias.Data, r.gates)
	blas.Gemm(false, true, rows, 4*h, in, 1, r.x.Data, in, r.w.Input.Data, in, 1, r.gates, 4*h)
	for s, n := range r.counts {
		prev, before := r.old(s)
		at := r.starts[s]
		gates := r.gates[at*4*h:]
		blas.Gemm(false, true, prev, 4*h, h, 1, r.state[before*h:], h, r.w.Hidden.Data, h, 1, gates, 4*h)
		vector.LSTM(n, prev, h, gates, r.cell[before*h:], r.cell[at*h:], r.squashed[at*h:], r.state[at*h:])
	}
}

func (r *recurrence) backward(dy []float32) {
	rows, h := r.x.Rows(), r.hidden
	a := &r.tape.arena
	dgates := a.alloc(rows * 4 * h)
	dstate, dcell := a.alloc(len(dy)), a.zeros(len(dy))
	copy(dstate, dy)
	for s := len(r.counts) - 1; s >= 0; s-- {
		prev, before := r.old(s)
		at := r.starts[s]
		d := dgates[at*4*h:]
		vector.LSTMBackward(r.counts[s], prev, h, r.gates[at*4*h:], r.cell[before*h:], r.squashed[at*h:], dstate, dcell, d)
		blas.Gemm(false, false, prev, h, 4*h, 1, d, 4*h, r.w.Hidden.Data, h, 0, dstate, h)
		if prev > 0 && r.w.Hidden.Grad != nil {
			blas.Gemm(true, false, 4*h, h, prev, 1, d, 4*h, r.state[before*h:], h, 1, r.w.Hidden.Grad, h)
		}
	}
	r.inputBackward(dgates)
}

func (r *recurrence) inputBackward(dgates []float32) {
	rows, in, n := r.x.Rows(), r.x.Columns(), 4*r.hidden
	vector.SumRows(rows, dgates, r.tape.gradient(r.w.InputBias))
	vector.SumRows(rows, dgates, r.tape.gradient(r.w.HiddenBias))
	if r.w.Input.Grad != nil {
		blas.Gemm(true, false, n, in, rows, 1, dgates, n, r.x.Data, in, 1, r.w.Input.Grad, in)
	}
	if r.x.Grad != nil {
		blas.Gemm(false, false, rows, in, n, 1, dgates, n, r.w.Input.Data, in, 1, r.x.Grad, in)
	}
}
