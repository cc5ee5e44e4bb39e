package report

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"nestling/results"
	"nestling/stats"
	"nestling/suite"
)

// The files of a comparison, beside the methods' own.
const (
	JSONFile         = "comparison_results.json"
	CSVFile          = "comparison_summary.csv"
	BarPlotFile      = "comparison_bar_plot.png"
	SpeedupPlotFile  = "speedup_comparison.png"
	baseline         = results.PyTorchDefault // what speedups are over
	baselineFailed   = 1.0
	failed           = 0.01
	notableSpread    = 0.10
	alarmingSpread   = 0.25
	geometricMeanRow = "geometric mean"
)

// Comparison holds every method's results, benchmark by benchmark.
type Comparison struct {
	Methods []results.Method `json:"methods"` // those that were run, in the order of results.Methods
	Rows    []Row            `json:"rows"`    // every benchmark that any of them has
}

// Row is one benchmark, with maps by method name.
type Row struct {
	Benchmark string                   `json:"benchmark"`
	Entries   map[string]results.Entry `json:"entries"`  // missing where a method did not run it
	Speedups  map[string]Speedup       `json:"speedups"` // over PyTorch Default, of all other methods
}

// Compare reads the methods' results files in a run's benchmarks folder and
// writes the four comparison files beside them. A missing, empty or damaged file
// is an error that names the command that makes it; benchmarks that failed are
// results like any other, and stay.
func Compare(dir string) (*Comparison, error) {
	files, err := load(dir)
	if err != nil {
		return nil, err
	}
	c := NewComparison(files)
	return c, c.Write(dir)
}

// load reads the methods' results files in a folder, by method name.
func load(dir string) (map[string]results.File, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s is not a folder of benchmark results; they lie in a run's, such as results/lstm/run_0/benchmarks", dir)
	}
	files := map[string]results.File{}
	for _, m := range results.Methods {
		path := filepath.Join(dir, m.File)
		if _, err := os.Stat(path); m.Optional && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		file, err := results.Read(path)
		if err != nil {
			return nil, err
		}
		files[m.Name] = file
	}
	return files, nil
}

// NewComparison compares the methods' results, given by method name.
func NewComparison(files map[string]results.File) *Comparison {
	c := &Comparison{}
	entries := map[string]map[string]results.Entry{} // by benchmark, by method
	for _, m := range results.Methods {
		file, ran := files[m.Name]
		if ran {
			c.Methods = append(c.Methods, m)
		}
		for name, entry := range file {
			if entries[name] == nil {
				entries[name] = map[string]results.Entry{}
			}
			entries[name][m.Name] = entry
		}
	}
	for name, byMethod := range entries {
		row := Row{Benchmark: name, Entries: byMethod, Speedups: map[string]Speedup{}}
		for _, m := range c.challengers() {
			row.Speedups[m.Name] = row.speedup(m.Name)
		}
		c.Rows = append(c.Rows, row)
	}
	slices.SortFunc(c.Rows, byBenchmark)
	return c
}

// byBenchmark orders the nine as the suite does, and others by name after them.
func byBenchmark(a, b Row) int {
	place := func(r Row) int {
		if i := slices.Index(suite.Names(), r.Benchmark); i >= 0 {
			return i
		}
		return len(suite.Names())
	}
	return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a.Benchmark, b.Benchmark))
}

// Write writes the four comparison files.
func (c *Comparison) Write(dir string) error {
	byMethod := map[string]results.File{}
	for _, m := range c.Methods {
		byMethod[m.Name] = results.File{}
	}
	for _, row := range c.Rows {
		for method, entry := range row.Entries {
			byMethod[method][row.Benchmark] = entry
		}
	}
	if err := results.WriteJSON(filepath.Join(dir, JSONFile), byMethod); err != nil {
		return err
	}
	table, err := c.CSV()
	if err != nil {
		return err
	}
	if err := results.WriteFile(filepath.Join(dir, CSVFile), table); err != nil {
		return err
	}
	if err := c.BarPlot(filepath.Join(dir, BarPlotFile)); err != nil {
		return err
	}
	return c.SpeedupPlot(filepath.Join(dir, SpeedupPlotFile))
}

// Speedup is how much faster a method is than PyTorch Default.
type Speedup struct {
	Ratio float64 `json:"ratio"` // of the medians
	// Interval is the ratio's 95 % interval; nil where samples are missing.
	Interval *stats.Interval `json:"ci95,omitempty"`
	// Problem tells why there is no ratio, or why it does not count.
	Problem string `json:"problem,omitempty"`
	// Counted is what the geometric mean takes: see GeometricMean.
	Counted float64 `json:"counted"`
}

// Significant tells whether the ratio is known to differ from 1.
func (s Speedup) Significant() bool { return s.Interval != nil && !s.Interval.Contains(1) }

func (r Row) speedup(method string) Speedup {
	if problem := r.problem(method); problem != "" {
		return Speedup{Problem: problem, Counted: failed}
	}
	entry, base := r.Entries[method], r.Entries[baseline]
	if problem := r.problem(baseline); problem != "" {
		return Speedup{Problem: baseline + " " + problem, Counted: baselineFailed}
	}
	s := over(base, entry)
	if a := r.agreement(method, baseline); a != nil && !a.OK() {
		s.Problem, s.Counted = "outputs differ", failed
	}
	return s
}

// over is how much faster an entry is than another; both have times.
func over(base, entry results.Entry) Speedup {
	ratio := base.MedianTimeMS / entry.MedianTimeMS
	s := Speedup{Ratio: ratio, Counted: ratio}
	if above, below := base.Processes(), entry.Processes(); above != nil && below != nil {
		interval := stats.RatioInterval(above, below)
		s.Interval = &interval
	}
	return s
}

// problem tells why a method has no time, or "".
func (r Row) problem(method string) string {
	entry, ran := r.Entries[method]
	switch {
	case !ran:
		return "not run"
	case entry.Failed():
		return "failed"
	}
	return ""
}

// agreement of two methods' outputs, whichever of them recorded it; the worse
// where both did, nil where none did.
func (r Row) agreement(a, b string) *results.Agreement {
	var worst *results.Agreement
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		found, ok := r.Entries[pair[0]].Agreement[pair[1]]
		if ok && (worst == nil || worst.OK()) {
			worst = &found
		}
	}
	return worst
}

// GeometricMean is that of a method's speedups over all benchmarks, none left
// out: one that failed, was not run, or whose outputs differ from PyTorch
// Default's counts as 0.01, a hundred times slower; one that PyTorch Default has
// no time for counts as 1.
func (c *Comparison) GeometricMean(method string) float64 {
	counted := make([]float64, len(c.Rows))
	for i, row := range c.Rows {
		counted[i] = row.Speedups[method].Counted
	}
	return stats.GeometricMean(counted)
}

// challengers are the methods that speedups are given for.
func (c *Comparison) challengers() []results.Method {
	return slices.DeleteFunc(slices.Clone(c.Methods), func(m results.Method) bool { return m.Name == baseline })
}
