package program

import "slices"

// Link fills in what follows from the operations and values: which operation
// each result is of, producers and consumers (through slices and reshapes), and
// which values depend on weights alone. It must be called after a change.
func (p *Program) Link() {
	for i := range p.Ops {
		o := &p.Ops[i]
		o.Producers, o.Consumers = nil, nil
		p.Values[o.Result].Op = i
	}
	for i := range p.Ops {
		for _, operand := range p.Ops[i].Operands {
			for _, producer := range p.Sources(operand.Value) {
				if producer != i && !slices.Contains(p.Ops[i].Producers, producer) {
					p.Ops[i].Producers = append(p.Ops[i].Producers, producer)
					p.Ops[producer].Consumers = append(p.Ops[producer].Consumers, i)
				}
			}
		}
	}
}

// Sort brings the operations into an order in which each comes after those that
// it reads, as near as possible to the one that they have. Parts of a
// written-out operation follow it.
func (p *Program) Sort() {
	for i := range p.Ops {
		p.Values[p.Ops[i].Result].Op = i
	}
	place := make([]int, len(p.Ops)) // 1 + the new index, 0 before it is known
	var order []int
	var visit func(op int)
	visit = func(op int) {
		if place[op] > 0 {
			return
		}
		for _, operand := range p.Ops[op].Operands {
			for _, producer := range p.Sources(operand.Value) {
				if producer != op {
					visit(producer)
				}
			}
		}
		order = append(order, op)
		place[op] = len(order)
	}
	for i := range p.Ops {
		visit(i)
	}
	sorted := make([]Op, len(p.Ops))
	for to, from := range order {
		sorted[to] = p.Ops[from]
		if sorted[to].Inside > 0 {
			sorted[to].Inside = place[sorted[to].Inside-1]
		}
	}
	p.Ops = sorted
}
