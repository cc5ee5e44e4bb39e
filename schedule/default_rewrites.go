package schedule

import (
	"math/bits"
	"slices"

	"nestling/program"
)

// packReuse is how often a product must read each element of an operand that comes at
// run time for its copy, in the order that vectors want, to pay.
const packReuse = 16

// rewritten is a program whose operations suit tiles of vectors, and the rewrites
// that make it of p: one entry for every operation that is rewritten, in an order in
// which they can be made.
//
//   - Batch normalisation is taken into the weights before it: once, and not in every run.
//   - What the lanes of vectors would have to be gathered from is laid out along them.
//   - Where bounds have no divisors that fill vectors and registers, the contraction is
//     cut into a large part that has them, and a rest. The rest of a row overlaps the
//     vectors before it, and is a whole vector, too; what is left of rows becomes a
//     smaller tile.
//   - A long vector without divisors is cut into a part that threads can share, and a rest.
//   - A large reduction to a single element is made in parts, one for each thread.
//   - The second operand of a large product that comes at run time is copied into panels.
//   - A chain of several nests is computed an image at a time.
func rewritten(p *program.Program, m Machine) (*program.Program, Schedule) {
	var all Schedule
	for waiting := p.OpNames(); len(waiting) > 0; {
		entry := OpSchedule{Op: waiting[0]}
		waiting = waiting[1:]
		for _, rule := range rewriteRules {
			op, err := p.OpIndex(entry.Op)
			if err != nil || fixed(&p.Ops[op]) {
				break
			}
			actions := rule(operation{p, &p.Ops[op], m})
			next, err := rewriteAll(p, entry.Op, actions, Options{Threads: m.Threads})
			if err != nil {
				continue // it stays as it is
			}
			entry.Actions = append(entry.Actions, actions...)
			waiting = append(waiting, Added(p, next)...)
			p = next
		}
		if len(entry.Actions) > 0 {
			all = append(all, entry)
		}
	}
	return p, all
}

// rewriteRules are asked in turn.
var rewriteRules = []func(operation) []Action{
	foldNorms, splitPanels, layPanels, layGatheredOut, layStridedOut, cutLanes, cutRows, cutLong, reduceInParts, groupImages,
}

// DefaultRewrites are what Default would do next to an operation, were the program it was given
// this one: the first of them that can be done. Rules may ask for more than that, one after the
// other, and for what cannot be done.
func DefaultRewrites(p *program.Program, op int, m Machine) (actions []Action) {
	if fixed(&p.Ops[op]) {
		return nil
	}
	for _, rule := range rewriteRules {
		actions = append(actions, rule(operation{p, &p.Ops[op], m})...)
	}
	return actions
}

// rewriteAll applies rewrites of one operation, all or none.
func rewriteAll(p *program.Program, name string, actions []Action, o Options) (*program.Program, error) {
	for _, a := range actions {
		var err error
		if p, err = rewrite(p, name, a, o); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Added lists the names of the operations that a rewrite has made.
func Added(before, after *program.Program) []string {
	return slices.DeleteFunc(after.OpNames(), func(name string) bool {
		_, err := before.OpIndex(name)
		return err == nil
	})
}

// operation is one of a program's.
type operation struct {
	program *program.Program
	*program.Op
	machine Machine
}

// foldNorms takes what scales and shifts a convolution's channels into its weights. What
// only shifts is a bias, which costs nothing where it is.
func foldNorms(c operation) []Action {
	scales := func(op int) bool { return c.program.Ops[op].Arith.Mul > 0 }
	if c.Family != program.Conv || !slices.ContainsFunc(c.Consumers, scales) {
		return nil
	}
	return []Action{{Kind: FoldNorm}}
}

// layGatheredOut lets the lanes run along the last dimension of the operand that they
// come from, as in x·wᵀ.
func layGatheredOut(c operation) []Action {
	lanes := c.lanes()
	if lanes < 0 {
		return nil
	}
	for i, operand := range c.Operands[:2] {
		d := soleRow(operand.Map, lanes)
		if d < 0 || d == len(operand.Map.Coefficients)-1 {
			continue
		}
		if c.paysToCopy(operand) {
			return []Action{layoutLast(i, d, len(operand.Map.Coefficients))}
		}
	}
	return nil
}

// layStridedOut computes a convolution whose rows are strided with channels last: with
// lanes along what only weights and result have.
func layStridedOut(c operation) []Action {
	result := c.Init().Map.Coefficients
	lanes := resultLoop(c.Op, len(result)-1)
	if !isContraction(c.Op) || lanes < 0 || !strided(c.Op, lanes) || channelwise(c.Op, lanes) {
		return nil
	}
	weights := &c.Operands[1]
	for d := range result {
		l := resultLoop(c.Op, d)
		if l < 0 || contractionGroup(c.Op, l) != secondOperand || c.Loops[l].Bound < c.machine.VectorLanes {
			continue
		}
		if from := soleRow(weights.Map, l); from >= 0 && c.paysToCopy(*weights) {
			return []Action{layoutLast(1, from, len(weights.Map.Coefficients)), layoutLast(len(c.Operands)-1, d, len(result))}
		}
	}
	return nil
}

// layoutLast is the L that moves a dimension of an operand behind the others.
func layoutLast(operand, dimension, dimensions int) Action {
	return Action{Kind: Layout, Args: MoveDimension(operand, dimension, dimensions, true)}
}

// panelReuse is how often a product must read a large operand for its copy in panels to pay.
const panelReuse = 16 * packReuse

// splitPanels and layPanels copy the second operand of a large product into panels as wide as
// a block of accumulators: in place, its rows are pages apart, and there is no room for them
// in what the processor knows of pages. A product whose result another one reads is left as it
// is: that would have its reduction split.
func splitPanels(c operation) []Action {
	lanes, width := lanesLoop(c.Op), 2*c.machine.VectorLanes
	if len(parallelLoops(c.Op)) != 2 || !c.paysPanels() || c.feedsContraction() {
		return nil
	}
	if c.Loops[lanes].Bound == width || c.Loops[lanes].Bound%width != 0 {
		return nil
	}
	return []Action{{Kind: Split, Args: []int{lanes, width}}}
}

func layPanels(c operation) []Action {
	lanes, weights := lanesLoop(c.Op), 1
	if len(parallelLoops(c.Op)) != 3 || !c.paysPanels() || c.Loops[lanes].Bound != 2*c.machine.VectorLanes {
		return nil
	}
	rows := c.Operands[weights].Map
	order := []int{weights, -1}
	for d, row := range rows.Coefficients {
		l, alone := singleLoop(row)
		switch {
		case !alone:
			return nil
		case l == lanes:
		case contractionGroup(c.Op, l) == secondOperand:
			order[1] = d
		default:
			order = append(order, d)
		}
	}
	order = append(order, soleRow(rows, lanes))
	if order[1] < 0 || len(order) != 1+len(rows.Coefficients) || slices.IsSorted(order[1:]) {
		return nil // no panels, or in order already
	}
	return []Action{{Kind: Layout, Args: order}}
}

// paysPanels reports whether the second operand of a product is larger than the second-level
// cache, comes at run time, is read often enough, and has the lanes.
func (c operation) paysPanels() bool {
	const second, bytes = 1, 4
	lanes := lanesLoop(c.Op)
	if !isContraction(c.Op) || lanes < 0 || strided(c.Op, lanes) || contractionGroup(c.Op, lanes) != secondOperand {
		return false
	}
	v := c.program.Values[c.Operands[second].Value]
	return !v.Weight && v.Elements()*bytes > c.machine.L2() && c.reuse(c.Operands[second]) >= panelReuse
}

// feedsContraction reports whether a contraction reads what comes of the operation.
func (c operation) feedsContraction() bool {
	seen := map[int]bool{}
	var feeds func(consumers []int) bool
	feeds = func(consumers []int) bool {
		return slices.ContainsFunc(consumers, func(op int) bool {
			if seen[op] {
				return false
			}
			seen[op] = true
			o := &c.program.Ops[op]
			return o.Code == "" && isContraction(o) || feeds(o.Consumers)
		})
	}
	return feeds(c.Consumers)
}

// What a group must be for it to pay.
const (
	minImage = 1 << 13 // iterations of the heaviest operation for one image
	minRows  = 32      // rows that a product has for accumulators in one image
	minNests = 2       // nests of loops that would be without it
	maxShare = 3       // a tensor in between takes at most a third of the second-level cache
)

// groupImages computes what ends a chain an image at a time, with all that it needs: threads
// share images once instead of every operation's loops, and what lies between stays in cache.
// What ends in a product is one nest already, less what is copied for it.
// Attention's weights are such an end, too: rows of a product, scaled by their sums, which
// would be computed row by row with the product after them.
func groupImages(c operation) []Action {
	images := resultLoop(c.Op, 0)
	if images < 0 || len(c.Init().Map.Coefficients) < 3 || c.program.Values[c.Result].Weight || sharesWeights(c.Op) {
		return nil
	}
	if bound := c.Loops[images].Bound; bound < 2 || bound%c.machine.Threads != 0 {
		return nil
	}
	group := Action{Kind: Group, Args: []int{images}}
	p, err := rewrite(c.program, c.Name, group, Options{Threads: c.machine.Threads})
	if err != nil {
		return nil
	}
	g := groupOf(p, c.Name)
	if g.largest() > c.machine.L2()/maxShare || g.heaviest() < minImage || !g.enoughRows() || g.transposesProducts() {
		return nil
	}
	ends := len(c.Consumers) == 0
	if g.sumsRows() && c.feedsProducts() || !g.sumsRows() && ends && c.nests(g) >= minNests {
		return []Action{group}
	}
	return nil
}

// grouped is what one loop of a program runs: its operations, for one iteration.
type grouped struct {
	program *program.Program
	ops     []*program.Op
}

// groupOf is the group that ends with an operation.
func groupOf(p *program.Program, last string) grouped {
	g := grouped{program: p}
	end, err := p.OpIndex(last)
	if err != nil {
		return g
	}
	for i := range p.Ops {
		if p.Ops[i].Inside == p.Ops[end].Inside {
			g.ops = append(g.ops, &p.Ops[i])
		}
	}
	return g
}

// feedsProducts reports whether products and nothing else read the operation's result.
func (c operation) feedsProducts() bool {
	other := func(op int) bool { return !isContraction(&c.program.Ops[op]) }
	return len(c.Consumers) > 0 && !slices.ContainsFunc(c.Consumers, other)
}

// sumsRows reports whether rows are reduced, and a product computed, as in attention.
func (g grouped) sumsRows() bool {
	return slices.ContainsFunc(g.ops, isContraction) && slices.ContainsFunc(g.ops, reducesWholeRows)
}

// heaviest is the iterations of the largest operation.
func (g grouped) heaviest() float64 {
	most := 0.0
	for _, o := range g.ops {
		most = max(most, o.Iterations())
	}
	return most
}

// sharesWeights reports whether a contraction reads each element of its second operand for many
// places of its result, as all do but those by channel.
func sharesWeights(o *program.Op) bool { return isContraction(o) && !channelwise(o, lanesLoop(o)) }

// enoughRows reports whether each of the group's products shares its weights among as many places
// of its result as registers hold: a convolution's pixels, the rows of attention.
func (g grouped) enoughRows() bool {
	return !slices.ContainsFunc(g.ops, func(o *program.Op) bool {
		if !sharesWeights(o) {
			return false
		}
		rows := 1
		for _, l := range parallelLoops(o) {
			if contractionGroup(o, l) == firstOperand {
				rows *= o.Loops[l].Bound
			}
		}
		return rows < minRows
	})
}

// transposesProducts reports whether a product is computed in another order than it is kept in:
// tiles of several images suit that better.
func (g grouped) transposesProducts() bool {
	contracts := func(op int) bool { return isContraction(&g.program.Ops[op]) }
	return slices.ContainsFunc(g.ops, func(o *program.Op) bool {
		return transposed(o) >= 0 && slices.ContainsFunc(o.Producers, contracts)
	})
}

// largest is the bytes of the largest tensor that the group computes for itself: the result of
// any operation but its last.
func (g grouped) largest() int {
	const size = 4
	most := 0
	for _, o := range g.ops[:max(0, len(g.ops)-1)] {
		most = max(most, size*g.program.Values[o.Result].Elements())
	}
	return most
}

// nests counts the operations of a group that have nests of loops of their own by the default
// schedule without it, less fills.
func (c operation) nests(g grouped) int {
	s, n := defaultState(c.program, c.machine), 0
	for _, o := range g.ops {
		if op, err := c.program.OpIndex(o.Name); err == nil && o.Family != program.Fill && s.FusedInto(op) < 0 {
			n++
		}
	}
	return n
}

// cutLanes cuts the loop along the result's rows where whole vectors, the last of
// which overlaps the one before, are fewer than what the row is made of otherwise.
func cutLanes(c operation) []Action {
	lanes, vector := c.lanes(), c.machine.VectorLanes
	if lanes < 0 || gathersLanes(c.Op) || c.Loops[lanes].Bound <= vector || channelwise(c.Op, lanes) && !windowed(c.Op, lanes) {
		return nil
	}
	bound := c.Loops[lanes].Bound
	if width := columns(bound, vector); width%shortestVector == 0 && 2*RowRegisters(width, vector)*bound/width <= 3*(roundUp(bound, vector)/vector) {
		return nil
	}
	at := bound - bound%vector
	if block := 2 * vector; bound > block {
		at = bound - bound%block
	}
	return cutAt(lanes, at, roundUp(bound-at, vector))
}

// RowRegisters is how many vector registers hold a row of so many elements: whole ones,
// and for what is left halves, quarters and so on.
func RowRegisters(width, vector int) int {
	return width/vector + bits.OnesCount(uint(width%vector))
}

// cutRows cuts the loop of the rows of accumulators where what divides it leaves
// most registers empty.
func cutRows(c operation) []Action {
	lanes := c.lanes()
	if lanes < 0 || channelwise(c.Op, lanes) || gathersLanes(c.Op) {
		return nil
	}
	rows := rowLoops(c.Op, lanes)
	if len(rows) == 0 {
		return nil
	}
	bound := c.Loops[rows[0]].Bound
	if bound <= firstRows || 2*contractionTile(c.Op, c.machine)[rows[0]] >= firstRows {
		return nil
	}
	return cutAt(rows[0], bound-bound%firstRows)
}

// cutAt is one C.
func cutAt(args ...int) []Action { return []Action{{Kind: Cut, Args: args}} }

// cutLong cuts a long vector that no number of threads, and no vector of theirs, divides.
func cutLong(c operation) []Action {
	if isContraction(c.Op) || len(c.Loops) != 1 || c.Loops[0].Iterator != program.Parallel {
		return nil
	}
	bound := c.Loops[0].Bound
	if bound < 2*grainIterations || largestDivisor(bound, grainIterations) >= runVectors*c.machine.VectorLanes {
		return nil
	}
	return cutAt(0, bound-bound%grainIterations)
}

// sharedReduction is the size from which a reduction to one element is worth starting
// threads for: some tens of microseconds.
const sharedReduction = 1 << 18

// reduceInParts splits what all threads have to share, and leaves nothing to share by.
func reduceInParts(c operation) []Action {
	threads := c.machine.Threads
	if threads < 2 || isContraction(c.Op) || len(parallelLoops(c.Op)) > 0 || c.Iterations() < sharedReduction || !combines(c.Op) {
		return nil
	}
	for l, loop := range c.Loops {
		if loop.Iterator != program.Reduction || loop.Bound%threads != 0 {
			continue
		}
		if loop.Bound == threads {
			return []Action{{Kind: Parts, Args: []int{l}}}
		}
		return []Action{{Kind: Split, Args: []int{l, loop.Bound / threads}}, {Kind: Parts, Args: []int{l}}}
	}
	return nil
}

// lanes is the loop along the rows of a contraction's result if vectors can run along
// it, -1 if not.
func (c operation) lanes() int {
	lanes := lanesLoop(c.Op)
	if !isContraction(c.Op) || lanes < 0 || strided(c.Op, lanes) {
		return -1
	}
	return lanes
}

// paysToCopy reports whether an operand is worth a copy: those of weights are made ahead
// of time.
func (c operation) paysToCopy(operand program.Operand) bool {
	return c.program.Values[operand.Value].Weight || c.reuse(operand) >= packReuse
}

// reuse is how often the contraction reads an element of an operand.
func (c operation) reuse(operand program.Operand) int {
	times := 1
	for l, loop := range c.Loops {
		if loop.Iterator == program.Parallel && !operand.Map.Moves(l) {
			times *= loop.Bound
		}
	}
	return times
}
