package measure

import (
	"github.com/klauspost/cpuid/v2"

	"nestling/schedule"
)

// Machine is what default schedules and agents need to know of the machine that
// this laboratory measures on.
func (l *Lab) Machine() schedule.Machine {
	return schedule.Machine{Threads: l.Options().Threads, VectorLanes: vectorLanes()}
}

// vectorLanes is how many float32 the widest vector register of this CPU holds.
func vectorLanes() int {
	switch {
	case cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512VL):
		return 16
	case cpuid.CPU.Supports(cpuid.AVX2):
		return 8
	}
	return 4
}
