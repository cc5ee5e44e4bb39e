// Package vector holds the element-wise float32 kernels of neural networks, in C
// so that they are vectorised. Backward kernels add to the gradients they are
// given, unless said otherwise. Every function panics when a slice is too short.
package vector

// #cgo CFLAGS: -O3
// #cgo LDFLAGS: -lm
// #include "vector.h"
import "C"

import (
	"fmt"
	"unsafe"
)

// at is the C pointer to the first of n elements.
func at(x []float32, n int) *C.float {
	if len(x) < n {
		panic(fmt.Sprintf("vector: %d elements wanted of a slice of %d", n, len(x)))
	}
	if n == 0 {
		return nil
	}
	return (*C.float)(&x[0])
}

func long(n int) C.long { return C.long(n) }

// Exp computes y = e^x, clamped to [e^-87, e^88].
func Exp(x, y []float32) { C.nn_exp(long(len(x)), at(x, len(x)), at(y, len(x))) }

// Tanh computes y = tanh x.
func Tanh(x, y []float32) { C.nn_tanh(long(len(x)), at(x, len(x)), at(y, len(x))) }

// TanhBackward adds the gradient of Tanh, given its result y.
func TanhBackward(y, dy, dx []float32) {
	C.nn_tanh_backward(long(len(y)), at(y, len(y)), at(dy, len(y)), at(dx, len(y)))
}

// Sigmoid computes y = 1/(1+e^-x).
func Sigmoid(x, y []float32) { C.nn_sigmoid(long(len(x)), at(x, len(x)), at(y, len(x))) }

// SigmoidBackward adds the gradient of Sigmoid, given its result y.
func SigmoidBackward(y, dy, dx []float32) {
	C.nn_sigmoid_backward(long(len(y)), at(y, len(y)), at(dy, len(y)), at(dx, len(y)))
}

// ReLU computes y = max(x, 0).
func ReLU(x, y []float32) { C.nn_relu(long(len(x)), at(x, len(x)), at(y, len(x))) }

// ReLUBackward adds the gradient of ReLU, given its result y.
func ReLUBackward(y, dy, dx []float32) {
	C.nn_relu_backward(long(len(y)), at(y, len(y)), at(dy, len(y)), at(dx, len(y)))
}

// ELU computes y = x where x > 0, else e^x - 1.
func ELU(x, y []float32) { C.nn_elu(long(len(x)), at(x, len(x)), at(y, len(x))) }

// ELUBackward adds the gradient of ELU, given its result y.
func ELUBackward(y, dy, dx []float32) {
	C.nn_elu_backward(long(len(y)), at(y, len(y)), at(dy, len(y)), at(dx, len(y)))
}

// GELU computes y = x·Φ(x), the form with the error function.
func GELU(x, y []float32) { C.nn_gelu(long(len(x)), at(x, len(x)), at(y, len(x))) }

// GELUBackward adds the gradient of GELU, given its argument x.
func GELUBackward(x, dy, dx []float32) {
	C.nn_gelu_backward(long(len(x)), at(x, len(x)), at(dy, len(x)), at(dx, len(x)))
}

// Add computes y = a + b.
func Add(a, b, y []float32) {
	C.nn_add(long(len(a)), at(a, len(a)), at(b, len(a)), at(y, len(a)))
}

// Mul computes y = a·b.
func Mul(a, b, y []float32) {
	C.nn_mul(long(len(a)), at(a, len(a)), at(b, len(a)), at(y, len(a)))
}

// MulAdd computes y += a·b.
func MulAdd(a, b, y []float32) {
	C.nn_mul_add(long(len(a)), at(a, len(a)), at(b, len(a)), at(y, len(a)))
}

// Axpy computes y += alpha·x.
func Axpy(alpha float32, x, y []float32) {
	C.nn_axpy(long(len(x)), C.float(alpha), at(x, len(x)), at(y, len(x)))
}

// Scale computes x = factor·x.
func Scale(factor float32, x []float32) { C.nn_scale(long(len(x)), C.float(factor), at(x, len(x))) }

// AddRows adds b to each of the rows of y [rows, len(b)].
func AddRows(rows int, b, y []float32) {
	C.nn_add_rows(long(rows), long(len(b)), at(b, len(b)), at(y, rows*len(b)))
}

// SumRows adds the sum of the rows of x [rows, len(y)] to y.
func SumRows(rows int, x, y []float32) {
	C.nn_sum_rows(long(rows), long(len(y)), at(x, rows*len(y)), at(y, len(y)))
}

// SumSquares is Σx², accumulated in float64.
func SumSquares(x []float32) float64 {
	return float64(C.nn_sum_squares(long(len(x)), at(x, len(x))))
}

// AdamStep is what one Adam update needs beside the parameters.
type AdamStep struct {
	Rate           float32 // learning rate over 1 - β1^t
	Beta1, Beta2   float32
	Epsilon        float32
	InverseUnbias2 float32 // 1/√(1 - β2^t)
}

// Adam updates parameters p and moments m and v from the gradient g, and clears g.
func Adam(p, g, m, v []float32, s AdamStep) {
	n := len(p)
	C.nn_adam(long(n), at(p, n), at(g, n), at(m, n), at(v, n), C.float(s.Rate),
		C.float(s.Beta1), C.float(s.Beta2), C.float(s.Epsilon), C.float(s.InverseUnbias2))
}

// LSTM is one step of rows sequences with h cells; the first prev of them have
// an old cell [prev, h], the others start here. gates [rows, 4·h] holds the
// pre-activations in PyTorch's order (input, forget, cell, output) and is
// overwritten by the activations; cell, squashed = tanh(cell) and hidden are
// [rows, h].
func LSTM(rows, prev, h int, gates, old, cell, squashed, hidden []float32) {
	C.nn_lstm(long(rows), long(prev), long(h), at(gates, rows*4*h), at(old, prev*h), at(cell, rows*h),
		at(squashed, rows*h), at(hidden, rows*h))
}

// LSTMBackward writes the gradient of the pre-activations into dgates and turns
// dcell, the gradient of the new cells, into that of the old ones.
func LSTMBackward(rows, prev, h int, gates, old, squashed, dhidden, dcell, dgates []float32) {
	C.nn_lstm_backward(long(rows), long(prev), long(h), at(gates, rows*4*h), at(old, prev*h),
		at(squashed, rows*h), at(dhidden, rows*h), at(dcell, rows*h), at(dgates, rows*4*h))
}

// LayerNorm normalises each row of x [rows, len(gain)] to mean 0 and variance 1
// (norm; inverse is 1/deviation per row), then y = norm·gain + bias.
func LayerNorm(rows int, epsilon float32, x, gain, bias, norm, inverse, y []float32) {
	n := len(gain)
	C.nn_layer_norm(long(rows), long(n), C.float(epsilon), at(x, rows*n), at(gain, n), at(bias, n),
		at(norm, rows*n), at(inverse, rows), at(y, rows*n))
}

// LayerNormBackward adds the gradients of LayerNorm; scratch has a row's size.
func LayerNormBackward(rows int, norm, inverse, gain, dy, scratch, dx, dgain, dbias []float32) {
	n := len(gain)
	C.nn_layer_norm_backward(long(rows), long(n), at(norm, rows*n), at(inverse, rows), at(gain, n),
		at(dy, rows*n), at(scratch, n), at(dx, rows*n), at(dgain, n), at(dbias, n))
}

// Softmax computes y = softmax(scale·x) over each row of x [rows, n], among the
// elements that mask [rows, n] allows (nil allows all). The others become 0, and
// so does a row without any.
func Softmax(rows, n int, scale float32, x []float32, mask []bool, y []float32) {
	var m *C.uchar
	if mask != nil && rows*n > 0 {
		_ = mask[rows*n-1]
		m = (*C.uchar)(unsafe.Pointer(&mask[0])) // a bool is one byte, 0 or 1
	}
	C.nn_softmax(long(rows), long(n), C.float(scale), at(x, rows*n), m, at(y, rows*n))
}

// SoftmaxBackward adds the gradient of Softmax, given its result y.
func SoftmaxBackward(rows, n int, scale float32, y, dy, dx []float32) {
	C.nn_softmax_backward(long(rows), long(n), C.float(scale), at(y, rows*n), at(dy, rows*n), at(dx, rows*n))
}

// Planes is the geometry of a depthwise convolution: Count images of Height ×
// Width, image i of channel i mod Channels, under filters of Kernel × Kernel.
type Planes struct{ Count, Channels, Height, Width, Kernel int }

func (p Planes) size() int    { return p.Count * p.Height * p.Width }
func (p Planes) filters() int { return p.Channels * p.Kernel * p.Kernel }

// Depthwise convolves every plane of x with its channel's filter, stride 1, with
// Kernel/2 zeros around.
func Depthwise(p Planes, x, filter, bias, y []float32) {
	C.nn_depthwise(long(p.Count), long(p.Channels), long(p.Height), long(p.Width), long(p.Kernel),
		at(x, p.size()), at(filter, p.filters()), at(bias, p.Channels), at(y, p.size()))
}

// DepthwiseBackward adds the gradients of Depthwise; dx may be nil.
func DepthwiseBackward(p Planes, x, filter, dy, dx, dfilter, dbias []float32) {
	var out *C.float
	if dx != nil {
		out = at(dx, p.size())
	}
	C.nn_depthwise_backward(long(p.Count), long(p.Channels), long(p.Height), long(p.Width), long(p.Kernel),
		at(x, p.size()), at(filter, p.filters()), at(dy, p.size()), out, at(dfilter, p.filters()), at(dbias, p.Channels))
}
