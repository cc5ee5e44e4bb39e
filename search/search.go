// Package search finds schedules with a trained policy and measured feedback.
package search

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"nestling/costmodel"
	"nestling/env"
	"nestling/policy"
	"nestling/program"
	"nestling/schedule"
)

// Budget ends a search: with the trial or after the moment that uses it up.
type Budget struct {
	Trials int           // different schedules to measure
	Time   time.Duration // 0: no limit
}

// Found is the outcome of a search.
type Found struct {
	Schedule schedule.Schedule
	Feedback env.Feedback // the mean of the judge's measurements, or that of the trial
	Trials   int          // different schedules tried
}

// Methods are the ways to search, by name.
var Methods = map[string]Method{
	"sample": sample,
	"refine": refine,
	"evolve": evolve,
	"beam":   beam,
	"tree":   tree,
}

// DefaultMethod found the fastest schedules for the same budget; docs/agent.md has figures.
const DefaultMethod = "evolve"

// Method proposes schedules to a trial until that says that it is over.
type Method func(context.Context, *trial) error

// Find returns the method of that name, or says which there are.
func Find(name string) (Method, error) {
	if m, ok := Methods[name]; ok {
		return m, nil
	}
	var names []string
	for known := range Methods {
		names = append(names, known)
	}
	slices.Sort(names)
	return nil, fmt.Errorf("no search %q; there are %s", name, strings.Join(names, ", "))
}

// Greedy is an agent's first choice, of which nothing is measured; cost may be nil.
func Greedy(p *policy.Policy, cost *costmodel.Model, target *program.Program, m schedule.Machine, r env.Rules) schedule.Schedule {
	return costmodel.First(p, cost, env.NewSpace(target, m, r)).Schedule()
}

// Options say what to search with.
type Options struct {
	Policy *policy.Policy // nil: every answer is drawn uniformly
	// Cost tells which of several proposals are worth measuring; nil: as many are proposed as
	// are measured.
	Cost      *costmodel.Model
	Machine   schedule.Machine
	Rules     env.Rules
	Evaluator env.Evaluator
	// Judge measures the winners again, for the best of many trials is partly luck; nil
	// believes the trials.
	Judge  env.Evaluator
	Budget Budget
	Seed   uint64
}

// winners is how many schedules are measured again.
const winners = 6

// Run searches for a fast schedule: the policy's greedy choice first, then what the
// method proposes. Where all fail it is an error with the reason of the first.
func Run(ctx context.Context, method Method, target *program.Program, o Options) (Found, error) {
	t := &trial{
		Options: o, space: env.NewSpace(target, o.Machine, o.Rules), rng: rand.New(rand.NewPCG(o.Seed, 3)),
		start: time.Now(), seen: map[string]int{},
	}
	if o.Policy != nil {
		if err := t.measure(ctx, []*env.Episode{costmodel.First(o.Policy, o.Cost, t.space)}); err != nil {
			return Found{}, err
		}
	}
	if err := method(ctx, t); err != nil {
		return Found{}, err
	}
	return t.decide(ctx)
}

// trial is a search under way.
type trial struct {
	Options
	space *env.Space
	rng   *rand.Rand
	start time.Time
	seen  map[string]int // index into tried, by the schedule's text
	tried []attempt
}

// attempt is one schedule with its feedback.
type attempt struct {
	schedule schedule.Schedule
	answers  []int
	feedback env.Feedback
}

func (a attempt) is(b attempt) bool { return a.schedule.String() == b.schedule.String() }

// left is how many trials remain.
func (t *trial) left() int {
	if t.Budget.Time > 0 && time.Since(t.start) > t.Budget.Time {
		return 0
	}
	return max(0, t.Budget.Trials-len(t.tried))
}

// finish plays episodes to their end, drawing from the policy if there is one.
func (t *trial) finish(episodes []*env.Episode) {
	for {
		unfinished := slices.DeleteFunc(slices.Clone(episodes), (*env.Episode).Done)
		switch {
		case len(unfinished) == 0:
			return
		case t.Policy == nil:
			for _, e := range unfinished {
				e.Draw(t.rng)
			}
		default:
			t.Policy.Act(unfinished, t.rng, false)
		}
	}
}

// measure tries the schedules of finished episodes that were not tried before, as many
// as there are trials left.
func (t *trial) measure(ctx context.Context, episodes []*env.Episode) error {
	var tasks []env.Task
	first := len(t.tried)
	for _, e := range episodes {
		s := e.Schedule()
		text := s.String()
		if _, known := t.seen[text]; known || t.left() == 0 {
			continue
		}
		t.seen[text] = len(t.tried)
		t.tried = append(t.tried, attempt{schedule: s, answers: e.Answers()})
		tasks = append(tasks, env.Task{Program: t.space.Program(), Schedule: s})
	}
	feedback, err := t.Evaluator.Evaluate(ctx, tasks)
	for i, f := range feedback {
		t.tried[first+i].feedback = f
	}
	return err
}

// of is the reward of a finished episode that was tried; false if it was not.
func (t *trial) of(e *env.Episode) (float64, bool) {
	i, known := t.seen[e.Schedule().String()]
	if !known {
		return 0, false
	}
	return t.tried[i].feedback.Reward(), true
}

// best lists the n fastest attempts, the fastest first.
func (t *trial) best(n int) []attempt {
	ranked := slices.DeleteFunc(slices.Clone(t.tried), func(a attempt) bool { return !a.feedback.Measured() })
	slices.SortStableFunc(ranked, func(a, b attempt) int {
		switch {
		case a.feedback.LogSpeedup > b.feedback.LogSpeedup:
			return -1
		case a.feedback.LogSpeedup < b.feedback.LogSpeedup:
			return 1
		}
		return 0
	})
	return ranked[:min(n, len(ranked))]
}

// decide returns the fastest of what was tried, by the trials or by the judge. The judge
// always sees the greedy choice, too: a policy's first choice is no luck, and the best of
// many measurements is.
func (t *trial) decide(ctx context.Context) (Found, error) {
	ranked := t.best(winners)
	switch {
	case len(t.tried) == 0:
		return Found{}, errors.New("the budget ended before a schedule was tried")
	case len(ranked) == 0:
		return Found{}, errors.New("no schedule that was tried works: " + t.tried[0].feedback.Reason)
	case t.Judge == nil:
		return Found{ranked[0].schedule, ranked[0].feedback, len(t.tried)}, nil
	}
	if first := t.tried[0]; t.Policy != nil && first.feedback.Measured() && !slices.ContainsFunc(ranked, first.is) {
		ranked = append(ranked, first)
	}
	return t.playOff(ctx, ranked)
}

// player is a schedule in a play-off.
type player struct {
	schedule schedule.Schedule
	sum      float64 // of the logarithms of its speedups
	times    float64 // it was measured
}

func (p player) mean() float64 { return p.sum / p.times }

// playOff has schedules measured again, and the better half of them once more, until one
// is left: the nearer two are, the more measurements decide between them (successive
// halving: Karnin et al. 2013). What fails once is out for good; what only lost comes back
// if nothing else is left.
func (t *trial) playOff(ctx context.Context, ranked []attempt) (Found, error) {
	players := make([]player, len(ranked))
	for i, a := range ranked {
		players[i].schedule = a.schedule
	}
	for lost := []player(nil); ; {
		working, reason, err := t.again(ctx, players)
		if err != nil {
			return Found{}, err
		}
		if len(working) == 0 {
			working, lost = lost, nil
		}
		if len(working) == 0 {
			return Found{}, errors.New("no winner works when it is measured again: " + reason)
		}
		slices.SortStableFunc(working, func(a, b player) int { return cmp.Compare(b.mean(), a.mean()) })
		half := (len(working) + 1) / 2
		players, lost = working[:half:half], append(lost, working[half:]...)
		if len(players) == 1 {
			return Found{players[0].schedule, env.Feedback{LogSpeedup: players[0].mean()}, len(t.tried)}, nil
		}
	}
}

// again has the judge measure players once more. It returns those that work, or why the
// first of them did not.
func (t *trial) again(ctx context.Context, players []player) (working []player, reason string, err error) {
	tasks := make([]env.Task, len(players))
	for i, p := range players {
		tasks[i] = env.Task{Program: t.space.Program(), Schedule: p.schedule}
	}
	feedback, err := t.Judge.Evaluate(ctx, tasks)
	if err != nil {
		return nil, "", err
	}
	for i, p := range players {
		if f := feedback[i]; f.Measured() {
			working = append(working, player{p.schedule, p.sum + f.LogSpeedup, p.times + 1})
		}
	}
	return working, feedback[0].Reason, nil
}
