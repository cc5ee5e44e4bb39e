package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"nestling/costmodel"
	"nestling/ppo"
	"nestling/results"
	"nestling/training"
)

// shipCommand is for those who make a release: it is not listed.
func shipCommand() *cobra.Command {
	return &cobra.Command{
		Use: "ship RUN DIR", Hidden: true, Args: cobra.ExactArgs(2),
		Short: "Write a run's best checkpoint as one that ships with Nestling",
		Long: `Writes the best checkpoint of a run, without what only a further training needs, with
its settings and its log, and those of its teachers, below DIR (agent/shipped in Nestling's source).`,
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
	c, err := ppo.LoadBest(run)
	if err != nil {
		return err
	}
	c.State.Memories, c.State.Visits, c.State.Baselines = nil, nil, nil
	// What shipped before stays until all of the new is there.
	fresh := dir + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	name := filepath.Base(c.Dir)
	if err := os.MkdirAll(filepath.Join(fresh, name), 0o777); err != nil {
		return err
	}
	err = errors.Join(
		results.WriteJSON(filepath.Join(fresh, name, results.StateFile), c.State),
		copyFile(filepath.Join(c.Dir, results.PolicyFile), filepath.Join(fresh, name, results.PolicyFile)),
		copyCostModel(c, filepath.Join(fresh, name)),
		shipHistory(run, filepath.Join(fresh, "run")),
	)
	if err != nil {
		return errors.Join(err, os.RemoveAll(fresh))
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Rename(fresh, dir)
}

// shipHistory writes how a run was trained, and below it how its teachers were.
func shipHistory(run *results.Run, dir string) error {
	setup, err := training.Read(run)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o777); err != nil {
		return err
	}
	if setup.Teacher != "" {
		teacher, err := results.OpenRun(setup.Teacher)
		if err != nil {
			return fmt.Errorf("the teacher of %s: %w", run.Dir, err)
		}
		setup.Teacher = filepath.Join("teachers", teacher.Model, filepath.Base(teacher.Dir))
		if err := shipHistory(teacher, filepath.Join(dir, setup.Teacher)); err != nil {
			return err
		}
	}
	setup.Data, setup.Weights = portable(setup.Data), portable(setup.Weights)
	return errors.Join(
		results.WriteJSON(filepath.Join(dir, "training.json"), setup),
		copyFile(filepath.Join(run.Logs(), ppo.LogFile), filepath.Join(dir, "logs", ppo.LogFile)),
	)
}

func copyCostModel(c *ppo.Checkpoint, dir string) error {
	if c.Cost == nil {
		return nil
	}
	return copyFile(filepath.Join(c.Dir, costmodel.ModelFile), filepath.Join(dir, costmodel.ModelFile))
}

// portable is a path without where it was on this machine: below the working folder, or
// its last element alone.
func portable(path string) string {
	if path == "" {
		return ""
	}
	if here, err := os.Getwd(); err == nil {
		if below, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(below) {
			return below
		}
	}
	return filepath.Base(path)
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return results.WriteFile(to, content)
}
