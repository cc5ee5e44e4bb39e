package eval

import (
	"slices"

	"nestling/stats"
)

// Mean is a geometric mean over those of some programs that have a value.
type Mean struct {
	Value    float64        `json:"value"`    // 0 where none has
	Interval stats.Interval `json:"interval"` // 95 %, by bootstrap over the programs
	Programs int            `json:"programs"` // that have a value
	Of       int            `json:"of"`       // programs that were evaluated
}

// MeanOf is the mean of the values that some of so many programs have.
func MeanOf(values []float64, of int) Mean {
	m := Mean{Programs: len(values), Of: of}
	if len(values) > 0 {
		m.Value, m.Interval = stats.GeometricMean(values), stats.GeometricMeanInterval(values)
	}
	return m
}

// Speedups lists those of one contestant, of the programs on which it has one.
func Speedups(rows []*Row, contestant string) []float64 {
	return known(rows, func(r *Row) float64 { return r.Speedups[contestant] })
}

// Shares lists a contestant's speeds as shares of the best known of each program, of the
// programs on which it has one.
func Shares(rows []*Row, contestant string) []float64 {
	return known(rows, func(r *Row) float64 { return r.shareOf(contestant) })
}

// Over lists the speedups of a contestant over another, of the programs on which both have
// one: means of two contestants may be over different programs, and say nothing of each
// other.
func Over(rows []*Row, contestant, other string) []float64 {
	return known(rows, func(r *Row) float64 {
		if r.Speedups[other] == 0 {
			return 0
		}
		return r.Speedups[contestant] / r.Speedups[other]
	})
}

// known lists a value of each program, of those where it is not 0.
func known(rows []*Row, of func(*Row) float64) []float64 {
	var out []float64
	for _, r := range rows {
		if v := of(r); v > 0 {
			out = append(out, v)
		}
	}
	return out
}

// Asked lists the contestants that were asked on any of some programs, in the order of the
// table.
func Asked(rows []*Row) []string {
	asked := map[string]bool{}
	for _, r := range rows {
		for name := range r.Speedups {
			asked[name] = true
		}
		for name := range r.Failures {
			asked[name] = true
		}
	}
	delete(asked, Default)
	return inOrder(asked)
}

// Rivals lists the contestants that are other agents.
func Rivals(rows []*Row) []string {
	return slices.DeleteFunc(Asked(rows), func(name string) bool { return slices.Contains(Contestants, name) })
}

// Families lists those that several programs are of, but not all, in order.
func Families(rows []*Row) []string {
	counts := map[string]int{}
	for _, r := range rows {
		counts[r.Family]++
	}
	var out []string
	for family, n := range counts {
		if family != "" && n > 1 && n < len(rows) {
			out = append(out, family)
		}
	}
	slices.Sort(out)
	return out
}

// OfFamily lists the programs of a family.
func OfFamily(rows []*Row, family string) []*Row {
	return slices.DeleteFunc(slices.Clone(rows), func(r *Row) bool { return r.Family != family })
}

// Wins is on how many of how many programs a contestant is faster than another, as
// Row.Beats has it.
func Wins(rows []*Row, contestant, other string) (won, of int) {
	for _, r := range rows {
		faster, known := r.Beats(contestant, other)
		if known {
			of++
		}
		if faster {
			won++
		}
	}
	return won, of
}

// Failures is on how many programs a contestant, or Default, failed.
func Failures(rows []*Row, name string) int {
	n := 0
	for _, r := range rows {
		if r.Failures[name] != "" {
			n++
		}
	}
	return n
}
