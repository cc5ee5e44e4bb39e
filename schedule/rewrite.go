package schedule

import (
	"fmt"
	"slices"

	"nestling/program"
)

// Code is what a schedule makes of a program: a module, and the script that
// arranges its loops. mlir-opt accepts them together.
type Code struct {
	Module string // the program's, or that of the rewritten program
	Script string // transform dialect: @tensor_seq, then @buffer_seq after bufferization
}

// Write turns a program with a legal schedule into MLIR. Errors are those of
// Check, and a number of threads below 1.
func Write(p *program.Program, s Schedule, o Options) (Code, error) {
	rewritten, loops, err := Rewrite(p, s, o)
	if err != nil {
		return Code{}, err
	}
	script, err := Script(rewritten, loops, o)
	if err != nil {
		return Code{}, err
	}
	module := p.Module
	if rewritten != p {
		module = program.Print(rewritten)
	}
	return Code{Module: module, Script: script}, nil
}

// Rewrite applies a schedule's rewrites, in its order, and returns the program
// that they make with what is left of the schedule: the loop actions. The given
// program is not changed. The first rewrite that is not legal is the error.
func Rewrite(p *program.Program, s Schedule, o Options) (*program.Program, Schedule, error) {
	var loops Schedule
	for _, entry := range s {
		first := slices.IndexFunc(entry.Actions, func(a Action) bool { return !a.Kind.rewrites() })
		if first < 0 {
			first = len(entry.Actions)
		}
		for _, a := range entry.Actions[:first] {
			next, err := rewrite(p, entry.Op, a, o)
			if err != nil {
				return nil, nil, err
			}
			p = next
		}
		if first < len(entry.Actions) {
			loops = append(loops, OpSchedule{Op: entry.Op, Actions: entry.Actions[first:]})
		}
	}
	return p, loops, nil
}

// rewriter makes one rewrite of an operation in a program of its own.
type rewriter struct {
	*program.Program
	op      int
	args    []int
	options Options
}

// rewrites are the functions behind the actions.
var rewrites = map[Kind]func(*rewriter) error{
	Split:  (*rewriter).split,
	Layout: (*rewriter).layout,
}

// rewrite applies one rewrite to a copy of the program.
func rewrite(p *program.Program, name string, a Action, o Options) (*program.Program, error) {
	op, err := p.OpIndex(name)
	if err != nil {
		return nil, err
	}
	apply, ok := rewrites[a.Kind]
	if !ok {
		return nil, fmt.Errorf("%s: %s is not available yet", name, a.Kind)
	}
	r := &rewriter{Program: p.Clone(), op: op, args: a.Args, options: o}
	if err := apply(r); err != nil {
		return nil, fmt.Errorf("%s: %s: %w", name, a, err)
	}
	r.Link()
	return r.Program, nil
}

// self is the operation that the rewrite is about.
func (r *rewriter) self() *program.Op { return &r.Ops[r.op] }

// add appends a value and returns its index.
func (r *rewriter) add(v program.Value) int {
	r.Values = append(r.Values, v)
	return len(r.Values) - 1
}

// empty adds a tensor without content.
func (r *rewriter) empty(shape []int) int {
	return r.add(program.Value{Kind: program.ValueEmpty, Shape: shape})
}

// view is a value in another shape: itself if it has that, an empty tensor or a
// reshape otherwise.
func (r *rewriter) view(value int, shape []int) int {
	v := &r.Values[value]
	switch {
	case slices.Equal(v.Shape, shape):
		return value
	case v.Kind == program.ValueEmpty:
		return r.empty(shape)
	}
	return r.add(program.Value{Kind: program.ValueReshape, Base: value, Shape: shape, Weight: v.Weight})
}

// insert puts an operation before the one at an index, and keeps r.op on its
// operation.
func (r *rewriter) insert(at int, o program.Op) {
	r.Ops = slices.Insert(r.Ops, at, o)
	for i := range r.Ops {
		r.Values[r.Ops[i].Result].Op = i
		if r.Ops[i].Inside > at {
			r.Ops[i].Inside++
		}
	}
	if r.op >= at {
		r.op++
	}
}

// copyOp is an operation that copies a value into another order of dimensions:
// dimension d of the result is dimension order[d] of the value. It returns the
// operation, which is yet to be inserted, with its result among the values.
func (r *rewriter) copyOp(name string, value int, order []int) program.Op {
	from := &r.Values[value]
	weight := from.Weight
	shape := make([]int, len(order))
	loops := make([]program.Loop, len(order))
	read := make([][]int, len(order))
	for d, source := range order {
		shape[d] = from.Shape[source]
		loops[d] = program.Loop{Bound: shape[d], Iterator: program.Parallel}
		read[source] = unit(len(order), d)
	}
	o := program.Op{
		Name: name, Kind: "linalg.generic", Family: program.Copy, Loops: loops, Yield: 0,
		Operands: []program.Operand{
			{Value: value, Map: program.AccessMap{Coefficients: read, Offsets: make([]int, len(order))}},
			{Value: r.empty(shape), Map: identity(len(order)), Init: true},
		},
	}
	o.Result = r.add(program.Value{Kind: program.ValueResult, Shape: shape, Weight: weight})
	return o
}

// unit is the row of an access map that follows one loop.
func unit(loops, loop int) []int {
	row := make([]int, loops)
	row[loop] = 1
	return row
}

// identity is the access map whose dimensions are the loops.
func identity(loops int) program.AccessMap {
	m := program.AccessMap{Offsets: make([]int, loops)}
	for l := range loops {
		m.Coefficients = append(m.Coefficients, unit(loops, l))
	}
	return m
}

// want checks the number of a rewrite's numbers.
func (r *rewriter) want(n int, what string) error {
	if len(r.args) != n {
		return fmt.Errorf("has %d numbers, needs %s", len(r.args), what)
	}
	return nil
}
