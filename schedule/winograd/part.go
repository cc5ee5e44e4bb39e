package winograd

import "nestling/program"

// Part is what can be scheduled of one convolution: the matrix product of one
// frequency, with the zeros that it starts from.
type Part struct {
	// Fill and Gemm are operations whose values are indices into Values. They are done for
	// each frequency of each strip.
	Fill, Gemm program.Op
	Values     []program.Value
}

// Values of a Part. ResultFill and ResultGemm are what its operations compute.
const (
	partZero = iota
	partProducts
	partValues
	partWeights
	ResultFill
	ResultGemm
)

// part describes what convolution.gemm writes, of which threads take so many pieces.
func (s *Spec) part(name string, pieces int) Part {
	products := s.productsShape()[1:]
	values := make([]program.Value, ResultGemm+1)
	values[partZero] = program.Value{Kind: program.ValueConstant, IsSplat: true, Scalar: true, Weight: true}
	values[partProducts] = program.Value{Kind: program.ValueInner, Shape: products}
	values[partValues] = program.Value{Kind: program.ValueInner, Shape: s.valuesShape()[1:]}
	values[partWeights] = program.Value{Kind: program.ValueInner, Shape: s.Weights()[1:]}
	values[ResultFill] = program.Value{Kind: program.ValueResult, Shape: products}
	values[ResultGemm] = program.Value{Kind: program.ValueResult, Shape: products}
	part := Part{Fill: fillOp(name, products), Gemm: s.gemmOp(name), Values: values}
	for _, o := range []*program.Op{&part.Fill, &part.Gemm} {
		o.Runs, o.Pieces, o.Shares = s.frequencies()*s.strips()*s.Images/s.Group, pieces, s.Threads
	}
	return part
}

func fillOp(name string, shape []int) program.Op {
	return program.Op{
		Name: name + ".fill", Kind: "linalg.fill", Family: program.Fill,
		Loops:    loops(program.Parallel, shape...),
		Operands: []program.Operand{{Value: partZero}, {Value: partProducts, Map: rows(3, 0, 1, 2), Init: true}},
		Result:   ResultFill,
	}
}

// gemmOp has the loops t, o, i, b, c: tiles, blocks of results, results, blocks
// of inputs, inputs.
func (s *Spec) gemmOp(name string) program.Op {
	return program.Op{
		Name: name + ".gemm", Kind: "linalg.generic", Family: program.Matmul,
		Loops: append(loops(program.Parallel, s.tiles(), s.outBlocks(), s.outLanes()),
			loops(program.Reduction, s.inBlocks(), lanes)...),
		Operands: []program.Operand{
			{Value: partValues, Map: rows(5, 3, 0, 4)},
			{Value: partWeights, Map: rows(5, 1, 3, 4, 2)},
			{Value: ResultFill, Map: rows(5, 1, 0, 2), Init: true},
		},
		Body:   []program.Instruction{{Op: "arith.mulf", Args: []int{0, 1}}, {Op: "arith.addf", Args: []int{2, 3}}},
		Yield:  4,
		Arith:  program.Arithmetic{Add: 1, Mul: 1},
		Result: ResultGemm,
	}
}

func loops(iterator program.Iterator, bounds ...int) []program.Loop {
	all := make([]program.Loop, len(bounds))
	for l, bound := range bounds {
		all[l] = program.Loop{Bound: bound, Iterator: iterator}
	}
	return all
}

// rows is the access map whose dimensions are the given ones of n loops.
func rows(n int, loops ...int) program.AccessMap {
	m := program.AccessMap{Offsets: make([]int, len(loops))}
	for _, l := range loops {
		row := make([]int, n)
		row[l] = 1
		m.Coefficients = append(m.Coefficients, row)
	}
	return m
}
