package schedule

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"nestling/program"
)

// group is G(loop): the operation runs one iteration of a parallel loop after
// the other, and before each what that iteration alone needs of the operations
// that feed it. An image is padded, convolved and finished while it is in cache,
// and what lies between needs room for one image a thread.
//
// The operations keep their names and their loops, this one with a bound of 1.
// Together they are NAME.loop, whose iterations are shared among the threads as
// far as their number divides them.
func (r *rewriter) group() error {
	if err := r.want(1, "the loop, as in G(0)"); err != nil {
		return err
	}
	loop := r.args[0]
	o := r.self()
	if err := cmp.Or(r.hasLoop(loop), r.hasFreeLoops()); err != nil {
		return err
	}
	if o.Loops[loop].Iterator != program.Parallel || o.Loops[loop].Bound == 1 {
		return fmt.Errorf("loop %d of %d, a %s, has no iterations of their own", loop, o.Loops[loop].Bound, o.Loops[loop].Iterator)
	}
	g := grouping{rewriter: r, bound: o.Loops[loop].Bound, loops: map[int]int{r.op: loop}, inner: map[portion]int{}, names: map[int]string{}}
	if !g.runsAlong(r.op, loop) {
		return fmt.Errorf("loop %d reads more of an operand than one place along one dimension", loop)
	}
	g.collect(r.op)
	for g.drop() {
	}
	g.writeOut()
	return nil
}

// grouping is the operations that run under one loop.
type grouping struct {
	*rewriter
	bound int
	loops map[int]int     // the loop of each operation
	inner map[portion]int // what takes the place of a value inside
	names map[int]string  // SSA names inside
	// What is read from outside.
	operands []program.Operand
	slices   strings.Builder
}

// portion is a value, one iteration's part of it along a dimension, or with -1 all
// of it.
type portion struct{ value, dimension int }

// runsAlong reports whether an operation's loop picks, of its result and of every
// operand that it moves, one place along one dimension.
func (g *grouping) runsAlong(op, loop int) bool {
	o := &g.Ops[op]
	if g.readsIndex(op, loop) {
		return false
	}
	for _, operand := range o.Operands {
		moved := 0
		for d, row := range operand.Map.Coefficients {
			if row[loop] == 0 {
				continue
			}
			moved++
			if _, alone := singleLoop(row); !alone || operand.Map.Offsets[d] != 0 {
				return false
			}
		}
		if moved > 1 || moved == 0 && operand.Init {
			return false
		}
	}
	return true
}

// collect takes in the operations that compute what an operation reads along its
// loop.
func (g *grouping) collect(op int) {
	for _, operand := range g.Ops[op].Operands {
		if d := soleRow(operand.Map, g.loops[op]); d >= 0 {
			g.collectValue(operand.Value, d)
		}
	}
}

func (g *grouping) collectValue(value, dimension int) {
	v := &g.Values[value]
	switch {
	case v.Weight:
	case v.Kind == program.ValueResult:
		o := &g.Ops[v.Op]
		if _, known := g.loops[v.Op]; known || fixed(o) {
			return
		}
		if l, ok := singleLoop(o.Init().Map.Coefficients[dimension]); ok && g.runsAlong(v.Op, l) {
			g.loops[v.Op] = l
			g.collect(v.Op)
		}
	case g.passes(v, dimension):
		g.collectValue(v.Base, dimension)
		if v.Kind == program.ValueInsert {
			g.collectValue(v.Source, dimension)
		}
	}
}

// passes reports whether a view has every place along a dimension where its base
// has it.
func (g *grouping) passes(v *program.Value, d int) bool {
	switch v.Kind {
	case program.ValueReshape:
		return d == 0 && g.Values[v.Base].Shape[0] == v.Shape[0]
	case program.ValueSlice:
		return v.Offsets[d] == 0 && v.Strides[d] == 1 && g.Values[v.Base].Shape[d] == v.Shape[d]
	case program.ValueInsert:
		return v.Offsets[d] == 0 && v.Strides[d] == 1 && g.Values[v.Source].Shape[d] == v.Shape[d]
	}
	return false
}

// drop takes an operation out again whose result is read elsewhere, too, or in
// another way; false if there is none.
func (g *grouping) drop() bool {
	for op := range g.loops {
		if op != g.op && g.readOutside(g.Ops[op].Result) {
			delete(g.loops, op)
			return true
		}
	}
	return false
}

// readOutside reports whether anything but the operations of the group, one
// iteration at a time, reads a value.
func (g *grouping) readOutside(value int) bool {
	if slices.Contains(g.Results, value) {
		return true
	}
	d := g.dimension(value)
	for op := range g.Ops {
		loop, member := g.loops[op]
		for _, operand := range g.Ops[op].Operands {
			if operand.Value == value && (!member || soleRow(operand.Map, loop) != d) {
				return true
			}
		}
	}
	for i := range g.Values {
		v := &g.Values[i]
		reads := v.Kind == program.ValueInsert && (v.Source == value || v.Base == value) ||
			(v.Kind == program.ValueSlice || v.Kind == program.ValueReshape) && v.Base == value
		if reads && g.Uses(i) > 0 && (!g.passes(v, d) || g.readOutside(i)) {
			return true
		}
	}
	return false
}

// dimension is the one of a value along which the group runs, -1 if no operation
// of the group computes it.
func (g *grouping) dimension(value int) int {
	v := &g.Values[value]
	switch v.Kind {
	case program.ValueResult:
		if loop, member := g.loops[v.Op]; member {
			return soleRow(g.Ops[v.Op].Init().Map, loop)
		}
	case program.ValueInsert:
		if d := g.dimension(v.Source); d >= 0 {
			return d
		}
		return g.dimension(v.Base)
	case program.ValueSlice, program.ValueReshape:
		return g.dimension(v.Base)
	}
	return -1
}

// writeOut puts the loop in the place of the operation, and its parts behind it.
func (g *grouping) writeOut() {
	root := g.self()
	name, result, location := root.Name, root.Result, root.Location
	d := soleRow(root.Init().Map, g.loops[g.op])
	var parts []program.Op
	for op := range g.Ops {
		if _, member := g.loops[op]; member {
			parts = append(parts, g.part(op))
			g.Ops[op].Name += ".whole" // until it is pruned
		}
	}
	at := g.op
	g.Ops[at] = program.Op{Name: name + ".loop", Kind: "group", Family: program.Generic, Result: result, Location: location, Operands: g.operands, Pieces: g.bound, Shares: g.threads()}
	first := at + 1
	for i, part := range parts {
		part.Inside, part.Runs, part.Pieces, part.Shares = at+1, g.bound, g.bound, g.threads()
		g.insert(first+i, part)
	}
	ops := make([]int, len(parts))
	for i := range ops {
		ops[i] = first + i
	}
	statements := program.PrintPart(g.Program, ops, g.names, "g.")
	code := g.code(statements, result, d, g.names[parts[len(parts)-1].Result])
	g.Ops[at].Code = strings.ReplaceAll(code, "%g.", "%g."+name+".") // a module may have several
	g.Prune()
}

// part is an operation as it runs inside.
func (g *grouping) part(op int) program.Op {
	o, loop := g.Ops[op], g.loops[op]
	o.Loops, o.Operands = slices.Clone(o.Loops), slices.Clone(o.Operands)
	o.Loops[loop].Bound = 1
	for i := range o.Operands {
		operand := &o.Operands[i]
		operand.Value = g.inside(operand.Value, soleRow(operand.Map, loop))
	}
	o.Result = g.inside(o.Result, soleRow(o.Init().Map, loop))
	return o
}

// inside is what takes the place of a value, of which an iteration has one place
// along a dimension, or with -1 all of it.
func (g *grouping) inside(value, dimension int) int {
	if known, ok := g.inner[portion{value, dimension}]; ok {
		return known
	}
	v := g.Values[value]
	v.Shape = slices.Clone(v.Shape)
	if dimension >= 0 {
		v.Shape[dimension] = 1
	}
	_, computed := g.loops[v.Op]
	switch {
	case v.Kind == program.ValueConstant && dimension < 0:
		return value
	case v.Kind == program.ValueEmpty, v.Kind == program.ValueResult && computed:
	case dimension >= 0 && g.passes(&g.Values[value], dimension) && g.dimension(value) == dimension:
		v.Base = g.inside(v.Base, dimension)
		if v.Kind == program.ValueInsert {
			v.Source = g.inside(v.Source, dimension)
		}
	default:
		return g.outside(value, dimension, v.Shape)
	}
	index := g.add(v)
	g.inner[portion{value, dimension}] = index
	return index
}

// outside reads a value from outside: all of it, or the iteration's place.
func (g *grouping) outside(value, dimension int, shape []int) int {
	i := len(g.operands)
	g.operands = append(g.operands, program.Operand{Value: value})
	inner := g.add(program.Value{Kind: program.ValueInner, Shape: shape})
	g.inner[portion{value, dimension}], g.names[inner] = inner, fmt.Sprintf("%%in%d", i)
	if dimension >= 0 {
		g.names[inner] = fmt.Sprintf("%%g.in%d", i)
		fmt.Fprintf(&g.slices, "    %s = tensor.extract_slice %%in%d%s : %s to %s\n", g.names[inner], i,
			place(shape, dimension, "%g.n"), program.TensorType(g.Values[value].Shape), program.TensorType(shape))
	}
	return inner
}

// place is where a slice of a shape lies along a dimension.
func place(shape []int, dimension int, at string) string {
	offsets, strides := slices.Repeat([]string{"0"}, len(shape)), slices.Repeat([]string{"1"}, len(shape))
	offsets[dimension] = at
	return fmt.Sprintf("[%s] [%s] [%s]", strings.Join(offsets, ", "), join(shape, ", "), strings.Join(strides, ", "))
}

// threads is among how many the iterations are shared.
func (g *grouping) threads() int { return largestDivisor(g.bound, g.options.Threads) }

// code is the loop around the statements of an iteration, which computes a place
// along dimension d of the result. Each thread takes as many iterations, one
// after the other.
func (g *grouping) code(statements string, result, d int, last string) string {
	threads := g.threads()
	share := g.bound / threads
	whole := g.Values[result].Shape
	part, one := slices.Clone(whole), slices.Clone(whole)
	part[d], one[d] = share, 1
	wholeType, partType, oneType := program.TensorType(whole), program.TensorType(part), program.TensorType(one)
	var b strings.Builder
	line := func(format string, arguments ...any) { fmt.Fprintf(&b, "    "+format+"\n", arguments...) }
	line("%%g.empty = tensor.empty() : %s", wholeType)
	line("%%g.0 = arith.constant 0 : index")
	line("%%g.1 = arith.constant 1 : index")
	line("%%g.share = arith.constant %d : index", share)
	line("%%out = scf.forall (%%g.t) in (%d) shared_outs(%%g.all = %%g.empty) -> (%s) {", threads, wholeType)
	line("%%g.first = arith.muli %%g.t, %%g.share : index")
	line("%%g.part = tensor.extract_slice %%g.all%s : %s to %s", place(part, d, "%g.first"), wholeType, partType)
	line("%%g.done = scf.for %%g.i = %%g.0 to %%g.share step %%g.1 iter_args(%%g.before = %%g.part) -> (%s) {", partType)
	line("%%g.n = arith.addi %%g.first, %%g.i : index")
	b.WriteString(g.slices.String())
	b.WriteString(statements)
	line("%%g.after = tensor.insert_slice %s into %%g.before%s : %s into %s", last, place(one, d, "%g.i"), oneType, partType)
	line("scf.yield %%g.after : %s", partType)
	line("}")
	line("scf.forall.in_parallel {")
	line("tensor.parallel_insert_slice %%g.done into %%g.all%s : %s into %s", place(part, d, "%g.first"), partType, wholeType)
	line("}")
	line("}")
	return b.String()
}
