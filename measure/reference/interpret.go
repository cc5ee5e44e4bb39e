package reference

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// element is how tensors are kept between operations. Within an operation all
// is float64, sums included.
type element interface{ float32 | float64 }

// tensor is a value of the program with the scale of each element, row-major.
type tensor[E element] struct {
	values, scales []E
}

func newTensor[E element](elements int) tensor[E] {
	return tensor[E]{make([]E, elements), make([]E, elements)}
}

// rowLength is how many iterations of the innermost loop go through the body
// together: few enough that the registers stay in the nearest cache.
const rowLength = 256

// interpret runs an operation. Operands that are not read may be empty; the
// result holds its initial content where that is read.
func interpret[E element](k *kernel, operands []tensor[E], result tensor[E]) {
	inner, outer := k.nest()
	n := 1
	if inner >= 0 {
		n = k.bounds[inner]
	}
	blocks := (n + rowLength - 1) / rowLength
	parallel(k.extent(outer)*blocks, func(tasks func() (int, bool)) {
		r := newRows(k, operands, result, inner)
		for {
			task, more := tasks()
			if !more {
				return
			}
			k.point(outer, task/blocks, r.loops)
			from := task % blocks * rowLength
			r.run(from, min(rowLength, n-from))
		}
	})
}

// nest chooses the independent loop that runs innermost: one that moves
// through the result element by element if it is long, else the longest.
func (k *kernel) nest() (inner int, outer []int) {
	inner = -1
	for _, l := range k.independent {
		if inner < 0 || k.preference(l) > k.preference(inner) {
			inner = l
		}
	}
	for _, l := range k.independent {
		if l != inner {
			outer = append(outer, l)
		}
	}
	return inner, outer
}

func (k *kernel) preference(loop int) int {
	if k.result().strides[loop] == 1 && k.bounds[loop] >= 16 {
		return 1 << 62
	}
	return k.bounds[loop]
}

// point sets the loops given to the i-th point of their iteration space.
func (k *kernel) point(loops []int, i int, at []int) {
	for _, l := range slices.Backward(loops) {
		at[l] = i % k.bounds[l]
		i /= k.bounds[l]
	}
}

// advance moves the loops given to their next point, or back to the first,
// which it tells by false.
func (k *kernel) advance(loops []int, at []int) bool {
	for _, l := range slices.Backward(loops) {
		if at[l]++; at[l] < k.bounds[l] {
			return true
		}
		at[l] = 0
	}
	return false
}

func (a access) address(at []int) int {
	address := a.start
	for l, i := range at {
		address += a.strides[l] * i
	}
	return address
}

// parallel hands the tasks 0 … n-1 out to one goroutine per processor.
func parallel(n int, work func(tasks func() (int, bool))) {
	var next atomic.Int64
	tasks := func() (int, bool) {
		i := int(next.Add(1) - 1)
		return i, i < n
	}
	var group sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		group.Go(func() { work(tasks) })
	}
	group.Wait()
}

// row is a register: its value and scale in up to rowLength iterations.
type row struct{ values, scales []float64 }

func newRow() row {
	x := make([]float64, 2*rowLength)
	return row{x[:rowLength], x[rowLength:]}
}

// rows runs an operation row by row: iterations of the innermost loop, through
// all iterations of the sequential loops, for one point of the outer loops.
type rows[E element] struct {
	k         *kernel
	operands  []tensor[E]
	result    tensor[E]
	inner     int // -1: there is none, rows have one element
	loops     []int
	registers []row
	init      int // register of the accumulator
}

func newRows[E element](k *kernel, operands []tensor[E], result tensor[E], inner int) *rows[E] {
	r := &rows[E]{
		k: k, operands: operands, result: result, inner: inner,
		loops:     make([]int, len(k.bounds)),
		registers: make([]row, len(k.operands)),
		init:      len(k.operands) - 1,
	}
	for i := range r.registers {
		r.registers[i] = newRow()
	}
	for _, in := range k.body {
		for len(r.registers) <= in.register {
			r.registers = append(r.registers, row{})
		}
		r.registers[in.register] = newRow()
	}
	return r
}

// stride is how far an operand moves from one element of a row to the next.
func (r *rows[E]) stride(a access) int {
	if r.inner < 0 {
		return 0
	}
	return a.strides[r.inner]
}

func (r *rows[E]) run(from, n int) {
	if r.inner >= 0 {
		r.loops[r.inner] = from
	}
	k := r.k
	to, stride := k.result().address(r.loops), r.stride(k.result())
	if k.reads[r.init] {
		load(r.registers[r.init], r.result, to, stride, n)
	}
	a, b, contraction := k.contraction()
	for {
		if contraction {
			r.multiplyAdd(a, b, n)
		} else {
			r.body(from, n)
		}
		if !k.advance(k.sequential, r.loops) {
			break
		}
	}
	out := r.registers[r.init]
	for i := range n {
		r.result.values[to] = E(out.values[i])
		r.result.scales[to] = E(out.scales[i])
		to += stride
	}
}

func load[E element](to row, t tensor[E], from, stride, n int) {
	for i := range n {
		to.values[i] = float64(t.values[from])
		to.scales[i] = float64(t.scales[from])
		from += stride
	}
}

// body runs every instruction over the row and leaves what is yielded in the
// accumulator's register.
func (r *rows[E]) body(from, n int) {
	for i := range r.init {
		if a := r.k.operands[i]; r.k.reads[i] {
			load(r.registers[i], r.operands[i], a.address(r.loops), r.stride(a), n)
		}
	}
	for i := range r.k.body {
		r.instruction(&r.k.body[i], from, n)
	}
	if r.k.yield != r.init {
		copy(r.registers[r.init].values[:n], r.registers[r.k.yield].values[:n])
		copy(r.registers[r.init].scales[:n], r.registers[r.k.yield].scales[:n])
	}
}

func (r *rows[E]) instruction(in *instruction, from, n int) {
	out := r.registers[in.register]
	values, scales := out.values[:n], out.scales[:n]
	switch in.kind {
	case constant:
		x := exact(in.constant)
		for i := range values {
			values[i], scales[i] = x.value, x.scale
		}
	case index:
		x, slope := r.loops[in.args[0]], 0
		if in.args[0] == r.inner {
			x, slope = from, 1
		}
		for i := range values {
			values[i] = float64(x + slope*i)
			scales[i] = values[i]
		}
	case addition:
		a, b := r.registers[in.args[0]], r.registers[in.args[1]]
		for i := range values {
			values[i] = a.values[i] + b.values[i]
			scales[i] = a.scales[i] + b.scales[i]
		}
	case product:
		a, b := r.registers[in.args[0]], r.registers[in.args[1]]
		for i := range values {
			values[i] = a.values[i] * b.values[i]
			scales[i] = a.scales[i] * b.scales[i]
		}
	case other:
		a, b, c := r.registers[in.args[0]], r.registers[in.args[1]], r.registers[in.args[2]]
		for i := range values {
			x := in.apply(pair{a.values[i], a.scales[i]}, pair{b.values[i], b.scales[i]}, pair{c.values[i], c.scales[i]})
			values[i], scales[i] = x.value, x.scale
		}
	}
}

// multiplyAdd adds the products of two operands to the accumulator.
func (r *rows[E]) multiplyAdd(x, y, n int) {
	a, b := r.k.operands[x], r.k.operands[y]
	at, bt := r.operands[x], r.operands[y]
	ai, bi := a.address(r.loops), b.address(r.loops)
	as, bs := r.stride(a), r.stride(b)
	if bs == 0 && as == 1 {
		at, bt, ai, bi, as, bs = bt, at, bi, ai, bs, as
	}
	out := r.registers[r.init]
	values, scales := out.values[:n], out.scales[:n]
	if as == 0 && bs == 1 {
		f, fs := float64(at.values[ai]), float64(at.scales[ai])
		v, s := bt.values[bi:bi+n], bt.scales[bi:bi+n]
		for i := range values {
			values[i] += f * float64(v[i])
			scales[i] += fs * float64(s[i])
		}
		return
	}
	for i := range values {
		values[i] += float64(at.values[ai]) * float64(bt.values[bi])
		scales[i] += float64(at.scales[ai]) * float64(bt.scales[bi])
		ai += as
		bi += bs
	}
}
