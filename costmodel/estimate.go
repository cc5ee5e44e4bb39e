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
	op       *program.Op
	runs     float64 // how often it is done, as a part of what is written out
	again    float64 // how often each of its iterations is done
	parallel float64 // iterations of its parallel loops
	speed    float64 // of how many threads it has the use
	region   bool    // threads are started for it
	tile     tile
}

func (v *view) newNest(of *schedule.Nest) *nest {
	o := &v.program.Ops[of.Op]
	n := &nest{view: v, Nest: of, op: o, runs: math.Max(1, float64(o.Runs)), again: 1, parallel: 1}
	for _, l := range of.Levels {
		if l.Loop < 0 {
			n.again *= float64(l.Trips)
		}
		if l.Parallel {
			n.parallel *= float64(l.Trips)
		}
	}
	n.speed = shared(n.parallel, math.Min(v.threads(), n.parallel))
	if o.Inside > 0 {
		n.speed = shared(n.runs, math.Max(1, float64(o.Shares)))
	}
	n.region = o.Inside == 0 && of.Into < 0 && (n.parallel > 1 || o.Code != "")
	n.tile = v.newTile(of)
	return n
}

// shared is how many times as fast threads are as one of them, if each does some of the
// pieces.
func shared(pieces, threads float64) float64 {
	return threads * (pieces / (math.Ceil(pieces/threads) * threads))
}

func (n *nest) iterations() float64 { return n.op.Iterations() * n.runs * n.again }

// tile is the innermost tile as vectors see it.
type tile struct {
	lanes      int     // the loop that vectors run along, -1 if there is none
	row        int     // iterations of that
	volume     float64 // of all loops
	reductions float64 // of those over reductions
	registers  float64 // vectors that hold results
	vectors    float64 // vector operations for one of a scalar
	loads      float64 // vectors and scalars that are read
	// Operands by how they are read along the lanes.
	contiguous, broadcast, gathered float64
}

func (v *view) newTile(n *schedule.Nest) tile {
	o, lanes := &v.program.Ops[n.Op], v.lanes()
	t := tile{lanes: -1, row: 1, volume: 1, reductions: 1, registers: 1}
	for l, trait := range schedule.Traits(o) {
		size := n.Tile[l]
		t.volume *= float64(size)
		if trait.Lanes {
			t.lanes, t.row = l, size
		}
		switch {
		case o.Loops[l].Iterator != program.Parallel:
			t.reductions *= float64(size)
		case trait.Lanes:
			t.registers *= float64((size + lanes - 1) / lanes)
		default:
			t.registers *= float64(size)
		}
	}
	inVectors := float64((t.row+lanes-1)/lanes) / float64(t.row)
	t.vectors = t.volume * inVectors
	for _, operand := range o.Operands[:max(0, len(o.Operands)-1)] {
		read := 1.0
		for l, size := range n.Tile {
			if operand.Map.Moves(l) {
				read *= float64(size)
			}
		}
		switch {
		case t.lanes < 0 || !operand.Map.Moves(t.lanes):
			t.broadcast++
		case lastLoop(operand.Map) == t.lanes:
			t.contiguous++
			read *= inVectors
		default:
			t.gathered++
		}
		t.loads += read
	}
	return t
}

// lastLoop is the last loop that moves an operand's last dimension, -1 if there is none.
func lastLoop(m program.AccessMap) int {
	last := -1
	if k := len(m.Coefficients); k > 0 {
		for l, c := range m.Coefficients[k-1] {
			if c != 0 {
				last = l
			}
		}
	}
	return last
}

// hoisted is over how many reductions results stay in registers: those of the tile, and of
// the loops directly around it.
func (n *nest) hoisted() float64 {
	trips := n.tile.reductions
	for _, l := range slices.Backward(n.Levels) {
		if l.Loop < 0 || n.op.Loops[l.Loop].Iterator == program.Parallel {
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
	if n.region {
		e.overhead += startThreads
	}
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

// compute is the time of the arithmetic; of what is written out, that of passing over its
// result.
func (n *nest) compute() float64 {
	if n.op.Code != "" {
		return n.bytes(n.op.Result) / copyBytes / n.speed
	}
	a := n.op.Arith
	cost := instruction * float64(1+a.Add+a.Sub+a.Mul+a.Max+a.Other+divisions*a.Div+exponentials*a.Exp)
	if n.Vector {
		lanes := float64(n.lanes())
		cost /= lanes * math.Min(1, float64(n.tile.row)/lanes)
	}
	return n.iterations() * cost / n.speed
}

// room is what of a cache a nest can count on.
func (v *view) room(level int) float64 {
	return [3]float64{0.8 * float64(v.machine.L1()), 0.8 * float64(v.machine.L2()), 0.7 * float64(v.machine.L3())}[level]
}

// fill is what comes into the cache of a level.
func (n *nest) fill(level int) cache {
	if level == 0 && n.op.Code != "" {
		return n.passOver()
	}
	size := n.room(level)
	c := cache{depth: n.fits(size)}
	for _, operand := range n.op.Operands {
		if level == 0 || !n.near(operand, size) {
			c.bytes += n.traffic(operand, c.depth) * n.runs * n.again
		}
	}
	if level > 0 && n.working <= size && n.op.Inside == 0 {
		c.bytes = 0
	}
	speed := n.speed
	if level == 2 {
		speed = math.Min(speed, memoryThreads)
	}
	c.time = c.bytes / fills[level] / speed
	return c
}

// passOver reads and writes the operands of what is written out, of which no more is known.
func (n *nest) passOver() (c cache) {
	for _, operand := range n.op.Operands {
		c.bytes += n.bytes(operand.Value)
	}
	c.time = c.bytes / fills[0] / n.speed
	return c
}

// fits is within how many levels all that is touched fits into so many bytes.
func (n *nest) fits(size float64) (depth int) {
	for ; depth < len(n.Levels); depth++ {
		inside, sum := n.extents(depth), 0.0
		for _, operand := range n.op.Operands {
			bytes, _ := n.lines(operand, inside)
			sum += bytes
		}
		if sum <= size {
			break
		}
	}
	return depth
}

// traffic is how many bytes of an operand come into a cache that has room for what is within
// some levels: all that again with each trip of the loops around, but for those next to it
// that do not move the operand.
func (n *nest) traffic(operand program.Operand, depth int) float64 {
	bytes, _ := n.lines(operand, n.extents(depth))
	stays := true
	for _, l := range slices.Backward(n.Levels[:depth]) {
		stays = stays && (l.Loop < 0 || !operand.Map.Moves(l.Loop))
		if !stays {
			bytes *= float64(l.Trips)
		}
	}
	return bytes
}

// near reports whether an operand is computed in the same loops, and so in a cache.
func (n *nest) near(operand program.Operand, size float64) bool {
	base := n.base(operand.Value)
	v := &n.program.Values[base]
	if v.Kind != program.ValueResult {
		return false
	}
	from := &n.program.Ops[v.Op]
	if n.op.Inside > 0 && from.Inside == n.op.Inside && n.bytes(base) < size {
		return true
	}
	return n.root(v.Op) == n.root(n.Op)
}

// extents are how many iterations of each loop there are within the first levels.
func (n *nest) extents(depth int) []int {
	out := slices.Clone(n.Tile)
	for _, l := range n.Levels[depth:] {
		if l.Loop >= 0 {
			out[l.Loop] *= l.Trips
		}
	}
	return out
}

// lineBytes is what caches move at once.
const lineBytes = 64

// lines is how many bytes of an operand some iterations of each loop touch, in whole lines,
// and over how many bytes that lie together.
func (v *view) lines(operand program.Operand, extents []int) (bytes, run float64) {
	shape := v.program.Values[operand.Value].Shape
	rows, together := 1.0, true
	run = 4
	for d, row := range slices.Backward(operand.Map.Coefficients) {
		extent := 1
		for l, c := range row {
			extent += max(c, -c) * (extents[l] - 1)
		}
		extent = min(extent, max(1, shape[d]))
		if together {
			run *= float64(extent)
		} else {
			rows *= float64(extent)
		}
		together = together && extent == shape[d]
	}
	return rows * math.Ceil(run/lineBytes) * lineBytes, run
}
