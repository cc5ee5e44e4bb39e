package schedule

import "slices"

// Nest is what a schedule makes of the loops of one operation.
type Nest struct {
	Op     int     // index into Program.Ops
	Into   int     // the operation whose TF took it in, -1 for none
	Levels []Level // loops around its tile, outermost first
	Tile   []int   // iterations of each of its loops, in their original order, inside of all levels
	Order  []int   // the tile's loops, outermost first
	Vector bool    // the tile becomes vector operations, and no loops
	Copies []Copy  // what P copies
	Unroll int     // product of the factors of U, 1 for none
	Fetch  int     // number of PFs
}

// Level is a loop around a tile.
type Level struct {
	Loop     int // which of the operation's loops it is a part of
	Trips    int
	Parallel bool
}

// Copy is an operand that is copied inside of the first Depth levels.
type Copy struct{ Operand, Depth int }

// Nests are the nests of all operations, in the order of the program's operations.
func (s *State) Nests() []Nest {
	nests := make([]Nest, len(s.program.Ops))
	for op := range nests {
		nests[op] = Nest{Op: op, Into: -1, Unroll: 1}
	}
	state := NewState(s.program)
	for _, op := range state.Order() {
		for _, a := range s.ops[op].actions {
			nests[op].act(a, state, nests)
			state.apply(op, a)
		}
	}
	for op := range nests {
		o := &state.ops[op]
		nests[op].Order = slices.Clone(o.order)
		nests[op].Tile = make([]int, len(o.order))
		for i, l := range o.order {
			nests[op].Tile[l] = o.bounds[i]
		}
	}
	return nests
}

// act adds what an action makes of the nest that it meets.
func (n *Nest) act(a Action, before *State, nests []Nest) {
	switch a.Kind {
	case Tile, TileParallel, TileFuse:
		n.tile(a, before)
	case Pack:
		n.Copies = append(n.Copies, Copy{a.Args[0], len(n.Levels)})
	case Unroll:
		n.Unroll *= a.Args[0]
	case Prefetch:
		n.Fetch++
	case Vectorize:
		n.Vector = true
	}
	if a.Kind == TileFuse {
		for _, f := range before.fusions(n.Op, before.tiledLoops(n.Op, a.Sizes)) {
			nests[f.op].enter(n, f.loops)
		}
	}
}

func (n *Nest) tile(a Action, before *State) {
	o := &before.ops[n.Op]
	for i, size := range before.effectiveSizes(n.Op, a.Sizes) {
		if size > 0 {
			n.Levels = append(n.Levels, Level{o.order[i], o.bounds[i] / size, a.Kind != Tile})
		}
	}
}

// enter puts a producer into all levels of the nest that takes it in, whose loops its own
// follow.
func (n *Nest) enter(root *Nest, follows []int) {
	n.Into = root.Op
	n.Levels = slices.Clone(root.Levels)
	for i := range n.Levels {
		n.Levels[i].Loop = slices.Index(follows, root.Levels[i].Loop)
	}
}
