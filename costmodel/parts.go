package costmodel

import "nestling/program"

// written is an operation that may be written out: a convolution by Winograd's algorithm, or
// a loop around the operations of a group.
type written struct {
	*view
	op int
}

// around is what the nest's operation is a part of, or itself.
func (n *nest) around() *written {
	if n.op.Inside > 0 {
		return &written{n.view, n.op.Inside - 1}
	}
	return &written{n.view, n.Op}
}

// frequencies are those of Winograd's algorithm, each of which has a product of its own; 0 of
// anything else.
func (w *written) frequencies() float64 {
	if o := &w.program.Ops[w.op]; o.Kind == "winograd" {
		return float64(w.program.Values[o.Operands[1].Value].Shape[0])
	}
	return 0
}

// products are the parts that multiply matrices of a frequency.
func (w *written) products() (all []*program.Op) {
	for i := range w.program.Ops {
		if o := &w.program.Ops[i]; o.Inside == w.op+1 && len(o.Operands) == 3 {
			all = append(all, o)
		}
	}
	return all
}

// strip is how many bytes products read and write of a strip's image and result in one run.
func (w *written) strip(product *program.Op) float64 {
	return w.bytes(product.Operands[0].Value) + w.bytes(product.Result)
}

// scratch is how many bytes a thread has of a strip's transformed image and of its result.
func (w *written) scratch() (sum float64) {
	for _, product := range w.products() {
		sum += w.strip(product) * w.frequencies()
	}
	return sum
}

// transformed is how many bytes are written and read by transformations of a convolution;
// a group has none.
func (n *nest) transformed() (sum float64) {
	w := n.around()
	if w.frequencies() == 0 {
		return 0
	}
	for _, product := range w.products() {
		sum += w.strip(product) * float64(product.Runs)
	}
	return sum
}

// passes is how many bytes come into the cache of a level for what an operation that is
// written out does besides its parts: those of a group read and write all for it.
func (n *nest) passes(level int) float64 {
	w := n.around()
	if w.frequencies() == 0 {
		return 0
	}
	sum, size := 0.0, n.room(level)
	if level == 0 || w.scratch() > size {
		sum += n.transformed()
	}
	if level > 0 && n.working <= size {
		return sum
	}
	for _, operand := range n.op.Operands {
		if v := &n.program.Values[operand.Value]; len(v.Shape) != transformedWeights {
			sum += n.bytes(operand.Value)
		}
	}
	return sum + n.bytes(n.op.Result)
}

// transformedWeights is how many dimensions weights have that only the products read.
const transformedWeights = 5
