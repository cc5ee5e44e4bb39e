package ppo

import (
	"context"
	"math/rand/v2"

	"nestling/env"
	"nestling/policy"
)

// Random plays o.Config.Iterations iterations as Train does, but draws every
// choice uniformly from the legal ones and learns nothing: the curve that a
// trained agent's must rise above. It reports each iteration and writes no files.
func Random(ctx context.Context, o TrainOptions) error {
	if err := o.Config.check(); err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(o.Config.Seed, 2))
	for i := range o.Config.Iterations {
		episodes, err := rollout(draw(o.Programs, o.Config, rng), o.Machine, func(obs []env.Observation) []policy.Decision {
			out := make([]policy.Decision, len(obs))
			for j := range obs {
				out[j].Action = obs[j].Mask.Draw(rng)
			}
			return out
		})
		if err != nil {
			return err
		}
		if err := judge(ctx, o.Evaluator, episodes); err != nil {
			return err
		}
		m := summarize(episodes)
		m.Iteration = i + 1
		if err := o.Report(m); err != nil {
			return err
		}
	}
	return nil
}
