package ppo

import (
	"testing"

	"nestling/env"
	"nestling/env/envtest"
	"nestling/program"
	"nestling/schedule/scheduletest"
)

// What is known of one program is tried on another of the same structure, and on no other.
func TestBorrow(t *testing.T) {
	var curve []Metrics
	o := training(t, t.TempDir(), 1, &curve)
	known, alike, other := envtest.Add(12, 16), envtest.Add(12, 24), envtest.Add(24)
	o.Programs = []*program.Program{known, alike, other}
	trainer, err := newTrainer(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = trainer.journal.close() }()
	trainer.study(known, Lesson{scheduletest.Parse(t, "elementwise0: T(6,8) V\n"), 1})
	borrows := func(p *program.Program) (string, bool) {
		e := &episode{task: env.Task{Program: p}, playing: trainer.spaces[p.Hash].NewEpisode()}
		lent := trainer.borrow(e)
		return e.playing.Schedule().String(), lent
	}
	times := 0
	for range 20 {
		if s, lent := borrows(alike); lent && s == "elementwise0: T(6,8) V\n" {
			times++
		}
	}
	if times < 5 {
		t.Errorf("what is best on another program is tried %d of 20 times", times)
	}
	for _, p := range []*program.Program{known, other} {
		if s, lent := borrows(p); lent {
			t.Errorf("%v borrows %s from none that is like it", p.Ops[0].Loops, s)
		}
	}
}
