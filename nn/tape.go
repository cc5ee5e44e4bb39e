// Package nn is a small engine for neural networks: float32 tensors, a tape for
// reverse-mode differentiation, the layers of the policies, Adam, and
// safetensors files. Products run on OpenBLAS; on one thread the same seed gives
// the same bits.
package nn

import (
	"fmt"
	"slices"
)

// Tensor is a dense row-major array. Grad has Data's length, or is nil where no
// gradient is wanted.
type Tensor struct {
	Shape []int
	Data  []float32
	Grad  []float32
}

// Columns is the length of the last dimension.
func (x *Tensor) Columns() int { return x.Shape[len(x.Shape)-1] }

// Rows is the number of vectors along the last dimension.
func (x *Tensor) Rows() int { return len(x.Data) / x.Columns() }

// Parameter is a tensor that training changes. Its name is its key in files.
type Parameter struct {
	Name string
	*Tensor
}

// NewParameter returns a parameter of zeros.
func NewParameter(name string, shape ...int) *Parameter {
	n := product(shape)
	return &Parameter{name, &Tensor{Shape: shape, Data: make([]float32, n), Grad: make([]float32, n)}}
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// Tape records operations so that Backward can differentiate them. Its tensors
// live in memory that Reset takes back: none may be used afterwards. A tape is
// for one goroutine.
type Tape struct {
	arena     arena
	inference bool
	backward  []func()
}

// NewTape returns a tape that records.
func NewTape() *Tape { return &Tape{} }

// NewInferenceTape returns a tape that computes values and no gradients.
func NewInferenceTape() *Tape { return &Tape{inference: true} }

// Reset forgets everything that was recorded and takes its memory back.
func (t *Tape) Reset() {
	t.arena.reset()
	clear(t.backward)
	t.backward = t.backward[:0]
}

// Backward adds the gradient of loss, a single number, to the Grad of everything
// that it was computed from. It can be called once per Reset.
func (t *Tape) Backward(loss *Tensor) {
	if len(loss.Data) != 1 || loss.Grad == nil {
		panic(fmt.Sprintf("nn: Backward wants one number that depends on a parameter; got shape %v", loss.Shape))
	}
	loss.Grad[0] = 1
	for _, step := range slices.Backward(t.backward) {
		step()
	}
}

// Constant wraps data, which is not copied and gets no gradient.
func (t *Tape) Constant(data []float32, shape ...int) *Tensor {
	if product(shape) != len(data) {
		panic(fmt.Sprintf("nn: %d elements do not fill shape %v", len(data), shape))
	}
	return &Tensor{Shape: shape, Data: data}
}

// Zeros returns a constant of zeros that the caller may fill.
func (t *Tape) Zeros(shape ...int) *Tensor {
	return &Tensor{Shape: shape, Data: t.arena.zeros(product(shape))}
}

// output makes the result of an operation; its Data is not initialised. It has a
// gradient if one of the inputs has.
func (t *Tape) output(shape []int, inputs ...*Tensor) *Tensor {
	n := product(shape)
	y := &Tensor{Shape: shape, Data: t.arena.alloc(n)}
	if !t.inference && slices.ContainsFunc(inputs, func(x *Tensor) bool { return x.Grad != nil }) {
		y.Grad = t.arena.zeros(n)
	}
	return y
}

// record remembers how y's gradient flows back, if it has one.
func (t *Tape) record(y *Tensor, backward func()) *Tensor {
	if y.Grad != nil {
		t.backward = append(t.backward, backward)
	}
	return y
}

// arena hands out pieces of large blocks, which are used again after a reset.
type arena struct {
	blocks [][]float32
	block  int // the one in use
	used   int // of that block
}

const blockSize = 1 << 20 // elements

func (a *arena) reset() { a.block, a.used = 0, 0 }

// alloc returns n elements with arbitrary content.
func (a *arena) alloc(n int) []float32 {
	for a.block < len(a.blocks) && a.used+n > len(a.blocks[a.block]) {
		a.block, a.used = a.block+1, 0
	}
	if a.block == len(a.blocks) {
		a.blocks = append(a.blocks, make([]float32, max(n, blockSize)))
	}
	x := a.blocks[a.block][a.used : a.used+n : a.used+n]
	a.used += (n + 15) &^ 15 // whole cache lines
	return x
}

func (a *arena) zeros(n int) []float32 {
	x := a.alloc(n)
	clear(x)
	return x
}
