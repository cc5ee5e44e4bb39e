package ppo

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nestling/costmodel"
	"nestling/env"
	"nestling/env/envtest"
	"nestling/results"
)

// opened is a trainer that goes on from a run's newest checkpoint.
func opened(t *testing.T, o TrainOptions) *trainer {
	t.Helper()
	trainer, err := newTrainer(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := trainer.journal.close(); err != nil {
			t.Error(err)
		}
	})
	return trainer
}

// All schedules of a program that a training has judged are learned from together, whenever
// they were, and each once.
func TestWhatIsJudgedStaysTogether(t *testing.T) {
	var curve []Metrics
	o := training(t, t.TempDir(), 20, &curve)
	train(t, o)
	trainer := opened(t, o)
	if len(trainer.judged) != len(o.Programs) {
		t.Errorf("schedules of %d programs are known, want %d", len(trainer.judged), len(o.Programs))
	}
	judged := 0
	for _, g := range trainer.judged {
		seen := map[uint64]bool{}
		for _, e := range g.Episodes {
			if e.Schedule == 0 || seen[e.Schedule] {
				t.Errorf("%s: schedule %x is known twice or has no checksum", g.program.Name, e.Schedule)
			}
			seen[e.Schedule] = true
			r, _, err := trainer.again(g.program, e.Memory)
			if err != nil || textSum(r.schedule.String()) != e.Schedule {
				t.Errorf("%s: the answers lead to %s, not to schedule %x (%v)", g.program.Name, r.schedule, e.Schedule, err)
			}
		}
		judged += len(g.Episodes)
		if trainer.described(g) != 0 {
			t.Errorf("%s: %d schedules are described before they are needed", g.program.Name, trainer.described(g))
		}
		measured, err := trainer.measured(g)
		if err != nil || len(measured) != len(g.Episodes)+1 {
			t.Errorf("%s: %d descriptions of %d schedules and the default one (%v)", g.program.Name, len(measured), len(g.Episodes), err)
		}
	}
	if judged < 2*len(o.Programs) {
		t.Errorf("%d schedules of %d programs are known; tried were more", judged, len(o.Programs))
	}
}

// Of many schedules the first and the latest are kept.
func TestThin(t *testing.T) {
	var curve []Metrics
	o := training(t, t.TempDir(), 20, &curve)
	train(t, o)
	trainer := opened(t, o)
	for i, g := range trainer.judged {
		if i%2 == 0 { // described, or not yet
			if _, err := trainer.measured(g); err != nil {
				t.Fatal(err)
			}
		}
		all := slices.Clone(g.Episodes)
		trainer.Config.CostSchedules = len(all) - 1
		trainer.thin(g)
		want := slices.Delete(slices.Clone(all), len(all)/2, len(all)/2+1)
		if d := cmp.Diff(want, g.Episodes); d != "" {
			t.Errorf("what is kept:\n%s", d)
		}
		measured, err := trainer.measured(g)
		if err != nil {
			t.Fatal(err)
		}
		for k, e := range g.Episodes {
			if got := measured[len(measured)-len(g.Episodes)+k]; got.Reward != e.Reward {
				t.Errorf("schedule %d earned %g, and is learned as %g", k, e.Reward, got.Reward)
			}
		}
	}
}

// An older version wrote groups by iteration, and no checksums.
func TestJudgedOfAnOlderVersion(t *testing.T) {
	var curve []Metrics
	o := training(t, t.TempDir(), 5, &curve)
	train(t, o)
	trainer := opened(t, o)
	var old []*judgedProgram
	for _, g := range trainer.judged {
		for _, e := range g.Episodes {
			old = append(old, &judgedProgram{Program: g.Program, Episodes: []judgedEpisode{{Memory: e.Memory}}})
		}
	}
	text, err := json.Marshal(old)
	if err != nil {
		t.Fatal(err)
	}
	var read []*judgedProgram
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	want := len(trainer.judged)
	trainer.judged = nil
	trainer.takeJudged(append(read, &judgedProgram{Program: "none of these"}))
	if len(trainer.judged) != want {
		t.Errorf("%d programs are known, want %d", len(trainer.judged), want)
	}
}

// Refit learns from what is known, and leaves all but the cost model as it is.
func TestRefit(t *testing.T) {
	var curve []Metrics
	o := training(t, t.TempDir(), 3, &curve)
	train(t, o)
	before := content(t, o.Run, results.PolicyFile)
	known := map[string]map[string]float64{}
	truth := envtest.Truth(worth)
	trainer := opened(t, o)
	for _, g := range trainer.judged {
		p := g.program
		ratios := map[string]float64{trainer.usual(p).text: 1}
		for _, e := range g.Episodes {
			r, _, err := trainer.again(p, e.Memory)
			if err != nil {
				t.Fatal(err)
			}
			f, err := truth.Evaluate(context.Background(), []env.Task{{Program: p, Schedule: r.schedule}})
			if err != nil {
				t.Fatal(err)
			}
			ratios[r.schedule.String()] = math.Exp(-f[0].LogSpeedup)
		}
		ratios["add0: T(3) XX\n"] = 1 // not a schedule
		known[p.Hash] = ratios
	}
	calls := 0
	loss, err := Refit(o, known, 300, func(done, total int) { calls++ })
	if err != nil || calls != 300 || loss <= 0 || loss > 0.4 {
		t.Errorf("loss %g after %d of 300 steps (%v); want one below 0.4, of guesses 0.69", loss, calls, err)
	}
	c, err := LoadBest(o.Run)
	if err != nil {
		t.Fatal(err)
	}
	if content(t, o.Run, results.PolicyFile) != before {
		t.Error("the policy is another one")
	}
	if _, err := os.Stat(filepath.Join(c.Dir, costmodel.ModelFile)); err != nil || c.Cost == nil {
		t.Errorf("the checkpoint has no cost model (%v)", err)
	}
	o.Config.Iterations = 4
	train(t, o) // goes on
	if _, err := Refit(o, nil, 1, func(int, int) {}); err == nil {
		t.Error("learned from nothing")
	}
}
