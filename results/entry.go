package results

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"nestling/stats"
)

// Entry is one benchmark run by one method. Times are milliseconds of one run.
// The first keys are those that people's notebooks read; an entry with Error
// has no times.
type Entry struct {
	Method       string  `json:"method"`
	Benchmark    string  `json:"benchmark"`
	NumRuns      int     `json:"num_runs"`
	MeanTimeMS   float64 `json:"mean_time_ms"`
	MinTimeMS    float64 `json:"min_time_ms"`
	MaxTimeMS    float64 `json:"max_time_ms"`
	StdTimeMS    float64 `json:"std_time_ms"`
	MedianTimeMS float64 `json:"median_time_ms"`
	Error        string  `json:"error,omitempty"`

	SamplesMS []float64 `json:"samples_ms,omitempty"`
	// ProcessRuns is how many of the samples each process took, in order.
	ProcessRuns []int `json:"process_runs,omitempty"`
	// CI95MS is the 95 % interval of the median, low and high end.
	CI95MS []float64 `json:"ci95_ms,omitempty"`
	// IQRShare is the interquartile range over the median.
	IQRShare float64 `json:"iqr_share,omitempty"`

	Threads    int     `json:"threads,omitempty"`
	GFLOPS     float64 `json:"gflops,omitempty"`      // by the program's own count of operations
	PeakGFLOPS float64 `json:"peak_gflops,omitempty"` // measured beside it, on as many threads
	PeakShare  float64 `json:"peak_share,omitempty"`  // GFLOPS / PeakGFLOPS
	// MaxError is the largest |got − want| / Σ|terms| against the reference.
	MaxError float64 `json:"max_error,omitempty"`
	// PrepareMS is the time of work done once, ahead, on weights alone.
	PrepareMS float64 `json:"prepare_ms,omitempty"`
	// PreparedBytes is what that work leaves in memory, WorkspaceBytes what a run
	// needs besides its inputs and outputs.
	PreparedBytes  int64 `json:"prepared_bytes,omitempty"`
	WorkspaceBytes int64 `json:"workspace_bytes,omitempty"`
	// CompileMS is the time from the program's text to object code.
	CompileMS float64 `json:"compile_ms,omitempty"`
	// Agreement compares the outputs with other methods', by method name.
	Agreement map[string]Agreement `json:"agreement,omitempty"`

	Schedule string `json:"schedule,omitempty"`  // text form
	ChosenBy string `json:"chosen_by,omitempty"` // "greedy", "search", "default", or the file it is in
	Trials   int    `json:"trials,omitempty"`    // candidates measured before this one was chosen

	Machine  MachineInfo `json:"machine,omitzero"`
	Versions Versions    `json:"versions,omitzero"`
	Created  time.Time   `json:"created,omitzero"`
}

// Agreement says how far two methods' outputs are apart.
type Agreement struct {
	MaxError  float64 `json:"max_error"` // largest difference over Σ|terms|
	Tolerance float64 `json:"tolerance"`
}

// NewAgreement records a difference. JSON has no NaN and no infinity; such a
// difference becomes the largest number, which no tolerance admits.
func NewAgreement(maxError, tolerance float64) Agreement {
	if math.IsNaN(maxError) || math.IsInf(maxError, 0) {
		maxError = math.MaxFloat64
	}
	return Agreement{maxError, tolerance}
}

// OK tells whether the outputs agree.
func (a Agreement) OK() bool { return a.MaxError <= a.Tolerance }

// NewEntry makes the entry of a successful benchmark from its samples
// [process][run], milliseconds; there must be at least one. The caller adds
// what else it knows.
func NewEntry(method, benchmark string, processes [][]float64) Entry {
	samples := slices.Concat(processes...)
	interval := stats.MedianInterval(processes)
	e := Entry{
		Method: method, Benchmark: benchmark, NumRuns: len(samples), SamplesMS: samples,
		MeanTimeMS: stats.Mean(samples), MinTimeMS: slices.Min(samples), MaxTimeMS: slices.Max(samples),
		StdTimeMS: stats.StdDev(samples), MedianTimeMS: stats.Median(samples),
		CI95MS: []float64{interval.Low, interval.High}, IQRShare: stats.IQRShare(samples),
		Machine: Machine(), Versions: ThisBuild(), Created: time.Now().UTC().Truncate(time.Second),
	}
	for _, p := range processes {
		e.ProcessRuns = append(e.ProcessRuns, len(p))
	}
	return e
}

// NewFailure makes the entry of a benchmark that gave no valid time.
func NewFailure(method, benchmark string, err error) Entry {
	return Entry{
		Method: method, Benchmark: benchmark, Error: err.Error(),
		Machine: Machine(), Versions: ThisBuild(), Created: time.Now().UTC().Truncate(time.Second),
	}
}

// Failed tells whether the entry has an error in place of times.
func (e Entry) Failed() bool { return e.Error != "" }

// Processes splits the samples by process, as [process][run]. Files of others
// may have no samples; then it is empty.
func (e Entry) Processes() [][]float64 {
	var processes [][]float64
	rest := e.SamplesMS
	for _, n := range e.ProcessRuns {
		processes = append(processes, rest[:n])
		rest = rest[n:]
	}
	if len(rest) > 0 {
		processes = append(processes, rest)
	}
	return processes
}

// MarshalJSON leaves the times of a failed entry out: a zero would read like a
// measurement.
func (e Entry) MarshalJSON() ([]byte, error) {
	type plain Entry
	if !e.Failed() {
		return json.Marshal(plain(e))
	}
	return json.Marshal(struct {
		plain
		NumRuns      *int `json:"num_runs,omitempty"`
		MeanTimeMS   *int `json:"mean_time_ms,omitempty"`
		MinTimeMS    *int `json:"min_time_ms,omitempty"`
		MaxTimeMS    *int `json:"max_time_ms,omitempty"`
		StdTimeMS    *int `json:"std_time_ms,omitempty"`
		MedianTimeMS *int `json:"median_time_ms,omitempty"`
	}{plain: plain(e)})
}

// check tells what is wrong with an entry that claims to belong to benchmark.
func (e Entry) check(benchmark string) error {
	switch {
	case e.Method == "":
		return fmt.Errorf("%s has no %q", benchmark, "method")
	case e.Benchmark != benchmark:
		return fmt.Errorf("the entry %q says it is of benchmark %q", benchmark, e.Benchmark)
	case e.Failed():
		return nil
	case e.NumRuns < 1:
		return fmt.Errorf("%s has neither runs nor an %q", benchmark, "error")
	}
	if err := e.checkTimes(); err != nil {
		return fmt.Errorf("%s: %w", benchmark, err)
	}
	return nil
}

func (e Entry) checkTimes() error {
	for _, t := range append([]float64{e.MeanTimeMS, e.MinTimeMS, e.MaxTimeMS, e.MedianTimeMS}, e.SamplesMS...) {
		if !(t > 0) || math.IsInf(t, 0) {
			return fmt.Errorf("a time of %g ms; times are above zero and finite", t)
		}
	}
	if e.SamplesMS != nil && len(e.SamplesMS) != e.NumRuns {
		return fmt.Errorf("%d samples of %d runs", len(e.SamplesMS), e.NumRuns)
	}
	if e.CI95MS != nil && len(e.CI95MS) != 2 {
		return fmt.Errorf("ci95_ms has %d numbers; it is the low and the high end", len(e.CI95MS))
	}
	if err := e.checkRates(); err != nil {
		return err
	}
	return e.checkProcesses()
}

// checkRates refuses what a division by nothing leaves: JSON cannot hold it, and
// one bad number must not cost the file without saying which.
func (e Entry) checkRates() error {
	for _, rate := range []struct {
		key   string
		value float64
	}{
		{"std_time_ms", e.StdTimeMS}, {"iqr_share", e.IQRShare}, {"gflops", e.GFLOPS}, {"peak_gflops", e.PeakGFLOPS},
		{"peak_share", e.PeakShare}, {"max_error", e.MaxError}, {"prepare_ms", e.PrepareMS},
		{"compile_ms", e.CompileMS},
	} {
		if !(rate.value >= 0) || math.IsInf(rate.value, 0) {
			return fmt.Errorf("%s is %g; it is zero or above, and finite", rate.key, rate.value)
		}
	}
	return nil
}

func (e Entry) checkProcesses() error {
	if e.ProcessRuns == nil {
		return nil
	}
	sum := 0
	for _, n := range e.ProcessRuns {
		if n < 0 {
			return fmt.Errorf("process_runs holds %d", n)
		}
		sum += n
	}
	if sum != len(e.SamplesMS) {
		return fmt.Errorf("process_runs add up to %d, but there are %d samples", sum, len(e.SamplesMS))
	}
	return nil
}
