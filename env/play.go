package env

import (
	"fmt"
	"math/rand/v2"
)

// Play brings all episodes to their end in lock-step: choose is asked for one
// action per unfinished episode, given by index, until none is left. That makes
// one large batch for a network out of many small episodes.
func Play(episodes []*Episode, choose func(unfinished []int, obs []Observation) []Action) error {
	for {
		var unfinished []int
		var obs []Observation
		for i, e := range episodes {
			if !e.Done() {
				unfinished = append(unfinished, i)
				obs = append(obs, e.Observe())
			}
		}
		if len(unfinished) == 0 {
			return nil
		}
		for j, a := range choose(unfinished, obs) {
			if _, err := episodes[unfinished[j]].Step(a); err != nil {
				return fmt.Errorf("program %s: %w", episodes[unfinished[j]].Program().Name, err)
			}
		}
	}
}

// Draw is a legal action, each choice uniform over what the mask allows: the
// random policy that a trained one is compared with.
func (m *Mask) Draw(rng *rand.Rand) Action {
	var a Action
	if m.Interchanging {
		a.Pointer = drawOne(m.Pointer[:], rng)
		return a
	}
	a.Kind = drawOne(m.Kind[:], rng)
	if head := TileHead(a.Kind); head >= 0 {
		for l := range a.Tile {
			a.Tile[l] = drawOne(m.Tile[head][l][:], rng)
		}
	}
	return a
}

// drawOne picks one of the allowed indices; there must be one.
func drawOne(allowed []bool, rng *rand.Rand) int {
	var choices []int
	for i, ok := range allowed {
		if ok {
			choices = append(choices, i)
		}
	}
	return choices[rng.IntN(len(choices))]
}
