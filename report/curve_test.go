package report

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// exampleCurves are of a policy that learns and one that does not.
func exampleCurves() (trained, random []LearningPoint) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 200 {
		level := -0.8 + 1.1*(1-math.Exp(-float64(i)/60)) + 0.12*rng.NormFloat64()
		trained = append(trained, LearningPoint{Iteration: i + 1, Reward: level, Spread: 0.4, Speedup: math.Exp(level)})
	}
	for i := range 20 {
		level := -0.85 + 0.1*rng.NormFloat64()
		random = append(random, LearningPoint{Iteration: i + 1, Reward: level, Spread: 0.5, Speedup: math.Exp(level)})
	}
	trained[3].Speedup = 0
	return trained, random
}

func TestLearningPlot(t *testing.T) {
	trained, random := exampleCurves()
	path := filepath.Join(t.TempDir(), "curve.png")
	blues, oranges := [3]uint32{0, 0x72, 0xb2}, [3]uint32{0xe6, 0x9f, 0}
	for name, test := range map[string]struct {
		trained, random []LearningPoint
		orange          bool
	}{
		"both":          {trained, random, true},
		"alone":         {trained, nil, false},
		"one iteration": {trained[:1], random[:1], true},
		"no speedups":   {[]LearningPoint{{Iteration: 1, Reward: -1}, {Iteration: 2, Reward: -0.5}}, nil, false},
	} {
		if err := LearningPlot(path, "lstm", "the default schedule", test.trained, test.random); err != nil {
			t.Fatal(name, ": ", err)
		}
		// The legend has some pixels of both colours in any case.
		colours := pixels(t, path)
		if colours[blues] < 600 && len(test.trained) > 1 {
			t.Errorf("%s: %d pixels of the trained policy", name, colours[blues])
		}
		if drawn := colours[oranges] > 2000; drawn != test.orange {
			t.Errorf("%s: %d pixels of the random policy", name, colours[oranges])
		}
	}
}

func TestLearningPlotErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "curve.png")
	if err := LearningPlot(path, "lstm", "the default schedule", nil, nil); err == nil || !strings.HasSuffix(err.Error(), "the training has no iterations yet") {
		t.Errorf("got %v", err)
	}
	trained, _ := exampleCurves()
	trained[3].Reward = math.NaN()
	if err := LearningPlot(path, "lstm", "the default schedule", trained, nil); err == nil {
		t.Error("a point that is not a number was drawn")
	}
}

func TestRunningMean(t *testing.T) {
	x := make([]float64, 80) // reach 2
	for i := range x {
		x[i] = float64(i)
	}
	if got := runningMean(x); !cmp.Equal(got, x) {
		t.Errorf("a straight line became %v", got)
	}
	x[40] += 5
	if got := runningMean(x); got[38] != 39 || got[40] != 41 || got[43] != 43 {
		t.Errorf("around a spike: %v", got[36:45])
	}
}

func TestEvenTicks(t *testing.T) {
	for _, test := range []struct {
		low, high float64
		most      int
		want      string
	}{
		{1, 200, 10, "20 40 60 80 100 120 140 160 180 200"},
		{-1.35, 0.75, 6, "-1.0 -0.5 0.0 0.5"},
		{0.02, 0.11, 6, "0.02 0.04 0.06 0.08 0.10"},
		{1, 2, 10, "1.0 1.1 1.2 1.3 1.4 1.5 1.6 1.7 1.8 1.9 2.0"},
		{0, 10, 10, "0 1 2 3 4 5 6 7 8 9 10"},
	} {
		var labels []string
		for _, tick := range evenTicks(test.low, test.high, test.most) {
			labels = append(labels, tick.Label)
		}
		if got := strings.Join(labels, " "); got != test.want {
			t.Errorf("%g to %g: %s, want %s", test.low, test.high, got, test.want)
		}
	}
}
