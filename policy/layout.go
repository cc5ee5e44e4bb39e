package policy

import (
	"slices"

	"nestling/env"
)

// operandSlot is the place of an operand among env.MaxOperands: the init, which is the
// last, has one of its own.
func operandSlot(o *env.OpView, i int) int {
	if i == len(o.Operands)-1 {
		return env.MaxOperands - 1
	}
	return i
}

// writeRecent writes the latest actions, the last one first, [recent·env.PastSize].
func writeRecent(o *env.Observation, out []float32) {
	for _, a := range slices.Backward(o.Past[max(0, len(o.Past)-recent):]) {
		out = out[copy(out, a):]
	}
}
