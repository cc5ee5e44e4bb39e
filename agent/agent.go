// Package agent is a trained policy at work: loaded from a run, asked for
// schedules.
package agent

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"path/filepath"
	"time"

	"nestling/blas"
	"nestling/costmodel"
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
	// Weights tell agents apart that decide differently: SHA-256 of the network and, behind
	// it, of the cost model if there is one, in hexadecimal.
	Weights string
	policy  *policy.Policy
	cost    *costmodel.Model
	machine schedule.Machine
	rules   env.Rules
}

// Load reads the best checkpoint of a run, or its newest where that cannot be read. The
// agent keeps to the rules that it was trained under, and to exact arithmetic where that is
// asked for.
func Load(run *results.Run, m schedule.Machine, exact bool) (*Agent, error) {
	c, err := ppo.LoadBest(run)
	if err != nil {
		c, err = ppo.LoadLatest(run)
	}
	if err != nil {
		return nil, err
	}
	blas.SetThreads(1) // or else the last bits, and with them choices, might differ each time
	rules := c.State.Rules
	rules.Exact = rules.Exact || exact
	return &Agent{Run: run, Checkpoint: c.Dir, Weights: weights(c), policy: c.Policy, cost: c.Cost, machine: m, rules: rules}, nil
}

// weights are the checksums of what a checkpoint's agent decides with.
func weights(c *ppo.Checkpoint) string {
	sum := c.State.Checksums[results.PolicyFile]
	if c.Cost != nil {
		sum += c.State.Checksums[costmodel.ModelFile]
	}
	return sum
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

// judging is how winners of a search are measured again: longer, and whatever the tuning
// database knows.
var judging = measure.Plan{Samples: 15, MinBlock: 2 * time.Millisecond, Fresh: true, Settled: true}

// Search says how an agent looks for a schedule: with one trial and no time it is the greedy
// choice, with one trial and some time as many trials as the time allows.
type Search struct {
	Method string // of search.Methods; "" is the best one
	search.Budget
	Seed uint64 // of the inputs and of what is drawn
}

// Resolved is the search with everything that it leaves open filled in: two that resolve to
// the same look in the same way. The greedy choice is one trial and no method.
func (s Search) Resolved() Search {
	if s.Trials <= 1 && s.Time <= 0 {
		return Search{Budget: search.Budget{Trials: 1}, Seed: s.Seed}
	}
	if s.Trials <= 1 {
		s.Trials = math.MaxInt
	}
	s.Method = cmp.Or(s.Method, search.DefaultMethod)
	return s
}

// Choose schedules a program: greedily, which measures nothing, or by a search.
func (a *Agent) Choose(ctx context.Context, lab env.Lab, p *program.Program, s Search) (Choice, error) {
	s = s.Resolved()
	if s.Trials == 1 {
		return Choice{Schedule: search.Greedy(a.policy, a.cost, p, a.machine, a.rules), By: "greedy"}, nil
	}
	method, err := search.Find(s.Method)
	if err != nil {
		return Choice{}, err
	}
	again := judging
	again.Seed = s.Seed
	found, err := search.Run(ctx, method, p, search.Options{
		Policy: a.policy, Cost: a.cost, Machine: a.machine, Rules: a.rules, Budget: s.Budget, Seed: s.Seed,
		Evaluator: env.NewLive(lab, measure.Plan{Seed: s.Seed, Settled: true}, a.machine),
		Judge:     env.NewLive(lab, again, a.machine),
	})
	return Choice{Schedule: found.Schedule, By: "search", Trials: found.Trials}, err
}

// Rules are what the agent keeps to.
func (a *Agent) Rules() env.Rules { return a.rules }

// Policy is what the agent decides with.
func (a *Agent) Policy() *policy.Policy { return a.policy }

// Cost is the cost model that the agent chooses and searches with, nil if it has none.
func (a *Agent) Cost() *costmodel.Model { return a.cost }
