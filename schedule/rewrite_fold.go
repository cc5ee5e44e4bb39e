package schedule

import (
	"errors"
	"fmt"
	"slices"

	"nestling/program"
)

// foldNorm is FN: what scales and shifts the channels of a convolution or
// product (batch normalisation of known statistics) moves into its weights and
// its initial values:
//
//	scale·(conv(x, w) + bias) + shift = conv(x, scale·w) + (scale·bias + shift)
//
// The operation's only reader must be element-wise, affine in the result, and
// read besides it one weight per channel. It disappears.
func (r *rewriter) foldNorm() error {
	if !isContraction(r.self()) {
		return errors.New("only a convolution or a product takes in scales")
	}
	reader, err := r.onlyReader()
	if err != nil {
		return err
	}
	f := folding{rewriter: r, reader: reader}
	if err := f.findChannels(); err != nil {
		return err
	}
	scale, shift, err := f.affine()
	if err != nil {
		return err
	}
	return f.apply(scale, shift)
}

// onlyReader is the one operation that reads the result, element by element.
func (r *rewriter) onlyReader() (int, error) {
	result := r.self().Result
	if r.Uses(result) == 1 {
		for i := range r.Ops {
			at := slices.IndexFunc(r.Ops[i].Operands, func(o program.Operand) bool { return o.Value == result })
			if at >= 0 && r.Ops[i].Family == program.Elementwise && isIdentity(r.Ops[i].Operands[at].Map) && isIdentity(r.Ops[i].Init().Map) {
				return i, nil
			}
		}
	}
	return 0, errors.New("its result must be read by one element-wise operation and nothing else")
}

func isIdentity(m program.AccessMap) bool {
	loops, ok := permutedLoops(m)
	return ok && slices.IsSorted(loops) && (len(m.Coefficients) == 0 || len(m.Coefficients) == len(m.Coefficients[0]))
}

// folding is one FN under way.
type folding struct {
	*rewriter
	reader   int
	channels int // dimension of the result, and loop of the reader
	weights  int // operand of the operation that has the channels
}

// findChannels finds the one dimension that the reader's other operands have, and
// the operand whose weights belong to it.
func (f *folding) findChannels() error {
	f.channels = -1
	for _, operand := range f.parameters() {
		loops, ok := permutedLoops(operand.Map)
		if !ok || len(loops) != 1 || f.channels >= 0 && loops[0] != f.channels {
			return fmt.Errorf("%s reads more than one number per channel", f.Ops[f.reader].Name)
		}
		if !f.Values[operand.Value].Weight {
			return fmt.Errorf("%s scales by what is known at run time only", f.Ops[f.reader].Name)
		}
		f.channels = loops[0]
	}
	if f.channels < 0 {
		return fmt.Errorf("%s reads no weights", f.Ops[f.reader].Name)
	}
	loop := resultLoop(f.self(), f.channels)
	f.weights = slices.IndexFunc(f.self().Operands[:2], func(o program.Operand) bool {
		return soleRow(o.Map, loop) >= 0 && f.Values[o.Value].Weight
	})
	if loop < 0 || f.weights < 0 {
		return errors.New("its weights are not known ahead of time")
	}
	return nil
}

// parameters are the reader's operands besides the result and the init.
func (f *folding) parameters() []program.Operand {
	var out []program.Operand
	o := &f.Ops[f.reader]
	for _, operand := range o.Operands[:len(o.Operands)-1] {
		if operand.Value != f.self().Result {
			out = append(out, operand)
		}
	}
	return out
}

// apply writes the scaled weights and the new initial values.
func (f *folding) apply(scale, shift *expression) error {
	bias, operand, err := f.initial()
	if err != nil {
		return err
	}
	inputs := f.parameters()
	if operand != nil {
		inputs = append(inputs, *operand)
		bias = &expression{operand: len(inputs) - 1}
	}
	name := f.self().Name
	scales := f.perChannel(name+".scale", inputs, scale)
	shifts := f.perChannel(name+".shift", inputs, shift.plus(scale.times(bias)))
	scaled := f.scaledWeights(name+".weight", scales.Result)
	f.self().Operands[f.weights].Value = scaled.Result
	f.broadcastInit(shifts.Result)
	f.removeReader()
	for _, o := range []program.Op{scales, shifts, scaled} {
		f.insert(f.op, o)
	}
	return nil
}

// initial is what the operation starts from, per channel: a constant, or an
// operand of what computes the init.
func (f *folding) initial() (*expression, *program.Operand, error) {
	unsuited := errors.New("its initial values must be a constant, or one weight per channel, for it alone")
	v := f.Values[f.self().Init().Value]
	if v.Kind != program.ValueResult || f.Uses(f.self().Init().Value) != 1 {
		return nil, nil, unsuited
	}
	o := &f.Ops[v.Op]
	if len(o.Body) > 0 || len(o.Operands) != 2 || o.Yield != 0 || !isIdentity(o.Init().Map) {
		return nil, nil, unsuited
	}
	source := f.Values[o.Operands[0].Value]
	if source.Kind == program.ValueConstant && source.IsSplat {
		return &expression{constant: float64(source.Splat), operand: -1}, nil, nil
	}
	loops, ok := permutedLoops(o.Operands[0].Map)
	if !source.Weight || !ok || len(loops) != 1 || loops[0] != f.channels {
		return nil, nil, unsuited
	}
	return nil, &o.Operands[0], nil
}

// perChannel is an operation that computes one number per channel from the
// reader's parameters.
func (f *folding) perChannel(name string, inputs []program.Operand, e *expression) program.Op {
	n := f.Values[f.self().Result].Shape[f.channels]
	o := program.Op{Name: name, Kind: "linalg.generic", Family: program.Elementwise,
		Loops: []program.Loop{{Bound: n, Iterator: program.Parallel}}}
	for _, operand := range inputs {
		o.Operands = append(o.Operands, program.Operand{Value: operand.Value, Map: identity(1)})
	}
	o.Operands = append(o.Operands, program.Operand{Value: f.empty([]int{n}), Map: identity(1), Init: true})
	o.Yield = e.emit(&o)
	o.CountArithmetic()
	o.Result = f.add(program.Value{Kind: program.ValueResult, Shape: []int{n}, Weight: true})
	return o
}

// scaledWeights multiplies the operation's weights by a number per channel.
func (f *folding) scaledWeights(name string, scales int) program.Op {
	operand := f.self().Operands[f.weights]
	shape := slices.Clone(f.Values[operand.Value].Shape)
	dimension := soleRow(operand.Map, resultLoop(f.self(), f.channels))
	o := program.Op{Name: name, Kind: "linalg.generic", Family: program.Elementwise,
		Body: []program.Instruction{{Op: "arith.mulf", Args: []int{0, 1}}}, Yield: 3}
	for _, n := range shape {
		o.Loops = append(o.Loops, program.Loop{Bound: n, Iterator: program.Parallel})
	}
	perChannel := program.AccessMap{Coefficients: [][]int{unit(len(shape), dimension)}, Offsets: []int{0}}
	o.Operands = []program.Operand{
		{Value: operand.Value, Map: identity(len(shape))},
		{Value: scales, Map: perChannel},
		{Value: f.empty(shape), Map: identity(len(shape)), Init: true},
	}
	o.CountArithmetic()
	o.Result = f.add(program.Value{Kind: program.ValueResult, Shape: shape, Weight: true})
	return o
}

// broadcastInit makes the init a number per channel.
func (f *folding) broadcastInit(value int) {
	o := &f.Ops[f.Values[f.self().Init().Value].Op]
	loops := len(o.Loops)
	o.Family = program.Copy
	o.Operands[0] = program.Operand{Value: value,
		Map: program.AccessMap{Coefficients: [][]int{unit(loops, f.channels)}, Offsets: []int{0}}}
}

// removeReader takes the reader out; the operation's result takes its place.
func (f *folding) removeReader() {
	gone, result := f.Ops[f.reader].Result, f.self().Result
	f.remove(f.reader)
	f.replace(gone, result)
}

// affine reads the reader's body as scale·x + shift.
func (f *folding) affine() (scale, shift *expression, err error) {
	o := &f.Ops[f.reader]
	var registers []term
	parameter := 0
	for i, operand := range o.Operands {
		switch {
		case i == len(o.Operands)-1:
			registers = append(registers, term{}) // what the reader's result held before
		case operand.Value == f.self().Result:
			registers = append(registers, term{scale: one(), shift: zero()})
		default:
			registers = append(registers, term{scale: zero(), shift: &expression{operand: parameter}})
			parameter++
		}
	}
	for _, in := range o.Body {
		t, ok := affineTerm(in, registers)
		if !ok {
			return nil, nil, fmt.Errorf("%s is not scale·x + shift: %s", o.Name, in.Op)
		}
		registers = append(registers, t)
	}
	t := registers[o.Yield]
	if t.scale == nil || t.scale.isConstant(0) {
		return nil, nil, fmt.Errorf("%s does not read the result", o.Name)
	}
	return t.scale, t.shift, nil
}
