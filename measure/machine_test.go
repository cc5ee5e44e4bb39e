package measure

import (
	"testing"

	"nestling/codegen"
)

func TestVectorLanesFollowTheTarget(t *testing.T) {
	for _, c := range []struct {
		cpu, features string
		want          int
	}{
		{"x86-64", "", 4}, {"x86-64-v2", "", 4}, {"ivybridge", "", 4},
		{"x86-64-v3", "", 8}, {"haswell", "", 8}, {"skylake", "", 8}, {"znver3", "", 8},
		{"x86-64-v4", "", 16}, {"skylake-avx512", "", 16}, {"icelake-server", "", 16}, {"znver4", "", 16},
		{"x86-64", "+avx2,+fma", 8}, {"znver4", "-avx512f", 8}, {"x86-64-v3", "+avx512f", 16},
	} {
		if got := VectorLanes(codegen.Target{CPU: c.cpu, Features: c.features}); got != c.want {
			t.Errorf("%s %s: %d lanes, want %d", c.cpu, c.features, got, c.want)
		}
	}
}
