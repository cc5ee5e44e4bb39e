package report

import (
	"fmt"

	"nestling/results"
)

// What default schedules are held to.
const (
	// leastSpeedup over unscheduled code, less what timing cannot tell.
	leastSpeedup = 0.97
	// leastStreamShare is how much of a plain loop's bandwidth a program that only
	// moves memory has to reach.
	leastStreamShare = 0.85
	// beyondCaches is the traffic, in bytes, from which it is memory that bounds it.
	beyondCaches = 40 << 20
)

// Families is the table of default schedules, a row per program.
func Families(rows []results.FamilyRow) *Table {
	t := &Table{Header: []string{"program", "unscheduled (ms)", "default (ms)", "speedup", "GFLOP/s", "of peak", "GB/s", "plain loop", "share", "error"}}
	slower, same, large, below, failed := 0, 0, 0, 0, 0
	for _, r := range rows {
		if r.Error != "" {
			failed++
			t.Rows = append(t.Rows, []Cell{{Text: r.Name}, {Text: "failed", Style: Bad}})
			t.Notes = append(t.Notes, Cell{Text: r.Name + ": " + r.Error, Style: Bad})
			continue
		}
		speedup, share := Cell{Text: ratio(r.Speedup), Style: Good}, Cell{}
		switch {
		case r.Unchanged():
			same++
			speedup = Cell{Text: "same code"}
		case r.Speedup < leastSpeedup:
			slower++
			speedup.Style = Bad
		}
		cells := []Cell{{Text: r.Name}, {Text: milliseconds(r.UnscheduledMS)}, {Text: milliseconds(r.DefaultMS)}, speedup, {}, {}, {}, {}, share, {Text: fmt.Sprintf("%.0e", r.MaxError)}}
		if r.GFLOPS > 0 {
			cells[4].Text, cells[5].Text = significant(r.GFLOPS, 3), fmt.Sprintf("%.0f %%", 100*r.PeakShare)
		}
		if r.MemoryBound {
			cells[6].Text, cells[7].Text = significant(r.GBs, 3), significant(r.StreamGBs, 3)
			cells[8].Text = fmt.Sprintf("%.0f %%", 100*r.StreamShare)
			if r.Bytes > beyondCaches {
				large++
			}
			if r.Bytes > beyondCaches && r.StreamShare < leastStreamShare {
				below++
				cells[8].Style = Weak
			}
		}
		t.Rows = append(t.Rows, cells)
	}
	t.Notes = append(t.Notes, Cell{Text: fmt.Sprintf("%d programs: %d failed, %d slower than unscheduled, %d the same code; of %d that move more than %d MB, %d below %.0f %% of a plain loop's bandwidth",
		len(rows), failed, slower, same, large, beyondCaches>>20, below, 100*leastStreamShare)})
	return t
}
