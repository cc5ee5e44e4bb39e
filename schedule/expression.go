package schedule

import "nestling/program"

// expression is a scalar computation on the operands of an operation: an
// operand (op ""), a constant (operand -1), or an instruction on others.
type expression struct {
	op       string
	args     []*expression
	operand  int
	constant float64
}

func one() *expression  { return &expression{constant: 1, operand: -1} }
func zero() *expression { return &expression{operand: -1} }

func (e *expression) isConstant(x float64) bool {
	return e.op == "" && e.operand < 0 && e.constant == x
}

func (e *expression) plus(o *expression) *expression {
	switch {
	case e.isConstant(0):
		return o
	case o.isConstant(0):
		return e
	}
	return &expression{op: "arith.addf", args: []*expression{e, o}}
}

func (e *expression) minus(o *expression) *expression {
	if o.isConstant(0) {
		return e
	}
	return &expression{op: "arith.subf", args: []*expression{e, o}}
}

func (e *expression) times(o *expression) *expression {
	switch {
	case e.isConstant(0), o.isConstant(1):
		return e
	case o.isConstant(0), e.isConstant(1):
		return o
	}
	return &expression{op: "arith.mulf", args: []*expression{e, o}}
}

// emit appends the instructions to a body and returns the register of the value.
func (e *expression) emit(o *program.Op) int {
	if e.op == "" && e.operand >= 0 {
		return e.operand
	}
	in := program.Instruction{Op: "constant", Const: e.constant}
	if e.op != "" {
		in = program.Instruction{Op: e.op}
		for _, a := range e.args {
			in.Args = append(in.Args, a.emit(o))
		}
	}
	o.Body = append(o.Body, in)
	return len(o.Operands) + len(o.Body) - 1
}

// term is a register as scale·x + shift.
type term struct{ scale, shift *expression }

// affineTerm is an instruction's result, if it is affine in x.
func affineTerm(in program.Instruction, registers []term) (term, bool) {
	if in.Op == "constant" {
		return term{zero(), &expression{constant: in.Const, operand: -1}}, true
	}
	var args []term
	for _, a := range in.Args {
		if registers[a].scale == nil {
			return term{}, false
		}
		args = append(args, registers[a])
	}
	free := func(i int) bool { return args[i].scale.isConstant(0) }
	switch in.Op {
	case "arith.addf":
		return term{args[0].scale.plus(args[1].scale), args[0].shift.plus(args[1].shift)}, true
	case "arith.subf":
		return term{args[0].scale.minus(args[1].scale), args[0].shift.minus(args[1].shift)}, true
	case "arith.mulf":
		if free(0) {
			args[0], args[1] = args[1], args[0]
		}
		if !free(1) {
			return term{}, false
		}
		return term{args[0].scale.times(args[1].shift), args[0].shift.times(args[1].shift)}, true
	case "arith.divf":
		if !free(1) {
			return term{}, false
		}
		inverse := &expression{op: "arith.divf", args: []*expression{one(), args[1].shift}}
		return term{args[0].scale.times(inverse), args[0].shift.times(inverse)}, true
	}
	for i := range args {
		if !free(i) {
			return term{}, false
		}
	}
	if in.Predicate != "" {
		return term{}, false
	}
	e := &expression{op: in.Op}
	for _, a := range args {
		e.args = append(e.args, a.shift)
	}
	return term{zero(), e}, true
}
