// Package program holds what a tensor program is to Nestling, as plain data:
// values, operations, loops, access maps and scalar bodies. It is produced by
// the compiler process from MLIR and read by everything above; it imports no C.
package program

import (
	"fmt"
	"slices"
)

// Iterator tells how the iterations of a loop depend on each other.
type Iterator string

const (
	// Parallel iterations write different elements of the result.
	Parallel Iterator = "parallel"
	// Reduction iterations accumulate into the same element.
	Reduction Iterator = "reduction"
)

// Loop is one dimension of an operation's iteration space.
type Loop struct {
	Bound    int      `json:"bound"`
	Iterator Iterator `json:"iterator"`
}

// AccessMap is an affine indexing map: index d of the operand is
// Σ Coefficients[d][l]·loop[l] + Offsets[d]. A scalar operand has no rows.
type AccessMap struct {
	Coefficients [][]int `json:"coefficients"` // [operand dimension][loop]
	Offsets      []int   `json:"offsets"`      // [operand dimension]
}

// Moves reports whether a loop moves the operand.
func (m AccessMap) Moves(loop int) bool {
	return slices.ContainsFunc(m.Coefficients, func(row []int) bool { return row[loop] != 0 })
}

// Consecutive reports whether iterations of a loop that follow each other access elements
// that do, too, as those of w in x[…, w + kw].
func (m AccessMap) Consecutive(loop int) bool {
	for d, row := range m.Coefficients {
		if last := d == len(m.Coefficients)-1; last != (row[loop] != 0) || last && row[loop] != 1 {
			return false
		}
	}
	return len(m.Coefficients) > 0
}

// Extents are the sizes, within a shape, of what some iterations of each loop access.
func (m AccessMap) Extents(shape, iterations []int) []int {
	extents := make([]int, len(m.Coefficients))
	for d, row := range m.Coefficients {
		extents[d] = 1
		for l, c := range row {
			extents[d] += max(c, -c) * (iterations[l] - 1)
		}
		extents[d] = min(extents[d], max(1, shape[d]))
	}
	return extents
}

// Operand is one use of a value by an operation.
type Operand struct {
	Value int       `json:"value"` // index into Program.Values
	Map   AccessMap `json:"map"`
	Init  bool      `json:"init,omitempty"` // an `outs` operand: the initial content of the result
}

// Instruction is one scalar operation of a body, in SSA form. Registers
// 0 … len(Operands)-1 are the operands' elements; instruction i defines
// register len(Operands)+i.
type Instruction struct {
	// Op is the MLIR operation ("arith.addf", "math.exp", …) or one of ours:
	// "constant" (Const) and "index" (the float value of loop Args[0]).
	Op    string  `json:"op"`
	Args  []int   `json:"args,omitempty"`
	Const float64 `json:"const,omitempty"`
	// Predicate of "arith.cmpf": "olt", "ogt", …
	Predicate string `json:"predicate,omitempty"`
}

// Family groups operations that are scheduled alike.
type Family string

const (
	Matmul      Family = "matmul"
	Conv        Family = "conv"
	Pooling     Family = "pooling"
	Elementwise Family = "elementwise"
	Reduce      Family = "reduce"
	Fill        Family = "fill"
	Copy        Family = "copy"
	Generic     Family = "generic"
)

// Families lists every family, in a fixed order that encoders rely on.
var Families = []Family{Matmul, Conv, Pooling, Elementwise, Reduce, Fill, Copy, Generic}

// Arithmetic counts the scalar operations of one iteration of the loop nest.
type Arithmetic struct {
	Add, Sub, Mul, Div, Exp, Max, Other int
}

// Total is the number of floating-point operations of one iteration.
func (a Arithmetic) Total() int {
	return a.Add + a.Sub + a.Mul + a.Div + a.Exp + a.Max + a.Other
}

// Op is one linalg operation, in execution order.
type Op struct {
	// Name is unique in the program and is how schedules speak of the
	// operation: "matmul0", "conv1", "fill0", "add2".
	Name string `json:"name"`
	// Kind is the operation as the user wrote it: "linalg.matmul".
	Kind     string        `json:"kind"`
	Family   Family        `json:"family"`
	Loops    []Loop        `json:"loops"`
	Operands []Operand     `json:"operands"` // inputs, then the one init
	Body     []Instruction `json:"body"`
	Yield    int           `json:"yield"`  // register that is the new element of the result
	Result   int           `json:"result"` // index into Program.Values
	Arith    Arithmetic    `json:"arith"`
	// Producers and Consumers are indices into Program.Ops. A link may pass
	// through tensor reshapes and slices; Fusible tells those that do not.
	Producers []int `json:"producers"`
	Consumers []int `json:"consumers"`
	// Code is set on an operation that is written out: MLIR statements that read
	// the tensors %in0, %in1, … (its operands) and define %out. It has no loops of
	// its own to schedule; those of its parts are operations Inside it.
	Code string `json:"code,omitempty"`
	// Inside is 1 + the index of the written-out operation that this one is a
	// part of, 0 for none. Its operands are values of kind ValueInner.
	Inside int `json:"inside,omitempty"`
	// Runs is how often such a part is done; 0: once. Of it and of what it is a part of,
	// Pieces are what threads take, Shares how many of those there are; 0: one.
	Runs   int `json:"runs,omitempty"`
	Pieces int `json:"pieces,omitempty"`
	Shares int `json:"shares,omitempty"`
	// Location in the source text, for messages: "file.mlir:12:8".
	Location string `json:"location,omitempty"`
}

// Init is the operand that holds the result's initial content.
func (o *Op) Init() Operand { return o.Operands[len(o.Operands)-1] }

// Iterations is the number of points of the iteration space.
func (o *Op) Iterations() float64 {
	n := 1.0
	for _, l := range o.Loops {
		n *= float64(l.Bound)
	}
	return n
}

// Flops is the number of floating-point operations of the operation.
func (o *Op) Flops() float64 { return o.Iterations() * float64(o.Arith.Total()) }

// ValueKind tells where a value comes from.
type ValueKind string

const (
	ValueArgument ValueKind = "argument" // function argument Arg
	ValueConstant ValueKind = "constant" // Data or Splat
	ValueEmpty    ValueKind = "empty"    // tensor.empty: content undefined
	ValueResult   ValueKind = "result"   // result of Ops[Op]
	ValueSlice    ValueKind = "slice"    // Base[Offsets + i·Strides]
	ValueReshape  ValueKind = "reshape"  // Base, same elements in the same order
	ValueInsert   ValueKind = "insert"   // Base with Source written at Offsets + i·Strides
	ValueInner    ValueKind = "inner"    // part of a written-out operation
)

// Value is a tensor (or, with an empty shape, a scalar) of float32.
type Value struct {
	Kind  ValueKind `json:"kind"`
	Shape []int     `json:"shape"`
	// Weight is set on values that are known ahead of time: arguments marked
	// `nestling.weight`, constants, and what is computed from those alone.
	Weight  bool    `json:"weight,omitempty"`
	Scalar  bool    `json:"scalar,omitempty"` // an f32, not a tensor of one
	Arg     int     `json:"arg,omitempty"`
	Op      int     `json:"op,omitempty"`
	Base    int     `json:"base,omitempty"`
	Source  int     `json:"source,omitempty"`
	Offsets []int   `json:"offsets,omitempty"`
	Strides []int   `json:"strides,omitempty"`
	IsSplat bool    `json:"is_splat,omitempty"`
	Splat   float32 `json:"splat,omitempty"`
	// Data holds a constant's elements, little-endian float32, row-major.
	Data []byte `json:"data,omitempty"`
}

// Elements is the number of elements of the value.
func (v *Value) Elements() int {
	n := 1
	for _, d := range v.Shape {
		n *= d
	}
	return n
}

// Bytes is the size of its float32, in floating point: that of what could never be in a memory
// must not overflow.
func (v *Value) Bytes() float64 {
	bytes := 4.0
	for _, n := range v.Shape {
		bytes *= float64(n)
	}
	return bytes
}

// Program is one function of linalg operations on tensors.
type Program struct {
	Name    string  `json:"name"` // the function's symbol
	Values  []Value `json:"values"`
	Ops     []Op    `json:"ops"`
	Args    []int   `json:"args"`    // value of each function argument
	Results []int   `json:"results"` // value of each function result
	// Module is the normalised module, as Print writes it: every operation a tagged
	// linalg.generic, padding written out. Scripts apply to it.
	Module string `json:"module"`
	// Hash identifies Module (sha256, hex); results are remembered under it.
	Hash string `json:"hash"`
}

// OpIndex finds an operation by name.
func (p *Program) OpIndex(name string) (int, error) {
	for i := range p.Ops {
		if p.Ops[i].Name == name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("no operation %q; the program has %v", name, p.OpNames())
}

// OpNames lists the names of the operations, in execution order.
func (p *Program) OpNames() []string {
	names := make([]string, len(p.Ops))
	for i := range p.Ops {
		names[i] = p.Ops[i].Name
	}
	return names
}

// Flops is the number of floating-point operations of one run.
func (p *Program) Flops() float64 {
	total := 0.0
	for i := range p.Ops {
		total += p.Ops[i].Flops()
	}
	return total
}

// FusibleProducers lists the operations whose result operand values of op are
// directly (not through a slice or reshape), that have no other use, are not
// written out, and are computed at the same time: ahead of it, or at run time.
func (p *Program) FusibleProducers(op int) []int {
	var out []int
	for _, operand := range p.Ops[op].Operands {
		v := p.Values[operand.Value]
		if v.Kind == ValueResult && p.Ops[v.Op].Code == "" && p.Uses(operand.Value) == 1 && !slices.Contains(out, v.Op) && v.Weight == p.Values[p.Ops[op].Result].Weight {
			out = append(out, v.Op)
		}
	}
	return out
}

// Uses counts the operands, values and results that read a value.
func (p *Program) Uses(value int) int {
	n := 0
	for i := range p.Ops {
		for _, o := range p.Ops[i].Operands {
			if o.Value == value {
				n++
			}
		}
	}
	for _, v := range p.Values {
		switch v.Kind {
		case ValueSlice, ValueReshape:
			if v.Base == value {
				n++
			}
		case ValueInsert:
			if v.Base == value {
				n++
			}
			if v.Source == value {
				n++
			}
		}
	}
	for _, r := range p.Results {
		if r == value {
			n++
		}
	}
	return n
}
