package reference

import (
	"fmt"
	"slices"

	"nestling/program"
)

// kernel is an operation made ready to run: addresses are linear in the loops,
// the body is decoded and holds only what the result depends on.
type kernel struct {
	op       int // index into program.Program.Ops
	name     string
	bounds   []int
	operands []access // inputs, then the init, which is also where the result goes
	body     []instruction
	yield    int
	reads    []bool // per operand: the result depends on its elements

	// independent loops each index one dimension of the result alone, so that
	// their iterations write different elements; sequential ones are all others,
	// which do not move in the result.
	independent, sequential []int
	// covers tells that every element of the result is written.
	covers bool
}

// access is where an operand's elements are: start + Σ strides[l]·loop[l].
type access struct {
	value   int
	start   int
	strides []int
}

type instruction struct {
	kind     kind
	register int // that it defines
	args     [3]int
	constant float64 // of kind constant
	apply    func(a, b, c pair) pair
}

// kind picks the loop that runs an instruction over a row. Those worth a loop
// of their own are named; the rest is of kind other.
type kind int

const (
	other kind = iota
	constant
	index
	addition
	product
)

var kinds = map[string]kind{"constant": constant, "index": index, "arith.addf": addition, "arith.mulf": product}

func newKernel(p *program.Program, i int) (*kernel, error) {
	op := &p.Ops[i]
	k := &kernel{op: i, name: op.Name, yield: op.Yield}
	for _, l := range op.Loops {
		if l.Bound < 1 {
			return nil, fmt.Errorf("%s: a loop runs %d times; it must run at least once", op.Name, l.Bound)
		}
		k.bounds = append(k.bounds, l.Bound)
	}
	for i, o := range op.Operands {
		a, err := newAccess(p, op, o)
		if err != nil {
			return nil, fmt.Errorf("%s: operand %d: %w", op.Name, i, err)
		}
		k.operands = append(k.operands, a)
	}
	if err := k.decode(op); err != nil {
		return nil, fmt.Errorf("%s: %w", op.Name, err)
	}
	for i, o := range k.operands {
		if k.reads[i] && p.Values[o.value].Kind == program.ValueEmpty {
			return nil, fmt.Errorf("%s: operand %d is read but was never written (tensor.empty); fill it first", op.Name, i)
		}
	}
	return k, k.classify(op, p.Values[op.Result].Elements())
}

func newAccess(p *program.Program, op *program.Op, o program.Operand) (access, error) {
	a := access{value: o.Value, strides: make([]int, len(op.Loops))}
	shape := p.Values[o.Value].Shape
	if len(o.Map.Coefficients) != len(shape) || len(o.Map.Offsets) != len(shape) {
		return a, fmt.Errorf("its map has %d dimensions, its shape is %v", len(o.Map.Coefficients), shape)
	}
	stride := 1
	for d := len(shape) - 1; d >= 0; d-- {
		first, last := o.Map.Offsets[d], o.Map.Offsets[d]
		for l, c := range o.Map.Coefficients[d] {
			first += min(c, 0) * (op.Loops[l].Bound - 1)
			last += max(c, 0) * (op.Loops[l].Bound - 1)
			a.strides[l] += c * stride
		}
		if first < 0 || last >= shape[d] {
			return a, fmt.Errorf("indices %d…%d of dimension %d leave its shape %v", first, last, d, shape)
		}
		a.start += o.Map.Offsets[d] * stride
		stride *= shape[d]
	}
	return a, nil
}

// decode reads the body backwards, keeping what the yielded register needs.
func (k *kernel) decode(op *program.Op) error {
	needed := make([]bool, len(op.Operands)+len(op.Body))
	if op.Yield < 0 || op.Yield >= len(needed) {
		return fmt.Errorf("yields register %d of %d", op.Yield, len(needed))
	}
	needed[op.Yield] = true
	for i, in := range slices.Backward(op.Body) {
		register := len(op.Operands) + i
		if !needed[register] {
			continue
		}
		out, err := decodeInstruction(in, register, len(op.Loops))
		if err != nil {
			return fmt.Errorf("instruction %d: %w", i, err)
		}
		if out.kind != index {
			for _, a := range in.Args {
				needed[a] = true
			}
		}
		k.body = append(k.body, out)
	}
	slices.Reverse(k.body)
	k.reads = needed[:len(op.Operands)]
	return nil
}

func decodeInstruction(in program.Instruction, register, loops int) (instruction, error) {
	out := instruction{kind: kinds[in.Op], register: register, constant: in.Const}
	want, limit := 0, register
	switch out.kind {
	case constant:
	case index:
		want, limit = 1, loops
	default:
		o, err := lookup(in)
		if err != nil {
			return out, err
		}
		want, out.apply = o.operands, o.apply
	}
	if len(in.Args) != want {
		return out, fmt.Errorf("%s takes %d operands, has %d", in.Op, want, len(in.Args))
	}
	for i, a := range in.Args {
		if a < 0 || a >= limit {
			return out, fmt.Errorf("%s: operand %d names %d, of %d there", in.Op, i, a, limit)
		}
		out.args[i] = a
	}
	return out, nil
}

// classify finds the loops that may run in any order.
func (k *kernel) classify(op *program.Op, elements int) error {
	coefficients := op.Init().Map.Coefficients
	written := 1
	for l := range k.bounds {
		if k.indexesOneDimension(coefficients, l) {
			k.independent = append(k.independent, l)
			written *= k.bounds[l]
			continue
		}
		if k.result().strides[l] != 0 && k.bounds[l] > 1 {
			return fmt.Errorf("%s: loop %d shares a dimension of the result with another loop; one loop per dimension is supported", k.name, l)
		}
		k.sequential = append(k.sequential, l)
	}
	k.covers = written == elements
	return nil
}

// indexesOneDimension tells that a loop moves along exactly one dimension, and
// no other loop that runs more than once does.
func (k *kernel) indexesOneDimension(coefficients [][]int, loop int) bool {
	rows := 0
	for _, row := range coefficients {
		if row[loop] == 0 {
			continue
		}
		rows++
		for l, c := range row {
			if l != loop && c != 0 && k.bounds[l] > 1 {
				return false
			}
		}
	}
	return rows == 1
}

func (k *kernel) result() access { return k.operands[len(k.operands)-1] }

// readsInit tells that the initial content of the result matters.
func (k *kernel) readsInit() bool { return k.reads[len(k.reads)-1] || !k.covers }

func (k *kernel) iterations() float64 {
	n := 1.0
	for _, b := range k.bounds {
		n *= float64(b)
	}
	return n
}

// work is the number of scalar operations, loads and stores counted as one.
func (k *kernel) work() float64 { return k.iterations() * float64(len(k.body)+1) }

// contraction tells the two operands whose products are summed up, if that is
// all the body does.
func (k *kernel) contraction() (a, b int, ok bool) {
	if len(k.body) != 2 || k.body[0].kind != product || k.body[1].kind != addition || k.yield != k.body[1].register {
		return 0, 0, false
	}
	init, sum := len(k.operands)-1, k.body[1].args
	if !(sum[0] == init && sum[1] == k.body[0].register || sum[1] == init && sum[0] == k.body[0].register) {
		return 0, 0, false
	}
	a, b = k.body[0].args[0], k.body[0].args[1]
	return a, b, a != init && b != init
}

// extent is the product of the bounds of some loops.
func (k *kernel) extent(loops []int) int {
	n := 1
	for _, l := range loops {
		n *= k.bounds[l]
	}
	return n
}
