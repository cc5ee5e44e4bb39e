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
// Where a copy is there already, the one that pads an image, it changes the
// order as well; where a copy has just changed the order, none is made, and the
// chain keeps its order.
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
	if fixed(o) {
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
	operand := &r.self().Operands[i]
	operand.Map = permutedMap(operand.Map, order)
	if r.layoutPadding(operand.Value, order) {
		r.Prune()
		return
	}
	value := operand.Value
	value, order = r.behindCopies(value, order)
	if slices.IsSorted(order) {
		operand.Value = value
		r.Prune()
		return
	}
	moved := r.copyOp(fmt.Sprintf("%s.in%d", r.self().Name, i), value, order)
	r.self().Operands[i].Value = moved.Result
	r.insert(r.op, moved)
	r.Prune()
}

// behindCopies is the value that a chain of copies started from, with the order
// of its dimensions that an order of the copy's dimensions is.
func (r *rewriter) behindCopies(value int, order []int) (int, []int) {
	for {
		v := &r.Values[value]
		if v.Kind != program.ValueResult {
			return value, order
		}
		source, dimensions, ok := r.reordered(v.Op)
		if !ok {
			return value, order
		}
		value, order = source, permuted(dimensions, order)
	}
}

// reordered is what an operation copies whole, if it does: dimension d of its
// result is dimension dimensions[d] of the source.
func (r *rewriter) reordered(op int) (source int, dimensions []int, ok bool) {
	o := &r.Ops[op]
	if o.Code != "" || !isCopy(o) || r.Values[o.Operands[1].Value].Kind != program.ValueEmpty {
		return 0, nil, false
	}
	read, reads := permutedLoops(o.Operands[0].Map)
	written, writes := permutedLoops(o.Operands[1].Map)
	if !reads || !writes || len(read) != len(written) {
		return 0, nil, false
	}
	for _, loop := range written {
		dimensions = append(dimensions, slices.Index(read, loop))
	}
	return o.Operands[0].Value, dimensions, true
}

// layoutPadding gives a padded image another order of dimensions, if the value is
// one that nothing else reads: zeros, and a copy into their middle.
func (r *rewriter) layoutPadding(value int, order []int) bool {
	whole := &r.Values[value]
	if whole.Kind != program.ValueInsert || r.Uses(value) != 1 || r.Uses(whole.Source) != 1 || r.Uses(whole.Base) != 2 {
		return false
	}
	part, zeros := &r.Values[whole.Source], &r.Values[whole.Base]
	if part.Kind != program.ValueResult || zeros.Kind != program.ValueResult {
		return false
	}
	copied, filled := &r.Ops[part.Op], &r.Ops[zeros.Op]
	if copied.Code != "" || filled.Code != "" || !isCopy(copied) || r.Values[filled.Init().Value].Kind != program.ValueEmpty {
		return false
	}
	slice := &r.Values[copied.Init().Value]
	if slice.Kind != program.ValueSlice || slice.Base != whole.Base || r.Uses(copied.Init().Value) != 1 {
		return false
	}
	for _, v := range []*program.Value{whole, part, zeros, slice} {
		v.Shape = permuted(v.Shape, order)
		if v.Kind == program.ValueInsert || v.Kind == program.ValueSlice {
			v.Offsets, v.Strides = permuted(v.Offsets, order), permuted(v.Strides, order)
		}
	}
	for _, o := range []*program.Op{copied, filled} {
		init := &o.Operands[len(o.Operands)-1]
		init.Map = permutedMap(init.Map, order)
	}
	init := &filled.Operands[len(filled.Operands)-1]
	r.readBehindCopies(&copied.Operands[0])
	init.Value = r.empty(zeros.Shape)
	return true
}

// readBehindCopies lets an operand read what was copied rather than the copy.
func (r *rewriter) readBehindCopies(operand *program.Operand) {
	order := make([]int, len(r.Values[operand.Value].Shape))
	for d := range order {
		order[d] = d
	}
	source, dimensions := r.behindCopies(operand.Value, order)
	operand.Value, operand.Map = source, permutedMap(operand.Map, inverse(dimensions))
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
