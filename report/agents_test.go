package report

import (
	"fmt"
	"math"
	"strings"
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
}

// Runs of one name are together as far as there is a place where all are.
func TestCurvesThatCanBeCompared(t *testing.T) {
	curve := func(name string, from, to, tried, most float64) AgentCurve {
		return AgentCurve{Name: name, Minutes: []float64{from, to}, Schedules: []float64{tried, most}, Reward: []float64{0, 1}}
	}
	groups := byName([]AgentCurve{
		curve("lstm", 0, 40, 0, 400), curve("lstm", 0, 50, 0, 500), curve("gpt-2", 40, 46, 400, 460),
		curve("lstm", 60, 75, 0, 100), curve("lstm", 45, 55, 410, 510),
	})
	var names []string
	for _, g := range groups {
		names = append(names, fmt.Sprintf("%s × %d", g[0].Name, len(g)))
	}
	if got, want := strings.Join(names, ", "), "lstm × 2, gpt-2 × 1, lstm × 1, lstm × 1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
