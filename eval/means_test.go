package eval

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Three programs: on the second greedy failed, on the third PyTorch.
var some = []*Row{
	{Speedups: map[string]float64{Greedy: 2, Eager: 0.5, Search: 4}},
	{Speedups: map[string]float64{Eager: 8}, Failures: map[string]string{Greedy: "crash"}},
	{Speedups: map[string]float64{Greedy: 8}, Failures: map[string]string{Eager: "no memory", Search: "wrong"}},
}

// A comparison is over the programs of both, and no quotient of means over different ones.
func TestComparisonsAreOverProgramsOfBoth(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want []float64
	}{
		{"greedy", Speedups(some, Greedy), []float64{2, 8}},
		{"greedy over eager", Over(some, Greedy, Eager), []float64{4}},
		{"search over greedy", Over(some, Search, Greedy), []float64{2}},
		{"random over greedy", Over(some, Random, Greedy), nil},
		{"greedy over random", Over(some, Greedy, Random), nil},
		{"shares of greedy", Shares(some, Greedy), []float64{0.5, 1}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", c.name, diff)
		}
	}
}

func TestMeansKnowHowManyProgramsTheyAreOver(t *testing.T) {
	m := MeanOf(Speedups(some, Greedy), len(some))
	if math.Abs(m.Value-4) > 1e-12 || m.Programs != 2 || m.Of != 3 || math.Abs(m.Interval.Low-2) > 1e-12 || math.Abs(m.Interval.High-8) > 1e-12 {
		t.Errorf("%+v; want 4 over 2 of 3 programs, from 2 to 8", m)
	}
	if none := MeanOf(Speedups(some, Random), len(some)); none != (Mean{Of: 3}) {
		t.Errorf("of nothing: %+v", none)
	}
}

func TestFailuresAreCounted(t *testing.T) {
	for name, want := range map[string]int{Greedy: 1, Search: 1, Eager: 1, Random: 0, Default: 0} {
		if got := Failures(some, name); got != want {
			t.Errorf("%s failed on %d programs, want %d", name, got, want)
		}
	}
}
