package schedule

import (
	"fmt"
	"slices"
)

// checkTiled reports whether the operation is a tile, its own or its consumer's.
func (s *State) checkTiled(op int, k Kind) error {
	o := &s.ops[op]
	tiled := slices.ContainsFunc(o.actions, func(a Action) bool { return a.Kind.tiles() })
	if !tiled && o.fusedInto < 0 {
		return fmt.Errorf("%s is about the current tile, and nothing is tiled yet", k)
	}
	return nil
}

// checkPack reports whether the tile's part of an operand can be copied.
func (s *State) checkPack(op int, a Action) error {
	inputs := s.program.Ops[op].Operands
	inputs = inputs[:len(inputs)-1]
	if len(a.Args) != 1 || a.Args[0] >= len(inputs) {
		return fmt.Errorf("%s is not of the form P(operand); the operands read are 0 to %d", a, len(inputs)-1)
	}
	operand := a.Args[0]
	if len(inputs[operand].Map.Coefficients) == 0 {
		return fmt.Errorf("%s copies a scalar", a)
	}
	if slices.Contains(s.ops[op].packed, operand) {
		return fmt.Errorf("%s: operand %d was copied for this tile already", a, operand)
	}
	return nil
}

// pack copies what the tile reads of an operand into a tensor of its own, which
// becomes a buffer of its own.
func (w *writer) pack(op, operand int) {
	from := w.handle(op)
	value, copied := w.fresh(), w.fresh()
	w.line("%s = transform.get_operand %s[%d] : (%s) -> %s", value, from, operand, anyOp, anyValue)
	w.line("%s = transform.structured.promote_tensor %s : %s", copied, value, anyValue)
}

// anyValue is the type of a handle to an operand.
const anyValue = "!transform.any_value"
