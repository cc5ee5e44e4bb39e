package env

import "nestling/schedule"

// Where an untrained policy starts from: rather vectorized than not, with tiles that fit
// registers, and rarely with loops reordered, operands copied or programs taken apart.
// Uniform draws seldom end in vectors at all, and take long to compile; a policy that
// starts from those learns to leave everything alone before it has met a schedule worth
// having.
var priorKinds = map[schedule.Kind]float32{
	schedule.Vectorize: 2, schedule.NoTransform: -2, goOn: 0.5,
	schedule.Interchange: -1, schedule.Pack: -2, schedule.Prefetch: -1, schedule.Unroll: -2,
	schedule.Cut: -1, schedule.Group: -1,
}

// priorRegisters is what filling all registers with a tile's results costs a size.
const priorRegisters = -1.5

// Prior weighs each feature of an option, [OptionSize].
func Prior() []float32 {
	out := make([]float32, OptionSize)
	for kind, weight := range priorKinds {
		out[questions+kindIndex[kind]] = weight
	}
	out[sizeAt+registersInSize] = priorRegisters
	return out
}
