package search

import (
	"context"
	"errors"
	"testing"
	"time"

	"nestling/env"
	"nestling/env/envtest"
)

// However many trials there are, a beam stays narrow enough to end.
func TestABeamIsNarrow(t *testing.T) {
	target := envtest.Matmul(8, 16, 32)
	o := options(t, newJudge(t), 1<<20)
	one := &trial{Options: o, space: env.NewSpace(target, o.Machine, o.Rules)}
	kept := []beginning{{one.space.NewEpisode(), 0}}
	levels, most := 0, 0
	for ; len(kept) > 0; levels++ {
		before := len(kept)
		var ended []*env.Episode
		kept, ended = one.extend(kept, 7)
		if n := len(kept) + len(ended); n > 7 || n < min(7, before) {
			t.Fatalf("%d beginnings became %d, of which at most 7 were to be kept", before, n)
		}
		for i := 1; i < len(kept); i++ {
			if kept[i].logProb > kept[i-1].logProb {
				t.Fatalf("a less probable beginning comes first: %v", kept)
			}
		}
		most = max(most, len(kept))
	}
	if most != 7 {
		t.Errorf("at most %d beginnings were kept of 7", most)
	}
	found, err := Run(t.Context(), beam, target, o)
	if err != nil || found.Trials < widest/2 || found.Trials > widest*2*levels {
		t.Errorf("%v; %d trials by a beam of %d on about %d questions", err, found.Trials, widest, levels)
	}
}

// When the time is up a beam asks the policy no more: it would notice the interruption.
func TestTimeEndsABeam(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	j := newJudge(t)
	o := options(t, j, 1<<20)
	o.Budget.Time = 200 * time.Millisecond
	o.Evaluator = interrupting{j, func() { time.Sleep(o.Budget.Time); interrupt() }}
	found, err := Run(ctx, beam, envtest.Matmul(64, 128, 256), o)
	if err != nil || found.Trials != 1 {
		t.Errorf("%d trials, %v, want the greedy one alone", found.Trials, err)
	}
}

// An interrupted beam asks the policy no more, and measures nothing more.
func TestAnInterruptionEndsABeam(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	j := newJudge(t)
	o := options(t, j, 40)
	o.Evaluator = interrupting{j, interrupt}
	if _, err := Run(ctx, beam, envtest.Matmul(64, 128, 256), o); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if len(j.seen) != 1 {
		t.Errorf("%d schedules were measured, want the greedy one alone", len(j.seen))
	}
}

// interrupting interrupts after each measurement.
type interrupting struct {
	*judge
	interrupt func()
}

func (i interrupting) Evaluate(ctx context.Context, tasks []env.Task) ([]env.Feedback, error) {
	defer i.interrupt()
	return i.judge.Evaluate(ctx, tasks)
}
