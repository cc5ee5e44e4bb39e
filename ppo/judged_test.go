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
		if measured := trainer.measured(g); len(measured) != len(g.Episodes)+1 {
			t.Errorf("%s: %d descriptions of %d schedules and the default one", g.program.Name, len(measured), len(g.Episodes))
		}
	}
	if judged < 2*len(o.Programs) {
		t.Errorf("%d schedules of %d programs are known; tried were more", judged, len(o.Programs))
	}
}

// Of many schedules the first and the latest are kept, and what was described stays with them.
func TestThin(t *testing.T) {
	var curve []Metrics
	o := training(t, t.TempDir(), 20, &curve)
	train(t, o)
	trainer := opened(t, o)
	for i, g := range trainer.judged {
		for _, e := range g.Episodes[:i*len(g.Episodes)/3] { // all, some or none are described
			r, over, err := trainer.again(g.program, e.Memory)
			if err != nil {
				t.Fatal(err)
			}
			g.measured = append(g.measured, e.measured(describe(r.steps, over)))
		}
		all := slices.Clone(g.Episodes)
		if len(all) < 5 {
			t.Fatalf("%d schedules are too few for this test", len(all))
		}
		trainer.Config.CostSchedules = 4
		trainer.thin(g)
		want := []judgedEpisode{all[0], all[1], all[len(all)-2], all[len(all)-1]}
		if d := cmp.Diff(want, g.Episodes); d != "" {
			t.Errorf("what is kept:\n%s", d)
		}
		measured := trainer.measured(g)
		for k, e := range g.Episodes {
			r, over, err := trainer.again(g.program, e.Memory)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(e.measured(describe(r.steps, over)), measured[len(measured)-4+k]); d != "" {
				t.Errorf("schedule %d is learned as another one:\n%s", k, d)
			}
		}
	}
}

// What cannot be done again, or has become another schedule, is forgotten.
func TestWhatHasChangedIsForgotten(t *testing.T) {
	var curve []Metrics
	o := training(t, t.TempDir(), 10, &curve)
	train(t, o)
	trainer := opened(t, o)
	g := trainer.judged[0]
	all := slices.Clone(g.Episodes)
	g.Episodes[0].Schedule++
	g.Episodes[1].Answers = [][]int{{1000}}
	if measured := trainer.measured(g); len(measured) != len(all)-2+1 {
		t.Errorf("%d schedules are learned from, want %d and the default one", len(measured), len(all)-2)
	}
	if d := cmp.Diff(all[2:], g.Episodes); d != "" {
		t.Errorf("what is kept:\n%s", d)
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
	episodes := 0
	for _, g := range trainer.judged {
		episodes += len(g.Episodes)
	}
	if len(trainer.judged) != want || episodes != len(old) {
		t.Errorf("%d schedules of %d programs are known, want %d of %d", episodes, len(trainer.judged), len(old), want)
	}
}

// Refit learns from what is known, and leaves all but the cost model as it is.
func TestRefit(t *testing.T) {
	var curve []Metrics
	o := training(t, t.TempDir(), 3, &curve)
	train(t, o)
	best, err := LoadBest(o.Run)
	if err != nil {
		t.Fatal(err)
	}
	policyBefore, costBefore := bytesOf(t, best, results.PolicyFile), bytesOf(t, best, costmodel.ModelFile)
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
	loss, err := Refit(t.Context(), o, known, 300, func(done, total int) { calls++ })
	if err != nil || calls != 300 || loss <= 0 || loss > 0.4 {
		t.Errorf("loss %g after %d of 300 steps (%v); want one below 0.4, of guesses 0.69", loss, calls, err)
	}
	c, err := LoadBest(o.Run)
	if err != nil {
		t.Fatal(err)
	}
	if c.State.Iteration != best.State.Iteration || bytesOf(t, c, results.PolicyFile) != policyBefore {
		t.Error("the policy is another one")
	}
	if c.Cost == nil || bytesOf(t, c, costmodel.ModelFile) == costBefore {
		t.Error("the cost model is the same, or none")
	}
	o.Config.Iterations = 4
	train(t, o) // goes on
	for what, refit := range map[string]func() (float64, error){
		"nothing known": func() (float64, error) { return Refit(t.Context(), o, nil, 1, func(int, int) {}) },
		"no steps":      func() (float64, error) { return Refit(t.Context(), o, known, 0, func(int, int) {}) },
		"interrupted": func() (float64, error) {
			ctx, cancel := context.WithCancel(t.Context())
			return Refit(ctx, o, known, 2, func(int, int) { cancel() })
		},
	} {
		if _, err := refit(); err == nil {
			t.Errorf("%s, and no error", what)
		}
	}
}

func bytesOf(t *testing.T, c *Checkpoint, file string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(c.Dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
