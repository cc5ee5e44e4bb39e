// Package schedule is the vocabulary of transformations: rewrites, which change
// the operations of a program, and loop actions, which arrange the loops of one;
// when each is legal, how a schedule is written as text, and the module and
// transform-dialect script it becomes. It runs nothing and imports no C.
//
// One page per action, with the loops before and after, is in docs/actions.
package schedule

import "slices"

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

// Loop actions beyond the six.
const (
	// Pack copies the part of an operand that the current tile reads into a
	// buffer of its own, where it lies densely.
	Pack Kind = "P"
	// Prefetch fetches, with each step of the innermost loop made last, the lines of an
	// argument that the same step will read when the loop around has gone on.
	Prefetch Kind = "PF"
	// Unroll repeats the body of the innermost loop made last.
	Unroll Kind = "U"
)

// Rewrites. They come before the loop actions of any operation, in the order in
// which the schedule lists them, and change the program that those are about.
const (
	// Split makes one loop two: an outer one, and an inner one of a given size.
	Split Kind = "S"
	// Layout lets an operation read or write an operand in another order of
	// dimensions, by a copy; that of a weight is made ahead of time.
	Layout Kind = "L"
	// Cut makes one operation two, each with a part of a loop.
	Cut Kind = "C"
	// Group runs an operation, and what it needs, one iteration of a loop at a time.
	Group Kind = "G"
	// Parts reduces in parts that threads can share, and then combines those.
	Parts Kind = "R"
	// FoldNorm moves what scales and shifts a convolution's channels into its
	// weights and bias.
	FoldNorm Kind = "FN"
	// Winograd computes a 3×3 convolution with fewer multiplications.
	Winograd Kind = "W"
	// WinogradChain is Winograd for a convolution and the one that feeds it.
	WinogradChain Kind = "WC"
)

// Kinds lists the classic six actions in a fixed order that policies rely on.
var Kinds = []Kind{Interchange, Tile, TileParallel, TileFuse, Vectorize, NoTransform}

// LoopActions lists the actions that arrange the loops of an operation.
var LoopActions = append(slices.Clone(Kinds), Pack, Prefetch, Unroll)

// Rewrites lists the actions that change the program itself.
var Rewrites = []Kind{Split, Layout, Cut, Group, FoldNorm, Winograd, WinogradChain, Parts}

// Vocabulary lists every action.
var Vocabulary = slices.Concat(LoopActions, Rewrites)

// IsRewrite reports whether the action changes the program itself.
func (k Kind) IsRewrite() bool { return slices.Contains(Rewrites, k) }

// MaxActions is the largest number of actions of one operation in a schedule
// built step by step, the closing Vectorize or NoTransform included.
const MaxActions = 6

// MaxWrittenActions is the same for a schedule that is given as a whole.
const MaxWrittenActions = 16

// Action is one step of an operation's schedule.
type Action struct {
	Kind Kind
	// Sizes are the tile sizes of T, TP and TF, one per current loop; 0 leaves
	// the loop whole.
	Sizes []int
	// Order is the permutation of I: current loop Order[i] becomes loop i.
	Order []int
	// Args are the numbers of any other action.
	Args []int
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
// left untransformed. Rewrites are made in the order of its entries; for loop actions
// that order has no meaning, they always go from the last operation to the first.
type Schedule []OpSchedule
