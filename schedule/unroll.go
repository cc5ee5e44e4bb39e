package schedule

import (
	"errors"
	"fmt"
)

// unrolling is a loop to unroll, by its handle.
type unrolling struct {
	loop   string
	factor int
}

// checkSerialLoop reports whether there is a loop for U.
func (s *State) checkSerialLoop(op int) error {
	if s.ops[op].trips == 0 {
		return errors.New("no loop for U, which unrolls the innermost one of the T before it, once")
	}
	return nil
}

// checkUnroll reports whether the factor divides the loop.
func (s *State) checkUnroll(op int, a Action) error {
	trips := s.ops[op].trips
	if len(a.Args) != 1 || a.Args[0] < 2 || trips%a.Args[0] != 0 {
		return fmt.Errorf("%s is not of the form U(factor); the loop goes round %d times, its divisors from 2 are allowed: %s", a, trips, join(append(divisors(trips)[1:], trips), " "))
	}
	return nil
}

// unroll comes last: what was hoisted out of a loop must be, first.
func (w *writer) unroll() {
	for _, u := range w.unrolled {
		w.line("transform.loop.unroll %s {factor = %d} : %s", u.loop, u.factor, anyOp)
	}
}
