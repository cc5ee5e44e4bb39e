// Package suite holds the programs Nestling is measured and trained on: the
// nine benchmarks, generated training programs that are kept apart from them,
// and folders of a user's own programs.
package suite

import (
	"fmt"
	"slices"
	"strings"

	"nestling/program"
)

// Kind names the model that a benchmark computes. Other implementations of the
// same benchmark (PyTorch's) choose their code by it.
type Kind string

const (
	// KindMatmul is C = A·B. Arguments: a [m,k], b [k,n].
	KindMatmul Kind = "matmul"
	// KindConv2D is a convolution with bias, stride 1, padded to keep its size.
	// Arguments: x [n,c,h,w], weight [f,c,k,k], bias [f].
	KindConv2D Kind = "conv2d"
	// KindLinear is y = x·Wᵀ + b. Arguments: x [m,k], weight [n,k], bias [n].
	KindLinear Kind = "linear"
	// KindResNetBlock is relu(x + bn(conv(relu(bn(conv(x)))))), 3×3, same
	// channels. Arguments: x [n,c,h,w], then weight [c,c,3,3], gamma, beta,
	// mean, variance [c] of the first and of the second half.
	KindResNetBlock Kind = "resnet_block"
	// KindGraph is what the benchmark's Graph says.
	KindGraph Kind = "graph"
)

// Epsilon is what batch normalisation adds to the variance, PyTorch's default.
const Epsilon = 1e-5

// Arg is one argument of a benchmark's function.
type Arg struct {
	Name   string
	Shape  []int
	Weight bool // known ahead of time: marked `nestling.weight` in the module
}

// Elements is the number of float32 elements of the argument.
func (a Arg) Elements() int { return elements(a.Shape) }

// Operation is the iteration space of one operation of a module: what it takes
// to tell whether two programs contain nearly the same work.
type Operation struct {
	Family program.Family
	Bounds []int
}

// Benchmark is one program with what other implementations of it need to know.
type Benchmark struct {
	Name        string // also the symbol of the function in Module
	Description string
	Kind        Kind
	Module      string // MLIR: one function of linalg operations on tensors
	Args        []Arg
	Result      []int   // shape of the one result
	Flops       float64 // floating-point operations of one run, a multiply and an add counted as two
	Operations  []Operation
	Graph       *Graph // of KindGraph
}

// Nine returns the nine benchmarks, in the order in which they are reported.
func Nine() []Benchmark {
	return []Benchmark{
		Matmul("matmul_small", 256, 256, 256),
		Matmul("matmul_medium", 512, 512, 512),
		Matmul("matmul_large", 1024, 1024, 1024),
		Conv2D("conv2d_small", Conv{Batch: 8, In: 32, Height: 28, Width: 28, Out: 32, Kernel: 3}),
		Conv2D("conv2d_medium", Conv{Batch: 16, In: 64, Height: 56, Width: 56, Out: 64, Kernel: 3}),
		Conv2D("conv2d_large", Conv{Batch: 32, In: 128, Height: 56, Width: 56, Out: 128, Kernel: 3}),
		ResNetBlock("resnet_block", 32, 64, 56, 56),
		Linear("linear_small", 64, 64, 128),
		Linear("linear_large", 256, 512, 1024),
	}
}

// Names returns the names of the nine benchmarks.
func Names() []string {
	var names []string
	for _, b := range Nine() {
		names = append(names, b.Name)
	}
	return names
}

// Find returns the benchmark of that name, or an error that lists the nine.
func Find(name string) (Benchmark, error) {
	nine := Nine()
	i := slices.IndexFunc(nine, func(b Benchmark) bool { return b.Name == name })
	if i < 0 {
		return Benchmark{}, fmt.Errorf("no benchmark %q; there are %s", name, strings.Join(Names(), ", "))
	}
	return nine[i], nil
}

// Matmul is C [m,n] = A [m,k] · B [k,n]; both operands come at run time.
func Matmul(name string, m, n, k int) Benchmark {
	w := newWriter(name)
	a, b := w.input("a", m, k), w.input("b", k, n)
	w.result(w.matmul(a, b, w.fill(0, m, n)))
	return w.benchmark(KindMatmul, fmt.Sprintf("matrix product %d×%d×%d, both operands at run time", m, n, k))
}

// Conv holds the sizes of a convolution in NCHW with a square kernel.
type Conv struct {
	Batch, In, Height, Width, Out, Kernel int
}

// Conv2D is a convolution with bias, stride 1, padded to keep height and width.
func Conv2D(name string, c Conv) Benchmark {
	w := newWriter(name)
	x := w.input("x", c.Batch, c.In, c.Height, c.Width)
	win := window{kernel: c.Kernel, stride: 1, dilation: 1, padding: c.Kernel / 2}
	w.result(w.biasedConv("nchw", x, convolution{c.Batch, c.In, c.Out, c.Height, c.Width, win}))
	return w.benchmark(KindConv2D, fmt.Sprintf("convolution %d×%d, x %s, %d channels out, bias, stride 1, pad %d",
		c.Kernel, c.Kernel, times(x.shape), c.Out, win.padding))
}

// Linear is y [m,n] = x [m,k] · Wᵀ + b with W [n,k], as PyTorch stores it.
func Linear(name string, m, n, k int) Benchmark {
	w := newWriter(name)
	w.result(w.linear(w.input("x", m, k), n, ""))
	return w.benchmark(KindLinear, fmt.Sprintf("linear layer %d×%d → %d, bias", m, k, n))
}

// ResNetBlock is the basic block of a residual network in inference mode:
// conv, bn, relu, conv, bn, add, relu; 3×3 kernels, no bias in the
// convolutions, batch normalisation as operations of its own.
func ResNetBlock(name string, batch, channels, height, width int) Benchmark {
	w := newWriter(name)
	x := w.input("x", batch, channels, height, width)
	w.result(w.residualBlock(x))
	return w.benchmark(KindResNetBlock, fmt.Sprintf("ResNet block conv-bn-relu-conv-bn-add-relu, x %s", times(x.shape)))
}

func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// times writes a shape the way people do: 8×32×28×28.
func times(shape []int) string {
	parts := make([]string, len(shape))
	for i, d := range shape {
		parts[i] = fmt.Sprint(d)
	}
	return strings.Join(parts, "×")
}
