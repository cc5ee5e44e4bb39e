package eval

import "nestling/stats"

// Mean is a geometric mean over those of some programs that have a value.
type Mean struct {
	Value    float64        // 0 where none has
	Interval stats.Interval // 95 %, by bootstrap over the programs
	Programs int            // that have a value
	Of       int            // programs that were evaluated
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
