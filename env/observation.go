// Package env is the Markov decision process of scheduling: what the agent
// sees, what it may do, and what it gets for it. It knows nothing of the
// network that looks at it.
package env

import "nestling/schedule"

// Limits of what is seen. Loops, operands and dimensions beyond them are left out.
const (
	MaxLoops      = 10 // the innermost are kept
	MaxOperands   = 4  // inputs, then the init
	MaxDimensions = 6  // of an operand
	MaxOps        = 6  // consumers, producers and the operation itself
	MaxPast       = 24 // the latest actions of an episode
)

// Sizes of the vectors that an observation is made of. What they hold is in features.go.
const (
	families = 8
	numbers  = 4 // of an action that is neither a tiling nor an interchange

	OpSize      = families + 7 + 19
	LoopSize    = 19
	OperandSize = 12
	AccessSize  = 3                                        // how a loop moves an operand
	CellSize    = 4                                        // how a loop moves along a dimension of an operand
	PastSize    = 17 + 3 + 2*MaxLoops + MaxLoops + numbers // an action taken
)

// Observation is what the agent sees before it decides on an action.
type Observation struct {
	// Ops are the operations around the current one: its consumers, its producers, and
	// last itself.
	Ops []OpView
	// Past are the latest actions of the episode, in order, [PastSize] each.
	Past [][]float32
	// Rewriting tells that the action is one among rewrites.
	Rewriting bool
}

// OpView is one operation as the schedule so far has left it. Each encoder reads it in a
// way of its own.
type OpView struct {
	Features []float32     // [OpSize]
	Loops    [][]float32   // [LoopSize] each, the outermost first
	Operands []OperandView // inputs, then the init
}

// OperandView is how an operation reads or writes one tensor.
type OperandView struct {
	Features []float32     // [OperandSize]
	Access   [][]float32   // [AccessSize] for each loop: strides and reuse
	Grid     [][][]float32 // [CellSize] for each loop and dimension: the access map
}

// Question asks for one part of an action: which action, which loop, what size. Its
// options are all legal, whatever is answered to the questions before.
type Question struct {
	Options [][]float32 // [OptionSize] each, what is known of it
}

// Sizes of the vector of an option.
const (
	questions = 6
	actions   = 17 // those of schedule.Vocabulary that are offered, and to go on to the next operation
	sizes     = 20 // what a tile would be

	sizeAt          = questions + actions + 3 + LoopSize
	registersInSize = 11
	numberSize      = 10
	usualSize       = 2

	OptionSize = sizeAt + sizes + OperandSize + numberSize + usualSize
)

// SizesOf are the numbers of an option, [OptionSize], that describe the tile or the strip which
// it would make.
func SizesOf(option []float32) []float32 { return option[sizeAt : sizeAt+sizes] }

// kindIndex is the place of an action in one-hot vectors; that of going on is the last.
// Parts has none: it is for reductions to a single element alone, where the default
// schedule makes it, and no agent is offered it.
var kindIndex = func() map[schedule.Kind]int {
	index := map[schedule.Kind]int{goOn: actions - 1}
	for _, k := range schedule.Vocabulary {
		if k != schedule.Parts {
			index[k] = len(index) - 1
		}
	}
	return index
}()

// goOn ends the rewrites of an operation.
const goOn schedule.Kind = "next"

// Step is one action as the agent took it.
type Step struct {
	Observation *Observation
	Questions   []Question
	Answers     []int // an index into each question's options
}

// Kind is the action that was chosen, "" where only one was legal.
func (s *Step) Kind() schedule.Kind {
	chosen := s.Questions[0].Options[s.Answers[0]]
	if chosen[askKind] == 0 {
		return ""
	}
	for kind, i := range kindIndex {
		if chosen[questions+i] == 1 {
			return kind
		}
	}
	return ""
}
