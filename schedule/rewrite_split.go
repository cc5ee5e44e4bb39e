package schedule

import (
	"fmt"
	"slices"

	"nestling/program"
)

// split is S(loop, size): loop becomes two, bound/size outside and size inside.
//
// The dimensions that the loop alone runs along are split with it, and so are
// the loops of the operations that it is linked to through them, so that a
// chain stays a chain: bias, convolution and relu all see blocks of channels.
// Where the chain ends values are seen in their other shape, which costs
// nothing. Along with other loops, as in a window, an index stays one:
// coefficient·loop becomes coefficient·size·outer + coefficient·inner.
func (r *rewriter) split() error {
	if err := r.want(2, "the loop and the size of its blocks, as in S(1,32)"); err != nil {
		return err
	}
	loop, size := r.args[0], r.args[1]
	if err := r.hasLoop(loop); err != nil {
		return err
	}
	bound := r.self().Loops[loop].Bound
	if size <= 1 || size >= bound || bound%size != 0 {
		return fmt.Errorf("blocks of %d do not divide loop %d of %d; allowed: %s", size, loop, bound, join(divisors(bound), " "))
	}
	c := chain{rewriter: r, size: size, loops: map[int]int{}, dimensions: map[int]int{}}
	if err := c.follow(r.op, loop); err != nil {
		return err
	}
	return c.split()
}

// chain is what is split together.
type chain struct {
	*rewriter
	size       int
	loops      map[int]int // by operation
	dimensions map[int]int // by value, those that operations of the chain compute
}

// follow takes an operation into the chain, and what it is linked to.
func (c *chain) follow(op, loop int) error {
	if known, ok := c.loops[op]; ok {
		if known != loop {
			return fmt.Errorf("%s is linked to it by its loops %d and %d; only one can be split at a time", c.Ops[op].Name, known, loop)
		}
		return nil
	}
	o := &c.Ops[op]
	if fixed(o) {
		return fmt.Errorf("%s is written out, its loops cannot be split", o.Name)
	}
	if c.readsIndex(op, loop) {
		return fmt.Errorf("%s computes with the index of loop %d", o.Name, loop)
	}
	c.loops[op] = loop
	for _, operand := range o.Operands {
		d := soleRow(operand.Map, loop)
		if d < 0 {
			continue
		}
		if err := c.producer(operand.Value, d); err != nil {
			return err
		}
		if operand.Init {
			c.dimensions[o.Result] = d
			if err := c.consumer(o.Result, d); err != nil {
				return err
			}
		}
	}
	return nil
}

// producer follows a dimension of a value to the operation that computes it, if
// the value is for the chain alone.
func (c *chain) producer(value, dimension int) error {
	v := &c.Values[value]
	if v.Kind != program.ValueResult || c.Uses(value) != 1 || c.Ops[v.Op].Code != "" {
		return nil
	}
	if l, ok := singleLoop(c.Ops[v.Op].Init().Map.Coefficients[dimension]); ok {
		return c.follow(v.Op, l)
	}
	return nil
}

// consumer follows a dimension of a value to its only reader.
func (c *chain) consumer(value, dimension int) error {
	if c.Uses(value) != 1 {
		return nil
	}
	for op := range c.Ops {
		for _, operand := range c.Ops[op].Operands {
			if operand.Value != value || fixed(&c.Ops[op]) {
				continue
			}
			if l, ok := singleLoop(operand.Map.Coefficients[dimension]); ok && operand.Map.Offsets[dimension] == 0 {
				return c.follow(op, l)
			}
		}
	}
	return nil
}

// soleRow is the dimension that a loop alone runs along, -1 if there is none.
func soleRow(m program.AccessMap, loop int) int {
	return slices.IndexFunc(m.Coefficients, func(row []int) bool {
		l, ok := singleLoop(row)
		return ok && l == loop
	})
}

// split rewrites every operation of the chain.
func (c *chain) split() error {
	whole := map[int][]int{} // shapes before, of the values that change
	for value, d := range c.dimensions {
		whole[value] = c.Values[value].Shape
		c.Values[value].Shape = c.blocked(whole[value], d)
	}
	for op := range c.Ops {
		loop, member := c.loops[op]
		for i := range c.Ops[op].Operands {
			operand := &c.Ops[op].Operands[i]
			if member {
				c.splitOperand(operand, loop)
			} else if shape, changed := whole[operand.Value]; changed {
				operand.Value = c.view(operand.Value, shape)
			}
		}
		if member {
			c.splitLoop(op, loop)
		}
	}
	c.restore(whole)
	return nil
}

// restore lets whatever is no operation see the values that changed in the shape
// they had.
func (c *chain) restore(whole map[int][]int) {
	old := func(value *int) {
		if shape, changed := whole[*value]; changed {
			*value = c.view(*value, shape)
		}
	}
	for i := range len(c.Values) { // without the views, which are appended
		v := c.Values[i]
		switch {
		case v.Kind == program.ValueInsert:
			old(&v.Source)
			old(&v.Base)
		case v.Kind == program.ValueSlice, v.Kind == program.ValueReshape && !c.sees(v, whole):
			old(&v.Base)
		}
		c.Values[i] = v
	}
	for i := range c.Results {
		old(&c.Results[i])
	}
}

// sees reports whether a reshape is a view that restored a shape.
func (c *chain) sees(v program.Value, whole map[int][]int) bool {
	shape, changed := whole[v.Base]
	return changed && slices.Equal(shape, v.Shape)
}

// splitOperand lets an operand of the chain see its value in blocks.
func (c *chain) splitOperand(operand *program.Operand, loop int) {
	d := soleRow(operand.Map, loop)
	m := &operand.Map
	for i, row := range m.Coefficients {
		m.Coefficients[i] = slices.Concat(row[:loop], []int{row[loop] * c.size, row[loop]}, row[loop+1:])
	}
	if d < 0 {
		return
	}
	row := m.Coefficients[d]
	m.Coefficients = slices.Concat(m.Coefficients[:d], [][]int{unit(len(row), loop), unit(len(row), loop+1)}, m.Coefficients[d+1:])
	m.Offsets = slices.Insert(m.Offsets, d, 0)
	if _, ours := c.dimensions[operand.Value]; !ours {
		operand.Value = c.view(operand.Value, c.blocked(c.Values[operand.Value].Shape, d))
	}
}

func (c *chain) splitLoop(op, loop int) {
	o := &c.Ops[op]
	whole := o.Loops[loop]
	inner := program.Loop{Bound: c.size, Iterator: whole.Iterator}
	o.Loops[loop].Bound /= c.size
	o.Loops = slices.Insert(o.Loops, loop+1, inner)
	for i := range o.Body {
		if in := &o.Body[i]; in.Op == "index" && in.Args[0] > loop {
			in.Args[0]++
		}
	}
}

// blocked is a shape with one dimension split.
func (c *chain) blocked(shape []int, dimension int) []int {
	return slices.Concat(shape[:dimension], []int{shape[dimension] / c.size, c.size}, shape[dimension+1:])
}
