package main

import (
	"errors"

	"github.com/spf13/cobra"

	"nestling/figures"
	"nestling/policy"
	"nestling/results"
)

func agentsCommand(s *settings) *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "agents [RUN...]",
		Short: "Write the page of agents from their trainings and evaluations",
		Long: `Writes a page of Markdown, and a picture beside it, from the training logs of runs and
from what "nestling eval" found of them. Without runs it takes the latest of each model.
"make agents" trains, evaluates and runs this.`,
		Example: "  nestling bench agents\n  nestling bench agents results/lstm/run_0 results/gpt-2/run_1 --out agents.md",
		RunE: func(_ *cobra.Command, args []string) error {
			runs, err := s.agentRuns(args)
			if err != nil {
				return err
			}
			if err := figures.WriteAgents(out, runs); err != nil {
				return err
			}
			return s.printFiles(out)
		},
	}
	c.Flags().StringVar(&out, "out", "docs/agents.md", "file to write")
	return c
}

// agentRuns opens the runs at some paths, or else the latest of every model that has one.
func (s *settings) agentRuns(paths []string) ([]*results.Run, error) {
	var runs []*results.Run
	for _, path := range paths {
		run, err := results.OpenRun(path)
		if err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	if len(paths) > 0 {
		return runs, nil
	}
	for _, model := range policy.Names() {
		run, err := results.LatestOf(s.results, model)
		switch {
		case errors.Is(err, results.ErrNoModel):
		case err != nil:
			return nil, err
		default:
			runs = append(runs, run)
		}
	}
	if len(runs) == 0 {
		return nil, errors.New("no agent was trained yet; `make agents` trains one of each model")
	}
	return runs, nil
}
