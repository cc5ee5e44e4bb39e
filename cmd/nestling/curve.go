package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"nestling/ppo"
	"nestling/progress"
	"nestling/report"
	"nestling/results"
	"nestling/training"
)

func curveCommand(s *settings) *cobra.Command {
	var path, out string
	var iterations int
	c := &cobra.Command{
		Use:   "curve",
		Short: "Draw a training's rewards beside a random policy's",
		Long: `Draws the reward and the speedup of a training by iteration, beside those of a policy
that draws every choice at random, on the same programs in the same way.`,
		Example: "  nestling curve\n  nestling curve --run results/lstm/run_0 --out docs/images/learning.png",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			run, err := s.openRun(path)
			if err != nil {
				return err
			}
			trained, err := results.ReadLog[ppo.Metrics](filepath.Join(run.Logs(), ppo.LogFile))
			if err != nil {
				return err
			}
			setup, err := training.Read(run)
			if err != nil {
				return err
			}
			random, err := s.random(c.Context(), setup, min(iterations, len(trained)))
			if err != nil {
				return err
			}
			if out == "" {
				out = filepath.Join(run.Logs(), "learning_curve.png")
			}
			if err := report.LearningPlot(out, run.Model, setup.Over(), points(trained), points(random)); err != nil {
				return err
			}
			return s.printFiles(out)
		},
	}
	c.Flags().StringVar(&path, "run", "", "run to draw (default: the one trained last)")
	c.Flags().StringVar(&out, "out", "", "PNG file (default: logs/learning_curve.png of the run)")
	c.Flags().IntVar(&iterations, "random-iterations", 20, "iterations of the random policy")
	return c
}

// random plays the random policy on the programs of a training.
func (s *settings) random(ctx context.Context, setup training.Setup, iterations int) (metrics []ppo.Metrics, err error) {
	s.threads = setup.Threads
	lab, err := s.openTrainingLab()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lab.Close()) }()
	setup.Config.Iterations = iterations
	options, err := s.trainOptions(ctx, lab, trainFlags{setup: setup})
	if err != nil {
		return nil, err
	}
	bar := progress.NewBar(os.Stderr, "random policy")
	defer bar.Done()
	options.Report = func(m ppo.Metrics) error {
		metrics = append(metrics, m)
		bar.Update(m.Iteration, iterations, "")
		return nil
	}
	return metrics, ppo.Random(ctx, options)
}

// points are what the plot shows of each iteration.
func points(metrics []ppo.Metrics) []report.LearningPoint {
	out := make([]report.LearningPoint, len(metrics))
	for i, m := range metrics {
		out[i] = report.LearningPoint{Iteration: m.Iteration, Reward: m.Reward, Spread: m.RewardStdDev, Speedup: m.Speedup}
	}
	return out
}
