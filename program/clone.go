package program

import "slices"

// Clone is a copy that can be changed without the original noticing. Constants'
// data, which nobody changes, is shared.
func (p *Program) Clone() *Program {
	c := *p
	c.Args, c.Results = slices.Clone(p.Args), slices.Clone(p.Results)
	c.Values = slices.Clone(p.Values)
	for i := range c.Values {
		v := &c.Values[i]
		v.Shape, v.Offsets, v.Strides = slices.Clone(v.Shape), slices.Clone(v.Offsets), slices.Clone(v.Strides)
	}
	c.Ops = slices.Clone(p.Ops)
	for i := range c.Ops {
		c.Ops[i] = c.Ops[i].clone()
	}
	return &c
}

func (o Op) clone() Op {
	o.Loops = slices.Clone(o.Loops)
	o.Operands = slices.Clone(o.Operands)
	for i := range o.Operands {
		o.Operands[i].Map = o.Operands[i].Map.clone()
	}
	o.Body = slices.Clone(o.Body)
	for i := range o.Body {
		o.Body[i].Args = slices.Clone(o.Body[i].Args)
	}
	o.Producers, o.Consumers = slices.Clone(o.Producers), slices.Clone(o.Consumers)
	return o
}

func (m AccessMap) clone() AccessMap {
	rows := make([][]int, len(m.Coefficients))
	for d, row := range m.Coefficients {
		rows[d] = slices.Clone(row)
	}
	return AccessMap{Coefficients: rows, Offsets: slices.Clone(m.Offsets)}
}
