package report

import (
	"fmt"
	"math"
	"slices"

	"nestling/eval"
	"nestling/stats"
)

// Evaluation is the table of an agent's evaluation: a row per program, then geometric
// means by family and over all.
func Evaluation(rows []*eval.Row, trials int) *Table {
	t := &Table{Title: fmt.Sprintf("Speedup over the default schedule; searches of %d trials", trials)}
	var shown []string
	for _, name := range eval.Contestants {
		if slices.ContainsFunc(rows, func(r *eval.Row) bool { return r.Speedups[name] > 0 || r.Failures[name] != "" }) {
			shown = append(shown, name)
		}
	}
	t.Header = append(append([]string{"program", "default (ms)"}, shown...), "greedy of best")
	for _, r := range rows {
		cells := []Cell{{Text: r.Name}, {Text: milliseconds(r.DefaultMS)}}
		for _, name := range shown {
			cells = append(cells, evaluationCell(r, name))
		}
		t.Rows = append(t.Rows, append(cells, Cell{Text: fmt.Sprintf("%.0f %%", 100*r.Share)}))
		for _, name := range append([]string{eval.Default}, eval.Contestants...) {
			if why := r.Failures[name]; why != "" {
				t.Notes = append(t.Notes, Cell{Text: fmt.Sprintf("%s, %s: %s", r.Name, name, why), Style: Bad})
			}
		}
	}
	for _, family := range families(rows) {
		some := slices.DeleteFunc(slices.Clone(rows), func(r *eval.Row) bool { return r.Family != family })
		t.Footer = append(t.Footer, meansOf(family, some, shown))
	}
	t.Footer = append(t.Footer, meansOf("geometric mean", rows, shown))
	t.Notes = append(t.Notes, comparisons(rows)...)
	return t
}

func evaluationCell(r *eval.Row, name string) Cell {
	s := r.Speedups[name]
	switch {
	case r.Failures[name] != "":
		return Cell{Text: "failed", Style: Bad}
	case s == 0:
		return Cell{Text: "–"}
	case s > 1.02:
		return Cell{Text: ratio(s), Style: Good}
	case s < 0.98:
		return Cell{Text: ratio(s), Style: Weak}
	}
	return Cell{Text: ratio(s)}
}

// families lists those that several programs are of, in order.
func families(rows []*eval.Row) []string {
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

// meansOf is a line of geometric means.
func meansOf(name string, rows []*eval.Row, shown []string) []Cell {
	cells := []Cell{{Text: name}, {}}
	for _, contestant := range shown {
		all := eval.Speedups(rows, contestant)
		if len(all) == 0 {
			cells = append(cells, Cell{Text: "–"})
			continue
		}
		cells = append(cells, Cell{Text: ratio(stats.GeometricMean(all))})
	}
	var shares []float64
	for _, r := range rows {
		if r.Share > 0 {
			shares = append(shares, r.Share)
		}
	}
	if len(shares) == 0 {
		return append(cells, Cell{Text: "–"})
	}
	return append(cells, Cell{Text: fmt.Sprintf("%.0f %%", 100*stats.GeometricMean(shares))})
}

// comparisons say on how many programs the greedy choice is better than what others find
// by trial, and how likely that is by chance alone.
func comparisons(rows []*eval.Row) []Cell {
	var out []Cell
	for _, other := range []string{eval.Random, eval.Untrained} {
		wins, n := 0, 0
		for _, r := range rows {
			faster, known := r.Beats(eval.Greedy, other)
			if known {
				n++
			}
			if faster {
				wins++
			}
		}
		if n > 0 {
			out = append(out, Cell{Text: fmt.Sprintf("greedy is faster than %s on %d of %d programs (sign test: p = %.2g)", other, wins, n, signTest(wins, n))})
		}
	}
	for _, contestant := range []string{eval.Greedy, eval.Search} {
		over := eval.OverEager(rows, contestant)
		if len(over) == 0 {
			continue
		}
		mean := stats.GeometricMeanInterval(over)
		out = append(out, Cell{Text: fmt.Sprintf("%s over PyTorch eager: geometric mean %s, 95 %% interval %s to %s; the least %s",
			contestant, ratio(stats.GeometricMean(over)), ratio(mean.Low), ratio(mean.High), ratio(slices.Min(over)))})
	}
	all := eval.Speedups(rows, eval.Greedy)
	if len(all) == 0 {
		return out
	}
	mean := stats.GeometricMeanInterval(all)
	return append(out, Cell{Text: fmt.Sprintf("greedy over the default schedule: 95 %% interval of the geometric mean %s to %s", ratio(mean.Low), ratio(mean.High))})
}

// signTest is the probability that at least so many of n fair coins fall on one side.
func signTest(wins, n int) float64 {
	p := 0.0
	for k := wins; k <= n; k++ {
		a, _ := math.Lgamma(float64(n + 1))
		b, _ := math.Lgamma(float64(k + 1))
		c, _ := math.Lgamma(float64(n - k + 1))
		p += math.Exp(a - b - c - float64(n)*math.Ln2)
	}
	return p
}
