package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"

	"nestling/results"
)

// Names of Nestling's contestants in Speed.
const (
	// Scheduled runs the fastest schedules known.
	Scheduled = "Nestling"
	// EqualNumerics runs the fastest that keep within EqualTolerance, which
	// Winograd's algorithm cannot. Benchmarks in which Scheduled does so are not
	// run twice.
	EqualNumerics = "Nestling, equal numerics"
)

// EqualTolerance is the largest error, relative to Σ|terms|, of schedules that
// sum the same products as PyTorch.
const EqualTolerance = 1e-5

// Speed is how fast benchmarks ran with Nestling's schedules and in one or more
// versions of PyTorch, on one number of threads, all taking turns.
type Speed struct {
	Setup
	// Complete tells that nothing is left to run of what Setup asks for.
	Complete bool                    `json:"complete"`
	Entries  map[string]results.File `json:"entries"` // by method
}

// Setup is what was to be measured, with what and where. Only measurements of
// one setup go together.
type Setup struct {
	Threads    int      `json:"threads"`
	Processes  int      `json:"processes"`
	Runs       int      `json:"runs"` // per process
	Budget     string   `json:"budget"`
	Tolerance  float64  `json:"tolerance"`
	Seed       uint64   `json:"seed"`
	Benchmarks []string `json:"benchmarks"`
	// Schedules are texts by method and benchmark.
	Schedules map[string]map[string]string `json:"schedules"`
	PyTorch   []PyTorch                    `json:"pytorch"`
	Nestling  string                       `json:"nestling"` // git revision
	CPU       string                       `json:"cpu"`
}

// Equal tells whether two setups measure the same.
func (s Setup) Equal(other Setup) bool { return reflect.DeepEqual(s, other) }

// PyTorch is one version of it.
type PyTorch struct {
	Version string   `json:"version"` // "1.13"
	Ways    []string `json:"ways"`    // to run a model: "eager", "channels-last", "jit", "compile"
}

// Method is the name of a contestant: "PyTorch 1.13 eager".
func (p PyTorch) Method(way string) string { return "PyTorch " + p.Version + " " + way }

// speedFile holds the measurement of one thread count in a folder.
func speedFile(dir string, threads int) string {
	return filepath.Join(dir, "threads_"+strconv.Itoa(threads)+".json")
}

// Write stores the measurement in a folder, one file per thread count.
func (s *Speed) Write(dir string) error {
	return results.WriteJSON(speedFile(dir, s.Threads), s)
}

// ReadSpeed reads a measurement back. Where there is none the error is
// fs.ErrNotExist.
func ReadSpeed(dir string, threads int) (*Speed, error) {
	return readSpeed(speedFile(dir, threads))
}

func readSpeed(path string) (*Speed, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := &Speed{}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("%s: not a measurement of speed: %w; `nestling bench table --again` makes it anew", path, err)
	}
	return s, nil
}

// ReadSpeeds reads all of a folder, by rising thread count.
func ReadSpeeds(dir string) ([]*Speed, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "threads_*.json"))
	if err != nil {
		return nil, err
	}
	var speeds []*Speed
	for _, path := range paths {
		s, err := readSpeed(path)
		if err != nil {
			return nil, err
		}
		speeds = append(speeds, s)
	}
	if len(speeds) == 0 {
		return nil, errors.New(dir + " holds no measurement of speed; `nestling bench table` makes one")
	}
	slices.SortFunc(speeds, func(a, b *Speed) int { return a.Threads - b.Threads })
	return speeds, nil
}

// ours is the entry of one of Nestling's contestants; that of EqualNumerics is
// Scheduled's where they do the same.
func (s *Speed) ours(method, benchmark string) (results.Entry, bool) {
	if _, apart := s.Schedules[EqualNumerics][benchmark]; !apart {
		method = Scheduled
	}
	e, ran := s.Entries[method][benchmark]
	return e, ran
}

// eager is PyTorch's entry without anything asked of it.
func (s *Speed) eager(p PyTorch, benchmark string) (results.Entry, bool) {
	e, ran := s.Entries[p.Method("eager")][benchmark]
	return e, ran
}

// fastest is the entry of the least median of all of PyTorch's ways, and that way.
func (s *Speed) fastest(p PyTorch, benchmark string) (best results.Entry, way string) {
	for _, w := range p.Ways {
		e, ran := s.Entries[p.Method(w)][benchmark]
		if ran && !e.Failed() && (way == "" || e.MedianTimeMS < best.MedianTimeMS) {
			best, way = e, w
		}
	}
	return best, way
}

// against is how much faster an entry of ours is than one of PyTorch's. Failures
// count as in Comparison.GeometricMean.
func against(base results.Entry, baseRan bool, entry results.Entry, ran bool) Speedup {
	switch {
	case !ran:
		return Speedup{Problem: "not run", Counted: failed}
	case entry.Failed():
		return Speedup{Problem: "failed", Counted: failed}
	case !baseRan || base.Failed():
		return Speedup{Problem: "PyTorch failed", Counted: baselineFailed}
	}
	return over(base, entry)
}
