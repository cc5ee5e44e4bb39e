package compiler

import (
	"math"

	"nestling/mlir"
	"nestling/schedule"
)

// serialiseSmall makes parallel loops that are not worth a region, or that stand
// inside another, serial. What a loop costs is estimated from its trip counts.
func (j *job) serialiseSmall() error {
	for _, op := range j.module.Operation().Nested() {
		if op.Name() != "scf.parallel" || (!insideParallel(op) && cost(op) >= schedule.ParallelPays) {
			continue
		}
		if err := j.serialise(op); err != nil {
			return err
		}
	}
	return nil
}

func insideParallel(op mlir.Operation) bool {
	for p := op.Parent(); !p.IsNull(); p = p.Parent() {
		if p.Name() == "scf.parallel" {
			return true
		}
	}
	return false
}

// unknownTrips is how often a loop goes round whose bounds are not known.
const unknownTrips = 8

// cost estimates the time of an operation with all that is inside.
func cost(op mlir.Operation) float64 {
	inside := 0.0
	if body := op.Body(); !body.IsNull() {
		for _, o := range body.Operations() {
			inside += cost(o)
		}
	}
	switch op.Name() {
	case "scf.for":
		if innermostScalar(op) {
			inside *= schedule.VectorizedShare
		}
		return inside * loopTrips(op)
	case "scf.parallel":
		n := len(op.Body().Arguments())
		operands := op.Operands()
		for i := range n {
			inside *= trips(operands[i], operands[n+i], operands[2*n+i])
		}
		return inside
	case "vector.contract":
		// Every loop of a product indexes two of its three vectors.
		elements := 1.0
		for _, v := range op.Operands()[:3] {
			elements *= vectorElements(v.Type())
		}
		return schedule.ContractionCost * math.Sqrt(elements)
	}
	return inside + ownCost(op)
}

// ownCost is by the largest vector that an operation touches.
func ownCost(op mlir.Operation) float64 {
	largest := 0.0
	for _, v := range append(op.Operands(), op.Results()...) {
		if v.Type().IsVector() {
			largest = max(largest, vectorElements(v.Type()))
		}
	}
	if largest > 0 {
		return perElement(op) * largest
	}
	return schedule.ScalarCost
}

// perElement is the cost of an operation on vectors for each of their elements.
func perElement(op mlir.Operation) float64 {
	switch op.Name() {
	case "vector.broadcast", "vector.shape_cast", "vector.extract", "vector.insert", "vector.extract_strided_slice", "vector.insert_strided_slice":
		return 0 // mostly names for registers
	case "arith.addf", "arith.subf", "arith.mulf", "arith.maximumf", "arith.minimumf", "vector.fma":
		return schedule.SimpleCost
	}
	return schedule.VectorCost
}

func vectorElements(t mlir.Type) float64 {
	if !t.IsVector() {
		return 1
	}
	n := 1.0
	shape, _ := t.Shape()
	for _, d := range shape {
		n *= float64(d)
	}
	return n
}

// loopTrips is how often a serial loop goes round.
func loopTrips(loop mlir.Operation) float64 {
	operands := loop.Operands()
	return trips(operands[0], operands[1], operands[2])
}

// trips is how often a loop with these bounds and this step goes round.
func trips(lower, upper, step mlir.Value) float64 {
	l, known1 := constantIndex(lower)
	u, known2 := constantIndex(upper)
	s, known3 := constantIndex(step)
	if !known1 || !known2 || !known3 || s <= 0 {
		return unknownTrips
	}
	return math.Ceil(float64(u-l) / float64(s))
}

func constantIndex(v mlir.Value) (int64, bool) {
	op, _ := v.Defining()
	if op.IsNull() || op.Name() != "arith.constant" {
		return 0, false
	}
	value, _ := op.Attribute("value")
	return value.Integer()
}

// serialise replaces a parallel loop without results by nested serial ones.
func (j *job) serialise(parallel mlir.Operation) error {
	c := j.compiler.context
	index, err := c.ParseType("index")
	if err != nil {
		return err
	}
	operands, ivs := parallel.Operands(), parallel.Body().Arguments()
	n := len(ivs)
	var inner mlir.Operation // terminator of the innermost loop so far
	for i := range n {
		loop, err := c.Create("scf.for", []mlir.Value{operands[i], operands[n+i], operands[2*n+i]}, nil, nil, 1)
		if err != nil {
			return err
		}
		body := c.AddBlock(loop, 0, []mlir.Type{index})
		end, err := c.Create("scf.yield", nil, nil, nil, 0)
		if err != nil {
			return err
		}
		body.Append(end)
		if i == 0 {
			parallel.Block().InsertBefore(parallel, loop)
		} else {
			inner.Block().InsertBefore(inner, loop)
		}
		ivs[i].ReplaceAllUses(body.Arguments()[0])
		inner = end
	}
	for _, op := range parallel.Body().Operations() {
		if op.Name() != "scf.reduce" {
			op.MoveBefore(inner)
		}
	}
	parallel.Erase()
	return nil
}
