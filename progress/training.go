package progress

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Iteration is what the live line of a training tells of its last iteration.
type Iteration struct {
	Number  int
	Elapsed time.Duration // training time so far, that before a resume included
	// SchedulesPerSecond counts newly measured ones.
	SchedulesPerSecond float64
	Reward             float64
	Speedup            float64 // over the default schedule; 0 when nothing was measured
	Entropy            float64 // nats
	Failed             int     // schedules of this iteration
	Collapsing         bool    // the entropy is below its floor
}

// Training is the live line of a training.
type Training struct {
	line       *line
	budget     time.Duration
	iterations int
	last       Iteration
	received   time.Time
}

// NewTraining makes the line of a training that ends after a budget of training
// time or a number of iterations, whichever comes first; 0 is no limit.
func NewTraining(w io.Writer, budget time.Duration, iterations int) *Training {
	t := &Training{budget: budget, iterations: iterations}
	t.line = newLine(w, t.text)
	return t
}

// Update shows an iteration that has ended.
func (t *Training) Update(i Iteration) {
	t.line.update(func() { t.last, t.received = i, time.Now() })
}

// Done leaves the last iteration standing and ends the line.
func (t *Training) Done() { t.line.done() }

func (t *Training) text(now time.Time) string {
	i := t.last
	number := fmt.Sprintf("iteration %d", i.Number)
	if t.iterations > 0 {
		number += fmt.Sprintf("/%d", t.iterations)
	}
	parts := []string{number, fmt.Sprintf("%.1f schedules/s", i.SchedulesPerSecond), fmt.Sprintf("reward %.3f", i.Reward)}
	if i.Speedup > 0 {
		parts = append(parts, fmt.Sprintf("speedup %.3g×", i.Speedup))
	}
	entropy := fmt.Sprintf("entropy %.2f", i.Entropy)
	if i.Collapsing {
		entropy += " (below its floor)"
	}
	parts = append(parts, entropy)
	if i.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", i.Failed))
	}
	return strings.Join(append(parts, t.time(now)), "  ")
}

// time is how long the training will go on, or has gone on where it has no end.
func (t *Training) time(now time.Time) string {
	elapsed := t.last.Elapsed + now.Sub(t.received)
	left := time.Duration(-1)
	if t.budget > 0 {
		left = max(t.budget-elapsed, 0)
	}
	if t.iterations > 0 && t.last.Number > 0 {
		byCount := t.last.Elapsed*time.Duration(t.iterations)/time.Duration(t.last.Number) - elapsed
		if left < 0 || byCount < left {
			left = max(byCount, 0)
		}
	}
	if left < 0 {
		return short(elapsed)
	}
	return short(left) + " left"
}
