package eval

import (
	"slices"
	"time"

	"nestling/results"
	"nestling/stats"
)

// Report is an evaluation as files hold it.
type Report struct {
	Agent   string   `json:"agent"`
	Beside  []string `json:"beside,omitempty"` // runs of rivals
	Set     string   `json:"set"`
	Trials  int      `json:"trials"`
	Others  int      `json:"others,omitempty"` // trials of the searches that it is compared with, where that is not as many
	Search  string   `json:"search"`
	Seed    uint64   `json:"seed"`
	Rounds  int      `json:"rounds"`
	Threads int      `json:"threads"`

	Machine  results.MachineInfo `json:"machine,omitzero"`
	Versions results.Versions    `json:"versions,omitzero"`
	Created  time.Time           `json:"created,omitzero"`

	Means       []ContestantMean `json:"means"`
	Comparisons []Comparison     `json:"comparisons"`
	Programs    []*Row           `json:"programs"`
}

// ContestantMean is how fast a contestant is on a family, or on all programs.
type ContestantMean struct {
	Contestant string `json:"contestant"`
	Family     string `json:"family,omitempty"` // "" for all programs
	Failures   int    `json:"failures"`
	Speedup    Mean   `json:"speedup"`       // over the default schedule
	Share      *Mean  `json:"share_of_best"` // of the speed of the best schedule known; nil of PyTorch
}

// Comparison holds a contestant against another, on the programs of both.
type Comparison struct {
	Contestant string  `json:"contestant"`
	Over       string  `json:"over"`
	Speedup    Mean    `json:"speedup"`
	Won        int     `json:"won"` // programs on which it is the faster, what fails being the slower
	Of         int     `json:"of"`  // programs that tell
	P          float64 `json:"p"`   // of as many wins or more by chance: a sign test
}

// Summarize fills in what follows from the programs.
func (r *Report) Summarize() {
	r.Means, r.Comparisons = nil, nil
	asked := Asked(r.Programs)
	for _, family := range append(Families(r.Programs), "") {
		rows := r.Programs
		if family != "" {
			rows = OfFamily(rows, family)
		}
		for _, name := range asked {
			r.Means = append(r.Means, meanOf(rows, name, family))
		}
	}
	for _, name := range []string{Greedy, Search} {
		if !slices.Contains(asked, name) {
			continue
		}
		for _, other := range asked {
			if other == name {
				continue
			}
			won, of := Wins(r.Programs, name, other)
			over := MeanOf(Over(r.Programs, name, other), len(r.Programs))
			r.Comparisons = append(r.Comparisons, Comparison{name, other, over, won, of, stats.SignTest(won, of)})
		}
	}
}

func meanOf(rows []*Row, name, family string) ContestantMean {
	m := ContestantMean{Contestant: name, Family: family, Failures: Failures(rows, name), Speedup: MeanOf(Speedups(rows, name), len(rows))}
	if name != Eager {
		share := MeanOf(Shares(rows, name), len(rows))
		m.Share = &share
	}
	return m
}
