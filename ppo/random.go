package ppo

import (
	"context"
	"math/rand/v2"

	"nestling/env"
)

// Random plays o.Config.Iterations iterations as Train does, small programs first, but
// draws every choice uniformly from the legal ones and learns nothing: the curve that a
// trained agent's must rise above. It reports each iteration and writes no files.
func Random(ctx context.Context, o TrainOptions) error {
	if err := o.Config.Check(); err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(o.Config.Seed, 2))
	visits := map[string]int{}
	known := spaces(o.Programs, o.Machine, o.Rules)
	for i := range o.Config.Iterations {
		var episodes []*episode
		for _, p := range draw(smallest(o.Programs, o.Config, i), o.Config, visits, rng) {
			visits[p.Hash]++
			e := known[p.Hash].NewEpisode()
			e.Draw(rng)
			episodes = append(episodes, &episode{task: env.Task{Program: p, Schedule: e.Schedule()}})
		}
		if err := judge(ctx, o.Evaluator, episodes); err != nil {
			return err
		}
		m := summarize(episodes)
		m.Iteration = i + 1
		if err := o.report(m); err != nil {
			return err
		}
	}
	return nil
}
