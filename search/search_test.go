package search

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"nestling/env"
	"nestling/env/envtest"
	"nestling/policy"
	"nestling/schedule"
)

var machine = schedule.Machine{Threads: 2, VectorLanes: 16}

func untrained(t *testing.T) *policy.Policy {
	t.Helper()
	p, err := policy.New("lstm", policy.Config{Width: 8, Layers: 1, Trunk: 8, TrunkLayers: 1, Option: 8}, rand.New(rand.NewPCG(1, 0)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// judge is an evaluator that counts its tasks; a longer text is a faster schedule.
type judge struct {
	env.Evaluator
	t      *testing.T
	failed bool
	seen   []string
}

func (j *judge) Evaluate(_ context.Context, tasks []env.Task) ([]env.Feedback, error) {
	out := make([]env.Feedback, len(tasks))
	for i, task := range tasks {
		if err := schedule.Check(task.Program, task.Schedule); err != nil {
			j.t.Error(err)
		}
		j.seen = append(j.seen, task.Schedule.String())
		out[i] = env.Feedback{LogSpeedup: float64(len(task.Schedule.String()))}
		if j.failed {
			out[i] = env.Feedback{Failed: true, Reason: "crash: SIGSEGV"}
		}
	}
	return out, nil
}

func TestGreedyIsDeterministicAndLegal(t *testing.T) {
	p, target := untrained(t), envtest.Matmul(64, 32, 128)
	first, second := Greedy(p, target, machine, env.Rules{}), Greedy(p, target, machine, env.Rules{})
	if first.String() != second.String() {
		t.Errorf("first\n%sthen\n%s", first, second)
	}
	if err := schedule.Check(target, first); err != nil {
		t.Error(err)
	}
}

func TestBestTriesEachDifferentScheduleOnce(t *testing.T) {
	j := &judge{t: t}
	found, err := Best(t.Context(), untrained(t), envtest.Add(4), machine, j, 60, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, s := range j.seen {
		if seen[s] {
			t.Errorf("%s was tried twice", s)
		}
		seen[s] = true
		if len(s) > len(found.Schedule.String()) {
			t.Errorf("%s is better than %s", s, found.Schedule)
		}
	}
	if found.Trials != len(seen) || found.Trials < 2 || found.Trials >= 60 {
		t.Errorf("%d trials, %d different schedules", found.Trials, len(seen))
	}
}

func TestBestSaysWhyNothingWorks(t *testing.T) {
	_, err := Best(t.Context(), untrained(t), envtest.Add(4), machine, &judge{t: t, failed: true}, 3, rand.New(rand.NewPCG(1, 2)))
	if err == nil || !strings.Contains(err.Error(), "crash: SIGSEGV") {
		t.Errorf("error %v", err)
	}
}
