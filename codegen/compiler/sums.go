package compiler

import (
	"math"
	"slices"
	"strings"

	"nestling/mlir"
)

// reassociateSums lets the sums and products that scalar loops accumulate in memory
// be taken in any order, as those of vectors are: otherwise each waits for the one
// before, and LLVM cannot vectorize the loop. The multiplication before an addition
// may be fused with it. Of the two zeros either may be the larger one.
func (j *job) reassociateSums() error {
	flags, err := j.compiler.context.ParseAttribute("#arith.fastmath<reassoc,contract>")
	if err != nil {
		return err
	}
	zeros, err := j.compiler.context.ParseAttribute("#arith.fastmath<nsz>")
	if err != nil {
		return err
	}
	for _, op := range j.module.Operation().Nested() {
		if extreme(op) {
			op.SetAttribute("fastmath", zeros)
		}
		if !accumulates(op) {
			continue
		}
		op.SetAttribute("fastmath", flags)
		for _, v := range op.Operands() {
			if term, _ := v.Defining(); !term.IsNull() && term.Name() == "arith.mulf" {
				term.SetAttribute("fastmath", flags)
			}
		}
	}
	return nil
}

// accumulates tells a scalar sum or product that is stored where one of its operands
// was loaded from.
func accumulates(op mlir.Operation) bool {
	return (op.Name() == "arith.addf" || op.Name() == "arith.mulf") && op.Result(0).Type().IsF32() && accumulated(op)
}

// accumulated tells what is stored where one of its operands was loaded from.
func accumulated(op mlir.Operation) bool {
	for _, store := range op.Result(0).Uses() {
		if store.Name() != "memref.store" {
			continue
		}
		for _, v := range op.Operands() {
			load, _ := v.Defining()
			if !load.IsNull() && load.Name() == "memref.load" && load.Operands()[0] == store.Operands()[1] {
				return true
			}
		}
	}
	return false
}

// shortLoop is the most iterations of a scalar loop that LLVM may unroll completely:
// the window of a pooling, say, whose surrounding loop it can then vectorize.
const shortLoop = 8

// interleaved is how many iterations fill four vectors of 16 lanes.
const interleaved = 64

// interleaves reports whether a loop of so many iterations is worth four accumulators: what
// is left over, scalar by scalar, must be little.
func interleaves(trips float64) bool {
	const little = 4 // of the whole, one in so many
	return trips >= interleaved && little*math.Mod(trips, interleaved) <= trips
}

// keepLoops stops LLVM from unrolling longer innermost loops over scalars, which it
// would do before it vectorizes loops, and could not do that any more; except where it
// is better.
func (j *job) keepLoops() error {
	whole, err := j.compiler.context.ParseAttribute("#llvm.loop_annotation<unroll = <disable = true>>")
	if err != nil {
		return err
	}
	// LLVM does not see by itself that each sum or extreme waits for the one before.
	several, err := j.compiler.context.ParseAttribute("#llvm.loop_annotation<unroll = <disable = true>, interleave = <count = 4 : i32>>")
	if err != nil {
		return err
	}
	for _, op := range j.module.Operation().Nested() {
		if op.Name() != "scf.for" || !innermostScalar(op) || staysInRegisters(op) {
			continue
		}
		switch n := loopTrips(op); {
		case n <= shortLoop:
		case interleaves(n) && waitsForItself(op):
			op.SetAttribute("loop_annotation", several)
		default:
			op.SetAttribute("loop_annotation", whole)
		}
	}
	return nil
}

// innermostScalar tells a loop without loops or vectors inside.
func innermostScalar(loop mlir.Operation) bool {
	return !slices.ContainsFunc(loop.Body().Operations(), func(op mlir.Operation) bool {
		return op.Regions() > 0 || strings.HasPrefix(op.Name(), "vector.")
	})
}

// waitsForItself tells a loop that accumulates in one place: a sum, say, or the
// largest element.
func waitsForItself(loop mlir.Operation) bool {
	return slices.ContainsFunc(loop.Body().Operations(), func(op mlir.Operation) bool {
		return (accumulates(op) || extreme(op) && accumulated(op)) && !storedAlong(loop, op)
	})
}

// extreme tells the larger or the smaller of two numbers.
func extreme(op mlir.Operation) bool {
	return op.Name() == "arith.maximumf" || op.Name() == "arith.minimumf"
}

// staysInRegisters tells a loop along a row that accumulates products: unrolled, the
// row stays in registers.
func staysInRegisters(loop mlir.Operation) bool {
	return slices.ContainsFunc(loop.Body().Operations(), func(op mlir.Operation) bool { return multipliesAlong(loop, op) })
}

// multipliesAlong tells an operation that accumulates products in elements along the
// loop.
func multipliesAlong(loop, op mlir.Operation) bool {
	if !accumulates(op) {
		return false
	}
	products := 0
	for _, v := range op.Operands() {
		if term, _ := v.Defining(); !term.IsNull() && term.Name() == "arith.mulf" {
			products++
		}
	}
	return products > 0 && storedAlong(loop, op)
}

// storedAlong tells an operation whose result is stored in elements along the loop.
func storedAlong(loop, op mlir.Operation) bool {
	return slices.ContainsFunc(op.Result(0).Uses(), func(store mlir.Operation) bool {
		return store.Name() == "memref.store" && slices.Contains(store.Operands()[2:], loop.Body().Arguments()[0])
	})
}
