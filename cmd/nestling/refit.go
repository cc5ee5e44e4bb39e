package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"nestling/measure"
	"nestling/ppo"
	"nestling/program"
	"nestling/progress"
	"nestling/results"
	"nestling/training"
)

// refitCommand is for those who change what cost models see: it is not listed.
func refitCommand(s *settings) *cobra.Command {
	steps := 4000
	var beside []string
	c := &cobra.Command{
		Use: "refit RUN", Hidden: true, Args: cobra.ExactArgs(1),
		Short: "Learn a run's cost model anew from the tuning database",
		Long: `Learns the cost model of a run's best checkpoint anew, from the schedules of its programs that
the tuning database knows: after a change of the features that cost models see, which makes
those of before useless. Nothing is measured, and the policy stays as it is.`,
		Example: `  nestling refit results/lstm/run_0
  nestling refit results/lstm/run_0 --beside results/lstm/run_1,results/lstm/run_2`,
		RunE: func(c *cobra.Command, args []string) error {
			return s.refit(c.Context(), args[0], beside, steps)
		},
	}
	c.Flags().IntVar(&steps, "steps", steps, "steps of the learning")
	c.Flags().StringSliceVar(&beside, "beside", nil, "runs whose programs to learn from as well")
	return c
}

func (s *settings) refit(ctx context.Context, path string, beside []string, steps int) (err error) {
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
	for _, path := range beside {
		others, err := programsOf(ctx, lab, path)
		if err != nil {
			return err
		}
		options.Programs = united(options.Programs, others)
	}
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

// programsOf are those that a run was trained on.
func programsOf(ctx context.Context, lab *measure.Lab, path string) ([]*program.Program, error) {
	run, err := results.OpenRun(path)
	if err != nil {
		return nil, err
	}
	setup, err := training.Read(run)
	if err != nil {
		return nil, err
	}
	return analyseSetup(ctx, lab, setup)
}

// united are programs with others, each of them once.
func united(programs, others []*program.Program) []*program.Program {
	there := map[string]bool{}
	for _, p := range programs {
		there[p.Hash] = true
	}
	return append(programs, slices.DeleteFunc(others, func(p *program.Program) bool { return there[p.Hash] })...)
}
