package measure

import (
	"slices"
	"strings"

	"github.com/klauspost/cpuid/v2"

	"nestling/codegen"
	"nestling/schedule"
)

// Machine is what default schedules and agents need to know of the machine that
// this laboratory compiles for.
func (l *Lab) Machine() schedule.Machine {
	c := cpuid.CPU.Cache
	return schedule.Machine{
		Threads: l.Options().Threads, VectorLanes: VectorLanes(l.Options().Target),
		Caches: [3]int{max(0, c.L1D), max(0, c.L2), max(0, c.L3)},
	}
}

// VectorLanes is how many float32 the widest vector register of a target holds.
// Features that are named count for more than the processor.
func VectorLanes(t codegen.Target) int {
	lanes := lanesOf(t.CPU)
	for _, feature := range strings.Split(t.Features, ",") {
		switch feature {
		case "+avx512f":
			lanes = 16
		case "-avx512f":
			lanes = min(lanes, 8)
		case "+avx2":
			lanes = max(lanes, 8)
		case "-avx", "-avx2":
			lanes = 4
		}
	}
	return lanes
}

// Processors in LLVM's spelling whose registers are wider, or narrower, than AVX2's.
var (
	wideProcessors = []string{"x86-64-v4", "knl", "knm", "skylake-avx512", "cascadelake", "cooperlake", "cannonlake", "icelake-", "tigerlake",
		"rocketlake", "sapphirerapids", "emeraldrapids", "graniterapids", "diamondrapids", "znver4", "znver5"}
	narrowProcessors = []string{"x86-64", "x86-64-v2", "core2", "penryn", "nehalem", "westmere", "sandybridge", "ivybridge",
		"atom", "bonnell", "silvermont", "goldmont", "goldmont-plus", "tremont", "k8", "amdfam10", "barcelona", "btver1", "btver2"}
)

func lanesOf(cpu string) int {
	wide := func(name string) bool { return strings.HasPrefix(cpu, name) }
	switch {
	case cpu == "" && cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512VL), slices.ContainsFunc(wideProcessors, wide):
		return 16
	case cpu == "" && !cpuid.CPU.Supports(cpuid.AVX2), slices.Contains(narrowProcessors, cpu):
		return 4
	}
	return 8
}
