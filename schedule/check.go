package schedule

import (
	"errors"
	"fmt"
	"slices"

	"nestling/program"
)

// Check reports whether the action may come next for the operation: nil if so,
// else the reason, with what is allowed instead.
func (s *State) Check(op int, a Action) error {
	if err := s.check(op, a); err != nil {
		return fmt.Errorf("%s: %w", s.program.Ops[op].Name, err)
	}
	return nil
}

func (s *State) check(op int, a Action) error {
	if err := s.checkKind(op, a.Kind); err != nil {
		return err
	}
	switch {
	case a.Kind == Interchange:
		return checkPermutation("I", "loops", a.Order, len(s.ops[op].bounds))
	case a.Kind.tiles():
		return s.checkSizes(op, a)
	case a.Kind == Pack:
		return s.checkPack(op, a)
	case a.Kind == Prefetch:
		return s.checkPrefetch(op, a)
	case a.Kind == Unroll:
		return s.checkUnroll(op, a)
	}
	return nil
}

// Legal reports whether some action of this kind is legal now, as far as that does
// not depend on the operand that P and PF name.
func (s *State) Legal(op int, k Kind) bool {
	if s.checkKind(op, k) != nil {
		return false
	}
	if !k.tiles() {
		return true
	}
	for l := range s.ops[op].bounds {
		if len(s.TileSizes(op, l, k)) > 0 {
			return true
		}
	}
	return false
}

// TileSizes lists the sizes to which an action of kind k (T, TP or TF) can tile
// the current loop: its divisors below the bound, 1 included. It is empty for a
// loop that k must leave whole. The choices of different loops are independent
// of each other, except that at least one loop must be tiled.
func (s *State) TileSizes(op, loop int, k Kind) []int {
	if s.checkKind(op, k) != nil || s.checkLoop(op, loop, k) != nil {
		return nil
	}
	return divisors(s.ops[op].bounds[loop])
}

// divisors lists the divisors of bound below it.
func divisors(bound int) []int {
	var out []int
	for d := 1; d <= bound/2; d++ {
		if bound%d == 0 {
			out = append(out, d)
		}
	}
	return out
}

// checkKind applies the rules that do not depend on an action's numbers.
func (s *State) checkKind(op int, k Kind) error {
	if !slices.Contains(Vocabulary, k) {
		return fmt.Errorf("no action %q; there are %v", k, Vocabulary)
	}
	if err := s.checkTurn(op); err != nil {
		return err
	}
	if s.program.Ops[op].Code != "" && k != NoTransform {
		return fmt.Errorf("%s is for loops, and this is written out; its parts can be scheduled", k)
	}
	o := &s.ops[op]
	if len(o.actions) == s.limit-1 && !(Action{Kind: k}).ends() {
		return fmt.Errorf("%s would be action %d of at most %d; only V or NT can be the last", k, s.limit, s.limit)
	}
	if len(o.arguments(Prefetch)) > 0 && k != Prefetch && !(Action{Kind: k}).ends() {
		return fmt.Errorf("after PF only V, NT or another PF can follow, not %s", k)
	}
	switch k {
	case Interchange:
		return s.checkInterchange(op)
	case TileParallel:
		return s.checkOutsideParallel(op, k)
	case TileFuse:
		return s.checkFuse(op)
	case Vectorize:
		return s.checkVectorize(op)
	case Pack:
		return s.checkTiled(op, k)
	case Prefetch:
		return s.checkPrefetchable(op)
	case Unroll:
		return s.checkSerialLoop(op)
	case Tile, NoTransform:
		return nil
	}
	return fmt.Errorf("%s is a rewrite; rewrites come before the loop actions", k)
}

// checkTurn enforces the scheduling order: no action after the end, none before
// every later operation of the program has ended.
func (s *State) checkTurn(op int) error {
	if s.ops[op].done {
		actions := s.ops[op].actions
		return fmt.Errorf("no action can follow %s, which ends the operation", actions[len(actions)-1])
	}
	for next := len(s.ops) - 1; next > op; next-- {
		if !s.ops[next].done {
			return fmt.Errorf("operations are scheduled last to first; %s comes before it and has not ended", s.program.Ops[next].Name)
		}
	}
	return nil
}

func (s *State) checkInterchange(op int) error {
	o := &s.ops[op]
	if len(o.actions) > 0 {
		return fmt.Errorf("action I must be the first action, it comes after %s", o.actions[0])
	}
	if len(o.bounds) < 2 {
		return fmt.Errorf("action I needs two loops or more, there are %d", len(o.bounds))
	}
	return nil
}

func (s *State) checkOutsideParallel(op int, k Kind) error {
	o := &s.ops[op]
	switch {
	case o.fusedInto >= 0:
		return fmt.Errorf("%s makes parallel loops, and it already runs inside those of %s; use T", k, s.program.Ops[o.fusedInto].Name)
	case o.parallel:
		return fmt.Errorf("%s makes parallel loops, and it already runs inside its own; use T", k)
	}
	return nil
}

func (s *State) checkFuse(op int) error {
	if err := s.checkOutsideParallel(op, TileFuse); err != nil {
		return err
	}
	if slices.ContainsFunc(s.ops[op].actions, func(a Action) bool { return a.Kind.tiles() }) {
		return fmt.Errorf("TF must be the first tiling; after %s the producers are out of reach", s.ops[op].actions[len(s.ops[op].actions)-1])
	}
	if isPlainCopy(&s.program.Ops[op]) {
		return errors.New("TF cannot fuse into a copy, whose tile would go through memory all the same; use TP")
	}
	if !slices.Contains(s.fusibleLoops(op), true) {
		return fmt.Errorf("TF finds no producer to fuse: one whose result is read here alone, element by element; use TP")
	}
	return nil
}

// isCopy reports whether an operation yields elements of its one tensor input.
func isCopy(o *program.Op) bool {
	return len(o.Body) == 0 && o.Yield == 0 && len(o.Operands) == 2 && len(o.Operands[0].Map.Coefficients) > 0
}

// isPlainCopy reports whether an operation is a copy that leaves dimensions in
// their order. One that reorders them has its tile in registers.
func isPlainCopy(o *program.Op) bool {
	read, ok := permutedLoops(o.Operands[0].Map)
	return isCopy(o) && (!ok || slices.IsSorted(read))
}

// checkPermutation checks that the order of what is one of n things.
func checkPermutation(what, things string, order []int, n int) error {
	sorted := slices.Clone(order)
	slices.Sort(sorted)
	want := make([]int, n)
	for i := range want {
		want[i] = i
	}
	if !slices.Equal(sorted, want) {
		return fmt.Errorf("%s(%s) is not a permutation of its %d %s; each of %s must occur once", what, join(order, ","), n, things, join(want, " "))
	}
	return nil
}

func (s *State) checkSizes(op int, a Action) error {
	bounds := s.ops[op].bounds
	if len(a.Sizes) != len(bounds) {
		return fmt.Errorf("%s has %d tile sizes, needs one for each of %d loops (0 leaves a loop whole)", a, len(a.Sizes), len(bounds))
	}
	tiled := false
	for l, size := range a.Sizes {
		if size == 0 || size == bounds[l] {
			continue
		}
		tiled = true
		if err := s.checkLoop(op, l, a.Kind); err != nil {
			return err
		}
		if size < 0 || bounds[l]%size != 0 {
			return fmt.Errorf("tile size %d does not divide %d (loop %d); allowed: %s", size, bounds[l], l, join(append(divisors(bounds[l]), bounds[l]), " "))
		}
	}
	if !tiled {
		return fmt.Errorf("%s tiles no loop of %s; at least one size must be smaller than its loop", a, join(bounds, "×"))
	}
	return nil
}

// checkLoop reports whether an action of kind k may tile the loop at all.
func (s *State) checkLoop(op, loop int, k Kind) error {
	if k == Tile {
		return nil
	}
	if s.iterator(op, loop) != program.Parallel {
		return fmt.Errorf("%s cannot tile loop %d, a %s; parallel loops: %s", k, loop, s.iterator(op, loop), s.loopList(op, func(l int) bool { return s.iterator(op, l) == program.Parallel }))
	}
	if k != TileFuse {
		return nil
	}
	fusible := s.fusibleLoops(op)
	follows := func(l int) bool { return fusible[s.ops[op].order[l]] }
	if !follows(loop) {
		return fmt.Errorf("TF cannot tile loop %d, over which the producer would be computed again; loops it can tile: %s", loop, s.loopList(op, follows))
	}
	return nil
}

// loopList spells the current loops that satisfy a condition: "0 1 3".
func (s *State) loopList(op int, keep func(loop int) bool) string {
	var loops []int
	for l := range s.ops[op].bounds {
		if keep(l) {
			loops = append(loops, l)
		}
	}
	if len(loops) == 0 {
		return "none"
	}
	return join(loops, " ")
}
