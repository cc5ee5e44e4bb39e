package schedule

import (
	"fmt"
	"slices"

	"nestling/program"
)

// layout is L(operand, order...): the operation reads an operand, or writes its
// result (the last operand), in another order of dimensions.
//
// For an input, the operation NAME.inI copies; of weights alone, ahead of time.
// For the result, NAME.out copies it back, and what initialises the result does
// so in the new order.
func (r *rewriter) layout() error {
	if len(r.args) < 2 {
		return fmt.Errorf("needs the operand and an order of its dimensions, as in L(1,0,2,1)")
	}
	i, order := r.args[0], r.args[1:]
	o := r.self()
	if i >= len(o.Operands) {
		return fmt.Errorf("no operand %d; there are %d, counted from 0, the result last", i, len(o.Operands))
	}
	if o.Code != "" || o.Inside > 0 {
		return fmt.Errorf("it is written out, and its layouts are fixed")
	}
	if err := checkPermutation("order ", "dimensions", order, len(o.Operands[i].Map.Coefficients)); err != nil {
		return err
	}
	if slices.IsSorted(order) {
		return fmt.Errorf("changes no order")
	}
	if r.Values[o.Operands[i].Value].Kind == program.ValueEmpty && !o.Operands[i].Init {
		return fmt.Errorf("operand %d has no content; it only gives a window its size", i)
	}
	if o.Operands[i].Init {
		return r.layoutResult(order)
	}
	r.layoutInput(i, order)
	return nil
}

func (r *rewriter) layoutInput(i int, order []int) {
	moved := r.copyOp(fmt.Sprintf("%s.in%d", r.self().Name, i), r.self().Operands[i].Value, order)
	operand := &r.self().Operands[i]
	operand.Value, operand.Map = moved.Result, permutedMap(operand.Map, order)
	r.insert(r.op, moved)
}

func (r *rewriter) layoutResult(order []int) error {
	if _, ok := permutedLoops(r.self().Init().Map); !ok {
		return fmt.Errorf("its result is not written element by element")
	}
	old := r.self().Result
	if err := r.layoutInit(r.op, order); err != nil {
		return err
	}
	moved := r.add(program.Value{Kind: program.ValueResult, Shape: permuted(r.Values[old].Shape, order), Weight: r.Values[old].Weight})
	r.self().Result = moved
	back := r.copyOp(r.self().Name+".out", moved, inverse(order))
	back.Result = old
	r.Values = r.Values[:len(r.Values)-1] // of the copy, whose result is the old value
	r.insertAfter(back)
	return nil
}

// insertAfter puts an operation after the rewrite's own.
func (r *rewriter) insertAfter(o program.Op) { r.insert(r.op+1, o) }

// layoutInit gives the init of an operation another order: the operation that
// computes it does so in that order, or else a copy is made.
func (r *rewriter) layoutInit(op int, order []int) error {
	init := &r.Ops[op].Operands[len(r.Ops[op].Operands)-1]
	init.Map = permutedMap(init.Map, order)
	value := init.Value
	v := &r.Values[value]
	shape := permuted(v.Shape, order)
	switch {
	case v.Kind == program.ValueEmpty:
		init.Value = r.empty(shape)
	case v.Kind == program.ValueResult && r.Uses(value) == 1 && r.Ops[v.Op].Code == "":
		v.Shape = shape
		return r.layoutInit(v.Op, order)
	default:
		name := r.Ops[op].Name + ".init"
		copied := r.copyOp(name, value, order)
		r.Ops[op].Operands[len(r.Ops[op].Operands)-1].Value = copied.Result
		r.insert(op, copied)
	}
	return nil
}

// permutedMap accesses a tensor whose dimension d was dimension order[d].
func permutedMap(m program.AccessMap, order []int) program.AccessMap {
	out := program.AccessMap{}
	for _, d := range order {
		out.Coefficients = append(out.Coefficients, m.Coefficients[d])
		out.Offsets = append(out.Offsets, m.Offsets[d])
	}
	return out
}

// inverse is the permutation that undoes another.
func inverse(order []int) []int {
	out := make([]int, len(order))
	for i, d := range order {
		out[d] = i
	}
	return out
}
