package reference

import (
	"encoding/binary"
	"fmt"
	"math"

	"nestling/program"
)

// evaluator runs a program operation by operation.
type evaluator[E element] struct {
	p       *program.Program
	inputs  [][]float32
	kernels []*kernel
	// blas computes contractions where it can; nil: the interpreter does.
	blas func(k *kernel, operands []tensor[E], result tensor[E]) (bool, error)

	known   []tensor[E] // per value; without values: not computed, or not needed any more
	lastUse []int       // per value: the last operation that needs it
}

// never is the last use of a program's results.
const never = math.MaxInt

func (e *evaluator[E]) run() (*Reference, error) {
	e.known = make([]tensor[E], len(e.p.Values))
	e.lastUse = lastUses(e.p)
	for i := range e.p.Ops {
		if err := e.operation(i); err != nil {
			return nil, fmt.Errorf("%s: %w", e.p.Ops[i].Name, err)
		}
		for v := range e.known {
			if e.lastUse[v] <= i {
				e.known[v] = tensor[E]{}
			}
		}
	}
	out := &Reference{}
	for _, v := range e.p.Results {
		t, err := e.value(v)
		if err != nil {
			return nil, err
		}
		out.Results = append(out.Results, Result{e.p.Values[v].Shape, narrow(t.values), narrow(t.scales)})
	}
	return out, nil
}

func (e *evaluator[E]) operation(i int) error {
	op, k := &e.p.Ops[i], e.kernels[i]
	operands := make([]tensor[E], len(op.Operands))
	for n, o := range op.Operands[:len(op.Operands)-1] {
		if !k.reads[n] {
			continue
		}
		t, err := e.value(o.Value)
		if err != nil {
			return err
		}
		operands[n] = t
	}
	result := newTensor[E](e.p.Values[op.Result].Elements())
	if k.readsInit() {
		init, err := e.value(op.Init().Value)
		if err != nil {
			return err
		}
		copy(result.values, init.values)
		copy(result.scales, init.scales)
	}
	e.known[op.Result] = result
	if e.blas != nil {
		if done, err := e.blas(k, operands, result); done || err != nil {
			return err
		}
	}
	interpret(k, operands, result)
	return nil
}

// value returns a value's elements; results of operations are there already.
func (e *evaluator[E]) value(i int) (tensor[E], error) {
	if t := e.known[i]; t.values != nil {
		return t, nil
	}
	t, err := e.compute(i)
	if err == nil {
		e.known[i] = t
	}
	return t, err
}

func (e *evaluator[E]) compute(i int) (tensor[E], error) {
	v := &e.p.Values[i]
	switch v.Kind {
	case program.ValueArgument:
		return widen[E](e.inputs[v.Arg]), nil
	case program.ValueConstant:
		return widen[E](constantData(v)), nil
	case program.ValueEmpty:
		t := newTensor[E](v.Elements())
		fill(t.values, E(math.NaN()))
		return t, nil
	case program.ValueReshape:
		return e.value(v.Base)
	case program.ValueSlice:
		return e.slice(v)
	case program.ValueInsert:
		return e.insert(v)
	}
	return tensor[E]{}, fmt.Errorf("value %d (%s) is used before it is computed", i, v.Kind)
}

func (e *evaluator[E]) slice(v *program.Value) (tensor[E], error) {
	base, err := e.value(v.Base)
	if err != nil {
		return base, err
	}
	out := newTensor[E](v.Elements())
	eachRow(v.Shape, e.p.Values[v.Base].Shape, v.Offsets, v.Strides, func(part, whole, stride, n int) {
		for range n {
			out.values[part], out.scales[part] = base.values[whole], base.scales[whole]
			part++
			whole += stride
		}
	})
	return out, nil
}

func (e *evaluator[E]) insert(v *program.Value) (tensor[E], error) {
	base, err := e.value(v.Base)
	if err != nil {
		return base, err
	}
	source, err := e.value(v.Source)
	if err != nil {
		return source, err
	}
	out := newTensor[E](v.Elements())
	copy(out.values, base.values)
	copy(out.scales, base.scales)
	eachRow(e.p.Values[v.Source].Shape, v.Shape, v.Offsets, v.Strides, func(part, whole, stride, n int) {
		for range n {
			out.values[whole], out.scales[whole] = source.values[part], source.scales[part]
			part++
			whole += stride
		}
	})
	return out, nil
}

// eachRow visits the rows of a part of a tensor: where each starts in the part
// and in the whole, the distance of its elements in the whole, their number.
func eachRow(part, whole, offsets, strides []int, visit func(part, whole, stride, n int)) {
	rank := len(part)
	if rank == 0 {
		visit(0, 0, 0, 1)
		return
	}
	n := part[rank-1]
	if n == 0 {
		return
	}
	rows := 1
	for _, d := range part[:rank-1] {
		rows *= d
	}
	for r := range rows {
		at, stride := offsets[rank-1], whole[rank-1]
		for d, rest := rank-2, r; d >= 0; d-- {
			at += (offsets[d] + rest%part[d]*strides[d]) * stride
			rest /= part[d]
			stride *= whole[d]
		}
		visit(r*n, at, strides[rank-1], n)
	}
}

// widen makes a tensor of values that come from no computation. Scales are
// their magnitudes.
func widen[E element](data []float32) tensor[E] {
	t := tensor[E]{scales: make([]E, len(data))}
	if same, ok := any(data).([]E); ok {
		t.values = same
	} else {
		t.values = make([]E, len(data))
		for i, x := range data {
			t.values[i] = E(x)
		}
	}
	for i, x := range data {
		t.scales[i] = E(exact(float64(x)).scale)
	}
	return t
}

func narrow[E element](data []E) []float32 {
	if same, ok := any(data).([]float32); ok {
		return same
	}
	out := make([]float32, len(data))
	for i, x := range data {
		out[i] = float32(x)
	}
	return out
}

func constantData(v *program.Value) []float32 {
	out := make([]float32, v.Elements())
	if v.IsSplat {
		fill(out, v.Splat)
		return out
	}
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(v.Data[4*i:]))
	}
	return out
}

func fill[E element](data []E, x E) {
	for i := range data {
		data[i] = x
	}
}

// lastUses finds the last operation that needs each value, directly or through
// slices, reshapes and insertions.
func lastUses(p *program.Program) []int {
	last := make([]int, len(p.Values))
	for i := range last {
		last[i] = -1
	}
	var use func(value, by int)
	use = func(value, by int) {
		if last[value] >= by {
			return
		}
		last[value] = by
		for _, source := range sources(&p.Values[value]) {
			use(source, by)
		}
	}
	for i := range p.Ops {
		for _, o := range p.Ops[i].Operands {
			use(o.Value, i)
		}
	}
	for _, r := range p.Results {
		use(r, never)
	}
	return last
}

// sources lists the values that a value is a view or a copy of.
func sources(v *program.Value) []int {
	switch v.Kind {
	case program.ValueSlice, program.ValueReshape:
		return []int{v.Base}
	case program.ValueInsert:
		return []int{v.Base, v.Source}
	}
	return nil
}
