// Package agent is a trained policy at work: loaded from a run, asked for
// schedules.
package agent

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"

	"nestling/env"
	"nestling/measure"
	"nestling/policy"
	"nestling/ppo"
	"nestling/program"
	"nestling/results"
	"nestling/schedule"
	"nestling/search"
)

// Agent schedules programs with the policy of a checkpoint.
type Agent struct {
	Run        *results.Run
	Checkpoint string // folder it was loaded from
	policy     *policy.Policy
	machine    schedule.Machine
}

// Load reads the newest checkpoint of a run.
func Load(run *results.Run, m schedule.Machine) (*Agent, error) {
	checkpoint, err := run.LatestCheckpoint()
	if err != nil {
		return nil, err
	}
	c, err := ppo.Load(checkpoint)
	if err != nil {
		return nil, err
	}
	return &Agent{Run: run, Checkpoint: checkpoint, policy: c.Policy, machine: m}, nil
}

// String names the agent for messages: "lstm, results/lstm/run_0, checkpoint_000120".
func (a *Agent) String() string {
	return fmt.Sprintf("%s, %s, %s", a.Run.Model, a.Run.Dir, filepath.Base(a.Checkpoint))
}

// Choice is a schedule with how it was chosen.
type Choice struct {
	Schedule schedule.Schedule
	By       string // "greedy" or "search"
	Trials   int    // schedules measured before this one was chosen
}

// Choose schedules a program: greedily for one trial, which measures nothing, or
// by the best measured of the greedy schedule and of trials-1 drawn ones.
func (a *Agent) Choose(ctx context.Context, lab env.Lab, p *program.Program, trials int, seed uint64) (Choice, error) {
	if trials <= 1 {
		return Choice{Schedule: search.Greedy(a.policy, p, a.machine), By: "greedy"}, nil
	}
	evaluator := env.NewLive(lab, measure.Plan{Seed: seed}, a.machine)
	found, err := search.Best(ctx, a.policy, p, a.machine, evaluator, trials, rand.New(rand.NewPCG(seed, 0)))
	return Choice{Schedule: found.Schedule, By: "search", Trials: found.Trials}, err
}
