package compiler

import (
	"fmt"
	"strings"

	"nestling/mlir"
	"nestling/program"
)

// structured reads one linalg.generic of the normal form and tags it.
func (a *analysis) structured(op mlir.Operation, kind string) error {
	if len(op.Results()) != 1 {
		return fmt.Errorf("%s: %s has %d results; expected one", op.Location(), kind, len(op.Results()))
	}
	o := program.Op{Kind: kind, Location: op.Location()}
	if err := a.operands(op, &o); err != nil {
		return fmt.Errorf("%s: %s: %w", op.Location(), kind, err)
	}
	if err := loops(op, a.program, &o); err != nil {
		return fmt.Errorf("%s: %s: %w", op.Location(), kind, err)
	}
	if err := a.body(op, &o); err != nil {
		return fmt.Errorf("%s: %s: %w", op.Location(), kind, err)
	}
	shape, _ := op.Result(0).Type().Shape()
	o.Family = program.Classify(&o)
	o.Name = a.name(&o)
	op.SetAttribute("nestling.op", a.context.StringAttribute(o.Name))
	result := program.Value{Kind: program.ValueResult, Shape: shape, Op: len(a.program.Ops)}
	result.Weight = a.fromWeights(&o, result.Elements())
	o.Result = a.add(op.Result(0), result)
	a.program.Ops = append(a.program.Ops, o)
	return nil
}

// operands reads what an operation reads and where.
func (a *analysis) operands(op mlir.Operation, o *program.Op) error {
	maps, _ := op.IndexingMaps()
	raw := op.Operands()
	for i, attribute := range maps.Elements() {
		if err := checkValueType(raw[i].Type()); err != nil {
			return fmt.Errorf("operand %d: %w", i, err)
		}
		m, err := attribute.AffineMap()
		if err != nil {
			return fmt.Errorf("operand %d: %w", i, err)
		}
		index, known := a.values[raw[i]]
		if !known {
			return fmt.Errorf("operand %d comes from outside what is supported", i)
		}
		o.Operands = append(o.Operands, program.Operand{
			Value: index,
			Map:   program.AccessMap{Coefficients: m.Coefficients, Offsets: m.Offsets},
			Init:  i == len(raw)-1,
		})
	}
	return nil
}

// loops derives the bounds from the operands' shapes: a loop that alone indexes
// a dimension has that dimension's size.
func loops(op mlir.Operation, p *program.Program, o *program.Op) error {
	iterators, ok := op.Attribute("iterator_types")
	if !ok {
		return fmt.Errorf("no iterator types")
	}
	for _, t := range iterators.Elements() {
		kind := program.Parallel
		if strings.Contains(t.String(), "reduction") {
			kind = program.Reduction
		}
		o.Loops = append(o.Loops, program.Loop{Iterator: kind})
	}
	for _, operand := range o.Operands {
		shape := p.Values[operand.Value].Shape
		for d, row := range operand.Map.Coefficients {
			loop, alone := soleLoop(row)
			if alone && row[loop] == 1 && operand.Map.Offsets[d] == 0 {
				o.Loops[loop].Bound = shape[d]
			}
		}
	}
	for i, l := range o.Loops {
		if l.Bound == 0 {
			return fmt.Errorf("loop %d has no operand dimension of its own to take its bound from", i)
		}
	}
	return nil
}

// soleLoop finds the only loop with a coefficient in a row of an access map.
func soleLoop(row []int) (loop int, alone bool) {
	loop = -1
	for l, c := range row {
		if c == 0 {
			continue
		}
		if loop >= 0 {
			return 0, false
		}
		loop = l
	}
	return loop, loop >= 0
}

// comparisons are the predicates of arith.cmpf by their number in MLIR.
var comparisons = []string{"false", "oeq", "ogt", "oge", "olt", "ole", "one", "ord",
	"ueq", "ugt", "uge", "ult", "ule", "une", "uno", "true"}

// body reads the scalar computation.
func (a *analysis) body(op mlir.Operation, o *program.Op) error {
	registers := map[mlir.Value]int{}
	for i, argument := range op.Body().Arguments() {
		registers[argument] = i
	}
	define := func(in program.Instruction) int {
		o.Body = append(o.Body, in)
		return len(o.Operands) + len(o.Body) - 1
	}
	// register finds where a scalar is, and takes constants from outside in.
	register := func(v mlir.Value) (int, error) {
		if r, ok := registers[v]; ok {
			return r, nil
		}
		if index, ok := a.values[v]; ok && a.program.Values[index].IsSplat && v.Type().IsF32() {
			registers[v] = define(program.Instruction{Op: "constant", Const: float64(a.program.Values[index].Splat)})
			return registers[v], nil
		}
		return 0, fmt.Errorf("its body uses a value from outside that is not an f32 constant")
	}
	for _, in := range op.Body().Operations() {
		instruction := program.Instruction{Op: in.Name()}
		for _, v := range in.Operands() {
			r, err := register(v)
			if err != nil {
				return err
			}
			instruction.Args = append(instruction.Args, r)
		}
		switch name := in.Name(); {
		case name == "linalg.yield":
			o.Yield = instruction.Args[0]
			o.CountArithmetic()
			return nil
		case name == "linalg.index":
			dim, _ := in.Attribute("dim")
			loop, _ := dim.Integer()
			registers[in.Result(0)] = define(program.Instruction{Op: "index", Args: []int{int(loop)}})
			continue
		case name == "arith.index_cast", name == "arith.sitofp", name == "arith.uitofp":
			registers[in.Result(0)] = instruction.Args[0]
			continue
		case name == "arith.constant":
			value, _ := in.Attribute("value")
			number, ok := value.Float()
			if !ok {
				return fmt.Errorf("its body has the constant %s; expected f32", value)
			}
			instruction = program.Instruction{Op: "constant", Const: number}
		case name == "arith.cmpf":
			predicate, _ := in.Attribute("predicate")
			number, _ := predicate.Integer()
			instruction.Predicate = comparisons[number]
		}
		if instruction.Op != "constant" && !program.KnownScalar(in.Name()) {
			return fmt.Errorf("scalar operation %s is not supported; supported: %s", in.Name(), strings.Join(program.ScalarNames(), ", "))
		}
		registers[in.Result(0)] = define(instruction)
	}
	return fmt.Errorf("its body yields nothing")
}

// name gives an operation its name in schedules: a short kind and a counter.
func (a *analysis) name(o *program.Op) string {
	short := map[program.Family]string{program.Pooling: "pool", program.Elementwise: "map"}[o.Family]
	if short == "" {
		short = string(o.Family)
	}
	// A named element-wise operation keeps its own name: add, exp, …
	if own, named := strings.CutPrefix(o.Kind, "linalg."); named && own != "generic" && o.Family == program.Elementwise {
		short = own
	}
	n := a.counters[short]
	a.counters[short]++
	return fmt.Sprintf("%s%d", short, n)
}

// fromWeights tells an operation that is worth computing ahead of time: one of
// weights alone that does not make more of them. A bias spread over an image is
// sooner computed again than read.
func (a *analysis) fromWeights(o *program.Op, elements int) bool {
	largest := 0
	for _, operand := range o.Operands {
		v := a.program.Values[operand.Value]
		if v.Kind == program.ValueEmpty {
			continue
		}
		if !v.Weight {
			return false
		}
		if !v.IsSplat {
			largest = max(largest, v.Elements())
		}
	}
	return elements <= largest
}
