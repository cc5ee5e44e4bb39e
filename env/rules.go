package env

import (
	"slices"

	"nestling/schedule"
)

// Rules bound what an agent may do. The zero value allows the whole vocabulary.
type Rules struct {
	// Exact leaves out Winograd's algorithm, whose results are less exact.
	Exact bool `json:"exact,omitempty"`
	// Classic allows what MLIR RL (arXiv:2409.11068) has: I, T, TP, TF, V and NT, sizes
	// that are powers of two up to 64, V of at most 512 iterations, and no rewrites.
	Classic bool `json:"classic,omitempty"`
}

const (
	classicTile   = 64
	classicVector = 512
)

// rewrite reports whether a rewrite is within the rules.
func (r Rules) rewrite(a schedule.Action) bool {
	winograd := a.Kind == schedule.Winograd || a.Kind == schedule.WinogradChain
	return !r.Classic && !(r.Exact && winograd)
}

// kind reports whether a loop action is within the rules for a tile of so many iterations.
func (r Rules) kind(k schedule.Kind, iterations float64) bool {
	if !r.Classic {
		return true
	}
	return slices.Contains(schedule.Kinds, k) && (k != schedule.Vectorize || iterations <= classicVector)
}

// size reports whether a tile size is within the rules.
func (r Rules) size(n int) bool { return !r.Classic || n <= classicTile && n&(n-1) == 0 }
