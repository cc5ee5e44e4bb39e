package schedule

import (
	"slices"

	"nestling/program"
)

// Machine is what the rules of Default look at.
type Machine struct {
	Threads     int
	VectorLanes int // float32 in one vector register
}

// serialIterations is the size of an operation below which starting threads
// costs more than they save: a few microseconds of work.
const serialIterations = 1 << 15

// Default is the schedule made by rule, the baseline that learning has to beat.
//
//   - An operation takes in what it can: a chain of element-wise operations over a
//     convolution or product becomes one nest, its intermediate results a tile.
//   - The tile of a convolution or product is a block of accumulators that fits the
//     vector registers; its reduction advances in steps of up to 4.
//   - Everything else is cut into short runs along the contiguous dimension.
//   - What cannot become vectors (strided windows) gets a loop order that LLVM can
//     vectorize by itself; what gains nothing by it (transpositions) stays as it is.
//
// Every operation is in it, and it is legal for p whatever the operations are.
func Default(p *program.Program, m Machine) Schedule {
	s := NewState(p)
	for _, op := range s.Order() {
		r := rule{state: s, op: op, machine: m}
		for _, candidate := range r.candidates() {
			next := s.Clone()
			if r.apply(next, candidate) {
				s = next
				break
			}
		}
	}
	return s.Schedule()
}

// rule chooses the actions of one operation.
type rule struct {
	state   *State
	op      int
	machine Machine
}

// apply applies a candidate, less the tilings that would tile nothing, and
// reports whether all of it was legal.
func (r rule) apply(s *State, candidate []Action) bool {
	for _, a := range candidate {
		if a.Kind.tiles() {
			a.Sizes = s.effectiveSizes(r.op, a.Sizes)
			if len(s.tiledLoops(r.op, a.Sizes)) == 0 {
				continue
			}
		}
		if s.Apply(r.op, a) != nil {
			return false
		}
	}
	return true
}

// candidates lists action sequences, the best first; the last is always legal.
func (r rule) candidates() [][]Action {
	vector := r.vectorTile()
	var all [][]Action
	if r.state.FusedInto(r.op) >= 0 {
		if !isContraction(r.self()) {
			all = append(all, []Action{{Kind: Vectorize}})
		}
		all = append(all, []Action{{Kind: Tile, Sizes: r.dividing(vector)}, {Kind: Vectorize}})
	} else if isContraction(r.self()) || !slices.ContainsFunc(r.self().Operands, r.state.transposes(r.op)) {
		outer := r.outerTile()
		if order := r.panelOrder(); order != nil {
			all = append(all, r.tiling(order, outer, vector))
		}
		all = append(all, r.tiling(nil, outer, vector))
	}
	return append(all, r.innermostRun(), []Action{{Kind: NoTransform}})
}

// tiling reorders the loops, splits the outer ones off and then the inner ones,
// and vectorizes. Sizes are by original loop, 0 for a loop left whole.
func (r rule) tiling(order, outer, vector []int) []Action {
	var actions []Action
	if order != nil {
		actions = append(actions, Action{Kind: Interchange, Order: order})
		outer, vector = permuted(outer, order), permuted(vector, order)
	}
	return append(actions, Action{Kind: r.outerKind(), Sizes: r.outerSizes(outer, order)}, Action{Kind: Tile, Sizes: vector}, Action{Kind: Vectorize})
}

func permuted(values, order []int) []int {
	out := make([]int, len(values))
	for i, from := range order {
		out[i] = values[from]
	}
	return out
}

// outerKind fuses where there is something to fuse, except that small operations
// do without the threads that fusing brings.
func (r rule) outerKind() Kind {
	switch {
	case r.machine.Threads > 1 && r.heaviest() < serialIterations:
		return Tile
	case r.state.Legal(r.op, TileFuse):
		return TileFuse
	}
	return TileParallel
}

// heaviest is the iterations of the largest operation in the nest to be made.
func (r rule) heaviest() float64 {
	most := r.self().Iterations()
	for _, f := range r.state.fusions(r.op, nil) {
		most = max(most, r.state.program.Ops[f.op].Iterations())
	}
	return most
}

// outerSizes leaves whole what the outer tiling may not tile.
func (r rule) outerSizes(sizes, order []int) []int {
	fusible := r.state.fusibleLoops(r.op)
	out := slices.Clone(sizes)
	for l := range out {
		original := l
		if order != nil {
			original = order[l]
		}
		if r.self().Loops[original].Iterator == program.Reduction || r.outerKind() == TileFuse && !fusible[original] {
			out[l] = 0
		}
	}
	return out
}

func (r rule) self() *program.Op { return &r.state.program.Ops[r.op] }

// dividing shrinks wanted sizes to divisors of the current loops.
func (r rule) dividing(sizes []int) []int {
	out := make([]int, len(sizes))
	for l, loop := range r.state.Loops(r.op) {
		if sizes[l] > 0 {
			out[l] = gcd(sizes[l], loop.Bound)
		}
	}
	return out
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// outerTile is the tile of the operation's parallel loops, that of the
// contraction it takes in if there is one.
func (r rule) outerTile() []int {
	anchor := r.anchor()
	tile := registerTile(&r.state.program.Ops[anchor.op], r.machine)
	sizes := make([]int, len(r.self().Loops))
	for l, root := range anchor.loops {
		if root >= 0 && r.state.program.Ops[anchor.op].Loops[l].Iterator == program.Parallel {
			sizes[root] = tile[l]
		}
	}
	return sizes
}

// anchor is the contraction among what the operation takes in, else itself.
func (r rule) anchor() fusion {
	identity := make([]int, len(r.self().Loops))
	for l := range identity {
		identity[l] = l
	}
	self := fusion{op: r.op, loops: identity}
	if isContraction(r.self()) || isCopy(r.self()) {
		return self
	}
	for _, f := range r.state.fusions(r.op, parallelLoops(r.self())) {
		if isContraction(&r.state.program.Ops[f.op]) {
			return f
		}
	}
	return self
}

// parallelLoops lists the parallel loops of an operation.
func parallelLoops(o *program.Op) []int {
	var loops []int
	for l, loop := range o.Loops {
		if loop.Iterator == program.Parallel && loop.Bound > 1 {
			loops = append(loops, l)
		}
	}
	return loops
}

// vectorTile is what is left to V: outerTile's own loops, with windows unrolled
// over and strided loops one at a time.
func (r rule) vectorTile() []int {
	tile := r.outerTile()
	own := registerTile(r.self(), r.machine)
	for l, loop := range r.self().Loops {
		if tile[l] == 0 || loop.Iterator == program.Reduction {
			tile[l] = own[l]
		}
		if strided(r.self(), l) {
			tile[l] = 1
		}
	}
	return tile
}

// panelOrder runs through the columns of a large product in the outer loop, so
// that a panel of its second operand is read once and stays near; nil for
// anything else.
func (r rule) panelOrder() []int {
	anchor := r.anchor()
	o := &r.state.program.Ops[anchor.op]
	if !isContraction(o) || len(o.Loops) != 3 || len(parallelLoops(o)) != 2 || len(parallelLoops(r.self())) != 2 {
		return nil
	}
	const cached = 1 << 15 // elements: 128 KiB, a fraction of a second-level cache
	if r.state.program.Values[o.Operands[1].Value].Elements() <= cached || gathersLanes(o) {
		return nil
	}
	order := make([]int, len(r.self().Loops))
	for l := range order {
		order[l] = l
	}
	loops := parallelLoops(r.self())
	order[loops[0]], order[loops[1]] = loops[1], loops[0]
	return order
}

// innermostRun makes the contiguous loop of a strided window, which V cannot
// have, the innermost, where LLVM can vectorize it.
func (r rule) innermostRun() []Action {
	o := r.self()
	lanes := resultLoop(o, len(o.Init().Map.Coefficients)-1)
	if lanes < 0 || !strided(o, lanes) {
		return []Action{{Kind: NoTransform}}
	}
	var order []int
	sizes := make([]int, len(o.Loops))
	for l := range o.Loops {
		if l == lanes {
			continue
		}
		if o.Loops[l].Iterator == program.Parallel {
			sizes[len(order)] = 1
		}
		order = append(order, l)
	}
	actions := []Action{{Kind: Interchange, Order: append(order, lanes)}}
	if r.state.FusedInto(r.op) < 0 && r.outerKind() != Tile {
		actions = append(actions, Action{Kind: r.outerKind(), Sizes: sizes})
	}
	return append(actions, Action{Kind: NoTransform})
}
