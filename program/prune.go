package program

// Prune removes the operations and values that no result of the program depends
// on. Arguments stay. Operations keep their order.
func (p *Program) Prune() {
	u := usage{program: p, ops: make([]bool, len(p.Ops)), values: make([]bool, len(p.Values))}
	for _, v := range p.Args {
		u.values[v] = true
	}
	for _, v := range p.Results {
		u.value(v)
	}
	for i := range p.Ops { // parts follow what they are inside
		if inside := p.Ops[i].Inside; inside > 0 && u.ops[inside-1] {
			u.op(i)
		}
	}
	ops, values := u.compact()
	for i := range p.Ops {
		o := &p.Ops[i]
		if o.Inside > 0 {
			o.Inside = ops[o.Inside-1] + 1
		}
		o.Result = values[o.Result]
		for k := range o.Operands {
			o.Operands[k].Value = values[o.Operands[k].Value]
		}
	}
	for i := range p.Values {
		v := &p.Values[i]
		switch v.Kind {
		case ValueSlice, ValueReshape:
			v.Base = values[v.Base]
		case ValueInsert:
			v.Base, v.Source = values[v.Base], values[v.Source]
		case ValueResult:
			v.Op = ops[v.Op]
		}
	}
	for i := range p.Args {
		p.Args[i] = values[p.Args[i]]
	}
	for i := range p.Results {
		p.Results[i] = values[p.Results[i]]
	}
}

// usage marks what results depend on.
type usage struct {
	program     *Program
	ops, values []bool
}

func (u *usage) value(index int) {
	if u.values[index] {
		return
	}
	u.values[index] = true
	switch v := &u.program.Values[index]; v.Kind {
	case ValueResult:
		u.op(v.Op)
	case ValueSlice, ValueReshape:
		u.value(v.Base)
	case ValueInsert:
		u.value(v.Base)
		u.value(v.Source)
	}
}

func (u *usage) op(index int) {
	if u.ops[index] {
		return
	}
	u.ops[index] = true
	o := &u.program.Ops[index]
	u.values[o.Result] = true
	for _, operand := range o.Operands {
		u.value(operand.Value)
	}
}

// compact drops what is not marked, and returns the new index of each operation
// and value.
func (u *usage) compact() (ops, values []int) {
	p := u.program
	ops, values = make([]int, len(p.Ops)), make([]int, len(p.Values))
	var keptOps []Op
	for i, o := range p.Ops {
		ops[i] = len(keptOps)
		if u.ops[i] {
			keptOps = append(keptOps, o)
		}
	}
	var keptValues []Value
	for i, v := range p.Values {
		values[i] = len(keptValues)
		if u.values[i] {
			keptValues = append(keptValues, v)
		}
	}
	p.Ops, p.Values = keptOps, keptValues
	return ops, values
}
