package env

import "nestling/schedule"

// Where an untrained policy starts from: rather vectorized than not, and rarely with
// loops reordered or operands copied. Uniform draws seldom end in vectors at all; a
// policy that starts from those learns to leave everything alone before it has met a
// schedule worth having.
var priorKinds = map[schedule.Kind]float32{
	schedule.Vectorize: 2, schedule.NoTransform: -2, goOn: 1,
	schedule.Interchange: -1, schedule.Pack: -1, schedule.Prefetch: -1, schedule.Unroll: -1.5,
}

// Prior weighs each feature of an option, [OptionSize].
func Prior() []float32 {
	out := make([]float32, OptionSize)
	for kind, weight := range priorKinds {
		out[questions+kindIndex[kind]] = weight
	}
	return out
}
