package agent

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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

// The decisions of an explanation are those that make the agent's choice, and the options of
// each are all there were.
func TestExplain(t *testing.T) {
	for name, a := range map[string]*Agent{"policy alone": untrained(t), "with a cost model": unpacked(t, "lstm")} {
		x := a.Explain(target)
		chosen := search.Greedy(a.policy, a.cost, target, a.machine, a.rules).String()
		if x.Schedule != chosen || len(x.Decisions) < 2 {
			t.Errorf("%s: %d decisions explain\n%s\nwhere the choice is\n%s", name, len(x.Decisions), x.Schedule, chosen)
		}
		for _, d := range x.Decisions {
			sum := d.Answer.Probability
			for _, o := range d.Others {
				sum += o.Probability
			}
			if math.Abs(sum-1) > 1e-5 || len(d.Others) == 0 {
				t.Errorf("%s: %s: %v with %v; probabilities add up to %g", name, d.Question, d.Answer, d.Others, sum)
			}
		}
		if (x.Instead == "") != (x.Preferred == 0) || x.Preferred < 0 || x.Instead == x.Schedule {
			t.Errorf("%s: most probable %q, %g below", name, x.Instead, x.Preferred)
		}
	}
}

func TestExplanationsForPeople(t *testing.T) {
	x := Explanation{Schedule: "a: V\n", Instead: "a: U 2\n", Preferred: 0.25, Decisions: []Decision{
		{Question: "a: which action", Answer: Option{"V", 0.2}, Others: []Option{{"U", 0.7}, {"next", 0.1}}, Advantage: -0.5},
	}}
	want := `  a: which action                    V 20 %; else U 70 %, next 10 %  (advantage over the average -0.50)
a: V
  which policy and cost model together put 0.25 above the most probable schedule:
a: U 2
`
	if diff := cmp.Diff(want, x.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
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
