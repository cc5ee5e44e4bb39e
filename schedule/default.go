package schedule

import (
	"slices"

	"nestling/program"
)

// Machine is what the rules of Default look at.
type Machine struct {
	Threads     int
	VectorLanes int    // float32 in one vector register
	Caches      [3]int // bytes of a core's first and second level and of the third; 0: not known
}

// L1 is the size in bytes of the first-level data cache, a usual one if it is not known.
func (m Machine) L1() int { return known(m.Caches[0], 32<<10) }

// L2 is the same of the second level.
func (m Machine) L2() int { return known(m.Caches[1], 1<<20) }

// L3 is the same of the third level, which cores share.
func (m Machine) L3() int { return known(m.Caches[2], 32<<20) }

func known(bytes, usual int) int {
	if bytes > 0 {
		return bytes
	}
	return usual
}

// serialIterations is the size of an operation below which starting threads
// costs more than they save: a few microseconds of work.
const serialIterations = 1 << 15

// fusedIterations is the same where fusing, which comes with threads, spares passes over
// what lies between element-wise operations.
const fusedIterations = 1 << 11

// Default is the schedule made by rule, the baseline that learning has to beat.
//
//   - An operation takes in what it can: a chain of element-wise operations over a
//     convolution or product becomes one nest, its intermediate results a tile.
//   - The tile of a convolution or product is a block of accumulators that fits the
//     vector registers; its reduction advances in steps of up to 4. Where it needs that,
//     operands are laid out anew and bounds cut (see rewritten).
//   - A transposition is cut into squares that registers transpose, and fetches the
//     next ones ahead; everything else into short runs along the contiguous dimension.
//   - Reductions of whole rows, products of a few rows with what is not laid out for
//     them, strided windows along rows, and whatever has no divisors that fill a vector
//     become scalar loops in the order and the size in which LLVM vectorizes them best,
//     rest and all.
//
// Every operation is in it, and it is legal for p whatever the operations are.
func Default(p *program.Program, m Machine) Schedule {
	p, rewrites := rewritten(p, m)
	return Join(rewrites, DefaultLoops(p, m))
}

// DefaultLoops is Default without rewrites: the loop actions of every operation of a
// program that may have been rewritten already.
func DefaultLoops(p *program.Program, m Machine) Schedule {
	return defaultState(p, m).Schedule()
}

// defaultState is the program with the loops of every operation arranged.
func defaultState(p *program.Program, m Machine) *State {
	s := NewState(p)
	for _, op := range s.Order() {
		s.ApplyDefault(op, m)
	}
	return s
}

// Join makes one schedule of one of rewrites and one of loop actions, with a single entry
// for every operation.
func Join(rewrites, loops Schedule) Schedule {
	out := slices.Clone(rewrites)
	for _, entry := range loops {
		at := slices.IndexFunc(out, func(e OpSchedule) bool { return e.Op == entry.Op })
		if at < 0 {
			out = append(out, entry)
			continue
		}
		out[at].Actions = slices.Concat(out[at].Actions, entry.Actions)
	}
	return out
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
	if r.self().Code != "" { // written out: it has no loops
		return [][]Action{{{Kind: NoTransform}}}
	}
	var all [][]Action
	switch vector := r.vectorTile(); {
	case r.nestHas(reducesWholeRows):
		all = append(all, r.rowRuns()...)
	case r.state.FusedInto(r.op) < 0 && r.pools():
		if !stridesAlongRows(r.self()) {
			all = append(all, r.tiling(nil, r.wholeRow(), r.wholeRow()))
		}
	case poor(r.self(), vector), r.sumsColumns() && !r.wholeVectors() && r.lanes() > 2*r.machine.VectorLanes:
	case r.sumsColumns() && r.wholeVectors():
		all = append(all, r.columnSums(), r.tiling(nil, r.outerTile(), vector))
	case isContraction(r.self()) && gathersLanes(r.self()):
	case r.state.FusedInto(r.op) >= 0:
		if !isContraction(r.self()) {
			all = append(all, []Action{{Kind: Vectorize}})
		}
		all = append(all, []Action{{Kind: Tile, Sizes: r.dividing(vector)}, {Kind: Vectorize}})
	case r.onlyWrites(): // the loops below
	default:
		outer := r.outerTile()
		if transposed(r.self()) >= 0 {
			outer = r.transposedTile()
			if r.self().Iterations() > farElements {
				all = append(all, fetching(r.tiling(nil, outer, vector), transposedOperand(r.self())))
			}
		}
		if order := r.panelOrder(); order != nil {
			all = append(all, r.tiling(order, outer, vector))
		}
		all = append(all, r.tiling(nil, outer, vector))
	}
	return append(all, r.scalarLoops(), r.parallelRows(), []Action{{Kind: NoTransform}})
}

// SweptBytes is how much a program's arguments and results come to from which the code
// generator stores large results past the caches: of less, a good part stays in a last-level
// cache of 32 MB from one run to the next, and is written there at twice the speed.
const SweptBytes = 64 << 20

// What only writes.
const (
	// minWriteReadRatio is how many elements it writes for one that it reads.
	minWriteReadRatio = 16
	// minSharedWrites is how many elements are worth a second thread.
	minSharedWrites = 1 << 21
	// maxNearWrites is how many elements are left to the caches; more are better stored past
	// them, as only vectors are.
	maxNearWrites = SweptBytes / 4
)

// onlyWrites tells an operation that reads next to nothing beside what it writes, as fills
// and broadcasts do: LLVM's loop, one vector an iteration, is a few percent faster than the
// same vectors in blocks. Threads do not share that loop: where they pay there must be
// rows for them.
func (r rule) onlyWrites() bool {
	o, reads := r.self(), 0
	for _, operand := range o.Operands[:len(o.Operands)-1] {
		reads += r.state.program.Values[operand.Value].Elements()
	}
	rows := len(parallelLoops(o)) > 1 || r.machine.Threads == 1 || o.Iterations() < minSharedWrites
	return rows && !r.state.reduces(r.op) && o.Arith.Total() == 0 &&
		float64(reads)*minWriteReadRatio <= o.Iterations() && o.Iterations() < maxNearWrites
}

// nestHas reports whether some operation in the operation's nest satisfies a condition.
func (r rule) nestHas(holds func(*program.Op) bool) bool {
	root, fused := r.op, r.state.FusedInto(r.op)
	if fused >= 0 {
		root = fused
	}
	nest := []int{root}
	for _, f := range r.state.fusions(root, nil) {
		if fused < 0 || r.state.FusedInto(f.op) == root {
			nest = append(nest, f.op)
		}
	}
	return slices.ContainsFunc(nest, func(op int) bool { return holds(&r.state.program.Ops[op]) })
}

// reducesWholeRows tells a reduction of whole rows. Scalar loops suit those: LLVM keeps
// several vectors of partial sums, and rows pass from loop to loop in the first-level
// cache.
func reducesWholeRows(o *program.Op) bool {
	return !isContraction(o) && reducesRows(o) && !reducesImages(o)
}

// stridesAlongRows tells a pooling that moves by more than one element along rows. It
// goes one row of results at a time, which has a fixed place near by.
func stridesAlongRows(o *program.Op) bool {
	lanes := lanesLoop(o)
	return !isContraction(o) && lanes >= 0 && strided(o, lanes) && windowed(o, lanes)
}

// pools reports whether the operation is such a pooling, or element-wise over one. What
// is more than that has reasons of its own for its tile.
func (r rule) pools() bool {
	_, taken := r.contraction()
	return !taken && !isContraction(r.self()) && transposed(r.self()) < 0 && r.nestHas(stridesAlongRows)
}

// wholeRow is the tile of one row of the result.
func (r rule) wholeRow() []int {
	tile := ones(r.self())
	if lanes := lanesLoop(r.self()); lanes >= 0 {
		tile[lanes] = r.self().Loops[lanes].Bound
	}
	return tile
}

// rowRuns makes vectors of what is element-wise beside a reduction of rows; none where
// rows are no whole vectors. While it computes with one row it fetches the next, if that
// comes from far away: memory would wait for it otherwise, and then it for memory.
func (r rule) rowRuns() [][]Action {
	o := r.self()
	if isContraction(o) || reducesRows(o) || transposed(o) >= 0 || len(parallelLoops(o)) < len(o.Loops) || len(o.Loops) < 2 || !r.wholeVectors() {
		return nil
	}
	grained := r.grained(nil, rowIterations)
	runs := append(grained[:len(grained)-1], Action{Kind: Tile, Sizes: runTile(o, r.machine)}, Action{Kind: Vectorize})
	if o.Iterations() <= farElements {
		return [][]Action{runs}
	}
	return [][]Action{fetching(runs, 0), runs}
}

// lanes is the length of the operation's loop along the result's rows, 0 if there is none.
func (r rule) lanes() int {
	o := r.self()
	if l := lanesLoop(o); l >= 0 {
		return r.state.Loops(r.op)[l].Bound
	}
	return 0
}

// wholeVectors reports whether the result's rows are whole vectors.
func (r rule) wholeVectors() bool { return r.lanes() > 0 && r.lanes()%r.machine.VectorLanes == 0 }

// sumsColumns reports whether the operation reduces the rows of a matrix into one, and
// takes in nothing as large as the matrix.
func (r rule) sumsColumns() bool {
	o := r.self()
	if len(o.Loops) != 2 || r.state.FusedInto(r.op) >= 0 || o.Loops[0].Iterator != program.Reduction || o.Loops[1].Iterator != program.Parallel || resultLoop(o, 0) != 1 {
		return false
	}
	return !slices.ContainsFunc(r.state.fusions(r.op, nil), func(f fusion) bool { return len(r.state.program.Ops[f.op].Loops) > 1 })
}

// columnSums adds some rows at once to short runs of the result, for the memory is read
// in as many streams; a thread's part of the result stays in the first-level cache.
func (r rule) columnSums() []Action {
	const rows, near = 16, 1024 // elements
	width := max(r.lanes()/r.machine.Threads, 2*r.machine.VectorLanes)
	tile := []int{largestDivisor(r.self().Loops[0].Bound, rows), columns(r.lanes(), r.machine.VectorLanes)}
	return r.tiling(nil, []int{0, run(r.lanes(), min(width, near), r.machine.VectorLanes)}, tile)
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

// farElements is the size from which what is transposed is not in the second-level
// cache: half a megabyte.
const farElements = 1 << 17

// fetching fetches ahead what vectors read of an operand: lines whose order processors do
// not guess, or guess too late.
func fetching(actions []Action, operand int) []Action {
	last := len(actions) - 1
	return append(actions[:last:last], Action{Kind: Prefetch, Args: []int{operand}}, actions[last])
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
	case r.machine.Threads > 1 && r.heaviest() < r.worthThreads():
		return Tile
	case r.state.Legal(r.op, TileFuse):
		return TileFuse
	}
	return TileParallel
}

// worthThreads is how many iterations a nest must have to be shared.
func (r rule) worthThreads() float64 {
	spares := func(f fusion) bool {
		o := &r.state.program.Ops[f.op]
		return o.Family != program.Fill && o.Iterations() >= r.self().Iterations()
	}
	reduces := func(o *program.Op) bool { return reducesBeside(o, -1) }
	if r.state.Legal(r.op, TileFuse) && slices.ContainsFunc(r.state.fusions(r.op, nil), spares) && !r.nestHas(reduces) {
		return fusedIterations
	}
	return serialIterations
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
	fuses, fusible := r.outerKind() == TileFuse, r.state.fusibleLoops(r.op)
	out := slices.Clone(sizes)
	for l := range out {
		original := l
		if order != nil {
			original = order[l]
		}
		if r.self().Loops[original].Iterator == program.Reduction || fuses && !fusible[original] {
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
			out[l] = GCD(sizes[l], loop.Bound)
		}
	}
	return out
}

// GCD is the greatest common divisor of two numbers.
func GCD(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// outerTile is the tile of the operation's parallel loops, that of the
// contraction it takes in if there is one.
func (r rule) outerTile() []int {
	anchor := r.anchor()
	tile := r.tileOf(anchor)
	// Lanes of the result that are none of the contraction's are a run of its rows.
	if lanes := lanesLoop(r.self()); anchor.op != r.op && lanes >= 0 && tile[lanes] == 1 {
		tile[lanes] = run(r.self().Loops[lanes].Bound, r.machine.VectorLanes, r.machine.VectorLanes)
	}
	return tile
}

// tileOf is the register tile of an operation of the nest, by the loops of its root.
func (r rule) tileOf(f fusion) []int {
	tile := registerTile(&r.state.program.Ops[f.op], r.machine)
	sizes := make([]int, len(r.self().Loops))
	for l, root := range f.loops {
		if root >= 0 && r.state.program.Ops[f.op].Loops[l].Iterator == program.Parallel {
			sizes[root] = tile[l]
		}
	}
	return sizes
}

// transposedTile is the tile of a transposition: lines that stay in the first-level
// cache or, of what a contraction has just computed, squares of its accumulators.
func (r rule) transposedTile() []int {
	f, taken := r.contraction()
	if !taken {
		tile := transposeTile(r.self(), transposeBlock)
		tile[lanesLoop(r.self())] = r.storedRun(tile[lanesLoop(r.self())])
		return tile
	}
	tile := transposeTile(r.self(), r.machine.VectorLanes)
	for l, size := range r.tileOf(f) {
		tile[l] = max(tile[l], size)
	}
	return tile
}

// storedRun is how much of a row of what it writes a transposition's block has: as much as
// can be, for runs are what memory takes fastest.
func (r rule) storedRun(usual int) int {
	const longest = 2 * transposeBlock
	switch n := r.lanes(); {
	case n <= longest && n%r.machine.VectorLanes == 0:
		return n
	case n%longest == 0:
		return longest
	}
	return usual
}

// anchor is the contraction among what the operation takes in, else itself.
func (r rule) anchor() fusion {
	if !isContraction(r.self()) && !isCopy(r.self()) {
		if f, taken := r.contraction(); taken {
			return f
		}
	}
	return fusion{op: r.op, loops: r.identity()}
}

// contraction is the contraction among what the operation takes in, if there is one.
func (r rule) contraction() (fusion, bool) {
	for _, f := range r.state.fusions(r.op, parallelLoops(r.self())) {
		if isContraction(&r.state.program.Ops[f.op]) {
			return f, true
		}
	}
	return fusion{}, false
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
	order := r.identity()
	loops := parallelLoops(r.self())
	order[loops[0]], order[loops[1]] = loops[1], loops[0]
	return order
}

// scalarLoops leaves vectors to LLVM, which vectorizes innermost loops and handles
// what is left over: the loop along the result's rows is made the innermost, unless
// a reduction reads rows.
func (r rule) scalarLoops() []Action {
	o := r.self()
	lanes := lanesLoop(o)
	if lanes < 0 || reducesRows(o) || lanes == len(o.Loops)-1 || unrollsWindow(o, lanes) {
		return r.parallelRows()
	}
	order := slices.DeleteFunc(r.identity(), func(l int) bool { return l == lanes })
	return r.grained(append(order, lanes), grainIterations)
}

// unrollsWindow reports whether LLVM does better with the window of a pooling as the
// innermost loops: it unrolls them and vectorizes the loop around. Where that strides
// over windows that share nothing, whole vectors along it are better still.
func unrollsWindow(o *program.Op, lanes int) bool {
	const half = 8 // lanes
	return !isContraction(o) && windowed(o, lanes) && (!strided(o, lanes) || o.Loops[lanes].Bound%half != 0 || overlaps(o, lanes))
}

// overlaps reports whether the windows along a loop share elements.
func overlaps(o *program.Op, loop int) bool {
	return anyRow(o, func(row []int) bool {
		reach := 0
		for l, factor := range row {
			if l != loop && o.Loops[l].Iterator == program.Reduction {
				reach += factor * (o.Loops[l].Bound - 1)
			}
		}
		return row[loop] != 0 && reach >= row[loop]
	})
}

// parallelRows keeps the loops in their order.
func (r rule) parallelRows() []Action { return r.grained(nil, grainIterations) }

// grained reorders the loops and gives each thread tiles of so many iterations in whole
// rows.
func (r rule) grained(order []int, iterations int) []Action {
	var actions []Action
	if order != nil {
		actions = append(actions, Action{Kind: Interchange, Order: order})
	}
	if r.state.FusedInto(r.op) < 0 && r.outerKind() != Tile {
		sizes := r.grain(iterations)
		if order != nil {
			sizes = permuted(sizes, order)
		}
		actions = append(actions, Action{Kind: r.outerKind(), Sizes: r.outerSizes(sizes, order)})
	}
	return append(actions, Action{Kind: NoTransform})
}

// grainIterations is how many iterations a tile of scalar loops has: its data stay in
// the first-level cache, and loops over tiles cost nothing.
const grainIterations = 1 << 12

// rowIterations is the same where rows pass from loop to loop: what comes, what goes, and
// a tensor between them have to fit.
const rowIterations = 1 << 11

// grain is the tile of scalar loops, by original loop.
func (r rule) grain(iterations int) []int {
	if r.pools() {
		return r.wholeRow()
	}
	o := r.self()
	tile, room := ones(o), iterations
	for _, loop := range o.Loops {
		if loop.Iterator == program.Reduction {
			room = max(1, room/loop.Bound)
		}
	}
	lanes := lanesLoop(o)
	for l, loop := range slices.Backward(o.Loops) {
		switch {
		case loop.Iterator == program.Reduction:
			continue
		case l == lanes && !reducesRows(o):
			tile[l] = loop.Bound
		default:
			tile[l] = largestDivisor(loop.Bound, room)
		}
		room = max(1, room/tile[l])
	}
	return tile
}

// identity lists the loops in their order.
func (r rule) identity() []int {
	loops := make([]int, len(r.self().Loops))
	for l := range loops {
		loops[l] = l
	}
	return loops
}
