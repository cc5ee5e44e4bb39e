package policy

import (
	"math/rand/v2"

	"nestling/env"
	"nestling/nn"
	"nestling/schedule"
)

// One vector of logits holds all heads: the kind of action; per kind that tiles
// and loop the tile size; the next loop of a permutation.
const (
	kinds    = len(env.Mask{}.Kind)
	sizes    = len(env.TileSizes)
	tiling   = len(env.Mask{}.Tile)
	tilesAt  = kinds
	pointers = tilesAt + tiling*env.MaxLoops*sizes
	logits   = pointers + env.MaxLoops
)

func tileAt(head, loop int) int { return tilesAt + (head*env.MaxLoops+loop)*sizes }

// flatten lays out a mask like the logits.
func flatten(m *env.Mask, out []bool) {
	copy(out, m.Kind[:])
	for head := range m.Tile {
		for loop := range m.Tile[head] {
			copy(out[tileAt(head, loop):], m.Tile[head][loop][:])
		}
	}
	copy(out[pointers:], m.Pointer[:])
}

func flattenAll(obs []env.Observation) []bool {
	mask := make([]bool, len(obs)*logits)
	for i := range obs {
		flatten(&obs[i].Mask, mask[i*logits:])
	}
	return mask
}

// choices are the draws that make up an action: the pointer alone while a
// permutation is being chosen, otherwise the kind and, where that tiles, the size
// of every loop.
func choices(out []nn.Choice, row int, interchanging bool, a env.Action) []nn.Choice {
	if interchanging {
		return append(out, nn.Choice{Row: row, From: pointers, To: logits, Index: a.Pointer})
	}
	out = append(out, nn.Choice{Row: row, From: 0, To: kinds, Index: a.Kind})
	if head := env.TileHead(a.Kind); head >= 0 {
		for loop, size := range a.Tile {
			at := tileAt(head, loop)
			out = append(out, nn.Choice{Row: row, From: at, To: at + sizes, Index: size})
		}
	}
	return out
}

func allChoices(obs []env.Observation, actions []env.Action) []nn.Choice {
	var out []nn.Choice
	for i := range obs {
		out = choices(out, i, obs[i].Mask.Interchanging, actions[i])
	}
	return out
}

// choose decides on an action from one row of logits.
func choose(x []float32, mask []bool, interchanging bool, rng *rand.Rand, greedy bool) env.Action {
	pick := func(from, to int) int {
		if greedy {
			return nn.Argmax(x[from:to], mask[from:to])
		}
		return nn.Sample(x[from:to], mask[from:to], rng)
	}
	var a env.Action
	if interchanging {
		a.Pointer = pick(pointers, logits)
		return a
	}
	a.Kind = pick(0, kinds)
	if head := env.TileHead(a.Kind); head >= 0 {
		for loop := range a.Tile {
			at := tileAt(head, loop)
			a.Tile[loop] = pick(at, at+sizes)
		}
	}
	return a
}

// Where an untrained policy starts from: rather without tiling a loop than with,
// rather vectorized than not, and rarely with loops reordered. Uniform draws tile
// every loop of a nest at once, down to loops too short for anything; next to
// those, plain loops look so good that a policy learns to leave everything alone
// before it has ever met a schedule worth having.
var (
	priorKinds = map[schedule.Kind]float32{schedule.Interchange: -1.5, schedule.Vectorize: 1.5, schedule.NoTransform: -1}
	priorWhole = float32(1.5) // of leaving a loop untiled
)

// prior is the bias of the heads before training.
func prior(bias []float32) {
	clear(bias)
	for i, kind := range schedule.Kinds {
		bias[i] = priorKinds[kind]
	}
	for head := range tiling {
		for loop := range env.MaxLoops {
			bias[tileAt(head, loop)] = priorWhole
		}
	}
}
