package costmodel

import (
	"math"
	"slices"

	"nestling/program"
	"nestling/schedule"
)

// tile is the innermost tile as vectors see it.
type tile struct {
	lanes      int     // the loop that vectors run along, -1 if there is none
	row        int     // iterations of that
	volume     float64 // of all loops
	reductions float64 // of those over reductions
	registers  float64 // vectors that hold results
	vectors    float64 // vector operations for one of a scalar
	loads      float64 // vectors and scalars that are read
	stores     float64 // the same of what is written
	shuffles   float64 // that turn what is read along another loop
	// Operands by how they are read along the lanes.
	contiguous, broadcast, gathered float64
}

func (v *view) newTile(n *schedule.Nest) tile {
	o, lanes := &v.program.Ops[n.Op], v.lanes()
	t := tile{lanes: schedule.Lanes(o), row: 1, volume: 1, reductions: 1, registers: schedule.Registers(o, n.Tile, lanes)}
	if t.lanes >= 0 {
		t.row = n.Tile[t.lanes]
	}
	for l, size := range n.Tile {
		t.volume *= float64(size)
		if o.Loops[l].Iterator != program.Parallel {
			t.reductions *= float64(size)
		}
	}
	t.vectors = t.volume * float64((t.row+lanes-1)/lanes) / float64(t.row)
	for _, operand := range o.Operands[:max(0, len(o.Operands)-1)] {
		t.read(operand, n, lanes)
	}
	if len(o.Operands) > 0 {
		t.stores = elements(n, o.Init()) * inRow(t.row, lanes)
	}
	return t
}

// read adds what it takes to read an operand.
func (t *tile) read(operand program.Operand, n *schedule.Nest, lanes int) {
	loads := elements(n, operand)
	switch {
	case t.lanes < 0 || !operand.Map.Moves(t.lanes):
		t.broadcast++
	case operand.Map.Consecutive(t.lanes):
		t.contiguous++
		loads *= inRow(t.row, lanes)
	default:
		t.gathered++
		along := slices.IndexFunc(n.Order, operand.Map.Consecutive)
		if along >= 0 && n.Tile[n.Order[along]] > 1 {
			own := n.Tile[n.Order[along]]
			t.shuffles += loads / float64(own*t.row) * shuffled(float64(t.row), float64(own))
			loads *= inRow(own, lanes)
		}
	}
	t.loads += loads
}

// gathers reports whether a vector of an operand's elements does not lie together in memory.
func (n *nest) gathers(operand program.Operand) bool {
	lanes := n.tile.lanes
	return lanes >= 0 && !schedule.Contracts(n.op) && operand.Map.Moves(lanes) && !operand.Map.Consecutive(lanes)
}

// elements is how many of an operand a nest's tile reads or writes.
func elements(n *schedule.Nest, operand program.Operand) float64 {
	product := 1.0
	for l, size := range n.Tile {
		if operand.Map.Moves(l) {
			product *= float64(size)
		}
	}
	return product
}

// inRow is how many vector registers an element takes in a row of so many of them.
func inRow(row, lanes int) float64 {
	return float64(schedule.RowRegisters(row, lanes)) / float64(row)
}

// shuffled is how many shuffles turn blocks of so many rows of so many elements: of squares of
// 4, 8 or 16 elements a side.
func shuffled(rows, columns float64) float64 {
	side := 4.0
	for side < 16 && side < math.Max(rows, columns) {
		side *= 2
	}
	squares := math.Ceil(rows/side) * math.Ceil(columns/side)
	return squares * side * math.Log2(side)
}

// handedOver reports whether the result of an operation stays in registers on its way to the one
// that it is fused into: both are vectors, and there are no loops around the second that are not
// around both, except for sums that go on in what they are handed.
func (v *view) handedOver(op int) bool {
	p := &v.nests[op]
	if p.Into < 0 || !p.Vector {
		return false
	}
	consumers := v.program.Ops[op].Consumers
	if len(consumers) != 1 {
		return false
	}
	o, c := &v.program.Ops[consumers[0]], &v.nests[consumers[0]]
	at := slices.IndexFunc(o.Operands, func(x program.Operand) bool { return x.Value == v.program.Ops[op].Result })
	if at < 0 || !c.Vector || len(c.Levels) < len(p.Levels) {
		return false
	}
	return !slices.ContainsFunc(c.Levels[len(p.Levels):], func(l schedule.Level) bool {
		return !o.Operands[at].Init || o.Loops[l.Loop].Iterator == program.Parallel
	})
}

// kept reports whether an operand of a nest is, or stays, in registers.
func (n *nest) kept(operand program.Operand) bool {
	if operand.Init && n.handedOver(n.Op) {
		return true
	}
	v := &n.program.Values[operand.Value]
	return v.Kind == program.ValueResult && n.handedOver(v.Op)
}
