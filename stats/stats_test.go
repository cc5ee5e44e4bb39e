package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func near(t *testing.T, name string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-12*math.Abs(want) {
		t.Errorf("%s is %v, want %v", name, got, want)
	}
}

func TestAgainstNumpy(t *testing.T) {
	x := []float64{9, 1, 4, 4, 12, 3, 7.5}
	near(t, "mean", Mean(x), 5.785714285714286)
	near(t, "standard deviation", StdDev(x), 3.849860850917676)
	near(t, "median", Median(x), 4)
	near(t, "median of an even number", Median(x[:4]), 4)
	near(t, "0.3-quantile", Quantile(x, 0.3), 3.8)
	near(t, "least", Quantile(x, 0), 1)
	near(t, "greatest", Quantile(x, 1), 12)
	near(t, "share of the quartiles", IQRShare(x), (8.25-3.5)/4)
	near(t, "geometric mean", GeometricMean([]float64{0.5, 2, 8}), 2)
	near(t, "spread of one", StdDev(x[:1]), 0)
	if !slices.Equal(x, []float64{9, 1, 4, 4, 12, 3, 7.5}) {
		t.Error("the input was reordered")
	}
	for name, v := range map[string]float64{"mean": Mean(nil), "median": Median(nil), "geometric mean": GeometricMean(nil)} {
		if !math.IsNaN(v) {
			t.Errorf("the %s of nothing is %v", name, v)
		}
	}
}

// measurement draws samples as processes give them: each process has a level of
// its own, its samples scatter around it. The median of all is 10.
func measurement(rng *rand.Rand, processes int) [][]float64 {
	clusters := make([][]float64, processes)
	for i := range clusters {
		level := 10 + rng.NormFloat64()
		for range 10 {
			clusters[i] = append(clusters[i], level+0.1*rng.NormFloat64())
		}
	}
	return clusters
}

// coverage is how often an interval of a fresh measurement holds the truth.
func coverage(interval func(*rand.Rand) Interval, truth float64) float64 {
	rng := rand.New(rand.NewPCG(1, 2))
	const rounds = 300
	held := 0
	for range rounds {
		if interval(rng).Contains(truth) {
			held++
		}
	}
	return float64(held) / rounds
}

func TestIntervalsHoldTheTruth(t *testing.T) {
	median := coverage(func(rng *rand.Rand) Interval { return MedianInterval(measurement(rng, 10)) }, 10)
	if median < 0.91 || median > 0.995 {
		t.Errorf("95 %% intervals of the median hold it in %.0f %%", 100*median)
	}
	few := coverage(func(rng *rand.Rand) Interval { return MedianInterval(measurement(rng, 7)) }, 10)
	if few < 0.94 {
		t.Errorf("95 %% intervals of the median of seven processes hold it in %.0f %%", 100*few)
	}
	ratio := coverage(func(rng *rand.Rand) Interval {
		return RatioInterval(measurement(rng, 10), measurement(rng, 10))
	}, 1)
	if ratio < 0.91 || ratio > 0.999 {
		t.Errorf("95 %% intervals of the ratio hold it in %.0f %%", 100*ratio)
	}
	// Taking the samples for independent is the mistake that clusters avoid.
	independent := coverage(func(rng *rand.Rand) Interval {
		return MedianInterval([][]float64{slices.Concat(measurement(rng, 10)...)})
	}, 10)
	if independent > 0.8 {
		t.Errorf("without clusters the truth is held in %.0f %%; the test data has no clusters", 100*independent)
	}
}

func TestIntervalsOfFewSamples(t *testing.T) {
	if got := MedianInterval([][]float64{{3}}); got != (Interval{3, 3}) {
		t.Errorf("of one sample: %v", got)
	}
	if got := MedianInterval([][]float64{{1, 1}, {5, 5}}); got != (Interval{1, 5}) {
		t.Errorf("of two processes: %v", got)
	}
	if got, want := MedianInterval([][]float64{{}, {1, 2, 3}, {}}), MedianInterval([][]float64{{1, 2, 3}}); got != want {
		t.Errorf("empty clusters change %v to %v", want, got)
	}
}

func TestIntervalProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clusters := rapid.SliceOfN(rapid.SliceOfN(rapid.Float64Range(0.5, 2), 1, 4), 1, 6).Draw(t, "clusters")
		all := slices.Concat(clusters...)
		got := MedianInterval(clusters)
		if got != MedianInterval(clusters) {
			t.Fatal("not the same twice")
		}
		if got.Low > got.High || got.Low < slices.Min(all) || got.High > slices.Max(all) {
			t.Fatalf("%v of %v", got, clusters)
		}
		doubled := make([][]float64, len(clusters))
		for i, c := range clusters {
			for _, v := range c {
				doubled[i] = append(doubled[i], 2*v)
			}
		}
		if twice := MedianInterval(doubled); twice != (Interval{2 * got.Low, 2 * got.High}) {
			t.Fatalf("twice the samples: %v, not twice %v", twice, got)
		}
	})
}

// The error of a median is what medians of such samples differ by.
func TestMedianError(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 0))
	for _, n := range []int{5, 15, 50} {
		var medians, errors []float64
		for range 2000 {
			x := make([]float64, n)
			for i := range x {
				x[i] = 10 + 0.3*rng.NormFloat64()
			}
			medians, errors = append(medians, Median(x)), append(errors, MedianError(x))
		}
		told, is := Mean(errors), StdDev(medians)/10
		if told < 0.7*is || told > 1.3*is {
			t.Errorf("of %d values the median's error is %.4f, and %.4f by what is told", n, is, told)
		}
	}
	if got := MedianError([]float64{3}); got != 0 {
		t.Errorf("of one value: %g", got)
	}
}

func TestSignTest(t *testing.T) {
	for _, c := range []struct {
		wins, n int
		want    float64
	}{{0, 5, 1}, {5, 5, 1.0 / 32}, {4, 5, 6.0 / 32}, {40, 40, math.Pow(2, -40)}} {
		if got := SignTest(c.wins, c.n); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%d of %d: %g, want %g", c.wins, c.n, got, c.want)
		}
	}
}
