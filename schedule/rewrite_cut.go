package schedule

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"nestling/program"
)

// cut is C(loop,at[,rest]): one operation becomes two, the first with the
// iterations below `at` of the loop, the second, NAME.rest, with the others. So
// a bound without good divisors becomes a large part that has them, and a
// small one.
//
// With a third number the second part has the last `rest` iterations, which may
// be some of the first part's again: what both compute is computed twice, and
// the vectors of both are full.
//
// The operations that a parallel loop is linked to are cut with it, so that a
// chain stays a chain: bias, product and relu. Where the chain ends, the two
// parts are written into one tensor. A reduction's second part goes on from the
// first one's sums.
func (r *rewriter) cut() error {
	if len(r.args) != 2 && len(r.args) != 3 {
		return fmt.Errorf("has %d numbers, needs the loop and where to cut it, as in C(1,256), and for parts that overlap the size of the second, as in C(1,256,16)", len(r.args))
	}
	loop, at := r.args[0], r.args[1]
	if err := r.hasLoop(loop); err != nil {
		return err
	}
	whole := r.self().Loops[loop]
	if at < 1 || at >= whole.Bound {
		return fmt.Errorf("%d does not cut loop %d of %d; allowed: 1 to %d", at, loop, whole.Bound, whole.Bound-1)
	}
	rest := whole.Bound - at
	if len(r.args) == 3 {
		if r.args[2] < rest || r.args[2] >= whole.Bound {
			return fmt.Errorf("a second part of %d does not end loop %d of %d cut at %d; allowed: %d to %d", r.args[2], loop, whole.Bound, at, rest, whole.Bound-1)
		}
		rest = r.args[2]
	}
	if whole.Iterator == program.Reduction && rest != whole.Bound-at {
		return fmt.Errorf("loop %d is a reduction, whose parts cannot overlap", loop)
	}
	if err := r.hasFreeLoops(); err != nil {
		return err
	}
	if r.readsIndex(r.op, loop) {
		return fmt.Errorf("it computes with the index of loop %d", loop)
	}
	c := cutting{
		rewriter: r, bound: whole.Bound, loops: map[int]int{}, dimensions: map[int]int{},
		inner: map[int]bool{}, results: map[portion]int{}, joined: map[int][2]int{},
		parts: [2]span{{0, at}, {whole.Bound - rest, rest}},
	}
	c.follow(r.op, loop)
	c.write()
	return nil
}

// span is a part of a loop.
type span struct{ from, size int }

// cutting is what is cut together.
type cutting struct {
	*rewriter
	bound      int
	parts      [2]span
	loops      map[int]int // by operation
	dimensions map[int]int // by value, those that operations of the chain compute in parts
	inner      map[int]bool
	results    map[portion]int // by operation and part
	joined     map[int][2]int  // by value that is read as a whole: with the first part, and with both
}

// follow takes an operation into the chain, and what its loop is linked to.
func (c *cutting) follow(op, loop int) {
	if _, known := c.loops[op]; known {
		return
	}
	o := &c.Ops[op]
	if fixed(o) || c.readsIndex(op, loop) {
		return
	}
	if c.Values[o.Result].Weight != c.Values[c.self().Result].Weight {
		return // computed at another time, it is whole by then
	}
	c.loops[op] = loop
	for _, operand := range o.Operands {
		d := soleRow(operand.Map, loop)
		if d < 0 || operand.Map.Offsets[d] != 0 {
			continue
		}
		if operand.Init {
			c.dimensions[o.Result] = d
			c.consumer(o.Result, d)
		}
		if v := &c.Values[operand.Value]; v.Kind == program.ValueResult && c.Ops[v.Op].Code == "" && c.Uses(operand.Value) == 1 {
			if l, ok := singleLoop(c.Ops[v.Op].Init().Map.Coefficients[d]); ok && c.Ops[v.Op].Loops[l].Bound == c.bound {
				c.follow(v.Op, l)
			}
		}
	}
}

// consumer follows a dimension of a value to its only reader, if that computes
// every place of it by itself.
func (c *cutting) consumer(value, dimension int) {
	op, l, ok := c.readAlong(value, dimension)
	if ok && c.Ops[op].Loops[l].Iterator == program.Parallel && c.Ops[op].Loops[l].Bound == c.bound {
		c.follow(op, l)
	}
}

// readAlong is the operation that alone reads a value, and the loop that alone
// runs along a dimension of it there, place by place; false if there is none.
func (c *cutting) readAlong(value, dimension int) (op, loop int, ok bool) {
	op, operand := c.reader(value)
	if operand == nil || c.Ops[op].Code != "" || operand.Map.Offsets[dimension] != 0 {
		return 0, 0, false
	}
	loop, ok = singleLoop(operand.Map.Coefficients[dimension])
	return op, loop, ok
}

// reader is the operation, and its operand, that alone reads a value.
func (c *cutting) reader(value int) (int, *program.Operand) {
	if c.Uses(value) != 1 {
		return 0, nil
	}
	for op := range c.Ops {
		for i := range c.Ops[op].Operands {
			if operand := &c.Ops[op].Operands[i]; operand.Value == value {
				return op, operand
			}
		}
	}
	return 0, nil
}

// readInside reports whether a value that the chain computes is read in the
// chain alone, part by part: such a value is inner.
func (c *cutting) readInside(value int) bool {
	d, computed := c.dimensions[value]
	if !computed {
		return false
	}
	op, l, ok := c.readAlong(value, d)
	loop, member := c.loops[op]
	return ok && member && l == loop
}

// write makes two of every operation of the chain.
func (c *cutting) write() {
	members, suffix := slices.Sorted(maps.Keys(c.loops)), c.suffix()
	for _, op := range members {
		c.inner[c.Ops[op].Result] = c.readInside(c.Ops[op].Result)
		for part := range c.parts {
			c.results[portion{op, part}] = c.partResult(c.Ops[op].Result, part)
		}
	}
	for _, op := range members {
		result := c.Ops[op].Result
		if d, parallel := c.dimensions[result]; parallel && !c.inner[result] {
			c.joined[result] = c.join(result, d)
		}
	}
	var firsts []program.Op
	for _, op := range members {
		firsts = append(firsts, c.part(op, 0))
		second := c.part(op, 1)
		second.Name += suffix
		c.Ops = append(c.Ops, second)
	}
	for i, op := range members {
		old := c.Ops[op].Result
		c.Ops[op] = firsts[i]
		if whole, end := c.joined[old]; end {
			c.replace(old, whole[1])
		} else if !c.inner[old] {
			c.replace(old, c.results[portion{op, 1}])
		}
	}
	c.Link() // Prune follows results to their operations
	c.Prune()
}

// suffix is what the names of the second parts end in, such that they are new.
func (c *cutting) suffix() string {
	for n := 1; ; n++ {
		suffix := ".rest"
		if n > 1 {
			suffix += strconv.Itoa(n)
		}
		taken := false
		for op := range c.loops {
			_, err := c.OpIndex(c.Ops[op].Name + suffix)
			taken = taken || err == nil
		}
		if !taken {
			return suffix
		}
	}
}

// partResult adds the result that takes the place of an operation's in a part.
func (c *cutting) partResult(value, part int) int {
	v := c.Values[value]
	v.Shape = slices.Clone(v.Shape)
	if d, parallel := c.dimensions[value]; parallel {
		v.Shape[d] = c.parts[part].size
	}
	return c.add(v)
}

// join writes the two parts of a value that is read as a whole into one tensor:
// the value with the first part in its place, and with both.
func (c *cutting) join(value, dimension int) [2]int {
	v := c.Values[value]
	base := c.root(c.Values[value].Op)
	if c.Values[base].Kind == program.ValueEmpty {
		base = c.empty(v.Shape) // its own: both parts are computed in place
	}
	var whole [2]int
	for part, s := range c.parts {
		offsets := make([]int, len(v.Shape))
		offsets[dimension] = s.from
		base = c.add(program.Value{
			Kind: program.ValueInsert, Base: base, Source: c.results[portion{v.Op, part}],
			Shape: v.Shape, Offsets: offsets, Strides: slices.Repeat([]int{1}, len(v.Shape)), Weight: v.Weight,
		})
		whole[part] = base
	}
	return whole
}

// root is the value that an operation's result is written over: its init, or that
// of the operation of the chain that fills it.
func (c *cutting) root(op int) int {
	init := c.Ops[op].Init().Value
	for c.inner[init] {
		init = c.Ops[c.Values[init].Op].Init().Value
	}
	return init
}

// last is the value that an operation's result becomes as one of the chain after
// the other writes over it.
func (c *cutting) last(op int) int {
	value := c.Ops[op].Result
	for c.inner[value] {
		reader, operand := c.reader(value)
		if !operand.Init {
			return value
		}
		value = c.Ops[reader].Result
	}
	return value
}

// part is one of the two operations that an operation becomes. Only its name is
// still to be chosen.
func (c *cutting) part(op, part int) program.Op {
	loop, o := c.loops[op], c.Ops[op]
	o.Loops = slices.Clone(o.Loops)
	o.Loops[loop].Bound = c.parts[part].size
	o.Operands = slices.Clone(o.Operands)
	_, parallel := c.dimensions[o.Result]
	for i := range o.Operands {
		operand := &o.Operands[i]
		operand.Map = program.AccessMap{Coefficients: operand.Map.Coefficients, Offsets: slices.Clone(operand.Map.Offsets)}
		switch {
		case c.inner[operand.Value]:
			operand.Value = c.results[portion{c.Values[operand.Value].Op, part}]
		case !operand.Init:
			c.slice(operand, &o, loop, part)
		case parallel:
			c.slicedInit(operand, &o, op, part)
		case part == 1: // a reduction goes on from the first part's sums
			operand.Value = c.results[portion{op, 0}]
		}
	}
	o.Result = c.results[portion{op, part}]
	return o
}

// slicedInit lets a part start from its place in the tensor that it ends in.
func (c *cutting) slicedInit(operand *program.Operand, o *program.Op, op, part int) {
	whole, end := c.joined[c.last(op)]
	overlaps := c.parts[1].from < c.parts[0].size
	switch nothing := c.Values[operand.Value].Kind == program.ValueEmpty; {
	case end && nothing && part == 0:
		operand.Value = c.Values[whole[0]].Base
	case end && part == 1 && (nothing || !overlaps):
		operand.Value = whole[0]
	}
	c.slice(operand, o, c.loops[op], part)
}

// slice lets an operand of a part see what the part reads, a window's margins
// included.
func (c *cutting) slice(operand *program.Operand, o *program.Op, loop, part int) {
	v := c.Values[operand.Value]
	shape, offsets := slices.Clone(v.Shape), make([]int, len(v.Shape))
	for d, row := range operand.Map.Coefficients {
		if row[loop] == 0 {
			continue
		}
		offsets[d] = operand.Map.Offsets[d] + row[loop]*c.parts[part].from
		operand.Map.Offsets[d] = 0
		shape[d] = 1
		for l, factor := range row {
			shape[d] += factor * (o.Loops[l].Bound - 1)
		}
	}
	switch {
	case slices.Equal(shape, v.Shape):
	case v.Kind == program.ValueEmpty && !c.base(operand.Value):
		operand.Value = c.empty(shape)
	default:
		operand.Value = c.add(program.Value{
			Kind: program.ValueSlice, Base: operand.Value, Shape: shape, Offsets: offsets, Strides: slices.Repeat([]int{1}, len(shape)), Weight: v.Weight,
		})
	}
}

// base reports whether parts are joined over a value.
func (c *cutting) base(value int) bool {
	for _, whole := range c.joined {
		if c.Values[whole[0]].Base == value {
			return true
		}
	}
	return false
}
