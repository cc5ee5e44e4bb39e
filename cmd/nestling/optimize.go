package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"nestling/agent"
	"nestling/measure"
	"nestling/optimize"
	"nestling/program"
	"nestling/search"
)

func optimizeCommand(s *settings) *cobra.Command {
	var o optimize.Options
	var run string
	var again bool
	c := &cobra.Command{
		Use:   "optimize FILE.mlir",
		Short: "Any program: schedule, object code with C header, report",
		Long: `Reads a module of linalg operations on tensors (or a benchmark by name), lets the
agent schedule it, measures the schedule beside the unscheduled program and the
default schedule, and writes the fastest right one: schedule, module, transform
script, object file and C header.

What it found is kept in the folder of results: the same command has it back within
a second, and says since when it is known. --again measures anew.`,
		Example: `  nestling optimize model.mlir
  nestling optimize model.mlir --trials 64 --out build/model
  nestling optimize model.mlir --search-time 30s
  nestling optimize matmul_small --run results/lstm/run_0 --threads 1
  nestling optimize model.mlir --run shipped/gpt-2`,
		Args: oneProgram,
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkSearch(o.Search); err != nil {
				return err
			}
			if o.Out == "" {
				o.Out = filepath.Join("optimized", strings.TrimSuffix(filepath.Base(args[0]), ".mlir"))
			}
			o.Memory = filepath.Join(s.results, "optimized")
			report, err := s.optimize(c.Context(), args[0], run, again, o)
			if err != nil {
				return err
			}
			if s.json {
				return json.NewEncoder(os.Stdout).Encode(report)
			}
			return report.WriteText(os.Stdout, colour())
		},
	}
	flags := c.Flags()
	addAgent(flags, &run)
	flags.StringVar(&o.Out, "out", "", "folder for the files (default: optimized/NAME)")
	addSearch(flags, &o.Search, 1)
	flags.BoolVar(&again, "again", false, "measure anew what an earlier optimize found")
	flags.Uint64Var(&o.Seed, "seed", 1, "of the inputs and of the draws")
	return c
}

// optimize optimizes a program, or, unless it is to be done again, recalls what is known of
// it. To recall it does without the tuning database: where there were many trainings, to read
// that takes longer than everything else.
func (s *settings) optimize(ctx context.Context, source, run string, again bool, o optimize.Options) (*optimize.Report, error) {
	if !again {
		without := s.labOptions()
		without.Database = ""
		report, err := s.optimizeIn(ctx, without, source, run, o, optimize.Recall)
		if err != nil || report != nil {
			return report, err
		}
	}
	return s.optimizeIn(ctx, s.labOptions(), source, run, o, optimize.Run)
}

// optimizer is optimize.Run, or optimize.Recall.
type optimizer func(context.Context, *measure.Lab, *agent.Agent, *program.Program, optimize.Options) (*optimize.Report, error)

// optimizeIn optimizes a program in a laboratory of its own.
func (s *settings) optimizeIn(ctx context.Context, in measure.Options, source, run string, o optimize.Options, by optimizer) (r *optimize.Report, err error) {
	lab, err := openLab(in)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lab.Close()) }()
	p, err := readProgram(ctx, lab, source)
	if err != nil {
		return nil, err
	}
	a, err := s.loadAgent(lab, run)
	if err != nil {
		return nil, err
	}
	return by(ctx, lab, a, p, o)
}

// addSearch adds the flags that say how an agent looks for a schedule: among so
// many where the user does not say.
func addSearch(flags *pflag.FlagSet, s *agent.Search, trials int) {
	flags.IntVar(&s.Trials, "trials", trials, "schedules to measure; 1 is the agent's greedy choice alone, or with --search-time as many as that allows")
	flags.DurationVar(&s.Time, "search-time", 0, "end the search of a program after so long (0: no limit)")
	flags.StringVar(&s.Method, "search", "", "how to search: sample, refine, evolve, beam or tree (default "+search.DefaultMethod+")")
}

// checkSearch refuses what no search can work with, before anything is started.
func checkSearch(s agent.Search) error {
	if err := atLeastOne("trials", s.Trials); err != nil {
		return err
	}
	if s.Time < 0 {
		return fmt.Errorf("--search-time %s: give 0 for no limit, or more", s.Time)
	}
	if s.Method == "" {
		return nil
	}
	_, err := search.Find(s.Method)
	return err
}
