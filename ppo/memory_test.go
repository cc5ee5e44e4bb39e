package ppo

import (
	"context"
	"math"
	"testing"

	"nestling/env"
	"nestling/env/envtest"
)

// flattering finds every schedule faster than it is, the first time.
type flattering struct{ env.Evaluator }

const flattery = 0.4

func (f flattering) Evaluate(ctx context.Context, tasks []env.Task) ([]env.Feedback, error) {
	feedback, err := f.Evaluator.Evaluate(ctx, tasks)
	for i := range feedback {
		feedback[i].LogSpeedup += flattery
	}
	return feedback, err
}

func (f flattering) Again(ctx context.Context, tasks []env.Task) ([]env.Feedback, error) {
	return f.Evaluator.Evaluate(ctx, tasks)
}

// What is remembered has been measured twice, and counts by the mean.
func TestWhatIsRememberedIsConfirmed(t *testing.T) {
	for _, confirm := range []bool{true, false} {
		var curve []Metrics
		o := training(t, t.TempDir(), 4, &curve)
		o.Evaluator, o.Config.Confirm, o.Config.Demonstrations = flattering{envtest.Truth(worth)}, confirm, false
		trainer, err := newTrainer(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := trainer.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := trainer.journal.close(); err != nil {
			t.Fatal(err)
		}
		want := flattery
		if confirm {
			want /= 2
		}
		for _, p := range o.Programs {
			m, r := trainer.state.Memories[p.Hash], trainer.remembered[p.Hash]
			if more := m.Reward*math.Ln10 - worth(r.schedule); math.Abs(more-want) > 1e-9 {
				t.Errorf("confirm %v: %s is remembered as better than it is by %.3f, want %.3f", confirm, r.schedule, more, want)
			}
		}
	}
}
