package agent

import (
	"context"
	"math"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"nestling/env/envtest"
	"nestling/measure"
	"nestling/policy"
	"nestling/schedule"
	"nestling/search"
)

var target = envtest.Matmul(64, 128, 256)

func untrained(t *testing.T) *Agent {
	t.Helper()
	p, err := policy.New("lstm", policy.Config{Width: 8, Layers: 1, Trunk: 8, TrunkLayers: 1, Option: 8}, rand.New(rand.NewPCG(1, 0)))
	if err != nil {
		t.Fatal(err)
	}
	return &Agent{policy: p, machine: schedule.Machine{Threads: 2, VectorLanes: 16}}
}

// laboratory finds the shorter of two schedules the faster one, and counts.
type laboratory struct{ measured int }

func (l *laboratory) Evaluate(_ context.Context, batch []measure.Candidate, _ measure.Plan) ([]measure.Outcome, error) {
	l.measured += len(batch)
	out := make([]measure.Outcome, len(batch))
	for i, c := range batch {
		out[i] = measure.Outcome{Status: measure.OK, Ratio: float64(100 + len(c.Schedule.String())), Nanoseconds: 1e6}
	}
	return out, nil
}

// One trial is the greedy choice, unless there is time: then as many are made as it allows.
func TestChoose(t *testing.T) {
	for _, c := range []struct {
		name     string
		budget   search.Budget
		by       string
		min, max int // trials
	}{
		{"one trial", search.Budget{Trials: 1}, "greedy", 0, 0},
		{"some trials", search.Budget{Trials: 5}, "search", 5, 5},
		{"time alone", search.Budget{Trials: 1, Time: 300 * time.Millisecond}, "search", 2, math.MaxInt},
		{"trials and more than enough time", search.Budget{Trials: 5, Time: time.Hour}, "search", 5, 5},
	} {
		l := &laboratory{}
		start := time.Now()
		choice, err := untrained(t).Choose(t.Context(), l, target, Search{Budget: c.budget, Seed: 1})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if choice.By != c.by || choice.Trials < c.min || choice.Trials > c.max || (l.measured == 0) != (c.by == "greedy") {
			t.Errorf("%s: by %s, %d trials, %d measurements", c.name, choice.By, choice.Trials, l.measured)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s: took %v", c.name, took)
		}
		if err := schedule.Check(target, choice.Schedule); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestResolved(t *testing.T) {
	trials := func(n int, d time.Duration) search.Budget { return search.Budget{Trials: n, Time: d} }
	for _, c := range []struct{ given, want Search }{
		{Search{Seed: 3}, Search{Budget: trials(1, 0), Seed: 3}},
		{Search{Method: "tree", Budget: trials(1, 0)}, Search{Budget: trials(1, 0)}},
		{Search{Budget: trials(1, time.Second)}, Search{Method: search.DefaultMethod, Budget: trials(math.MaxInt, time.Second)}},
		{Search{Budget: trials(16, time.Second), Seed: 3}, Search{Method: search.DefaultMethod, Budget: trials(16, time.Second), Seed: 3}},
		{Search{Method: "tree", Budget: trials(16, 0)}, Search{Method: "tree", Budget: trials(16, 0)}},
	} {
		if got := c.given.Resolved(); got != c.want {
			t.Errorf("%+v is %+v, want %+v", c.given, got, c.want)
		}
	}
}

// Every question is a line with what the critic says, which is no speedup; the schedule ends it.
func TestExplain(t *testing.T) {
	a := untrained(t)
	lines := a.Explain(target)
	chosen := strings.Split(strings.TrimSpace(search.Greedy(a.policy, a.cost, target, a.machine, a.rules).String()), "\n")
	questions := lines[:len(lines)-len(chosen)]
	if len(questions) < 2 || strings.Join(lines[len(questions):], "\n") != strings.Join(chosen, "\n") {
		t.Fatalf("explained by\n%s", strings.Join(lines, "\n"))
	}
	line := regexp.MustCompile(`^  \S.* \d+ %.*  \(advantage over the average [+-]\d+\.\d\d\)$`)
	for _, l := range questions {
		if !line.MatchString(l) {
			t.Errorf("%q", l)
		}
	}
}

// Weights are the same of two copies of an agent, and no two agents'.
func TestWeightsTellAgentsApart(t *testing.T) {
	seen := map[string]string{}
	for _, model := range Shipped() {
		first, second := unpacked(t, model), unpacked(t, model)
		if first.Weights == "" || first.Weights != second.Weights {
			t.Errorf("%s: %q, and %q of a copy", model, first.Weights, second.Weights)
		}
		if other, known := seen[first.Weights]; known {
			t.Errorf("%s and %s have the same weights", model, other)
		}
		seen[first.Weights] = model
	}
}

func unpacked(t *testing.T, model string) *Agent {
	t.Helper()
	run, err := Unpack(t.TempDir(), model)
	if err != nil {
		t.Fatal(err)
	}
	a, err := Load(run, schedule.Machine{Threads: 2, VectorLanes: 16}, false)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
