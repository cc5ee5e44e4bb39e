package env

import (
	"context"
	"math"

	"nestling/program"
	"nestling/schedule"
)

// Task is one finished episode, to be judged.
type Task struct {
	Program  *program.Program
	Schedule schedule.Schedule
}

// Feedback is what a schedule turned out to be worth.
type Feedback struct {
	// LogSpeedup is ln(default schedule's time / this schedule's time), both
	// as ratios to a probe timed in turns with them; 0 when Reason is set.
	LogSpeedup float64
	// Uncertainty is the standard error of LogSpeedup, as far as one process can tell; 0
	// where that is not known.
	Uncertainty float64
	// Failed: wrong, crashed, out of time or memory, or did not compile.
	Failed bool
	// Reason says why there is no speedup. Without Failed, the schedule is not
	// to blame: the default schedule itself could not be measured.
	Reason string
	// Cached: remembered, not measured now.
	Cached bool
}

// Measured tells whether LogSpeedup was measured.
func (f Feedback) Measured() bool { return f.Reason == "" }

// Judged tells whether there is something to learn from: a speedup, or a failure; not where
// the default schedule that it would be compared with cannot be measured.
func (f Feedback) Judged() bool { return f.Failed || f.Measured() }

// RewardLimit bounds rewards on both sides: a hundredfold change. More than half
// of what an untrained agent tries is over ten times slower than the default
// schedule, and it has to be told how much; beyond a hundred it does not, nor
// may a single program carry the mean.
const RewardLimit = 2

// Reward is what the last step of an episode earns: the speedup's decimal
// logarithm within ±RewardLimit. A failure earns what the slowest earns, so that
// failing never pays. All steps before the last earn nothing.
func (f Feedback) Reward() float64 {
	if f.Failed {
		return -RewardLimit
	}
	return min(max(f.LogSpeedup/math.Ln10, -RewardLimit), RewardLimit)
}

// RewardUncertainty is the standard error of Reward within its limits.
func (f Feedback) RewardUncertainty() float64 { return f.Uncertainty / math.Ln10 }

// Baseline is the time of a program's default schedule.
type Baseline struct {
	Ratio       float64 `json:"ratio"` // to the probe, as measure.Outcome.Ratio
	Nanoseconds float64 `json:"nanoseconds"`
	Uncertainty float64 `json:"uncertainty"` // of Ratio, as measure.Outcome.Uncertainty
	// Times is how often it was measured: Ratio and Nanoseconds are geometric means. 0 is once,
	// by an older version.
	Times int `json:"times,omitempty"`
}

// Evaluator judges schedules in batches; results are in the order of the tasks.
// A schedule that fails is feedback; an error means that nothing can be judged
// any more (context cancelled, machine out of order).
type Evaluator interface {
	Evaluate(ctx context.Context, tasks []Task) ([]Feedback, error)
	// Baselines are what schedules are compared with, by program hash, to be
	// kept with a checkpoint and given back by Remember, so that a resumed
	// training compares with the same numbers.
	Baselines() map[string]Baseline
	Remember(baselines map[string]Baseline)
}

// Remeasurer is an Evaluator that can measure anew what has been measured before, and what
// that is compared with.
type Remeasurer interface {
	Again(ctx context.Context, tasks []Task) ([]Feedback, error)
}
