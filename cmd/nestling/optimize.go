package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"nestling/agent"
	"nestling/optimize"
	"nestling/search"
)

func optimizeCommand(s *settings) *cobra.Command {
	var o optimize.Options
	var run string
	c := &cobra.Command{
		Use:   "optimize FILE.mlir",
		Short: "Any program: schedule, object code with C header, report",
		Long: `Reads a module of linalg operations on tensors (or a benchmark by name), lets the
agent schedule it, measures the schedule beside the unscheduled program and the
default schedule, and writes the fastest right one: schedule, module, transform
script, object file and C header.`,
		Example: `  nestling optimize model.mlir
  nestling optimize model.mlir --trials 64 --out build/model
  nestling optimize matmul_small --run results/lstm/run_0 --threads 1`,
		Args: oneProgram,
		RunE: func(c *cobra.Command, args []string) (err error) {
			if err := checkSearch(o.Search); err != nil {
				return err
			}
			lab, err := s.openLab()
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, lab.Close()) }()
			p, err := readProgram(c.Context(), lab, args[0])
			if err != nil {
				return err
			}
			a, err := s.loadAgent(lab, run)
			if err != nil {
				return err
			}
			if o.Out == "" {
				o.Out = filepath.Join("optimized", strings.TrimSuffix(filepath.Base(args[0]), ".mlir"))
			}
			report, err := optimize.Run(c.Context(), lab, a, p, o)
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
	flags.StringVar(&run, "run", "", "run whose agent to use (default: the one trained last)")
	flags.StringVar(&o.Out, "out", "", "folder for the files (default: optimized/NAME)")
	addSearch(flags, &o.Search, 1)
	flags.Uint64Var(&o.Seed, "seed", 1, "of the inputs and of the draws")
	return c
}

// addSearch adds the flags that say how an agent looks for a schedule: among so
// many where the user does not say.
func addSearch(flags *pflag.FlagSet, s *agent.Search, trials int) {
	flags.IntVar(&s.Trials, "trials", trials, "schedules to measure; 1 is the agent's greedy choice alone")
	flags.DurationVar(&s.Time, "search-time", 0, "end the search of a program after so long (0: no limit)")
	flags.StringVar(&s.Method, "search", "", "how to search: sample, refine, evolve, beam or tree (default refine)")
}

// checkSearch refuses what no search can work with, before anything is started.
func checkSearch(s agent.Search) error {
	if err := atLeastOne("trials", s.Trials); err != nil || s.Method == "" {
		return err
	}
	_, err := search.Find(s.Method)
	return err
}
