package reference

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"nestling/program"
)

const (
	// What float32 on BLAS may differ from float64, as a share of the scale,
	// and in the scale itself.
	verifyTolerance = 1e-5
	scaleTolerance  = 1e-3
	// scaleNoise is what the scales of a whole program may differ besides, as a
	// share of the largest: where a maximum's loser begins to count, rounding
	// decides how much.
	scaleNoise = 0.01
	// resultBudget is the number of scalar iterations spent on following
	// sampled results back to the inputs: some tenths of a second.
	resultBudget = 4e6
	// randomSamples are taken beside corners and tile borders.
	randomSamples = 64
	// mostBorders of each tile size are looked at in each dimension.
	mostBorders = 12
)

// sampler computes single elements in float64, following values back as far as
// they are not known, and remembers those of operations.
type sampler struct {
	p       *program.Program
	kernels []*kernel
	given   [][]float32       // per value: its elements if it is an argument
	known   []tensor[float32] // per value; nil: everything follows from the inputs
	memo    []map[int]pair    // per operation

	steps, budget float64
}

// verifyOperation compares what BLAS made of an operation with float64 at
// sampled elements, from the same operands.
func verifyOperation(e *evaluator[float32], k *kernel) error {
	s := newSampler(e.p, e.inputs, e.kernels, math.Inf(1))
	s.known = e.known
	got := e.known[e.p.Ops[k.op].Result]
	return s.compare(e.p.Ops[k.op].Result, got, 0, func(at int) pair { return s.element(k, at) })
}

// verifyResults compares results with float64 at sampled elements, all the way
// from the inputs, as far as the budget lasts: in deep programs an element may
// depend on almost everything, and each contraction was verified by itself.
func verifyResults(p *program.Program, inputs [][]float32, kernels []*kernel, r *Reference) error {
	for i, v := range p.Results {
		s := newSampler(p, inputs, kernels, resultBudget/float64(len(p.Results)))
		got := tensor[float32]{r.Results[i].Values, r.Results[i].Scales}
		noise := scaleNoise * float64(slices.Max(got.scales))
		if err := s.compare(v, got, noise, func(at int) pair { return s.fetch(v, at) }); err != nil {
			return fmt.Errorf("output %d: %w", i, err)
		}
	}
	return nil
}

func newSampler(p *program.Program, inputs [][]float32, kernels []*kernel, budget float64) *sampler {
	s := &sampler{p: p, kernels: kernels, given: make([][]float32, len(p.Values)), budget: budget, memo: make([]map[int]pair, len(p.Ops))}
	for i, v := range p.Args {
		s.given[v] = inputs[i]
	}
	for i := range s.memo {
		s.memo[i] = map[int]pair{}
	}
	return s
}

func (s *sampler) exhausted() bool { return s.steps > s.budget }

// compare takes samples of a value; noise is added to what scales may differ.
func (s *sampler) compare(value int, got tensor[float32], noise float64, want func(at int) pair) error {
	shape := s.p.Values[value].Shape
	for _, at := range samples(shape) {
		w := want(at)
		if s.exhausted() {
			return nil // w was cut short
		}
		g := pair{float64(got.values[at]), float64(got.scales[at])}
		if e := weighed(g.value, float64(float32(w.value)), w.scale); e > verifyTolerance {
			return fmt.Errorf("float32 and float64 disagree at %v: %v and %v, %.2g of the scale %v (at most %v)",
				multiIndex(at, shape), g.value, w.value, e, w.scale, verifyTolerance)
		}
		if math.Abs(g.scale-w.scale) > scaleTolerance*w.scale+noise+smallestNormal && w.scale < math.MaxFloat32 {
			return fmt.Errorf("float32 and float64 disagree in the scale at %v: %v and %v", multiIndex(at, shape), g.scale, w.scale)
		}
	}
	return nil
}

// fetch returns element number at of a value.
func (s *sampler) fetch(value, at int) pair {
	if given := s.given[value]; given != nil {
		return exact(float64(given[at]))
	}
	if s.known != nil && s.known[value].values != nil {
		t := s.known[value]
		return pair{float64(t.values[at]), float64(t.scales[at])}
	}
	v := &s.p.Values[value]
	switch v.Kind {
	case program.ValueConstant:
		if v.IsSplat {
			return exact(float64(v.Splat))
		}
		return exact(float64(math.Float32frombits(binary.LittleEndian.Uint32(v.Data[4*at:]))))
	case program.ValueEmpty:
		return pair{math.NaN(), 0}
	case program.ValueReshape:
		return s.fetch(v.Base, at)
	case program.ValueSlice:
		base := outward(v, s.p.Values[v.Base].Shape, at)
		return s.fetch(v.Base, base)
	case program.ValueInsert:
		if inside, ok := inward(v, s.p.Values[v.Source].Shape, at); ok {
			return s.fetch(v.Source, inside)
		}
		return s.fetch(v.Base, at)
	}
	found, ok := s.memo[v.Op][at]
	if !ok {
		found = s.element(s.kernels[v.Op], at)
		s.memo[v.Op][at] = found
	}
	return found
}

// outward is where element at of a slice is in what it is a slice of.
func outward(v *program.Value, whole []int, at int) int {
	out := 0
	for d, i := range multiIndex(at, v.Shape) {
		out = out*whole[d] + v.Offsets[d] + i*v.Strides[d]
	}
	return out
}

// inward is where element at of an insertion's result is in what was inserted.
func inward(v *program.Value, part []int, at int) (int, bool) {
	out := 0
	for d, i := range multiIndex(at, v.Shape) {
		i, ok := divide(i-v.Offsets[d], v.Strides[d], part[d])
		if !ok {
			return 0, false
		}
		out = out*part[d] + i
	}
	return out, true
}

// divide returns i/by if that is whole and one of 0 … limit-1.
func divide(i, by, limit int) (int, bool) {
	if by == 0 {
		return 0, i == 0
	}
	return i / by, i%by == 0 && i/by >= 0 && i/by < limit
}

// element computes element number at of an operation's result.
func (s *sampler) element(k *kernel, at int) pair {
	init := len(k.operands) - 1
	loops := make([]int, len(k.bounds))
	if !s.locate(k, at, loops) {
		return s.fetch(k.operands[init].value, at)
	}
	registers := make([]pair, len(k.operands)+len(s.p.Ops[k.op].Body))
	if k.reads[init] {
		registers[init] = s.fetch(k.operands[init].value, at)
	}
	for {
		if s.steps++; s.exhausted() {
			return pair{}
		}
		for i, o := range k.operands[:init] {
			if k.reads[i] {
				registers[i] = s.fetch(o.value, o.address(loops))
			}
		}
		k.step(registers, loops)
		registers[init] = registers[k.yield]
		if !k.advance(k.sequential, loops) {
			return registers[init]
		}
	}
}

// step runs the body once.
func (k *kernel) step(registers []pair, loops []int) {
	for i := range k.body {
		in := &k.body[i]
		switch in.kind {
		case constant:
			registers[in.register] = exact(in.constant)
		case index:
			registers[in.register] = exact(float64(loops[in.args[0]]))
		default:
			registers[in.register] = in.apply(registers[in.args[0]], registers[in.args[1]], registers[in.args[2]])
		}
	}
}

// locate sets the independent loops to where they write element number at of
// the result, and tells by false that they do not.
func (s *sampler) locate(k *kernel, at int, loops []int) bool {
	op := &s.p.Ops[k.op]
	m := op.Init().Map
	for d, i := range multiIndex(at, s.p.Values[op.Result].Shape) {
		loop, coefficient := 0, 0
		for l, c := range m.Coefficients[d] {
			if c != 0 && k.bounds[l] > 1 {
				loop, coefficient = l, c
			}
		}
		i -= m.Offsets[d]
		if coefficient == 0 {
			if i != 0 {
				return false
			}
			continue
		}
		var ok bool
		if loops[loop], ok = divide(i, coefficient, k.bounds[loop]); !ok {
			return false
		}
	}
	return true
}

// samples lists elements worth looking at: the corners, in every dimension the
// surroundings of borders that tiles would have, and some at random.
func samples(shape []int) []int {
	r := rand.New(rand.NewPCG(1, uint64(len(shape))))
	index := make([]int, len(shape))
	var out []int
	take := func() {
		at := 0
		for d, i := range index {
			at = at*shape[d] + min(max(i, 0), shape[d]-1)
		}
		out = append(out, at)
	}
	scatterIndex := func() {
		for d := range index {
			index[d] = r.IntN(shape[d])
		}
	}
	for corner := range 1 << min(len(shape), 5) {
		for d := range index {
			index[d] = (corner >> d & 1) * (shape[d] - 1)
		}
		take()
	}
	for d := range shape {
		for _, tile := range []int{8, 14, 16, 32} {
			for _, border := range r.Perm(shape[d]/tile + 1)[:min(shape[d]/tile+1, mostBorders)] {
				for beside := -1; beside <= 1; beside++ {
					scatterIndex()
					index[d] = border*tile + beside
					take()
				}
			}
		}
	}
	for range randomSamples {
		scatterIndex()
		take()
	}
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}
