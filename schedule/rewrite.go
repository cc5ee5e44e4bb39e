package schedule

import (
	"errors"
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
		first := slices.IndexFunc(entry.Actions, func(a Action) bool { return !a.Kind.IsRewrite() })
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
	Split:         (*rewriter).split,
	Layout:        (*rewriter).layout,
	Cut:           (*rewriter).cut,
	Group:         (*rewriter).group,
	Parts:         (*rewriter).parts,
	FoldNorm:      (*rewriter).foldNorm,
	Winograd:      (*rewriter).winograd,
	WinogradChain: (*rewriter).winogradChain,
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
	if repeated := r.repeatedName(); repeated != "" {
		return nil, fmt.Errorf("%s: %s: the program has a %s already; one is enough", name, a, repeated)
	}
	r.Sort()
	r.Link()
	return r.Program, nil
}

// repeatedName is a name that two operations have, "" if there is none.
func (r *rewriter) repeatedName() string {
	seen := map[string]bool{}
	for i := range r.Ops {
		if name := r.Ops[i].Name; seen[name] {
			return name
		}
		seen[r.Ops[i].Name] = true
	}
	return ""
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

// remove takes an operation out; nothing may read its result any more, or
// replace must follow.
func (r *rewriter) remove(at int) {
	r.Ops = slices.Delete(r.Ops, at, at+1)
	for i := range r.Ops {
		r.Values[r.Ops[i].Result].Op = i
		if r.Ops[i].Inside > at+1 {
			r.Ops[i].Inside--
		}
	}
	if r.op > at {
		r.op--
	}
}

// replace makes whatever reads one value read another of the same shape.
func (r *rewriter) replace(old, with int) {
	swap := func(value *int) {
		if *value == old {
			*value = with
		}
	}
	for i := range r.Ops {
		for j := range r.Ops[i].Operands {
			swap(&r.Ops[i].Operands[j].Value)
		}
	}
	for i := range r.Values {
		switch v := &r.Values[i]; v.Kind {
		case program.ValueInsert:
			swap(&v.Source)
			swap(&v.Base)
		case program.ValueSlice, program.ValueReshape:
			swap(&v.Base)
		}
	}
	for i := range r.Results {
		swap(&r.Results[i])
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

// fillOp is an operation that fills a new tensor. Its result is yet to be added, and it is
// yet to be inserted.
func (r *rewriter) fillOp(name string, shape []int, with float32) program.Op {
	value := r.add(program.Value{Kind: program.ValueConstant, IsSplat: true, Scalar: true, Weight: true, Splat: with})
	o := program.Op{
		Name: name, Kind: "linalg.fill", Family: program.Fill,
		Operands: []program.Operand{{Value: value}, {Value: r.empty(shape), Map: identity(len(shape)), Init: true}},
	}
	for _, bound := range shape {
		o.Loops = append(o.Loops, program.Loop{Bound: bound, Iterator: program.Parallel})
	}
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

// hasLoop refuses a loop that the operation has not.
func (r *rewriter) hasLoop(loop int) error {
	if n := len(r.self().Loops); loop >= n {
		return fmt.Errorf("no loop %d; there are %d, counted from 0", loop, n)
	}
	return nil
}

// fixed tells an operation that is written out, or part of one that is: it is not rewritten any
// more.
func fixed(o *program.Op) bool { return o.Code != "" || o.Inside > 0 }

// hasFreeLoops refuses an operation that is written out, or part of one that is.
func (r *rewriter) hasFreeLoops() error {
	if fixed(r.self()) {
		return errors.New("it is written out, and its loops are fixed")
	}
	return nil
}

// readsIndex reports whether an operation's body computes with a loop's index.
func (r *rewriter) readsIndex(op, loop int) bool {
	return slices.ContainsFunc(r.Ops[op].Body, func(in program.Instruction) bool { return in.Op == "index" && in.Args[0] == loop })
}

// want checks the number of a rewrite's numbers.
func (r *rewriter) want(n int, what string) error {
	if len(r.args) != n {
		return fmt.Errorf("has %d numbers, needs %s", len(r.args), what)
	}
	return nil
}
