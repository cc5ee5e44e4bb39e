// Package figures writes docs/results.md: reference schedules beside PyTorch from
// the results of `nestling bench table`, default schedules beside unscheduled code
// from those of `nestling bench families`, Nestling's own speed from Go benchmarks,
// what a training did from its log, and the nine benchmarks with its agent from a
// run's results. It measures nothing itself.
package figures

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"

	"nestling/policy"
	"nestling/ppo"
	"nestling/report"
	"nestling/results"
	"nestling/stats"
)

// Speed is one Go benchmark: its unit values over all its runs.
type Speed struct {
	Name   string               // as go test prints it: "Step/lstm-2"
	Values map[string][]float64 // by unit: "sec/op", "schedules/s"
}

// cores matches what go test appends to a name for the number of cores, where that is not 1.
var cores = regexp.MustCompile(`^-[0-9]+$`)

// of tells whether the speed is a benchmark's, on however many cores. A benchmark's own name
// may end in a number, too: Step/gpt-2.
func (s Speed) of(benchmark string) bool {
	rest, ok := strings.CutPrefix(s.Name, benchmark)
	return ok && (rest == "" || cores.MatchString(rest))
}

// ReadSpeeds reads the output of `go test -bench`.
func ReadSpeeds(path string) ([]Speed, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("output of `go test -bench`: %w", err)
	}
	defer func() { _ = file.Close() }()
	var speeds []Speed
	index := map[string]int{}
	reader := benchfmt.NewReader(file, path)
	for reader.Scan() {
		r, ok := reader.Result().(*benchfmt.Result)
		if !ok {
			continue
		}
		name := string(r.Name.Full())
		if _, known := index[name]; !known {
			index[name] = len(speeds)
			speeds = append(speeds, Speed{Name: name, Values: map[string][]float64{}})
		}
		for _, v := range r.Values {
			values := speeds[index[name]].Values
			values[v.Unit] = append(values[v.Unit], v.Value)
		}
	}
	if err := reader.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(speeds) == 0 {
		return nil, fmt.Errorf("%s holds no benchmark; `make bench` makes it", path)
	}
	return speeds, nil
}

// Page is what the page is made from.
type Page struct {
	Table    []*report.Speed // reference schedules beside PyTorch, by rising thread count
	Families string          // file with the rows of default schedules
	Speeds   []Speed         // of Nestling itself
	Run      *results.Run    // with its training's log and its agent's results
	Curve    string          // picture of the training, relative to the page; "" for none
}

// Write composes the page.
func (p Page) Write(path string) error {
	var b bytes.Buffer
	b.WriteString("# Results\n\nWritten by `make bench`; every figure is from one machine and can be made again there.\n\n")
	nine, err := report.Compare(p.Run.Benchmarks())
	if err != nil {
		return err
	}
	writeMachines(&b, p.machines(nine))
	if err := report.SpeedPage(&b, p.Table); err != nil {
		return err
	}
	if err := WriteFamilies(&b, p.Families); err != nil {
		return err
	}
	writeSpeeds(&b, p.Speeds)
	if err := writeTraining(&b, p.Run, p.Curve); err != nil {
		return err
	}
	if err := writeNine(&b, nine); err != nil {
		return err
	}
	return results.WriteFile(path, b.Bytes())
}

// machines are those that schedules and the agent were set beside PyTorch on.
func (p Page) machines(nine *report.Comparison) []results.MachineInfo {
	var all []results.MachineInfo
	for _, row := range nine.Rows {
		for _, e := range row.Entries {
			all = append(all, e.Machine)
		}
	}
	for _, speed := range p.Table {
		for _, file := range speed.Entries {
			for _, e := range file {
				all = append(all, e.Machine)
			}
		}
	}
	return all
}

// writeMachines names each of some machines once; where none is known, this one. Another
// kernel does not make another machine.
func writeMachines(w io.Writer, all []results.MachineInfo) {
	named := map[string]string{}
	for _, m := range all {
		if m.CPU != "" {
			named[fmt.Sprint(m.CPU, m.Cores, m.Features)] = machineLine(m)
		}
	}
	lines := slices.Sorted(maps.Values(named))
	if len(lines) == 0 {
		lines = []string{machineLine(results.Machine())}
	}
	if len(lines) > 1 {
		fmt.Fprintf(w, "Times of %d machines are on this page: do not compare them with each other.\n\n", len(lines))
	}
	for _, line := range lines {
		fmt.Fprintf(w, "Machine: %s\n\n", line)
	}
}

func machineLine(m results.MachineInfo) string {
	return fmt.Sprintf("%s, %d cores, %s; %s.", m.CPU, m.Cores, m.OS, strings.Join(m.Features, " "))
}

// target is a speed that the project holds itself to.
type target struct {
	benchmark, unit, what, goal string
	scale                       float64 // from the unit to what is shown
	show                        string
}

// targets are what the page shows of the speeds.
func targets() []target {
	all := []target{
		{"MatmulCandidate", "sec/op", "a matmul candidate from text to object code, warm", "≤ 60 ms", 1e3, "%.1f ms"},
		{"Schedules", "schedules/s", "random schedules of small programs compiled, checked and timed, on all cores", "≥ 15 a second", 1, "%.1f a second"},
	}
	for _, model := range policy.Names() {
		goal := "≤ 60 ms"
		if model == "lstm" {
			goal = "≤ 20 ms"
		}
		all = append(all, target{"Step/" + model, "sec/op", "one step of the policy of " + model + " on 64 actions: forward, backward, Adam", goal, 1e3, "%.1f ms"})
	}
	return all
}

func writeSpeeds(w io.Writer, speeds []Speed) {
	fmt.Fprint(w, "## Nestling's own speed\n\n`go test -bench`, medians; one core where it does not say otherwise.\n\n| what | measured | goal |\n|---|---|---|\n")
	for _, t := range targets() {
		measured := none
		for _, s := range speeds {
			if values := s.Values[t.unit]; s.of(t.benchmark) && len(values) > 0 {
				measured = fmt.Sprintf(t.show, t.scale*stats.Median(values))
			}
		}
		fmt.Fprintf(w, "| %s | %s | %s |\n", t.what, measured, t.goal)
	}
	fmt.Fprintln(w)
}

// sums are those over a training's iterations.
type sums struct {
	fresh, failed, all int     // schedules
	network            float64 // seconds
}

// readTraining reads the log of a training that has finished an iteration at least.
func readTraining(run *results.Run) ([]ppo.Metrics, sums, error) {
	var s sums
	log, err := results.ReadLog[ppo.Metrics](filepath.Join(run.Logs(), ppo.LogFile))
	if err == nil && len(log) == 0 {
		err = fmt.Errorf("%s: the training finished no iteration", run.Dir)
	}
	for _, m := range log {
		s.fresh, s.failed, s.all = s.fresh+m.New, s.failed+m.Failed, s.all+m.Episodes
		s.network += m.NetworkShare * m.Seconds
	}
	return log, s, err
}

func writeTraining(w io.Writer, run *results.Run, curve string) error {
	h, err := readHistory(run)
	if err != nil {
		return err
	}
	s := h.own()
	programs := "generated programs (never the nine)"
	if s.setup.Data != "" {
		programs = "the programs of " + near(s.setup.Data)
	}
	fmt.Fprintf(w, "## Learning\n\nThe %s agent of this page, %s, on %s.\n\nBy %s.\n\n", run.Model, h.origin(), programs, h.commands())
	fmt.Fprint(w, "| | |\n|---|---|\n")
	fmt.Fprintf(w, "| training time | %s |\n| schedules | %s |\n", h.time(), h.trials())
	if len(h.stages) > 1 || h.lost != "" {
		fmt.Fprint(w, "| **the last training alone** | |\n")
	}
	last := s.last()
	fmt.Fprintf(w, "| iterations | %d |\n", last.Iteration)
	fmt.Fprintf(w, "| new schedules a second (goal: ≥ 15 over small programs) | %s |\n", throughput(s))
	fmt.Fprintf(w, "| schedules that failed | %d of %d |\n", s.failed, s.all)
	fmt.Fprintf(w, "| the network's share of the time | %.0f %% |\n", 100*s.network/last.Elapsed)
	fmt.Fprintf(w, "| speedup over %s, geometric mean | %.2f in the first iteration, %.2f in the last |\n", s.setup.Over(), s.log[0].Speedup, last.Speedup)
	fmt.Fprintf(w, "| entropy | %.2f in the first iteration, %.2f in the last |\n\n", s.log[0].Entropy, last.Entropy)
	if curve != "" {
		fmt.Fprintf(w, "![rewards of the trained and of a random policy](%s)\n\nDrawn by `nestling curve`, of the last training where there were several.\n\n", curve)
	}
	return nil
}

// throughput says how many new schedules a second a training measured, while it drew from
// the smaller half of its programs and in all. A log does not tell which they were; that is
// as near to the goal's small programs as it comes. The time is all there is: of the network
// and of the second measurements, too.
func throughput(s stage) string {
	all := fmt.Sprintf("%.1f over all of it, on programs of every size", float64(s.fresh)/s.last().Elapsed)
	// ppo draws from the smallest third first, and from all after SmallFirst iterations:
	// a quarter of the way it has come to the half.
	n := min(s.setup.Config.SmallFirst/4, len(s.log))
	if n == 0 {
		return all
	}
	fresh := 0
	for _, m := range s.log[:n] {
		fresh += m.New
	}
	return fmt.Sprintf("%.1f in the first %d iterations, on the smaller half of the programs; %s", float64(fresh)/s.log[n-1].Elapsed, n, all)
}

func writeNine(w io.Writer, c *report.Comparison) error {
	fmt.Fprintf(w, "## The nine benchmarks with the agent\n\nBy `nestling run`, methods taking turns, every output checked.\n\n```\n")
	if err := c.Table().Write(w, false); err != nil {
		return err
	}
	fmt.Fprint(w, "```\n")
	return nil
}
