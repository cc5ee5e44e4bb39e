package costmodel

import (
	"math"
	"slices"

	"nestling/program"
	"nestling/schedule"
)

// nest is one nest in view.
type nest struct {
	*view
	*schedule.Nest
	op     *program.Op
	runs   float64 // how often it is done, as a part of what is written out
	pieces float64 // what threads take of it
	speed  float64 // of how many threads it has the use
	starts float64 // how often threads are started for it
	tile   tile
}

func (v *view) newNest(of *schedule.Nest) *nest {
	n := v.bare(of)
	for _, l := range of.Levels {
		if l.Parallel {
			n.pieces *= float64(l.Trips)
		}
	}
	threads := math.Min(v.threads(), n.pieces)
	if n.op.Code != "" || n.op.Inside > 0 {
		n.pieces, threads = math.Max(1, float64(n.op.Pieces)), math.Max(1, float64(n.op.Shares))
	}
	if v.regionTime(of.Op) < schedule.ParallelPays {
		threads = 1
	}
	n.speed = shared(n.pieces, threads)
	if n.op.Inside == 0 && of.Into < 0 && n.speed > 1 {
		n.starts = v.startsOf(of.Op)
	}
	return n
}

// bare is a nest without what threads make of it.
func (v *view) bare(of *schedule.Nest) *nest {
	o := &v.program.Ops[of.Op]
	return &nest{view: v, Nest: of, op: o, runs: math.Max(1, float64(o.Runs)), pieces: 1, tile: v.tiles[of.Op]}
}

// shared is how many times as fast threads are as one of them, if each does some of the
// pieces.
func shared(pieces, threads float64) float64 {
	return pieces / math.Ceil(pieces/threads)
}

func (n *nest) iterations() float64 { return n.op.Iterations() * n.runs }

// hoisted is over how many reductions results stay in registers: those of the tile, and of
// the loops directly around it.
func (n *nest) hoisted() float64 {
	trips := n.tile.reductions
	for _, l := range slices.Backward(n.Levels) {
		if n.op.Loops[l.Loop].Iterator == program.Parallel {
			break
		}
		trips *= float64(l.Trips)
	}
	return trips
}

// estimate is how long a nest takes, in nanoseconds: what it computes, what comes into each
// cache, and what is lost between. It is a rough one, as for any machine: learning has the
// rest to say.
type estimate struct {
	compute  float64
	caches   [3]cache
	copied   float64 // bytes that P copies
	copies   float64 // time of that
	tiles    float64 // how many, of a thread
	overhead float64
}

// cache is what comes into a cache from the next.
type cache struct {
	bytes, time float64
	depth       int // levels outside of what fits into it
}

const (
	instruction  = 0.27 // nanoseconds of an addition: one a cycle
	divisions    = 4    // additions that a division takes the time of
	exponentials = 12   // the same of an exponential
	copyBytes    = 20.0 // bytes of a copy in a nanosecond
	startThreads = 1500 // nanoseconds
	startNest    = 20   // nanoseconds
	startTile    = 0.6  // nanoseconds
	// memoryThreads is how many threads take all that memory has to give.
	memoryThreads = 1.5
)

// fills is how many bytes a nanosecond come into each cache from the next, for one thread.
var fills = [3]float64{60, 20, 8}

func (e *estimate) total() float64 {
	return e.compute + e.caches[0].time + e.caches[1].time + e.caches[2].time + e.copies + e.overhead + startTile*e.tiles
}

func (n *nest) estimate() estimate {
	e := estimate{compute: n.compute(), tiles: n.iterations() / n.tile.volume / n.speed, overhead: startNest * n.runs / n.speed}
	e.overhead += startThreads * n.starts
	for c := range e.caches {
		e.caches[c] = n.fill(c)
	}
	for _, c := range n.Copies {
		bytes, _ := n.lines(n.op.Operands[c.Operand], n.extents(c.Depth))
		for _, l := range n.Levels[:c.Depth] {
			bytes *= float64(l.Trips)
		}
		e.copied += bytes * n.runs
	}
	e.copies = e.copied / copyBytes / n.speed
	return e
}

// compute is the time of the arithmetic; of what is written out, that of what it does
// besides its parts.
func (n *nest) compute() float64 {
	if n.op.Code != "" {
		return n.transformed() / copyBytes / n.speed
	}
	a := n.op.Arith
	cost := instruction * float64(1+a.Add+a.Sub+a.Mul+a.Max+a.Other+divisions*a.Div+exponentials*a.Exp)
	switch lanes := float64(n.lanes()); {
	case n.op.CallsLibrary(): // one after another, in vectors as well
	case n.Vector:
		t := n.tile
		moved := t.loads + t.stores*t.reductions/n.hoisted() + t.shuffles
		if schedule.Contracts(n.op) {
			moved = t.vectors // in the same instructions, or beside them
		}
		cost = ((cost-instruction)*t.vectors + instruction*moved) / t.volume
	case n.vectorizes():
		cost /= math.Max(1, lanes/2) // what LLVM makes of loops has a check and a rest
	}
	return n.iterations() * cost / n.speed
}

// vectorizes reports whether LLVM makes vectors of the innermost loop of a tile that stays
// loops: where it goes round often enough, through elements that lie side by side.
func (n *nest) vectorizes() bool {
	inner, bound := n.innermost()
	if inner < 0 || bound < n.lanes() || n.op.CallsLibrary() {
		return false
	}
	for _, operand := range n.op.Operands {
		if operand.Map.Moves(inner) && !operand.Map.Consecutive(inner) {
			return false
		}
	}
	return true
}

// room is what of a cache a nest can count on.
func (v *view) room(level int) float64 {
	return [3]float64{0.8 * float64(v.machine.L1()), 0.8 * float64(v.machine.L2()), 0.7 * float64(v.machine.L3())}[level]
}

// fill is what comes into the cache of a level.
func (n *nest) fill(level int) cache {
	size := n.room(level)
	c := cache{depth: n.fits(level)}
	if n.op.Code != "" {
		c.bytes = n.passes(level)
	} else {
		for _, operand := range n.op.Operands {
			if level == 0 && !n.kept(operand) || level > 0 && !n.near(operand, size) {
				c.bytes += n.traffic(operand, c.depth) * n.runs
			}
		}
	}
	speed := n.speed
	if level == 2 {
		speed = math.Min(speed, memoryThreads)
	}
	c.time = c.bytes / fills[level] / speed
	return c
}

// fits is within how many levels all that is touched fits into a cache.
func (n *nest) fits(level int) (depth int) {
	for ; depth < len(n.Levels); depth++ {
		inside, sum := n.extents(depth), 0.0
		for i, operand := range n.op.Operands {
			sum += n.footprint(operand, inside, n.sets(level, i, depth)) / n.shares(level, operand, depth)
		}
		if sum <= n.room(level) {
			break
		}
	}
	return depth
}

// shares is how many threads share what is touched of an operand within some levels, each with a
// cache of its own.
func (n *nest) shares(level int, operand program.Operand, depth int) float64 {
	if level < 2 {
		for _, l := range n.Levels[depth:] {
			if l.Parallel && l.Loop >= 0 && operand.Map.Moves(l.Loop) {
				return n.speed
			}
		}
	}
	return 1
}

// sets is how many sets a cache has that lines of an operand may crowd in; 0 where they do
// not, for they are a copy, or addresses are scattered.
func (n *nest) sets(level, operand, depth int) int {
	for _, c := range n.Copies {
		if c.Operand == operand && c.Depth <= depth {
			return 0
		}
	}
	if level < 2 {
		return pageBytes / lineBytes // which page lies where in the second cache is chance
	}
	return 0
}

// pageBytes is what the first cache has a set for each line of.
const pageBytes = 4096

// traffic is how many bytes of an operand come into a cache that has room for what is within
// some levels: all that again with each trip of the loops around, but for those next to it
// that do not move the operand.
func (n *nest) traffic(operand program.Operand, depth int) float64 {
	bytes, _ := n.lines(operand, n.extents(depth))
	stays := true
	for _, l := range slices.Backward(n.Levels[:depth]) {
		stays = stays && !operand.Map.Moves(l.Loop)
		if !stays {
			bytes *= float64(l.Trips)
		}
	}
	return bytes
}

// near reports whether an operand is in a cache of some size before it is read: because all
// is, or it was computed in the same loops.
func (n *nest) near(operand program.Operand, size float64) bool {
	base := n.base(operand.Value)
	v := &n.program.Values[base]
	switch around := n.around(); {
	case around.frequencies() > 0:
		needs := around.scratch()
		if operand.Value == n.op.Operands[min(1, len(n.op.Operands)-1)].Value && !operand.Init {
			needs += n.bytes(base) * around.frequencies() // weights, all of which a strip needs
		}
		return needs <= size
	case n.working <= size:
		return true
	case v.Kind == program.ValueEmpty:
		return n.Into >= 0
	case v.Kind != program.ValueResult:
		return false
	case n.op.Inside > 0 && n.program.Ops[v.Op].Inside == n.op.Inside:
		return n.bytes(base) < size
	}
	return n.root(v.Op) == n.root(n.Op)
}

// extents are how many iterations of each loop there are within the first levels.
func (n *nest) extents(depth int) []int {
	out := slices.Clone(n.Tile)
	for _, l := range n.Levels[depth:] {
		out[l.Loop] *= l.Trips
	}
	return out
}

// footprint is how many bytes of a cache with so many sets an operand needs, of which some
// iterations of each loop are touched: its lines, or more where many of them fall into few
// sets, as those of a column do in a matrix whose rows are a power of two long.
func (v *view) footprint(operand program.Operand, iterations []int, sets int) float64 {
	shape := v.rows(operand.Value)
	extents := operand.Map.Extents(v.program.Values[operand.Value].Shape, iterations)
	bytes, run := lines(shape, extents)
	if sets == 0 {
		return bytes
	}
	used := math.Ceil(run / lineBytes)
	period, stride := sets*lineBytes, 4
	for d, extent := range slices.Backward(extents) {
		if float64(stride) >= run {
			used *= float64(min(extent, period/schedule.GCD(stride, period)))
		}
		stride *= max(1, shape[d])
	}
	if crowd := bytes / lineBytes / math.Min(used, float64(sets)); crowd > 1 {
		return math.Max(bytes, crowd*float64(period))
	}
	return bytes
}

// lineBytes is what caches move at once.
const lineBytes = 64

// lines is how many bytes of an operand some iterations of each loop touch, in whole lines,
// and over how many bytes that lie together.
func (v *view) lines(operand program.Operand, iterations []int) (bytes, run float64) {
	return lines(v.rows(operand.Value), operand.Map.Extents(v.program.Values[operand.Value].Shape, iterations))
}

// rows is the shape of the tensor whose rows a value lies in: its own, or of what it is a
// slice of.
func (v *view) rows(value int) []int {
	for v.program.Values[value].Kind == program.ValueSlice {
		value = v.program.Values[value].Base
	}
	return v.program.Values[value].Shape
}

// lines is the same of what is touched within a shape.
func lines(shape, extents []int) (bytes, run float64) {
	rows, together := 1.0, true
	run = 4
	for d, extent := range slices.Backward(extents) {
		if together {
			run *= float64(extent)
		} else {
			rows *= float64(extent)
		}
		together = together && extent == shape[d]
	}
	return rows * math.Ceil(run/lineBytes) * lineBytes, run
}
