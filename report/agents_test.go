package report

import (
	"math"
	"testing"
)

// Seeds are compared at the same places, as far as all of them go.
func TestCurvesOfSeeds(t *testing.T) {
	seeds := []AgentCurve{
		{Name: "lstm", Minutes: []float64{0, 2, 4}, Reward: []float64{0, 2, 4}},
		{Name: "lstm", Minutes: []float64{1, 2, 3, 8}, Reward: []float64{3, 4, 5, 10}},
	}
	x, low, mean, high := overSeeds(seeds, func(c AgentCurve) []float64 { return c.Minutes })
	if x[0] != 1 || x[len(x)-1] != 4 {
		t.Errorf("compared from %g to %g, want 1 to 4", x[0], x[len(x)-1])
	}
	for i, at := range x {
		second := at + 2 // both are straight lines
		if math.Abs(low[i]-at) > 1e-9 || math.Abs(high[i]-second) > 1e-9 || math.Abs(mean[i]-(at+second)/2) > 1e-9 {
			t.Fatalf("at %g: %g, %g, %g; want %g, %g, %g", at, low[i], mean[i], high[i], at, (at+second)/2, second)
		}
	}
	groups := byName(append(seeds, AgentCurve{Name: "gpt-2"}))
	if len(groups) != 2 || len(groups[0]) != 2 || groups[1][0].Name != "gpt-2" {
		t.Errorf("%v", groups)
	}
}
