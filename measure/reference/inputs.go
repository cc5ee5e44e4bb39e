package reference

import (
	"math"
	"math/rand/v2"
	"slices"

	"nestling/program"
)

// chunk is how many numbers are drawn from one random stream.
const chunk = 1 << 16

// Inputs draws the program's arguments, row-major: the same for the same
// program and seed, on any machine. Elements are standard normal, x.
//
// Arguments that must be positive for the program to make sense get ½+|x|:
// those that reach the operand of a root or logarithm, the base of a power, or
// a divisor by way of sums, products, quotients, roots, maxima and minima alone,
// as a variance does on its way into 1/√(variance+ε). What goes through anything else (a
// difference, a square, exp, |x|, …) is the program's own care.
func Inputs(p *program.Program, seed uint64) [][]float32 {
	positive := positiveValues(p)
	out := make([][]float32, len(p.Args))
	for i, v := range p.Args {
		out[i] = draw(p.Values[v].Elements(), seed, uint64(i), positive[v])
	}
	return out
}

func draw(elements int, seed, argument uint64, positive bool) []float32 {
	out := make([]float32, elements)
	parallel((elements+chunk-1)/chunk, func(tasks func() (int, bool)) {
		for {
			task, more := tasks()
			if !more {
				return
			}
			r := rand.New(rand.NewPCG(seed, argument<<32|uint64(task)))
			part := out[task*chunk : min((task+1)*chunk, elements)]
			for i := range part {
				x := r.NormFloat64()
				if positive {
					x = 0.5 + math.Abs(x)
				}
				part[i] = float32(x)
			}
		}
	})
	return out
}

// positiveValues tells, per value, whether it has to be positive. It follows
// the need backwards, from the last operation to the first.
func positiveValues(p *program.Program) []bool {
	needed := make([]bool, len(p.Values))
	var need func(value int)
	need = func(value int) {
		if needed[value] {
			return
		}
		needed[value] = true
		for _, source := range sources(&p.Values[value]) {
			need(source)
		}
	}
	for _, op := range slices.Backward(p.Ops) {
		registers := positiveRegisters(&op, needed[op.Result])
		for i, o := range op.Operands {
			if registers[i] {
				need(o.Value)
			}
		}
	}
	return needed
}

// positiveRegisters tells which registers of a body have to be positive.
func positiveRegisters(op *program.Op, result bool) []bool {
	needed := make([]bool, len(op.Operands)+len(op.Body))
	needed[op.Yield] = result
	for i, in := range slices.Backward(op.Body) {
		all := needed[len(op.Operands)+i]
		switch in.Op {
		case "math.sqrt", "math.rsqrt", "math.log", "math.log2", "math.log10", "math.log1p", "math.powf":
			needed[in.Args[0]] = true
		case "arith.divf":
			needed[in.Args[1]] = true
			needed[in.Args[0]] = needed[in.Args[0]] || all
		case "arith.addf", "arith.mulf", "arith.maximumf", "arith.maxnumf", "arith.minimumf", "arith.minnumf", "math.fma":
			if all && !(in.Op == "arith.mulf" && in.Args[0] == in.Args[1]) {
				for _, a := range in.Args {
					needed[a] = true
				}
			}
		}
	}
	return needed
}
