package ppo

import (
	"testing"

	"nestling/env"
	"nestling/env/envtest"
	"nestling/program"
	"nestling/schedule/scheduletest"
)

// Mostly the most promising proposal is taken, and what is known already only for want of
// another.
func TestChoosingAProposal(t *testing.T) {
	var curve []Metrics
	trainer, err := newTrainer(training(t, t.TempDir(), 1, &curve))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = trainer.journal.close() }()
	proposal := func(text string, promise float64) *episode {
		return &episode{task: env.Task{Schedule: scheduletest.Parse(t, text)}, promise: promise}
	}
	known := proposal("a: V\n", -0.1)
	first, second, promising := proposal("a: T(2) V\n", -5), proposal("a: T(4) V\n", -7), proposal("a: T(8) V\n", -2)
	chosen := map[*episode]int{}
	for range 200 {
		chosen[trainer.choose([]*episode{known, first, second, promising}, known.task.Schedule)]++
	}
	if chosen[promising] < 120 || chosen[first] < 20 || chosen[known]+chosen[second] > 0 {
		t.Errorf("of 200 the most promising is chosen %d times, the first %d, another %d, what is known %d",
			chosen[promising], chosen[first], chosen[second], chosen[known])
	}
	if got := trainer.choose([]*episode{known, known}, known.task.Schedule); got != known {
		t.Errorf("without another, %s is chosen", got.task.Schedule)
	}
}

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

// A checkpoint has a cost model where the settings want one: searches would trust it.
func TestOnlyACostModelThatLearnedIsKept(t *testing.T) {
	for _, wanted := range []bool{true, false} {
		var curve []Metrics
		o := training(t, t.TempDir(), 2, &curve)
		o.Config.CostModel = wanted
		train(t, o)
		c, err := LoadLatest(o.Run)
		if err != nil {
			t.Fatal(err)
		}
		if (c.Cost != nil) != wanted || (curve[1].CostLoss > 0) != wanted {
			t.Errorf("cost_model %v: the checkpoint has one: %v; its loss is %g", wanted, c.Cost != nil, curve[1].CostLoss)
		}
		o.Config.Iterations = 3
		train(t, o) // goes on, with or without
	}
}
