package results

import (
	"slices"
	"strings"
)

// FamilyRow is the default schedule of one program beside the program unscheduled.
type FamilyRow struct {
	Name          string   `json:"name"`
	Family        string   `json:"family"`
	Threads       int      `json:"threads"`
	Schedule      []string `json:"schedule"` // one line per operation
	UnscheduledMS float64  `json:"unscheduled_ms"`
	DefaultMS     float64  `json:"default_ms"`
	Speedup       float64  `json:"speedup"` // median over rounds of the ratio to the peak loop, unscheduled over default
	GFLOPS        float64  `json:"gflops"`
	PeakShare     float64  `json:"peak_share"`
	MemoryBound   bool     `json:"memory_bound"` // its work is to move memory; the following are of such
	Bytes         float64  `json:"bytes"`        // of arguments and results
	GBs           float64  `json:"gb_per_s,omitempty"`
	StreamGBs     float64  `json:"stream_gb_per_s,omitempty"` // of a plain loop over as much memory
	StreamShare   float64  `json:"stream_share,omitempty"`    // median over blocks
	MaxError      float64  `json:"max_error"`
	Error         string   `json:"error,omitempty"`
}

// Unchanged reports whether the default schedule leaves every operation as it is: what is
// timed twice is the same code.
func (r FamilyRow) Unchanged() bool {
	changes := func(line string) bool { return !strings.HasSuffix(line, ": NT") }
	return len(r.Schedule) > 0 && !slices.ContainsFunc(r.Schedule, changes)
}
