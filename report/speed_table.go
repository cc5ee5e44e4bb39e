package report

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"nestling/results"
	"nestling/stats"
)

// Tables are the measurement as people read it: Nestling's own figures, and one
// table per version of PyTorch.
func (s *Speed) Tables() []*Table {
	tables := []*Table{s.ownTable()}
	for _, p := range s.PyTorch {
		tables = append(tables, s.versusTable(p))
	}
	return tables
}

func (s *Speed) conditions() string {
	return fmt.Sprintf("%s, %s", s.CPU, threadsOf(results.Entry{Threads: s.Threads}))
}

func (s *Speed) ownTable() *Table {
	t := &Table{
		Title:  "Nestling, milliseconds per run, median ± 95 % interval; " + s.conditions(),
		Header: []string{"Benchmark", "Time (ms)", "GFLOP/s", "Of peak", "Error"},
	}
	if s.hasEqual() {
		t.Header = append(t.Header, "Equal numerics (ms)", "Of peak", "Error")
	}
	t.Header = append(t.Header, "Prepare (ms)", "Prepared", "Workspace", "Compile (ms)", "Runs", "Schedule")
	for _, name := range s.Benchmarks {
		t.Rows = append(t.Rows, s.ownRow(name))
		for _, method := range s.contestants() {
			if e := s.Entries[method][name]; e.Failed() {
				t.Notes = append(t.Notes, Cell{fmt.Sprintf("%s, %s: failed: %s", name, method, firstLine(e.Error)), Bad})
			}
		}
	}
	t.Notes = append(t.Notes, Cell{Text: "Of peak: of the multiply-adds of a loop on registers, timed beside every run on as many threads. " +
		"Winograd's algorithm does fewer than are counted."})
	return t
}

func (s *Speed) ownRow(name string) []Cell {
	e, ran := s.ours(Scheduled, name)
	row := []Cell{{Text: name}, timeCell(e, ran), {Text: known(e.GFLOPS)}, {Text: share(e.PeakShare)}, {Text: scientific(e.MaxError)}}
	if s.hasEqual() {
		equal, ran := s.ours(EqualNumerics, name)
		row = append(row, timeCell(equal, ran), Cell{Text: share(equal.PeakShare)}, Cell{Text: scientific(equal.MaxError)})
	}
	return append(row, Cell{Text: known(e.PrepareMS)}, Cell{Text: size(e.PreparedBytes)}, Cell{Text: size(e.WorkspaceBytes)},
		Cell{Text: known(e.CompileMS)}, Cell{Text: strconv.Itoa(e.NumRuns)}, Cell{Text: e.ChosenBy})
}

// hasEqual tells whether EqualNumerics was asked for.
func (s *Speed) hasEqual() bool { return s.Schedules[EqualNumerics] != nil }

// contestants are the names of ours that were asked for.
func (s *Speed) contestants() []string {
	if s.hasEqual() {
		return []string{Scheduled, EqualNumerics}
	}
	return []string{Scheduled}
}

func timeCell(e results.Entry, ran bool) Cell {
	switch {
	case !ran:
		return Cell{Text: "–"}
	case e.Failed():
		return Cell{"failed", Bad}
	}
	return Cell{Text: timeWithInterval(e)}
}

// size prints bytes in units of 1024; nothing for none.
func size(n int64) string {
	switch {
	case n == 0:
		return ""
	case n < 1<<20:
		return known(float64(n)/(1<<10)) + " KiB"
	}
	return known(float64(n)/(1<<20)) + " MiB"
}

func (s *Speed) versusTable(p PyTorch) *Table {
	t := &Table{
		Title:  fmt.Sprintf("PyTorch %s, milliseconds per run, and Nestling's speedups [95 %% interval]; %s", p.Version, s.conditions()),
		Header: slices.Concat([]string{"Benchmark"}, p.Ways, []string{"over eager", "over the fastest"}),
	}
	if s.hasEqual() {
		t.Header = append(t.Header, "equal: over eager", "equal: over the fastest")
	}
	t.Header = append(t.Header, "the peak: over eager")
	for _, way := range p.Ways {
		if way == "jit" || way == "compile" {
			t.Header = append(t.Header, way+" ahead (ms)")
		}
	}
	counted, problems := make([][]float64, 2*len(s.contestants())), false
	for _, name := range s.Benchmarks {
		speedups := s.speedups(p, name)
		for i := range counted {
			counted[i] = append(counted[i], speedups[i].Counted)
			problems = problems || speedups[i].Problem != ""
		}
		t.Rows = append(t.Rows, s.versusRow(p, name, speedups))
		t.Notes = append(t.Notes, s.versusNotes(p, name)...)
	}
	if problems {
		t.Notes = append(t.Notes, Cell{Text: fmt.Sprintf("In the geometric mean, what failed or was not run counts as %g×; what PyTorch has no time for, as %g×.", failed, baselineFailed)})
	}
	footer := make([]Cell, len(t.Header))
	footer[0].Text = geometricMeanRow
	for i := range counted {
		footer[1+len(p.Ways)+i].Text = ratio(stats.GeometricMean(counted[i])) + "  "
	}
	t.Footer = [][]Cell{footer}
	return t
}

// speedups are those of Scheduled over eager and over the fastest, and those of
// EqualNumerics.
func (s *Speed) speedups(p PyTorch, name string) []Speedup {
	var out []Speedup
	eager, eagerRan := s.eager(p, name)
	fastest, way := s.fastest(p, name)
	for _, method := range s.contestants() {
		e, ran := s.ours(method, name)
		out = append(out, against(eager, eagerRan, e, ran), against(fastest, way != "", e, ran))
	}
	return out
}

func (s *Speed) versusRow(p PyTorch, name string, speedups []Speedup) []Cell {
	row := []Cell{{Text: name}}
	_, fastest := s.fastest(p, name)
	var ahead []Cell
	for _, way := range p.Ways {
		e, ran := s.Entries[p.Method(way)][name]
		cell := timeCell(e, ran)
		if way == fastest {
			cell.Text += " *"
		} else {
			cell.Text += "  "
		}
		row = append(row, cell)
		if way == "jit" || way == "compile" {
			ahead = append(ahead, Cell{Text: known(e.PrepareMS)})
		}
	}
	for _, speedup := range speedups {
		row = append(row, intervalCell(speedup))
	}
	return append(append(row, s.peakOver(p, name)), ahead...)
}

// peakOver is how much faster than eager the same multiplications would be at the peak of
// the machine: what no schedule passes that does as many.
func (s *Speed) peakOver(p PyTorch, name string) Cell {
	eager, eagerRan := s.eager(p, name)
	e, ran := s.ours(s.contestants()[len(s.contestants())-1], name)
	if !eagerRan || !ran || eager.Failed() || e.Failed() || e.PeakShare == 0 {
		return Cell{}
	}
	return Cell{Text: ratio(eager.MedianTimeMS/e.MedianTimeMS/e.PeakShare) + "  "}
}

// intervalCell is "1.52× [1.50 1.55]".
func intervalCell(s Speedup) Cell {
	cell := speedupCell(s)
	if s.Interval == nil || s.Ratio == 0 || s.Problem != "" {
		return cell
	}
	cell.Text = fmt.Sprintf("%s [%s %s]", ratio(s.Ratio), significant(s.Interval.Low, 3), significant(s.Interval.High, 3))
	if s.Significant() {
		cell.Text += "  "
	} else {
		cell.Text += " ~"
	}
	return cell
}

// versusNotes tell what failed, and where fewer runs than asked for fitted into
// the budget.
func (s *Speed) versusNotes(p PyTorch, name string) []Cell {
	var notes []Cell
	for _, way := range p.Ways {
		e, ran := s.Entries[p.Method(way)][name]
		switch {
		case e.Failed():
			notes = append(notes, Cell{fmt.Sprintf("%s, %s: failed: %s", name, way, firstLine(e.Error)), Bad})
		case ran && e.NumRuns < s.Processes*s.Runs:
			notes = append(notes, Cell{fmt.Sprintf("%s, %s: %d runs", name, way, e.NumRuns), Weak})
		}
	}
	return notes
}

// scalingFlops is the size from which on a benchmark's threads are expected to
// pay: ten million floating-point operations.
const scalingFlops = 1e7

// Scaling sets two thread counts beside each other: what more threads gain, and
// what they gain the peak loop. Benchmarks below ten million operations are
// left out.
func Scaling(few, many *Speed) *Table {
	t := &Table{
		Title: fmt.Sprintf("Nestling on %d threads over %s; %s", many.Threads, threadsOf(results.Entry{Threads: few.Threads}), many.CPU),
		Header: []string{"Benchmark", threadsOf(results.Entry{Threads: few.Threads}) + " (ms)", fmt.Sprintf("%d threads (ms)", many.Threads),
			"speedup", "of the peak loop", "share", "equal numerics: speedup", "share"},
	}
	for _, name := range many.Benchmarks {
		if row := scalingRow(few, many, name); row != nil {
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

// scalingRow is nil for a benchmark that is too small or failed somewhere.
func scalingRow(few, many *Speed, name string) []Cell {
	gains, peaks := [2]Speedup{}, [2]float64{}
	for i, method := range []string{Scheduled, EqualNumerics} {
		a, ranFew := few.ours(method, name)
		b, ranMany := many.ours(method, name)
		if !ranFew || !ranMany || a.Failed() || b.Failed() || a.PeakGFLOPS == 0 || a.GFLOPS*a.MedianTimeMS*1e6 < scalingFlops {
			return nil
		}
		gains[i], peaks[i] = over(a, b), b.PeakGFLOPS/a.PeakGFLOPS
	}
	a, _ := few.ours(Scheduled, name)
	b, _ := many.ours(Scheduled, name)
	return []Cell{{Text: name}, timeCell(a, true), timeCell(b, true),
		intervalCell(gains[0]), {Text: ratio(peaks[0])}, {Text: share(gains[0].Ratio / peaks[0])},
		intervalCell(gains[1]), {Text: share(gains[1].Ratio / peaks[1])}}
}

// WriteSpeeds writes all tables, as plain text or in colour.
func WriteSpeeds(w io.Writer, speeds []*Speed, colour bool) error {
	for i, t := range speedTables(speeds) {
		if i > 0 {
			if _, err := io.WriteString(w, "\n"); err != nil {
				return err
			}
		}
		if err := t.Write(w, colour); err != nil {
			return err
		}
	}
	return nil
}

func speedTables(speeds []*Speed) []*Table {
	var tables []*Table
	for _, s := range speeds {
		tables = append(tables, s.Tables()...)
	}
	if n := len(speeds); n > 1 {
		tables = append(tables, Scaling(speeds[0], speeds[n-1]))
	}
	return tables
}

// SpeedPage is the section of a page of Markdown that holds the tables.
func SpeedPage(w io.Writer, speeds []*Speed) error {
	var b strings.Builder
	b.WriteString("## The nine benchmarks beside PyTorch\n\n")
	s := speeds[0]
	fmt.Fprintf(&b, "By `nestling bench table`, which prints this again on any machine: the schedules of [`schedules/`](../schedules), and every "+
		"way to run a model in each PyTorch, all taking turns; %d runs as %d fresh processes of %d, fewer where a row's %s were used up; "+
		"every output checked. Times of preparation (`prepare`, tracing, compiling) are not in the times of runs.\n\n",
		s.Processes*s.Runs, s.Processes, s.Runs, s.Budget)
	fmt.Fprintf(&b, "- *eager* is PyTorch as it comes; *channels-last* is given images and weights in channels-last memory format and keeps its "+
		"result in it, so no change of layout is in its time, while everyone else takes and gives NCHW; *jit* is traced, frozen and optimized "+
		"for inference; *compile* is `torch.compile`.\n")
	fmt.Fprintf(&b, "- `*` marks the fastest of them, `~` a difference that may be chance.\n")
	fmt.Fprintf(&b, "- *Equal numerics*: schedules that keep within %g of Σ|terms|, which keeps Winograd's algorithm out.\n", EqualTolerance)
	b.WriteString("- *The peak: over eager* is how much faster than eager the program's own multiplications would be at the peak of the machine: " +
		"more than any schedule can reach that does as many, and only Winograd's algorithm does fewer.\n")
	for _, line := range s.versions() {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	b.WriteString("\n")
	for _, t := range speedTables(speeds) {
		b.WriteString("```\n")
		if err := t.Write(&b, false); err != nil {
			return err
		}
		b.WriteString("```\n\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// versions tells what the numbers were made with.
func (s *Speed) versions() []string {
	lines := []string{"Nestling at " + s.Nestling + "."}
	for _, p := range s.PyTorch {
		for _, name := range s.Benchmarks {
			if v := s.Entries[p.Method("eager")][name].Versions; v.Torch != "" {
				lines = append(lines, fmt.Sprintf("PyTorch %s: Python %s, products by %s.", v.Torch, v.Python, v.BLAS))
				break
			}
		}
	}
	return lines
}
