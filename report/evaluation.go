package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"nestling/eval"
	"nestling/stats"
)

// Evaluation is the table of an agent's evaluation: a row per program, then geometric
// means with their intervals by family and over all, and how often each contestant failed.
func Evaluation(e *eval.Report) *Table {
	rows := e.Programs
	t := &Table{Title: fmt.Sprintf("Speedup over the default schedule; searches of %d trials", e.Trials)}
	if e.Others > 0 && e.Others != e.Trials && e.Trials > 1 {
		t.Title += fmt.Sprintf(", those compared with of %d", e.Others)
	}
	shown := eval.Asked(rows)
	t.Header = append(append([]string{"program", "default (ms)"}, shown...), "greedy of best")
	for _, r := range rows {
		t.Rows = append(t.Rows, evaluationRow(r, shown))
		t.Notes = append(t.Notes, reasons(r)...)
	}
	for _, family := range eval.Families(rows) {
		t.Footer = append(t.Footer, meansOf(family, eval.OfFamily(rows, family), shown)...)
	}
	t.Footer = append(t.Footer, meansOf(geometricMeanRow, rows, shown)...)
	if len(t.Notes) > 0 {
		t.Footer = append(t.Footer, failuresOf(rows, shown))
	}
	t.Notes = append(t.Notes, Cell{Text: "Means are over the programs that have a value, which is said where it is not all; 95 % intervals are by bootstrap over them."})
	t.Notes = append(t.Notes, comparisons(rows)...)
	return t
}

func evaluationRow(r *eval.Row, shown []string) []Cell {
	usual := Cell{Text: milliseconds(r.DefaultMS)}
	if r.Failures[eval.Default] != "" {
		usual = Cell{Text: "failed", Style: Bad}
	}
	cells := []Cell{{Text: r.Name}, usual}
	for _, name := range shown {
		cells = append(cells, evaluationCell(r, name))
	}
	if r.Share == 0 {
		return append(cells, Cell{Text: "–"})
	}
	return append(cells, Cell{Text: share(r.Share)})
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

// reasons say why what failed on a program did.
func reasons(r *eval.Row) []Cell {
	var out []Cell
	for _, name := range append([]string{eval.Default}, eval.Asked([]*eval.Row{r})...) {
		if why := r.Failures[name]; why != "" {
			out = append(out, Cell{Text: fmt.Sprintf("%s, %s: %s", r.Name, name, why), Style: Bad})
		}
	}
	return out
}

// meansOf are two lines: geometric means, and their intervals.
func meansOf(name string, rows []*eval.Row, shown []string) [][]Cell {
	means, intervals := []Cell{{Text: name}, {}}, []Cell{{Text: "  95 % interval"}, {}}
	add := func(values []float64, show func(float64) string) {
		m := eval.MeanOf(values, len(rows))
		means, intervals = append(means, Cell{Text: meanText(m, show)}), append(intervals, Cell{Text: intervalText(m, show)})
	}
	for _, contestant := range shown {
		add(eval.Speedups(rows, contestant), ratio)
	}
	add(eval.Shares(rows, eval.Greedy), share)
	return [][]Cell{means, intervals}
}

// meanText is a mean with the number of its programs, where that is not all:
// "1.52× (7 of 9)".
func meanText(m eval.Mean, show func(float64) string) string {
	switch m.Programs {
	case 0:
		return "–"
	case m.Of:
		return show(m.Value)
	}
	return fmt.Sprintf("%s (%d of %d)", show(m.Value), m.Programs, m.Of)
}

// intervalText is "0.98–1.52×"; a single program leaves none.
func intervalText(m eval.Mean, show func(float64) string) string {
	if m.Programs < 2 {
		return "–"
	}
	return strings.TrimRight(show(m.Interval.Low), "× %") + "–" + show(m.Interval.High)
}

// failuresOf is a line of how many programs each contestant failed on.
func failuresOf(rows []*eval.Row, shown []string) []Cell {
	cells := []Cell{{Text: "failed"}}
	for _, name := range append([]string{eval.Default}, shown...) {
		n := eval.Failures(rows, name)
		cell := Cell{Text: strconv.Itoa(n)}
		if n > 0 {
			cell.Style = Bad
		}
		cells = append(cells, cell)
	}
	return cells
}

// comparisons hold the agent against others, on the programs of both.
func comparisons(rows []*eval.Row) []Cell {
	var out []Cell
	for _, other := range append([]string{eval.Random, eval.Untrained}, eval.Rivals(rows)...) {
		if text := wins(rows, other); text != "" {
			out = append(out, Cell{Text: text})
		}
	}
	for _, contestant := range []string{eval.Greedy, eval.Search} {
		for _, other := range [][2]string{{eval.Eager, "PyTorch eager"}, {eval.Reference, "the reference schedules"}} {
			if over := eval.Over(rows, contestant, other[0]); len(over) > 0 {
				out = append(out, Cell{Text: fmt.Sprintf("%s over %s, on %s", contestant, other[1], overText(over, len(rows)))})
			}
		}
	}
	return out
}

// overText is "7 of 9 programs: geometric mean 2.63×, 95 % interval 1.49–4.34×; the least 0.958×".
func overText(over []float64, of int) string {
	m := eval.MeanOf(over, of)
	text := fmt.Sprintf("%d of %d programs: geometric mean %s", m.Programs, m.Of, ratio(m.Value))
	if m.Programs > 1 {
		text += fmt.Sprintf(", 95 %% interval %s; the least %s", intervalText(m, ratio), ratio(slices.Min(over)))
	}
	return text
}

// wins say on how many programs the greedy choice is better than what another contestant
// finds by trial, and how likely that is by chance alone; "" where no program tells.
func wins(rows []*eval.Row, other string) string {
	won, n := eval.Wins(rows, eval.Greedy, other)
	if n == 0 {
		return ""
	}
	text := fmt.Sprintf("greedy is faster than %s on %d of %d programs", other, won, n)
	if n < len(rows) {
		text += fmt.Sprintf(" (%d more cannot tell)", len(rows)-n)
	}
	return text + fmt.Sprintf(", what fails being the slower (sign test: p = %.2g)", stats.SignTest(won, n))
}
