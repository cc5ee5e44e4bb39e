package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"nestling/agent"
	"nestling/baseline"
	"nestling/bench"
	"nestling/measure"
	"nestling/progress"
	"nestling/report"
	"nestling/results"
	"nestling/schedule"
	"nestling/schedules"
	"nestling/suite"
)

// speedFlags are what the comparisons of schedules with PyTorch take.
type speedFlags struct {
	processes int
	runs      int
	budget    time.Duration
	seed      uint64
}

func (f *speedFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.IntVar(&f.processes, "processes", 10, "fresh processes per method")
	flags.IntVar(&f.runs, "runs", 10, "timed runs per process and benchmark")
	flags.DurationVar(&f.budget, "budget", 10*time.Second, "time of one method on one benchmark; no new process after it")
	flags.Uint64Var(&f.seed, "seed", 1, "of the inputs")
}

func (f *speedFlags) check() error {
	return errors.Join(atLeastOne("processes", f.processes), atLeastOne("runs", f.runs))
}

// plan is a comparison to be made.
type plan struct {
	settings
	speedFlags
	benchmarks []suite.Benchmark
	// methods are Nestling's contestants in the order of their turns; chosen are
	// their schedules by method and benchmark.
	methods []string
	chosen  map[string]map[string]agent.Choice
	pythons []python
	// dir is where results are kept after every round; "" keeps none.
	dir string
	// again measures anew what is there already.
	again bool
}

// python is an interpreter with the PyTorch that it has.
type python struct {
	path string
	report.PyTorch
}

func benchScheduleCommand(s *settings) *cobra.Command {
	var f speedFlags
	var benchmark string
	c := &cobra.Command{
		Use:   "schedule NAME|FILE.sched...",
		Short: "Schedules, beside every way to run a model in PyTorch",
		Long: `Times schedules beside PyTorch, all taking turns, every output checked. NAME is a
benchmark, whose reference schedule comes from schedules/NAME.THREADS.sched (the
nearest thread count not above; the default schedule where there is none). FILE is
a schedule of the benchmark that --benchmark names, or its first comment:

  # benchmark: conv2d_small

A --tolerance below 1e-4 keeps Winograd's algorithm out. PyTorch is that of the
system, and the PyTorch 2 that "make pytorch2" installs where it is there; with
--python, that one alone.`,
		Example: `  nestling bench schedule matmul_small
  nestling bench schedule conv2d_small conv2d_medium --tolerance 1e-5 --threads 1
  nestling bench schedule mine.sched --benchmark matmul_large --processes 3`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("no schedule named: nestling bench %s", c.Use)
			}
			if err := f.check(); err != nil {
				return err
			}
			p := &plan{settings: *s, speedFlags: f, methods: []string{report.Scheduled}}
			p.setThreads(s.threads)
			if err := p.chooseNamed(args, benchmark); err != nil {
				return err
			}
			speed, err := p.measure(c.Context())
			if speed == nil {
				return err
			}
			return errors.Join(err, s.printSpeeds([]*report.Speed{speed}))
		},
	}
	f.add(c)
	c.Flags().StringVar(&benchmark, "benchmark", "", "benchmark that the files schedule")
	return c
}

func benchTableCommand(s *settings) *cobra.Command {
	var f speedFlags
	var only []string
	var again bool
	c := &cobra.Command{
		Use:   "table",
		Short: "The whole comparison: reference schedules, every PyTorch, one thread and all",
		Long: `Times the reference schedules of the nine benchmarks, and those that compute with
PyTorch's numerics (without Winograd's algorithm), beside every way to run a model
in the system's PyTorch and in the PyTorch 2 that "make pytorch2" installs, on one
thread and on all. Prints the tables and keeps them under results/speed, from where
"nestling bench figures" takes them into docs/results.md.

After Ctrl-C the same command goes on where it was; --again begins anew.`,
		Example: `  nestling bench table
  nestling bench table --only matmul_small,linear_large --threads 1
  nestling bench table --processes 2 --runs 5         # a quick look`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return s.table(c.Context(), f, only, again)
		},
	}
	f.add(c)
	c.Flags().StringSliceVar(&only, "only", nil, "benchmarks to run (default: all nine)")
	c.Flags().BoolVar(&again, "again", false, "measure anew what is there already")
	return c
}

// speedDir is where tables of speed lie.
func (s *settings) speedDir() string { return filepath.Join(s.results, "speed") }

// table measures one thread count after the other.
func (s *settings) table(ctx context.Context, f speedFlags, only []string, again bool) error {
	benchmarks, err := chosen(only)
	if err != nil {
		return err
	}
	pythons, err := s.pythons(ctx)
	if err != nil {
		return err
	}
	var speeds []*report.Speed
	for _, threads := range s.threadCounts() {
		p := &plan{settings: *s, speedFlags: f, pythons: pythons, dir: s.speedDir(), again: again,
			methods: []string{report.Scheduled, report.EqualNumerics}}
		p.setThreads(threads)
		if err := p.chooseReferences(benchmarks); err != nil {
			return err
		}
		speed, problem := p.measure(ctx)
		if speed != nil {
			speeds = append(speeds, speed)
		}
		if err = problem; err != nil {
			break
		}
	}
	if len(speeds) == 0 {
		return err
	}
	return errors.Join(err, s.printSpeeds(speeds))
}

// threadCounts are one and all, or those asked for.
func (s *settings) threadCounts() []int {
	if s.threads != 0 {
		return []int{s.threads}
	}
	return slices.Compact([]int{1, cores()})
}

// cores are those that this process may use.
func cores() int { return min(runtime.NumCPU(), runtime.GOMAXPROCS(0)) }

// printSpeeds prints what was measured; that a schedule failed is an error too.
func (s *settings) printSpeeds(speeds []*report.Speed) error {
	if s.json {
		return errors.Join(json.NewEncoder(os.Stdout).Encode(speeds), speedFailure(speeds))
	}
	return errors.Join(report.WriteSpeeds(os.Stdout, speeds, colour()), speedFailure(speeds))
}

// setThreads makes the thread count definite: schedules are chosen by it.
func (p *plan) setThreads(threads int) {
	if threads == 0 {
		threads = cores()
	}
	p.threads = threads
}

// pythons are the interpreters whose PyTorch takes part.
func (s *settings) pythons(ctx context.Context) ([]python, error) {
	path, err := baseline.FindPython(ctx, s.python)
	if err != nil {
		return nil, err
	}
	paths := []string{path}
	if two := baseline.FindPyTorch2(); s.python == "" && two != "" {
		paths = append(paths, two)
	}
	var out []python
	for _, path := range paths {
		version, err := baseline.Version(ctx, path)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out, func(p python) bool { return p.Version == version }) {
			continue
		}
		p := python{path, report.PyTorch{Version: version}}
		for _, m := range baseline.Methods {
			if m != baseline.Compile || !strings.HasPrefix(version, "1.") {
				p.Ways = append(p.Ways, string(m))
			}
		}
		out = append(out, p)
	}
	return out, nil
}

// chooseReferences takes the reference schedules of the benchmarks. Where the
// fastest keeps PyTorch's numerics there is no second one.
func (p *plan) chooseReferences(benchmarks []suite.Benchmark) error {
	p.benchmarks = benchmarks
	p.chosen = map[string]map[string]agent.Choice{report.Scheduled: {}, report.EqualNumerics: {}}
	for _, b := range benchmarks {
		fastest, err := p.reference(b.Name, p.tolerance)
		if err != nil {
			return err
		}
		p.chosen[report.Scheduled][b.Name] = fastest
		if schedules.Meets(fastest.Schedule, report.EqualTolerance) {
			continue
		}
		if p.chosen[report.EqualNumerics][b.Name], err = p.reference(b.Name, report.EqualTolerance); err != nil {
			return err
		}
	}
	return nil
}

// byDefault is how a choice is marked that no file made.
const byDefault = "default"

// reference is a benchmark's reference schedule; one without a schedule is left
// for the default one, which needs the program.
func (p *plan) reference(benchmark string, tolerance float64) (agent.Choice, error) {
	r, err := schedules.Find(benchmark, p.threads, tolerance)
	if errors.Is(err, fs.ErrNotExist) {
		return agent.Choice{By: byDefault}, nil
	}
	return agent.Choice{Schedule: r.Schedule, By: r.File}, err
}

// chooseNamed takes the schedules that the user named.
func (p *plan) chooseNamed(args []string, benchmark string) error {
	p.chosen = map[string]map[string]agent.Choice{report.Scheduled: {}}
	for _, arg := range args {
		name, choice, err := p.named(arg, benchmark)
		if err != nil {
			return err
		}
		b, err := suite.Find(name)
		if err != nil {
			return err
		}
		if _, twice := p.chosen[report.Scheduled][name]; twice {
			return fmt.Errorf("two schedules of %s; one at a time", name)
		}
		p.benchmarks = append(p.benchmarks, b)
		p.chosen[report.Scheduled][name] = choice
	}
	return nil
}

// named is the benchmark and the schedule that an argument stands for.
func (p *plan) named(arg, benchmark string) (string, agent.Choice, error) {
	if filepath.Ext(arg) != ".sched" {
		if _, err := suite.Find(arg); err != nil {
			return "", agent.Choice{}, fmt.Errorf("%w; files of schedules end in .sched", err)
		}
		choice, err := p.reference(arg, p.tolerance)
		return arg, choice, err
	}
	text, err := os.ReadFile(arg)
	if err != nil {
		return "", agent.Choice{}, err
	}
	s, err := schedule.Parse(string(text))
	if err != nil {
		return "", agent.Choice{}, fmt.Errorf("%s: %w", arg, err)
	}
	if !schedules.Meets(s, p.tolerance) {
		return "", agent.Choice{}, fmt.Errorf("%s: Winograd's algorithm cannot keep within --tolerance %g", arg, p.tolerance)
	}
	if benchmark == "" {
		if benchmark = namedInside(string(text)); benchmark == "" {
			return "", agent.Choice{}, fmt.Errorf("%s: which benchmark does it schedule? Say it with --benchmark NAME or in a line `# benchmark: NAME`", arg)
		}
	}
	return benchmark, agent.Choice{Schedule: s, By: arg}, nil
}

// namedInside is what the comment `# benchmark: NAME` of a schedule names.
func namedInside(text string) string {
	for line := range strings.Lines(text) {
		if name, found := strings.CutPrefix(strings.TrimSpace(line), "# benchmark:"); found {
			return strings.TrimSpace(name)
		}
	}
	return ""
}

// setup is the plan as it is kept with its results.
func (p *plan) setup() report.Setup {
	s := report.Setup{
		Threads: p.threads, Processes: p.processes, Runs: p.runs, Budget: p.budget.String(), Tolerance: p.tolerance, Seed: p.seed,
		Schedules: map[string]map[string]string{}, Nestling: results.ThisBuild().Nestling, CPU: results.Machine().CPU,
	}
	for _, b := range p.benchmarks {
		s.Benchmarks = append(s.Benchmarks, b.Name)
	}
	for method, choices := range p.chosen {
		s.Schedules[method] = map[string]string{}
		for name, choice := range choices {
			s.Schedules[method][name] = choice.Schedule.String()
		}
	}
	for _, python := range p.pythons {
		s.PyTorch = append(s.PyTorch, python.PyTorch)
	}
	return s
}

// measure carries the plan out, or goes on with it where it was interrupted.
// What was measured is returned beside the error of an interruption.
func (p *plan) measure(ctx context.Context) (speed *report.Speed, err error) {
	if p.pythons == nil {
		if p.pythons, err = p.settings.pythons(ctx); err != nil {
			return nil, err
		}
	}
	speed = &report.Speed{Setup: p.setup()}
	earlier, err := p.earlier(speed.Setup)
	if err != nil {
		return nil, err
	}
	if earlier != nil {
		if speed = earlier; speed.Complete {
			fmt.Fprintf(os.Stderr, "threads %d: measured already; --again measures anew\n", p.threads)
			return speed, nil
		}
		fmt.Fprintf(os.Stderr, "threads %d: going on with what was measured\n", p.threads)
	}
	lab, err := p.openLab()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lab.Close()) }()
	p.announceDefaults()
	err = p.contest(ctx, lab, speed)
	speed.Complete = err == nil
	if len(speed.Entries) == 0 {
		return nil, err
	}
	return speed, errors.Join(err, p.keep(speed))
}

// announceDefaults tells where there is no reference schedule.
func (p *plan) announceDefaults() {
	for _, method := range p.methods {
		for _, b := range p.benchmarks {
			if p.chosen[method][b.Name].By == byDefault {
				fmt.Fprintf(os.Stderr, "%s, %s: no such schedule for threads %d; the default one takes its place\n", b.Name, method, p.threads)
			}
		}
	}
}

// earlier is what an earlier command measured of the same plan, nil for nothing.
func (p *plan) earlier(setup report.Setup) (*report.Speed, error) {
	if p.dir == "" || p.again {
		return nil, nil
	}
	speed, err := report.ReadSpeed(p.dir, p.threads)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !speed.Setup.Equal(setup) {
		return nil, nil
	}
	return speed, err
}

func (p *plan) keep(speed *report.Speed) error {
	if p.dir == "" {
		return nil
	}
	return speed.Write(p.dir)
}

// contest lets the methods take turns and fills speed's entries.
func (p *plan) contest(ctx context.Context, lab *measure.Lab, speed *report.Speed) error {
	bar := progress.NewBar(os.Stderr, fmt.Sprintf("threads %d", p.threads))
	defer bar.Done()
	o := bench.Options{
		Benchmarks: p.benchmarks, Processes: p.processes, Runs: p.runs, Budget: p.budget,
		Threads: p.threads, Tolerance: p.tolerance, Seed: p.seed, Progress: bar.Update, Skip: p.skip, Earlier: speed.Entries,
		Save: func(files map[string]results.File) error {
			speed.Entries = files
			return p.keep(speed)
		},
	}
	cases, err := bench.Cases(ctx, lab, o)
	if err != nil {
		return err
	}
	_, err = bench.Run(ctx, p.contestants(lab), cases, o)
	return err
}

// skip tells what has no schedule of its own, or no images (tensors of four
// dimensions) in which channels could be last.
func (p *plan) skip(method, benchmark string) bool {
	if choices, ours := p.chosen[method]; ours {
		_, takesPart := choices[benchmark]
		return !takesPart
	}
	if !strings.HasSuffix(method, " "+string(baseline.ChannelsLast)) {
		return false
	}
	b, err := suite.Find(benchmark)
	return err == nil && len(b.Result) != 4
}

func (p *plan) contestants(lab *measure.Lab) []bench.Method {
	var out []bench.Method
	for _, method := range p.methods {
		out = append(out, bench.NewScheduled(method, lab, p.seed, func(_ context.Context, k *bench.Case) (agent.Choice, error) {
			choice := p.chosen[method][k.Name]
			if choice.By == byDefault {
				choice.Schedule = schedule.Default(k.Program, lab.Machine())
			}
			return choice, nil
		}))
	}
	for _, python := range p.pythons {
		for _, way := range python.Ways {
			o := baseline.Options{Python: python.path, Method: baseline.Method(way), Threads: p.threads}
			out = append(out, bench.NewPyTorch(o).Named(python.Method(way)))
		}
	}
	return out
}

// speedFailure is an error when a schedule of ours failed.
func speedFailure(speeds []*report.Speed) error {
	for _, s := range speeds {
		for _, method := range []string{report.Scheduled, report.EqualNumerics} {
			for _, name := range s.Benchmarks {
				if e := s.Entries[method][name]; e.Failed() {
					return fmt.Errorf("%s, %s, threads %d: %s", name, method, s.Threads, e.Error)
				}
			}
		}
	}
	return nil
}
