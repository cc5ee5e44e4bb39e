package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"nestling/ppo"
	"nestling/results"
)

// shipCommand is for those who make a release: it is not listed.
func shipCommand() *cobra.Command {
	return &cobra.Command{
		Use: "ship RUN DIR", Hidden: true, Args: cobra.ExactArgs(2),
		Short: "Write a run's best checkpoint as one that ships with Nestling",
		Long: `Writes the best checkpoint of a run, without what only a further training needs, with
its settings and its log, below DIR (agent/shipped in Nestling's source).`,
		Example: "  nestling ship results/lstm/run_0 agent/shipped",
		RunE: func(_ *cobra.Command, args []string) error {
			run, err := results.OpenRun(args[0])
			if err != nil {
				return err
			}
			return ship(run, filepath.Join(args[1], run.Model))
		},
	}
}

func ship(run *results.Run, dir string) error {
	c, err := ppo.LoadLatest(run)
	if err != nil {
		return err
	}
	name := results.CheckpointName(c.State.BestIteration)
	if c, err = ppo.Load(filepath.Join(run.Models(), name)); err != nil {
		return fmt.Errorf("the best checkpoint: %w", err)
	}
	c.State.Memories, c.State.Baselines = nil, nil
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for _, sub := range []string{name, "run/logs"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o777); err != nil {
			return err
		}
	}
	return errors.Join(
		results.WriteJSON(filepath.Join(dir, name, results.StateFile), c.State),
		copyFile(filepath.Join(c.Dir, results.PolicyFile), filepath.Join(dir, name, results.PolicyFile)),
		copyFile(filepath.Join(run.Dir, "training.json"), filepath.Join(dir, "run", "training.json")),
		copyFile(filepath.Join(run.Logs(), ppo.LogFile), filepath.Join(dir, "run", "logs", ppo.LogFile)),
	)
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return results.WriteFile(to, content)
}
