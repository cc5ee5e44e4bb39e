package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"nestling/agent"
	"nestling/baseline"
	"nestling/bench"
	"nestling/measure"
	"nestling/progress"
	"nestling/results"
	"nestling/search"
	"nestling/suite"
)

// benchFlags are what every benchmark takes.
type benchFlags struct {
	run       string
	only      []string
	processes int
	runs      int
	budget    time.Duration
	search    agent.Search
	seed      uint64
}

func (f *benchFlags) add(c *cobra.Command) {
	flags := c.Flags()
	addAgent(flags, &f.run)
	flags.StringSliceVar(&f.only, "only", nil, "benchmarks to run (default: all nine)")
	flags.IntVar(&f.processes, "processes", 10, "fresh processes per method")
	flags.IntVar(&f.runs, "runs", 10, "timed runs per process and benchmark")
	flags.DurationVar(&f.budget, "budget", time.Minute, "time of one method on one benchmark; no new process after it")
	flags.Uint64Var(&f.seed, "seed", 1, "of the inputs")
}

// check refuses what cannot be run before anything costly begins.
func (f *benchFlags) check() error {
	for _, count := range []struct {
		flag string
		n    int
	}{{"processes", f.processes}, {"runs", f.runs}} {
		if err := atLeastOne(count.flag, count.n); err != nil {
			return err
		}
	}
	if err := checkSearch(f.search); err != nil {
		return err
	}
	_, err := chosen(f.only)
	return err
}

func atLeastOne(flag string, n int) error {
	if n < 1 {
		return fmt.Errorf("--%s %d: at least 1 is needed", flag, n)
	}
	return nil
}

func benchCommand(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use:   "bench",
		Short: "Run the nine benchmarks with one method, or set schedules beside PyTorch",
		Long: `Runs the nine benchmarks with one method, checks every output, and writes the
method's results into the benchmarks folder of a run. "schedule" and "table" set
schedules beside every way to run a model in PyTorch, with no agent and no run.`,
		Example: `  nestling bench agent
  nestling bench pytorch --run results/lstm/run_1
  nestling bench pytorch-jit --only matmul_small,linear_large --threads 1
  nestling bench schedule matmul_small
  nestling bench table`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(
		benchAgentCommand(s),
		benchPyTorchCommand(s, baseline.Eager, "pytorch", "PyTorch as it comes (eager)"),
		benchPyTorchCommand(s, baseline.JIT, "pytorch-jit", "PyTorch JIT: traced, frozen, optimized for inference"),
		benchPyTorchCommand(s, baseline.Compile, "pytorch-compile", "torch.compile (PyTorch 2)"),
		benchPyTorchCommand(s, baseline.ChannelsLast, "pytorch-channels-last", "PyTorch (eager) on images given channels-last"),
		benchScheduleCommand(s),
		benchTableCommand(s),
		benchFamiliesCommand(s),
		figuresCommand(s), agentsCommand(s),
	)
	return c
}

func benchAgentCommand(s *settings) *cobra.Command {
	var f benchFlags
	c := &cobra.Command{
		Use:     "agent",
		Short:   "The trained agent's schedules",
		Example: "  nestling bench agent\n  nestling bench agent --trials 64",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return s.benchOne(c.Context(), f, func(b *benchmarking) ([]bench.Method, error) {
				a, err := b.settings.agentOf(b.lab, b.run)
				if err != nil {
					return nil, err
				}
				return []bench.Method{b.agent(a)}, nil
			})
		},
	}
	f.add(c)
	addSearch(c.Flags(), &f.search, 1)
	return c
}

func benchPyTorchCommand(s *settings, method baseline.Method, name, short string) *cobra.Command {
	f := benchFlags{search: agent.Search{Budget: search.Budget{Trials: 1}}}
	c := &cobra.Command{
		Use: name, Short: short, Args: cobra.NoArgs,
		Example: "  nestling bench " + name + "\n  nestling bench " + name + " --run results/lstm/run_1",
		RunE: func(c *cobra.Command, _ []string) error {
			return s.benchOne(c.Context(), f, func(b *benchmarking) ([]bench.Method, error) {
				python, err := baseline.FindPython(c.Context(), s.python)
				if err != nil {
					return nil, err
				}
				return b.pytorch(python, method), nil
			})
		},
	}
	f.add(c)
	return c
}

// benchmarking is a benchmark command under way.
type benchmarking struct {
	settings *settings
	flags    benchFlags
	lab      *measure.Lab
	run      *results.Run
}

// benchOne runs one method on the benchmarks and says where its results are.
func (s *settings) benchOne(ctx context.Context, f benchFlags, methods func(*benchmarking) ([]bench.Method, error)) error {
	if err := f.check(); err != nil {
		return err
	}
	run, err := s.agentRun(f.run)
	if err != nil {
		return err
	}
	files, err := s.benchmark(ctx, f, run, methods)
	if err != nil {
		return err
	}
	return errors.Join(s.printResults(run, files), failures(files))
}

// benchmark runs methods on the benchmarks and writes their results files.
func (s *settings) benchmark(ctx context.Context, f benchFlags, run *results.Run, methods func(*benchmarking) ([]bench.Method, error)) (files map[string]results.File, err error) {
	b := &benchmarking{settings: s, flags: f, run: run}
	benchmarks, err := chosen(f.only)
	if err != nil {
		return nil, err
	}
	if b.lab, err = s.openLab(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.lab.Close()) }()
	contestants, err := methods(b)
	if err != nil {
		return nil, err
	}
	bar := progress.NewBar(os.Stderr, "benchmarks")
	defer bar.Done()
	o := bench.Options{
		Benchmarks: benchmarks, Processes: f.processes, Runs: f.runs, Budget: f.budget,
		Threads: b.lab.Options().Threads, Tolerance: s.tolerance, Seed: f.seed,
		Save: b.save, Progress: bar.Update,
	}
	cases, err := bench.Cases(ctx, b.lab, o)
	if err != nil {
		return nil, err
	}
	return bench.Run(ctx, contestants, cases, o)
}

// chosen are the benchmarks of the given names, all nine for none.
func chosen(names []string) ([]suite.Benchmark, error) {
	if len(names) == 0 {
		return suite.Nine(), nil
	}
	var out []suite.Benchmark
	for _, name := range names {
		b, err := suite.Find(name)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// agent is the trained agent as a contestant.
func (b *benchmarking) agent(a *agent.Agent) bench.Method {
	fmt.Fprintln(os.Stderr, "agent:", a)
	return bench.NewScheduled(results.Agent, b.lab, b.flags.seed, func(ctx context.Context, k *bench.Case) (agent.Choice, error) {
		s := b.flags.search
		s.Seed = b.flags.seed
		return a.Choose(ctx, b.lab, k.Program, s)
	})
}

// pytorch is one or more of PyTorch's methods as contestants.
func (b *benchmarking) pytorch(python string, methods ...baseline.Method) []bench.Method {
	var out []bench.Method
	for _, m := range methods {
		out = append(out, bench.NewPyTorch(baseline.Options{Python: python, Method: m, Threads: b.lab.Options().Threads}))
	}
	return out
}

// save writes what there is of each method's results, over what the files held
// of other benchmarks.
func (b *benchmarking) save(files map[string]results.File) error {
	var problems error
	for method, file := range files {
		m, _ := results.MethodNamed(method)
		path := filepath.Join(b.run.Benchmarks(), m.File)
		merged := results.File{}
		if old, err := results.Read(path); err == nil {
			merged = old
		}
		for name, e := range file {
			merged[name] = e
		}
		if len(merged) > 0 {
			problems = errors.Join(problems, results.Write(path, merged))
		}
	}
	return problems
}

// printResults prints the results for programs, or where they are for people.
func (s *settings) printResults(run *results.Run, files map[string]results.File) error {
	if s.json {
		return json.NewEncoder(os.Stdout).Encode(files)
	}
	for _, m := range results.Methods {
		if _, ran := files[m.Name]; ran {
			fmt.Println(filepath.Join(run.Benchmarks(), m.File))
		}
	}
	return nil
}

// failures is an error when a benchmark failed, whose results are in the files
// like all others.
func failures(files map[string]results.File) error {
	count, first := 0, ""
	for _, m := range results.Methods {
		for _, name := range slices.Sorted(maps.Keys(files[m.Name])) {
			if e := files[m.Name][name]; e.Failed() {
				if count++; count == 1 {
					first = fmt.Sprintf("%s, %s: %s", m.Name, name, e.Error)
				}
			}
		}
	}
	switch count {
	case 0:
		return nil
	case 1:
		return errors.New(first)
	}
	return fmt.Errorf("%d benchmarks failed; the first: %s", count, first)
}
