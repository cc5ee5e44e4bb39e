// Package schedule is the vocabulary of loop transformations: six actions, when
// each is legal, how a schedule is written as text, and the transform-dialect
// script it becomes. It runs nothing and imports no C.
//
// One page per action, with the loops before and after, is in docs/actions.
package schedule

// Kind names an action. Its value is how the text form spells it.
type Kind string

const (
	// Interchange reorders the loops of an operation.
	Interchange Kind = "I"
	// Tile splits loops into an outer serial loop over tiles and the tile.
	Tile Kind = "T"
	// TileParallel tiles parallel loops; the tiles may run at the same time.
	TileParallel Kind = "TP"
	// TileFuse is TileParallel that computes producers inside the tile.
	TileFuse Kind = "TF"
	// Vectorize turns what is left of the loops into vector operations. It ends
	// the operation's schedule.
	Vectorize Kind = "V"
	// NoTransform leaves the loops as they are. It ends the operation's schedule.
	NoTransform Kind = "NT"
)

// Kinds lists every action in a fixed order that policies rely on.
var Kinds = []Kind{Interchange, Tile, TileParallel, TileFuse, Vectorize, NoTransform}

// MaxActions is the largest number of actions of one operation, the closing
// Vectorize or NoTransform included.
const MaxActions = 5

// Action is one step of an operation's schedule.
type Action struct {
	Kind Kind
	// Sizes are the tile sizes of T, TP and TF, one per current loop; 0 leaves
	// the loop whole.
	Sizes []int
	// Order is the permutation of I: current loop Order[i] becomes loop i.
	Order []int
}

// ends reports whether the action closes an operation's schedule.
func (a Action) ends() bool { return a.Kind == Vectorize || a.Kind == NoTransform }

// tiles reports whether the action is one of the three kinds of tiling.
func (k Kind) tiles() bool { return k == Tile || k == TileParallel || k == TileFuse }

// OpSchedule is what happens to one operation, in order.
type OpSchedule struct {
	Op      string // program.Op.Name
	Actions []Action
}

// Schedule is what happens to a program. Operations it does not mention are
// left untransformed. The order of its entries has no meaning: operations are
// always scheduled from the last of the program to the first.
type Schedule []OpSchedule
