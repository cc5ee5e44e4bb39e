package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"nestling/ppo"
	"nestling/progress"
	"nestling/training"
)

// refitCommand is for those who change what cost models see: it is not listed.
func refitCommand(s *settings) *cobra.Command {
	steps := 4000
	c := &cobra.Command{
		Use: "refit RUN", Hidden: true, Args: cobra.ExactArgs(1),
		Short: "Learn a run's cost model anew from the tuning database",
		Long: `Learns the cost model of a run's best checkpoint anew, from the schedules of its programs that
the tuning database knows: after a change of the features that cost models see, which makes
those of before useless. Nothing is measured, and the policy stays as it is.`,
		Example: "  nestling refit results/lstm/run_0",
		RunE: func(c *cobra.Command, args []string) error {
			return s.refit(c.Context(), args[0], steps)
		},
	}
	c.Flags().IntVar(&steps, "steps", steps, "steps of the learning")
	return c
}

func (s *settings) refit(ctx context.Context, path string, steps int) (err error) {
	run, release, err := runToResume(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	setup, err := training.Read(run)
	if err != nil {
		return err
	}
	lab, err := s.openTrainingLab()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lab.Close()) }()
	options, err := s.trainOptions(ctx, lab, trainFlags{setup: setup})
	if err != nil {
		return err
	}
	options.Run = run
	known, err := lab.Known(ctx)
	if err != nil {
		return err
	}
	bar := progress.NewBar(os.Stderr, "cost model")
	loss, err := ppo.Refit(ctx, options, known, steps, func(done, total int) { bar.Update(done, total, "") })
	bar.Done()
	if err == nil {
		fmt.Printf("%s: loss of the cost model %.3f nats a pair\n", run.Dir, loss)
	}
	return err
}
