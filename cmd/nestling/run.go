package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"nestling/baseline"
	"nestling/bench"
	"nestling/ppo"
	"nestling/results"
	"nestling/training"
)

// shortSearch is how many schedules the whole guide tries for a benchmark. An agent's first
// choices are at their best on machines like the one it was trained on; a few
// trials, two minutes or so for all nine, make up for another one's caches.
const shortSearch = 16

func runCommand(s *settings) *cobra.Command {
	var f benchFlags
	var budget time.Duration
	c := &cobra.Command{
		Use:   "run",
		Short: "The whole guide: agent, PyTorch, PyTorch JIT, comparison, plots",
		Long: `Benchmarks the latest trained agent, PyTorch and PyTorch JIT on the nine benchmarks,
the methods taking turns, and compares them. Where none was trained here yet,
it is the LSTM that ships with Nestling; --run names another. The agent may try a few schedules for each
benchmark; with --trials 1 its first choices are benchmarked as they are.`,
		Example: "  nestling run\n  nestling run --run results/lstm/run_1 --threads 1\n  nestling run --run shipped/distilbert\n  nestling run --train-time 20m\n  nestling run --trials 1",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			// Before minutes of training: all that the rest will ask for.
			if err := f.check(); err != nil {
				return err
			}
			python, err := baseline.FindPython(c.Context(), s.python)
			if err != nil {
				return err
			}
			run, err := s.trained(c.Context(), f.run, budget)
			if err != nil {
				return err
			}
			files, err := s.benchmark(c.Context(), f, run, func(b *benchmarking) ([]bench.Method, error) {
				return b.everyone(python)
			})
			if err != nil {
				return err
			}
			// A benchmark that failed is a row of the comparison like any other.
			return errors.Join(s.compare(run.Benchmarks()), failures(files))
		},
	}
	f.add(c)
	addSearch(c.Flags(), &f.search, shortSearch)
	c.Flags().DurationVar(&budget, "train-time", 0, "train a new agent for so long first (default: the one trained last, or the one that ships with Nestling)")
	return c
}

// trained opens a run with an agent in it, training a new one where that is asked for.
func (s *settings) trained(ctx context.Context, path string, budget time.Duration) (*results.Run, error) {
	switch {
	case budget != 0 && path != "":
		return nil, errors.New("--train-time trains a new agent, --run takes one that there is: give one of them")
	case budget == 0:
		return s.agentRun(path)
	}
	fmt.Fprintf(os.Stderr, "training an agent for %s\n", budget)
	setup := training.Setup{Model: defaultModel, Programs: defaultPrograms, Config: ppo.Defaults()}
	return s.train(ctx, trainFlags{setup: setup, budget: budget})
}

// everyone is the agent and all that the user's PyTorch offers.
func (b *benchmarking) everyone(python string) ([]bench.Method, error) {
	a, err := b.settings.agentOf(b.lab, b.run)
	if err != nil {
		return nil, err
	}
	return append([]bench.Method{b.agent(a)}, b.pytorch(python, baseline.Eager, baseline.JIT)...), nil
}
