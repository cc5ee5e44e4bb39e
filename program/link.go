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
