// Package eval tells how good an agent is: on programs it was not trained on, beside the
// default schedule, random search, an untrained policy and other agents.
package eval

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"nestling/costmodel"
	"nestling/env"
	"nestling/measure"
	"nestling/policy"
	"nestling/program"
	"nestling/schedule"
	"nestling/search"
	"nestling/stats"
	"nestling/suite"
)

// Case is a program to evaluate on.
type Case struct {
	Name, Family string
	Program      *program.Program
	Reference    schedule.Schedule // the best known by other means; nil if there is none
	PyTorch      *suite.Benchmark  // the program as PyTorch is given it; nil if it is not
}

// Options say whom to evaluate, and how.
type Options struct {
	Policy *policy.Policy
	Cost   *costmodel.Model // that it chooses and searches with; nil for none
	Rules  env.Rules
	Trials int // of the search
	Others int // of each search that it is compared with; 0: as many
	Method string
	Seed   uint64
	// Rounds is how often the finalists are measured, in turns.
	Rounds int
	// Rivals are other agents, which choose and search as this one does.
	Rivals []Rival
	// Eager times a program in PyTorch, in nanoseconds, if the case tells how; nil where
	// there is no PyTorch.
	Eager func(context.Context, Case) (float64, error)
}

// Rival is another agent that is evaluated beside the one that it is about.
type Rival struct {
	Name   string // in tables: "paper lstm/run_3"
	Run    string // its folder
	Policy *policy.Policy
	Cost   *costmodel.Model // nil for none
	Rules  env.Rules
}

// Greedy is the contestant that is the rival's first choice.
func (r Rival) Greedy() string { return r.Name + " greedy" }

// Search is the contestant that is the rival's best of Others.
func (r Rival) Search() string { return r.Name + " search" }

// Contestants, in the order of the table.
const (
	Eager       = "eager"       // PyTorch as it comes, which is no schedule
	Unscheduled = "unscheduled" // plain loops, as MLIR lowers them
	Reference   = "reference"   // the best schedule known by other means
	Greedy      = "greedy"      // the agent's first choice
	Search      = "search"      // the agent's best of Trials
	Untrained   = "untrained"   // the same network before training, best of Others
	Random      = "random"      // uniform draws, best of Others
)

// Default is what all are compared with: no contestant, but it can fail.
const Default = "default"

// Contestants lists all but rivals.
var Contestants = []string{Eager, Unscheduled, Reference, Greedy, Search, Untrained, Random}

// Row is what came out for one program.
type Row struct {
	Name   string  `json:"name"`
	Family string  `json:"family"`
	Flops  float64 `json:"flops"`
	// DefaultMS is the time of the default schedule.
	DefaultMS float64 `json:"default_ms"`
	// Speedups are over the default schedule, by contestant; those that have none are
	// missing: they failed, be it once, or would have taken too long.
	Speedups  map[string]float64 `json:"speedups"`
	Schedules map[string]string  `json:"schedules"`
	Failures  map[string]string  `json:"failures,omitempty"` // reasons, by contestant or Default
	// Share is the greedy schedule's speed as a share of the best known.
	Share   float64 `json:"share_of_best"`
	Seconds float64 `json:"search_s"` // the search took
}

// unscheduledFlops is the largest program whose plain loops are timed: a second of them.
const unscheduledFlops = 1e9

// trying is how a candidate of a search is timed; judging is how finalists are.
var (
	trying  = measure.Plan{Warmup: 1, Samples: 5, MinBlock: 500 * time.Microsecond, Budget: 300 * time.Millisecond, Limit: 2 * time.Second, SlowerThan: 3, GiveUp: 10, Settled: true}
	judging = measure.Plan{Samples: 7, MinBlock: 2 * time.Millisecond, Budget: time.Second, Fresh: true}
)

// Run evaluates on one program. What fails is in the row; only what ends the whole
// evaluation, as the end of ctx does, is an error.
func Run(ctx context.Context, lab env.Lab, m schedule.Machine, c Case, o Options) (*Row, error) {
	r := &Row{
		Name: c.Name, Family: c.Family, Flops: c.Program.Flops(),
		Speedups: map[string]float64{}, Schedules: map[string]string{}, Failures: map[string]string{},
	}
	chosen := map[string]schedule.Schedule{Greedy: search.Greedy(o.Policy, o.Cost, c.Program, m, o.Rules)}
	if c.Reference != nil {
		chosen[Reference] = c.Reference
	}
	if r.Flops < unscheduledFlops {
		chosen[Unscheduled] = schedule.Schedule{}
	}
	for _, rival := range o.Rivals {
		chosen[rival.Greedy()] = search.Greedy(rival.Policy, rival.Cost, c.Program, m, rival.Rules)
	}
	if err := r.searches(ctx, lab, m, c, o, chosen); err != nil {
		return nil, err
	}
	for name, s := range chosen {
		r.Schedules[name] = s.String()
	}
	return r, r.judge(ctx, lab, m, c, o, chosen)
}

// searcher is a contestant that looks for a schedule by trial.
type searcher struct {
	name, method string
	trials       int
	policy       *policy.Policy // nil draws uniformly
	cost         *costmodel.Model
	rules        env.Rules
}

// searches looks for schedules by trial: the agent with its budget, those that it is compared
// with all with theirs.
func (r *Row) searches(ctx context.Context, lab env.Lab, m schedule.Machine, c Case, o Options, chosen map[string]schedule.Schedule) error {
	if o.Trials <= 1 {
		return nil
	}
	evaluator, judge := env.NewLive(lab, trying, m), env.NewLive(lab, judging, m)
	others := cmp.Or(o.Others, o.Trials)
	untrained, err := policy.New(o.Policy.Name(), o.Policy.Config(), rand.New(rand.NewPCG(o.Seed, 11)))
	if err != nil {
		return err
	}
	contestants := []searcher{
		{Search, o.Method, o.Trials, o.Policy, o.Cost, o.Rules},
		{Untrained, "sample", others, untrained, nil, o.Rules},
		{Random, "sample", others, nil, nil, o.Rules},
	}
	for _, rival := range o.Rivals {
		contestants = append(contestants, searcher{rival.Search(), o.Method, others, rival.Policy, rival.Cost, rival.Rules})
	}
	for _, s := range contestants {
		method, err := search.Find(s.method)
		if err != nil {
			return err
		}
		start := time.Now()
		found, err := search.Run(ctx, method, c.Program, search.Options{
			Policy: s.policy, Cost: s.cost, Machine: m, Rules: s.rules, Evaluator: evaluator, Judge: judge,
			Budget: search.Budget{Trials: s.trials}, Seed: o.Seed,
		})
		if s.name == Search {
			r.Seconds = time.Since(start).Seconds()
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			r.Failures[s.name] = err.Error()
		default:
			chosen[s.name] = found.Schedule
		}
	}
	return nil
}

// judge measures all that was chosen beside the default schedule, in turns.
func (r *Row) judge(ctx context.Context, lab env.Lab, m schedule.Machine, c Case, o Options, chosen map[string]schedule.Schedule) error {
	batch := []measure.Candidate{{Program: c.Program, Schedule: schedule.Default(c.Program, m)}}
	var names []string
	for _, name := range inOrder(chosen) {
		names = append(names, name)
		batch = append(batch, measure.Candidate{Program: c.Program, Schedule: chosen[name]})
	}
	ratios := make([][]float64, len(batch))
	var times, eager []float64
	for range max(1, o.Rounds) {
		outcomes, err := lab.Evaluate(ctx, batch, judging)
		if err != nil {
			return err
		}
		for i, out := range outcomes {
			switch {
			case out.Status == measure.OK:
				ratios[i] = append(ratios[i], out.Ratio)
			case i > 0:
				r.Failures[names[i-1]] = fmt.Sprintf("%s: %s", out.Status, out.Error)
			default:
				r.Failures[Default] = fmt.Sprintf("%s: %s", out.Status, out.Error)
				return nil
			}
		}
		times = append(times, outcomes[0].Nanoseconds)
		if o.Eager == nil || c.PyTorch == nil {
			continue
		}
		if t, err := o.Eager(ctx, c); err == nil {
			eager = append(eager, t)
		} else if r.Failures[Eager] = err.Error(); ctx.Err() != nil {
			return ctx.Err()
		}
	}
	r.DefaultMS = stats.Median(times) / 1e6
	if len(eager) > 0 && r.Failures[Eager] == "" {
		r.Speedups[Eager] = stats.Median(times) / stats.Median(eager)
	}
	for i, name := range names {
		if r.Failures[name] == "" {
			r.Speedups[name] = stats.Median(ratios[0]) / stats.Median(ratios[i+1])
		}
	}
	r.Share = r.shareOf(Greedy)
	return nil
}

// inOrder lists contestants as the table has them: rivals last, by name.
func inOrder[V any](of map[string]V) []string {
	place := func(name string) int {
		if i := slices.Index(Contestants, name); i >= 0 {
			return i
		}
		return len(Contestants)
	}
	return slices.SortedFunc(maps.Keys(of), func(a, b string) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a, b))
	})
}

// Beats tells whether a contestant is faster than another; known is false where neither
// is, or one was not asked. What fails is slower than what works.
func (r *Row) Beats(contestant, other string) (faster, known bool) {
	a, b := r.Speedups[contestant], r.Speedups[other]
	asked := func(name string) bool { return r.Speedups[name] > 0 || r.Failures[name] != "" }
	known = asked(contestant) && asked(other) && a != b
	return known && a > b, known
}

// Best is the largest speedup over the default schedule that any schedule reached, 1 if
// none is faster.
func (r *Row) Best() float64 {
	best := 1.0
	for name, s := range r.Speedups {
		if name != Eager {
			best = math.Max(best, s)
		}
	}
	return best
}

// shareOf is a contestant's speed as a share of the best known.
func (r *Row) shareOf(contestant string) float64 { return r.Speedups[contestant] / r.Best() }
