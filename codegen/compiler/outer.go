package compiler

import (
	"fmt"
	"slices"
	"strings"

	"nestling/mlir"
)

// sumsToContractions makes a contraction again of what V leaves of a product whose tile
// has a single step of the sum: a vector plus the product of two that were broadcast
// along each other. As a contraction it becomes multiply-adds of rows with elements
// from memory; broadcasts would be shuffled together first.
func (j *job) sumsToContractions() error {
	for _, op := range j.module.Operation().Nested() {
		if op.Name() != "arith.addf" || !op.Result(0).Type().IsVector() {
			continue
		}
		operands := op.Operands()
		for i, sum := range operands {
			first, second, found := outerProduct(operands[1-i])
			if !found {
				continue
			}
			if err := j.contract(op, first, second, sum); err != nil {
				return err
			}
			break
		}
	}
	return nil
}

// factor is a vector that was broadcast to more dimensions.
type factor struct {
	vector     mlir.Value
	dimensions []int // of the broadcast, one for each of the vector's
}

// outerProduct is a product of two vectors that share no dimension, the one along
// whose elements lanes run last.
func outerProduct(v mlir.Value) (first, second factor, found bool) {
	product, _ := v.Defining()
	if product.IsNull() || product.Name() != "arith.mulf" || len(v.Uses()) != 1 {
		return first, second, false
	}
	a, known1 := broadcastFactor(product.Operands()[0])
	b, known2 := broadcastFactor(product.Operands()[1])
	shape, _ := v.Type().Shape()
	dimensions := slices.Sorted(slices.Values(slices.Concat(a.dimensions, b.dimensions)))
	if !known1 || !known2 || len(dimensions) != len(shape) || len(slices.Compact(dimensions)) != len(shape) {
		return first, second, false
	}
	if slices.Contains(a.dimensions, len(shape)-1) {
		a, b = b, a
	}
	return a, b, true
}

// broadcastFactor looks through a broadcast, and a transposition of it.
func broadcastFactor(v mlir.Value) (factor, bool) {
	op, _ := v.Defining()
	shape, _ := v.Type().Shape()
	order := make([]int, len(shape))
	for d := range order {
		order[d] = d
	}
	if !op.IsNull() && op.Name() == "vector.transpose" {
		permutation, _ := op.Attribute("permutation")
		order, _ = permutation.Integers64()
		op, _ = op.Operands()[0].Defining()
	}
	if op.IsNull() || op.Name() != "vector.broadcast" || !op.Operands()[0].Type().IsVector() {
		return factor{}, false
	}
	f := factor{vector: op.Operands()[0]}
	from, _ := f.vector.Type().Shape()
	to, _ := op.Result(0).Type().Shape()
	if !slices.Equal(from, to[len(to)-len(from):]) {
		return factor{}, false // elements are repeated
	}
	for d := range from {
		f.dimensions = append(f.dimensions, slices.Index(order, len(to)-len(from)+d))
	}
	return f, true
}

// contract replaces an addition by a contraction over one step.
func (j *job) contract(add mlir.Operation, first, second factor, sum mlir.Value) error {
	shape, _ := sum.Type().Shape()
	rank := len(shape)
	lhs, err := j.unitStep(add, first.vector, true)
	if err != nil {
		return err
	}
	rhs, err := j.unitStep(add, second.vector, false)
	if err != nil {
		return err
	}
	all := make([]int, rank)
	for d := range all {
		all[d] = d
	}
	maps := []string{
		affineMap(rank+1, append(slices.Clone(first.dimensions), rank)), affineMap(rank+1, append([]int{rank}, second.dimensions...)), affineMap(rank+1, all),
	}
	iterators := append(slices.Repeat([]string{"#vector.iterator_type<parallel>"}, rank), "#vector.iterator_type<reduction>")
	attributes, err := parsed(j.compiler.context, [][2]string{
		{"indexing_maps", "[" + strings.Join(maps, ", ") + "]"}, {"iterator_types", "[" + strings.Join(iterators, ", ") + "]"}, {"kind", "#vector.kind<add>"},
	})
	if err != nil {
		return err
	}
	contraction, err := j.compiler.context.Create("vector.contract", []mlir.Value{lhs, rhs, sum}, []mlir.Type{sum.Type()}, attributes, 0)
	if err != nil {
		return err
	}
	add.Block().InsertBefore(add, contraction)
	add.Result(0).ReplaceAllUses(contraction.Result(0))
	add.Erase()
	return nil
}

// unitStep gives a vector a dimension of one element, its last or its first.
func (j *job) unitStep(before mlir.Operation, v mlir.Value, last bool) (mlir.Value, error) {
	shape, _ := v.Type().Shape()
	if last {
		shape = append(slices.Clone(shape), 1)
	} else {
		shape = append([]int{1}, shape...)
	}
	t, err := j.compiler.context.ParseType("vector<" + strings.ReplaceAll(strings.Trim(fmt.Sprint(shape), "[]"), " ", "x") + "xf32>")
	if err != nil {
		return mlir.Value{}, err
	}
	op, err := j.compiler.context.Create("vector.shape_cast", []mlir.Value{v}, []mlir.Type{t}, nil, 0)
	if err != nil {
		return mlir.Value{}, err
	}
	before.Block().InsertBefore(before, op)
	return op.Result(0), nil
}

// affineMap spells the map from so many loops to some of them.
func affineMap(loops int, results []int) string {
	names := make([]string, loops)
	for l := range names {
		names[l] = fmt.Sprintf("d%d", l)
	}
	to := make([]string, len(results))
	for i, l := range results {
		to[i] = names[l]
	}
	return fmt.Sprintf("affine_map<(%s) -> (%s)>", strings.Join(names, ", "), strings.Join(to, ", "))
}
