// Package env is the Markov decision process of scheduling: what the agent
// sees, what it may do, and what it gets for it. It knows nothing of the
// network that looks at it.
package env

// MaxLoops is the largest number of loops of an operation that the agent can
// schedule. An operation with more is offered NT alone.
const MaxLoops = 12

// MaxTokens is the largest number of tokens of an observation: producers that
// do not fit are left out, the nearest to the operation are kept.
const MaxTokens = 4

// Limits of the features. Operands and dimensions beyond them are left out.
const (
	maxOperands   = 4 // inputs, then the init
	maxDimensions = 6 // dimensions of an operand
	families      = 8
	arithmetic    = 7
	kinds         = 6
	maxActions    = 5

	loopFeatures    = 9
	operandFeatures = 2
	globalFeatures  = 8
)

// TileSizes are the sizes the agent chooses from; 0 leaves the loop as it is.
var TileSizes = [...]int{0, 1, 2, 4, 7, 8, 14, 16, 28, 32, 56, 64, 128}

const tileSizes = len(TileSizes)

// FeatureSize is the length of a token.
const FeatureSize = families + arithmetic + globalFeatures +
	MaxLoops*loopFeatures +
	maxOperands*(operandFeatures+MaxLoops+maxDimensions*MaxLoops)

// HistorySize is the length of the history: per action on the current
// operation its kind and tile sizes, one-hot, and the permutation so far.
const HistorySize = maxActions*(kinds+MaxLoops*tileSizes) + MaxLoops*MaxLoops

// Mask says which choices are legal. In every state at least one is: when
// Interchanging some Pointer, otherwise some Kind; and for a kind that tiles,
// every loop has at least size 0.
type Mask struct {
	// Kind is by index into schedule.Kinds.
	Kind [kinds]bool
	// Tile is [T, TP, TF][loop][index into TileSizes]; loops that do not exist
	// have 0 alone.
	Tile [3][MaxLoops][tileSizes]bool
	// Pointer holds the loops that may come next in the permutation.
	Pointer [MaxLoops]bool
	// Interchanging: a permutation is being chosen, and only Pointer counts.
	Interchanging bool
}

// Observation is what the agent sees before each step.
type Observation struct {
	// Tokens are operations, [FeatureSize] each: the producers of the current
	// operation, then the operation itself. There is at least one.
	Tokens [][]float32
	// History is [HistorySize].
	History []float32
	Mask    Mask
}

// Action is one step. While a permutation is being chosen only Pointer counts;
// otherwise Kind does, with Tile for the kinds that tile.
type Action struct {
	Kind    int           // index into schedule.Kinds
	Tile    [MaxLoops]int // index into TileSizes, per current loop
	Pointer int           // the loop that comes next
}

// TileHead tells which of Mask.Tile belongs to a kind (an index into
// schedule.Kinds), or -1 for a kind without sizes.
func TileHead(kind int) int {
	if kind >= 1 && kind <= 3 {
		return kind - 1
	}
	return -1
}
