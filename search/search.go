// Package search finds schedules with a trained policy: its first choice, or
// the best measured among its first choice and samples.
package search

import (
	"context"
	"errors"
	"math/rand/v2"

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
func Greedy(p policy.Policy, target *program.Program, m schedule.Machine) (schedule.Schedule, error) {
	schedules, err := play(p, target, m, 1, nil)
	if err != nil {
		return nil, err
	}
	return schedules[0], nil
}

// Best tries the greedy schedule and samples-1 drawn from the policy, each
// different one once, and returns the fastest. Where all fail it is an error
// with the reason of the first.
func Best(ctx context.Context, p policy.Policy, target *program.Program, m schedule.Machine, evaluator env.Evaluator, samples int, rng *rand.Rand) (Found, error) {
	greedy, err := Greedy(p, target, m)
	if err != nil {
		return Found{}, err
	}
	drawn, err := play(p, target, m, samples-1, rng)
	if err != nil {
		return Found{}, err
	}
	tasks := different(target, append([]schedule.Schedule{greedy}, drawn...))
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
func play(p policy.Policy, target *program.Program, m schedule.Machine, n int, rng *rand.Rand) ([]schedule.Schedule, error) {
	episodes := make([]*env.Episode, n)
	for i := range episodes {
		episodes[i] = env.New(target, m)
	}
	err := env.Play(episodes, func(_ []int, obs []env.Observation) []env.Action {
		actions := make([]env.Action, len(obs))
		for i, d := range p.Act(obs, rng, rng == nil) {
			actions[i] = d.Action
		}
		return actions
	})
	out := make([]schedule.Schedule, n)
	for i := range out {
		out[i] = episodes[i].Schedule()
	}
	return out, err
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
