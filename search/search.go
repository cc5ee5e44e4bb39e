// Package search finds schedules with a trained policy: its first choice, or
// the best measured among its first choice and samples.
package search

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"

	"nestling/env"
	"nestling/policy"
	"nestling/program"
	"nestling/schedule"
)

// Found is the outcome of a search.
type Found struct {
	Schedule schedule.Schedule
	// Feedback is what the trial of the schedule gave. The best of many trials
	// is partly luck: measure it again, fresh, before believing it.
	Feedback env.Feedback
	Trials   int // different schedules tried
}

// Greedy is the schedule of the most probable actions. Nothing is measured.
func Greedy(p *policy.Policy, target *program.Program, m schedule.Machine) schedule.Schedule {
	return play(p, target, m, 1, nil)[0]
}

// Best tries the greedy schedule and samples-1 drawn from the policy, each
// different one once, and returns the fastest. Where all fail it is an error
// with the reason of the first.
func Best(ctx context.Context, p *policy.Policy, target *program.Program, m schedule.Machine, evaluator env.Evaluator, samples int, rng *rand.Rand) (Found, error) {
	drawn := play(p, target, m, samples-1, rng)
	tasks := different(target, append([]schedule.Schedule{Greedy(p, target, m)}, drawn...))
	feedback, err := evaluator.Evaluate(ctx, tasks)
	if err != nil {
		return Found{}, err
	}
	best := -1
	for i, f := range feedback {
		if f.Measured() && (best < 0 || f.LogSpeedup > feedback[best].LogSpeedup) {
			best = i
		}
	}
	if best < 0 {
		return Found{}, errors.New("no schedule that the policy proposes works: " + feedback[0].Reason)
	}
	return Found{tasks[best].Schedule, feedback[best], len(tasks)}, nil
}

// play schedules a program n times at once, greedily where rng is nil.
func play(p *policy.Policy, target *program.Program, m schedule.Machine, n int, rng *rand.Rand) []schedule.Schedule {
	space := env.NewSpace(target, m)
	episodes := make([]*env.Episode, n)
	for i := range episodes {
		episodes[i] = space.NewEpisode()
	}
	for {
		unfinished := slices.DeleteFunc(slices.Clone(episodes), (*env.Episode).Done)
		if len(unfinished) == 0 {
			break
		}
		p.Act(unfinished, rng, rng == nil)
	}
	out := make([]schedule.Schedule, n)
	for i := range out {
		out[i] = episodes[i].Schedule()
	}
	return out
}

func different(target *program.Program, schedules []schedule.Schedule) []env.Task {
	var out []env.Task
	seen := map[string]bool{}
	for _, s := range schedules {
		if text := s.String(); !seen[text] {
			seen[text] = true
			out = append(out, env.Task{Program: target, Schedule: s})
		}
	}
	return out
}
