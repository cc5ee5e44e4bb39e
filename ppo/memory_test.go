package ppo

import (
	"context"
	"math"
	"slices"
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

// What is remembered loses what the default schedule has gained, and gives its place back to
// that when nothing is left; the default schedule itself stays worth 0.
func TestMemoriesAreCorrected(t *testing.T) {
	var curve []Metrics
	trainer, err := newTrainer(training(t, t.TempDir(), 1, &curve))
	if err != nil {
		t.Fatal(err)
	}
	p := trainer.Programs[0]
	usual := trainer.remembered[p.Hash].schedule.String()
	trainer.correct(p, 0.1)
	if m := trainer.state.Memories[p.Hash]; m.Reward != 0 {
		t.Errorf("the default schedule is worth %g, want 0", m.Reward)
	}
	space := trainer.spaces[p.Hash]
	e := space.NewEpisode()
	for !e.Done() {
		e.Draw(trainer.rng)
	}
	trainer.memorise(p.Hash, 0.3, remembered{schedule: e.Schedule()})
	trainer.correct(p, 0.1*math.Ln10)
	if m := trainer.state.Memories[p.Hash]; math.Abs(m.Reward-0.2) > 1e-12 {
		t.Errorf("after a correction by 0.1 a reward of 0.3 is %g", m.Reward)
	}
	trainer.correct(p, 0.25*math.Ln10)
	if m, now := trainer.state.Memories[p.Hash], trainer.remembered[p.Hash].schedule.String(); m.Reward != 0 || now != usual {
		t.Errorf("what is worth less than nothing is still remembered: %q, reward %g", now, m.Reward)
	}
	if err := trainer.journal.close(); err != nil {
		t.Fatal(err)
	}
}
