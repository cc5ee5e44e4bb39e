package schedule

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"nestling/program"
)

// parts is R(loop): NAME.parts reduces along the other loops alone, for every iteration of
// this one, which is parallel there; the operation itself then combines those partial
// results. So threads can share a reduction to few elements, or to one.
func (r *rewriter) parts() error {
	if err := r.want(1, "the loop, as in R(0)"); err != nil {
		return err
	}
	loop := r.args[0]
	if err := r.partial(loop); err != nil {
		return err
	}
	o := r.self()
	combiner := o.Body[o.Yield-len(o.Operands)].Op
	shape := slices.Insert(slices.Clone(r.Values[o.Result].Shape), 0, o.Loops[loop].Bound)
	weight := r.Values[o.Result].Weight
	result := program.Value{Kind: program.ValueResult, Shape: shape, Weight: weight}
	start := r.fillOp(o.Name+".parts.fill", shape, neutral[combiner])
	start.Result = r.add(result)
	partial := partsOf(*o, loop, start.Result)
	partial.Result = r.add(result)
	r.combine(loop, partial.Result, combiner)
	r.insert(r.op, start)
	r.insert(r.op, partial)
	return nil
}

// neutral is what leaves the other operand of a combiner as it is.
var neutral = map[string]float32{
	"arith.addf": 0, "arith.mulf": 1,
	"arith.maximumf": float32(math.Inf(-1)), "arith.maxnumf": float32(math.Inf(-1)),
	"arith.minimumf": float32(math.Inf(1)), "arith.minnumf": float32(math.Inf(1)),
}

// partial refuses loops that have no partial results.
func (r *rewriter) partial(loop int) error {
	if err := cmp.Or(r.hasLoop(loop), r.hasFreeLoops()); err != nil {
		return err
	}
	o := r.self()
	if o.Loops[loop].Iterator != program.Reduction {
		return fmt.Errorf("loop %d is no reduction", loop)
	}
	if !reducesBeside(o, loop) {
		bound := o.Loops[loop].Bound
		if size := largestDivisor(bound, max(1, bound/2)); size > 1 {
			return fmt.Errorf("no other loop reduces; split loop %d of %d first, as in S(%d,%d)", loop, bound, loop, size)
		}
		return fmt.Errorf("no other loop reduces, and nothing divides loop %d of %d", loop, bound)
	}
	if !combines(o) {
		return errors.New("it is no sum, product, maximum or minimum of what it reads")
	}
	return nil
}

// reducesBeside reports whether another loop than this one reduces anything.
func reducesBeside(o *program.Op, loop int) bool {
	for l, other := range o.Loops {
		if l != loop && other.Iterator == program.Reduction && other.Bound > 1 {
			return true
		}
	}
	return false
}

// partsOf is the operation with one of its reductions parallel: along the first dimension
// of its result.
func partsOf(o program.Op, loop, init int) program.Op {
	o.Name, o.Kind = o.Name+".parts", "linalg.generic"
	o.Loops = slices.Clone(o.Loops)
	o.Loops[loop].Iterator = program.Parallel
	o.Operands = slices.Clone(o.Operands)
	last := &o.Operands[len(o.Operands)-1]
	last.Value = init
	last.Map = program.AccessMap{
		Coefficients: slices.Insert(slices.Clone(last.Map.Coefficients), 0, unit(len(o.Loops), loop)),
		Offsets:      slices.Insert(slices.Clone(last.Map.Offsets), 0, 0),
	}
	return o
}

// combine makes the operation one that reduces partial results along their first
// dimension, to where it has always begun.
func (r *rewriter) combine(loop, parts int, combiner string) {
	o := r.self()
	kept := []int{loop} // first, and then what the result has
	for l := range o.Loops {
		if o.Loops[l].Iterator == program.Parallel {
			kept = append(kept, l)
		}
	}
	init := o.Init()
	rows := make([][]int, len(init.Map.Coefficients))
	for d, row := range init.Map.Coefficients {
		for _, l := range kept {
			rows[d] = append(rows[d], row[l])
		}
	}
	init.Map = program.AccessMap{Coefficients: rows, Offsets: init.Map.Offsets}
	from := program.AccessMap{
		Coefficients: slices.Insert(slices.Clone(rows), 0, unit(len(kept), 0)),
		Offsets:      slices.Insert(slices.Clone(init.Map.Offsets), 0, 0),
	}
	loops := make([]program.Loop, len(kept))
	for i, l := range kept {
		loops[i] = o.Loops[l]
	}
	o.Kind, o.Family, o.Loops = "linalg.generic", program.Reduce, loops
	o.Operands = []program.Operand{{Value: parts, Map: from}, init}
	o.Body, o.Yield = []program.Instruction{{Op: combiner, Args: []int{0, 1}}}, 2
	o.CountArithmetic()
}
