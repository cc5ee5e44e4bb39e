package report

import (
	"fmt"

	"nestling/results"
)

// Optimized is the report on one program under several schedules, the first of
// which the others are held against: unscheduled loops, the default schedule,
// the agent's. The entries' methods name the rows.
func Optimized(program string, entries ...results.Entry) *Table {
	t := &Table{
		Title:  "Milliseconds per run of " + program + ", median ± 95 % interval",
		Header: []string{"Schedule", "Time (ms)", "GFLOP/s", "Of peak", "Prepare (ms)", "Error"},
	}
	for _, base := range entries[:len(entries)-1] {
		t.Header = append(t.Header, "Over "+base.Method)
	}
	for i, e := range entries {
		if e.Failed() {
			t.Notes = append(t.Notes, Cell{fmt.Sprintf("%s: failed: %s", e.Method, firstLine(e.Error)), Bad})
		}
		t.Rows = append(t.Rows, optimizedRow(e, entries[:min(i, len(entries)-1)], len(t.Header)))
	}
	return t
}

// optimizedRow holds one schedule against those above it; the row is as wide as
// the table.
func optimizedRow(e results.Entry, above []results.Entry, width int) []Cell {
	row := make([]Cell, 2, width)
	row[0].Text = e.Method
	if e.Failed() {
		row[1] = Cell{"failed", Bad}
		return row
	}
	row[1].Text = timeWithInterval(e)
	row = append(row, Cell{Text: known(e.GFLOPS)}, Cell{Text: share(e.PeakShare)},
		Cell{Text: known(e.PrepareMS)}, Cell{Text: scientific(e.MaxError)})
	for _, base := range above {
		if base.Failed() {
			row = append(row, speedupCell(Speedup{}))
		} else {
			row = append(row, speedupCell(over(base, e)))
		}
	}
	return row
}

func known(v float64) string {
	if v == 0 {
		return ""
	}
	return significant(v, 3)
}
