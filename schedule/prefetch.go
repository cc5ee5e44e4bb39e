package schedule

import (
	"errors"
	"fmt"
	"slices"

	"nestling/program"
)

// AttributePrefetch is what a loop's attributes begin with that tell code generation
// whose lines to fetch in it ahead: a parameter of the function, by its number.
const AttributePrefetch = "nestling.prefetch"

// prefetching is a loop in which lines of a parameter are to be fetched, by its handle.
type prefetching struct {
	loop      string
	parameter int
}

// checkPrefetchable reports whether PF may come now: vectors of a serial loop over tiles
// read what it is about, and V is all that is left to do.
func (s *State) checkPrefetchable(op int) error {
	if s.ops[op].trips == 0 {
		return errors.New("PF fetches ahead in the innermost loop of the T before it, and there is none, or U has unrolled it")
	}
	if err := s.checkVectorize(op); err != nil {
		return fmt.Errorf("PF fetches for vectors, and %w", err)
	}
	return nil
}

// checkPrefetch reports whether the operand is one to fetch ahead.
func (s *State) checkPrefetch(op int, a Action) error {
	o := &s.program.Ops[op]
	inputs := o.Operands[:len(o.Operands)-1]
	if len(a.Args) != 1 || a.Args[0] >= len(inputs) {
		return fmt.Errorf("%s is not of the form PF(operand); the operands read are 0 to %d", a, len(inputs)-1)
	}
	operand := a.Args[0]
	if parameter(s.program, inputs[operand].Value) < 0 || s.program.Values[o.Result].Weight {
		return fmt.Errorf("%s: operand %d is no argument or weight, which alone come from memory at run time", a, operand)
	}
	if len(inputs[operand].Map.Coefficients) == 0 {
		return fmt.Errorf("%s fetches a scalar", a)
	}
	if slices.Contains(s.ops[op].arguments(Pack), operand) {
		return fmt.Errorf("%s: operand %d is copied by P, and read from the copy", a, operand)
	}
	if slices.ContainsFunc(s.ops[op].arguments(Prefetch), func(other int) bool {
		return parameter(s.program, inputs[other].Value) == parameter(s.program, inputs[operand].Value)
	}) {
		return fmt.Errorf("%s: once is enough", a)
	}
	return nil
}

// parameter is the number of the parameter, of the function that runs, that a value is
// or is part of; -1 for what is computed or constant.
func parameter(p *program.Program, value int) int {
	var parameters []int
	for _, v := range p.Args {
		if !p.Values[v].Weight {
			parameters = append(parameters, v)
		}
	}
	parameters = append(parameters, p.Prepared()...)
	for {
		if i := slices.Index(parameters, value); i >= 0 {
			return i
		}
		v := &p.Values[value]
		if v.Kind != program.ValueReshape && v.Kind != program.ValueSlice {
			return -1
		}
		value = v.Base
	}
}

// prefetch comes when the loops are final.
func (w *writer) prefetch() {
	for _, f := range w.fetched {
		w.line("transform.annotate %s %q : %s", f.loop, fmt.Sprint(AttributePrefetch, f.parameter), anyOp)
	}
}
