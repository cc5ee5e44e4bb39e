package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"nestling/agent"
	"nestling/baseline"
	"nestling/bench"
	"nestling/measure"
	"nestling/progress"
	"nestling/results"
	"nestling/suite"
)

// benchFlags are what every benchmark takes.
type benchFlags struct {
	run       string
	only      []string
	processes int
	runs      int
	budget    time.Duration
	trials    int
	seed      uint64
}

func (f *benchFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.run, "run", "", "run that the results belong to (default: the one trained last)")
	flags.StringSliceVar(&f.only, "only", nil, "benchmarks to run (default: all nine)")
	flags.IntVar(&f.processes, "processes", 10, "fresh processes per method")
	flags.IntVar(&f.runs, "runs", 10, "timed runs per process and benchmark")
	flags.DurationVar(&f.budget, "budget", time.Minute, "time of one method on one benchmark; no new process after it")
	flags.Uint64Var(&f.seed, "seed", 1, "of the inputs")
}

func (f *benchFlags) addTrials(c *cobra.Command) {
	c.Flags().IntVar(&f.trials, "trials", 1, "schedules the agent may measure per benchmark; 1 is its greedy choice")
}

func benchCommand(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use:   "bench",
		Short: "Run the nine benchmarks with one method",
		Long: `Runs the nine benchmarks with one method, checks every output, and writes the
method's results into the benchmarks folder of a run.`,
		Example: `  nestling bench agent
  nestling bench pytorch --run results/lstm/run_1
  nestling bench pytorch-jit --only matmul_small,linear_large --threads 1`,
	}
	c.AddCommand(
		benchAgentCommand(s),
		benchPyTorchCommand(s, baseline.Eager, "pytorch", "PyTorch as it comes (eager)"),
		benchPyTorchCommand(s, baseline.JIT, "pytorch-jit", "PyTorch JIT: traced, frozen, optimized for inference"),
		benchPyTorchCommand(s, baseline.Compile, "pytorch-compile", "torch.compile (PyTorch 2)"),
		figuresCommand(s),
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
			return s.benchmark(c.Context(), f, func(b *benchmarking) ([]bench.Method, error) {
				a, err := agent.Load(b.run, b.lab.Machine())
				if err != nil {
					return nil, err
				}
				return []bench.Method{b.agent(a)}, nil
			})
		},
	}
	f.add(c)
	f.addTrials(c)
	return c
}

func benchPyTorchCommand(s *settings, method baseline.Method, name, short string) *cobra.Command {
	var f benchFlags
	c := &cobra.Command{
		Use: name, Short: short, Args: cobra.NoArgs,
		Example: "  nestling bench " + name + "\n  nestling bench " + name + " --run results/lstm/run_1",
		RunE: func(c *cobra.Command, _ []string) error {
			return s.benchmark(c.Context(), f, func(b *benchmarking) ([]bench.Method, error) {
				return b.pytorch(c.Context(), method)
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

// benchmark runs methods on the benchmarks and writes their results files.
func (s *settings) benchmark(ctx context.Context, f benchFlags, methods func(*benchmarking) ([]bench.Method, error)) (err error) {
	b := &benchmarking{settings: s, flags: f}
	benchmarks, err := chosen(f.only)
	if err != nil {
		return err
	}
	if b.run, err = s.openRun(f.run); err != nil {
		return err
	}
	if b.lab, err = s.openLab(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.lab.Close()) }()
	contestants, err := methods(b)
	if err != nil {
		return err
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
		return err
	}
	files, err := bench.Run(ctx, contestants, cases, o)
	bar.Done()
	return errors.Join(err, b.report(files))
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
		return a.Choose(ctx, b.lab, k.Program, b.flags.trials, b.flags.seed)
	})
}

// pytorch is one or more of PyTorch's methods as contestants.
func (b *benchmarking) pytorch(ctx context.Context, methods ...baseline.Method) ([]bench.Method, error) {
	python, err := baseline.FindPython(ctx, b.settings.python)
	if err != nil {
		return nil, err
	}
	var out []bench.Method
	for _, m := range methods {
		out = append(out, bench.NewPyTorch(baseline.Options{Python: python, Method: m, Threads: b.lab.Options().Threads}))
	}
	return out, nil
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

// report prints where the results are, and fails when a benchmark did.
func (b *benchmarking) report(files map[string]results.File) error {
	var failures []string
	for method, file := range files {
		m, _ := results.MethodNamed(method)
		fmt.Println(filepath.Join(b.run.Benchmarks(), m.File))
		for name, e := range file {
			if e.Failed() {
				failures = append(failures, fmt.Sprintf("%s, %s: %s", method, name, e.Error))
			}
		}
	}
	if len(failures) > 0 {
		return fmt.Errorf("%d results are errors; the first: %s", len(failures), strings.SplitN(failures[0], "\n", 2)[0])
	}
	return nil
}
