package ppo

import (
	"context"
	"math"
	"slices"
	"testing"

	"nestling/costmodel"
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

// What is remembered has been measured twice, and counts by the second time.
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
			want = 0
		}
		for _, p := range o.Programs {
			m, r := trainer.state.Memories[p.Hash], trainer.remembered[p.Hash]
			if more := m.Reward*math.Ln10 - worth(r.schedule); math.Abs(more-want) > 1e-9 {
				t.Errorf("confirm %v: %s is remembered as better than it is by %.3f, want %.3f", confirm, r.schedule, more, want)
			}
		}
	}
}

// The rule's own schedule is an example of where nothing else was better, and of nothing
// before that.
func TestTheRuleIsImitatedWhereSomethingElseWasTried(t *testing.T) {
	var curve []Metrics
	trainer, err := newTrainer(training(t, t.TempDir(), 1, &curve))
	if err != nil {
		t.Fatal(err)
	}
	if len(trainer.remembered) == 0 {
		t.Fatal("no default schedule is remembered")
	}
	if recalled := trainer.recall(8); len(recalled) > 0 {
		t.Errorf("%d steps are recalled before anything was tried", len(recalled))
	}
	tried := trainer.Programs[0]
	trainer.state.Visits[tried.Hash] = 1
	own := trainer.remembered[tried.Hash].steps
	for _, s := range trainer.recall(8) {
		if !slices.ContainsFunc(own, func(o step) bool { return s.Observation == o.Observation }) {
			t.Errorf("a step of another program than %s is recalled, the only one that was tried", tried.Name)
		}
	}
	if err := trainer.journal.close(); err != nil {
		t.Fatal(err)
	}
}

// unremembering measures everything anew.
type unremembering struct{ env.Evaluator }

func (u unremembering) Evaluate(ctx context.Context, tasks []env.Task) ([]env.Feedback, error) {
	feedback, err := u.Evaluator.Evaluate(ctx, tasks)
	for i := range feedback {
		feedback[i].Cached = false
	}
	return feedback, err
}

// Every new schedule is counted under the way in which its episode began, and what is found
// is among what was tried.
func TestFindingsAreCounted(t *testing.T) {
	var curve []Metrics
	o := training(t, t.TempDir(), 6, &curve)
	o.Config.Demonstrations, o.Evaluator = false, unremembering{o.Evaluator}
	train(t, o)
	found := 0
	for _, m := range curve {
		tried := 0
		for way, n := range m.Tried {
			tried += n
			if m.Found[way] > n {
				t.Errorf("iteration %d: %d of %d schedules that were %s were found", m.Iteration, m.Found[way], n, way)
			}
			found += m.Found[way]
		}
		if tried != m.New {
			t.Errorf("iteration %d: %d new schedules are counted as %v", m.Iteration, m.New, m.Tried)
		}
	}
	if found < len(o.Programs) {
		t.Errorf("%d findings on %d programs", found, len(o.Programs))
	}
}

// Before anything but default schedules was judged, there is nothing to learn costs from.
func TestCostsOfNothing(t *testing.T) {
	trainer := &trainer{cost: costmodel.New(newRand(1)), rng: newRand(1)}
	var m Metrics
	if err := trainer.learnCosts(nil, &m); err != nil || m.CostLoss != 0 {
		t.Errorf("loss %g, error %v; want neither", m.CostLoss, err)
	}
}
