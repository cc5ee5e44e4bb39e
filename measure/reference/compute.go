package reference

import (
	"fmt"

	"nestling/program"
)

// smallWork is the number of scalar operations up to which a program is
// interpreted in float64: a few tenths of a second.
const smallWork = 1e8

// Compute runs the program on inputs, one per argument and row-major. Programs
// of up to 10⁸ scalar operations are interpreted in float64. Larger ones run
// their contractions in float32 on OpenBLAS and keep tensors in float32; then
// each contraction, and the program as a whole, is compared with float64 at
// sampled elements, and a disagreement is an error.
//
// The program must be within what the reference knows; anything else is an
// error that names the operation, as are inputs of other sizes.
func Compute(p *program.Program, inputs [][]float32) (*Reference, error) {
	kernels, err := prepare(p, inputs)
	if err != nil {
		return nil, fmt.Errorf("reference of %s: %w", p.Name, err)
	}
	work := 0.0
	for _, k := range kernels {
		work += k.work()
	}
	var r *Reference
	if work <= smallWork {
		r, err = small(p, inputs, kernels)
	} else {
		r, err = large(p, inputs, kernels)
	}
	if err != nil {
		return nil, fmt.Errorf("reference of %s: %w", p.Name, err)
	}
	return r, nil
}

func small(p *program.Program, inputs [][]float32, kernels []*kernel) (*Reference, error) {
	e := &evaluator[float64]{p: p, inputs: inputs, kernels: kernels}
	return e.run()
}

func large(p *program.Program, inputs [][]float32, kernels []*kernel) (*Reference, error) {
	e := &evaluator[float32]{p: p, inputs: inputs, kernels: kernels}
	e.blas = func(k *kernel, operands []tensor[float32], result tensor[float32]) (bool, error) {
		g, ok := newGemm(k)
		if !ok {
			return false, nil
		}
		g.run(operands, result)
		return true, verifyOperation(e, k)
	}
	r, err := e.run()
	if err != nil {
		return nil, err
	}
	return r, verifyResults(p, inputs, kernels, r)
}

func prepare(p *program.Program, inputs [][]float32) ([]*kernel, error) {
	if len(inputs) != len(p.Args) {
		return nil, fmt.Errorf("got %d inputs, the program has %d arguments", len(inputs), len(p.Args))
	}
	for i, v := range p.Args {
		if want := p.Values[v].Elements(); len(inputs[i]) != want {
			return nil, fmt.Errorf("input %d: got %d elements, want %d (shape %v)", i, len(inputs[i]), want, p.Values[v].Shape)
		}
	}
	for i := range p.Values {
		if err := checkValue(p, i); err != nil {
			return nil, fmt.Errorf("value %d: %w", i, err)
		}
	}
	kernels := make([]*kernel, len(p.Ops))
	for i := range p.Ops {
		k, err := newKernel(p, i)
		if err != nil {
			return nil, err
		}
		kernels[i] = k
	}
	return kernels, nil
}

func checkValue(p *program.Program, i int) error {
	v := &p.Values[i]
	switch v.Kind {
	case program.ValueConstant:
		if !v.IsSplat && len(v.Data) != 4*v.Elements() {
			return fmt.Errorf("constant of shape %v has %d bytes", v.Shape, len(v.Data))
		}
	case program.ValueReshape:
		if base := &p.Values[v.Base]; base.Elements() != v.Elements() {
			return fmt.Errorf("shape %v cannot become %v", base.Shape, v.Shape)
		}
	case program.ValueSlice:
		return checkPart(v.Shape, p.Values[v.Base].Shape, v)
	case program.ValueInsert:
		return checkPart(p.Values[v.Source].Shape, v.Shape, v)
	}
	return nil
}

func checkPart(part, whole []int, v *program.Value) error {
	if len(part) != len(whole) || len(v.Offsets) != len(part) || len(v.Strides) != len(part) {
		return fmt.Errorf("%s of shape %v in %v, with %d offsets and %d strides: all must have the same rank; write a change of rank as a reshape",
			v.Kind, part, whole, len(v.Offsets), len(v.Strides))
	}
	for d := range part {
		first, last := v.Offsets[d], v.Offsets[d]+(part[d]-1)*v.Strides[d]
		if part[d] > 0 && (min(first, last) < 0 || max(first, last) >= whole[d]) {
			return fmt.Errorf("%s reaches indices %d…%d of dimension %d, the shape is %v", v.Kind, first, last, d, whole)
		}
	}
	return nil
}
