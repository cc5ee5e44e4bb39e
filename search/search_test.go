package search

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"nestling/costmodel"
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

// judge is an evaluator that keeps what it was asked; tiles of 4 that are then vectorized
// are fast.
type judge struct {
	env.Evaluator
	t     *testing.T
	fails func(schedule.Schedule) bool
	worth func(schedule.Schedule) float64
	seen  []string
}

func newJudge(t *testing.T) *judge {
	return &judge{t: t, worth: fours, fails: func(schedule.Schedule) bool { return false }}
}

func fours(s schedule.Schedule) float64 {
	text := s.String()
	return float64(strings.Count(text, "4")) + float64(strings.Count(text, " V")) - 0.1*float64(len(text))
}

func (j *judge) Evaluate(_ context.Context, tasks []env.Task) ([]env.Feedback, error) {
	out := make([]env.Feedback, len(tasks))
	for i, task := range tasks {
		if err := schedule.Check(task.Program, task.Schedule); err != nil {
			j.t.Error(err)
		}
		j.seen = append(j.seen, task.Schedule.String())
		out[i] = env.Feedback{LogSpeedup: j.worth(task.Schedule)}
		if j.fails(task.Schedule) {
			out[i] = env.Feedback{Failed: true, Reason: "crash: SIGSEGV"}
		}
	}
	return out, nil
}

func options(t *testing.T, j *judge, trials int) Options {
	return Options{Policy: untrained(t), Machine: machine, Evaluator: j, Budget: Budget{Trials: trials}, Seed: 1}
}

func TestGreedyIsDeterministicAndLegal(t *testing.T) {
	p, target := untrained(t), envtest.Matmul(64, 32, 128)
	first, second := Greedy(p, nil, target, machine, env.Rules{}), Greedy(p, nil, target, machine, env.Rules{})
	if first.String() != second.String() {
		t.Errorf("first\n%sthen\n%s", first, second)
	}
	if err := schedule.Check(target, first); err != nil {
		t.Error(err)
	}
}

// Every method tries different legal schedules, no more than its budget, and returns the
// fastest of them; the same seed finds the same.
func TestMethods(t *testing.T) {
	target := envtest.Matmul(8, 16, 32)
	for name, method := range Methods {
		t.Run(name, func(t *testing.T) {
			const trials = 40
			j := newJudge(t)
			found, err := Run(t.Context(), method, target, options(t, j, trials))
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			for _, s := range j.seen {
				if seen[s] {
					t.Errorf("%s was tried twice", s)
				}
				seen[s] = true
			}
			if found.Trials != len(seen) || found.Trials > trials || found.Trials < trials/2 {
				t.Errorf("%d trials, %d different schedules, a budget of %d", found.Trials, len(seen), trials)
			}
			for _, s := range j.seen {
				if parsed, _ := schedule.Parse(s); fours(parsed) > found.Feedback.LogSpeedup+1e-9 {
					t.Errorf("%s is better than %s", s, found.Schedule)
				}
			}
			again, err := Run(t.Context(), method, target, options(t, newJudge(t), trials))
			if err != nil || again.Schedule.String() != found.Schedule.String() {
				t.Errorf("%v; the same seed finds\n%sthen\n%s", err, found.Schedule, again.Schedule)
			}
		})
	}
}

// Going back into what was fast, changing it, and searching the tree beat drawing anew, on
// average over seeds.
func TestGoingBackBeatsSampling(t *testing.T) {
	target := envtest.Matmul(64, 128, 256)
	mean := map[string]float64{}
	for _, name := range []string{"sample", "refine", "evolve", "tree"} {
		for seed := range uint64(8) {
			o := options(t, newJudge(t), 120)
			o.Seed = seed
			found, err := Run(t.Context(), Methods[name], target, o)
			if err != nil {
				t.Fatal(err)
			}
			mean[name] += found.Feedback.LogSpeedup / 8
		}
	}
	t.Logf("%v", mean)
	for _, name := range []string{"refine", "evolve", "tree"} {
		if mean[name] <= mean["sample"] {
			t.Errorf("%s finds %.3f on average, sampling %.3f", name, mean[name], mean["sample"])
		}
	}
}

func TestWithoutAPolicyDrawsAreUniform(t *testing.T) {
	o := options(t, newJudge(t), 20)
	o.Policy = nil
	for name, method := range Methods {
		if found, err := Run(t.Context(), method, envtest.Matmul(8, 16, 32), o); err != nil || found.Trials != 20 {
			t.Errorf("%s: %v, %d trials", name, err, found.Trials)
		}
	}
}

// A space that is smaller than the budget ends the search.
func TestSmallSpacesEnd(t *testing.T) {
	for name, method := range Methods {
		found, err := Run(t.Context(), method, envtest.Add(4), options(t, newJudge(t), 5000))
		if err != nil || found.Trials >= 5000 {
			t.Errorf("%s: %v, %d trials", name, err, found.Trials)
		}
	}
}

func TestTimeEndsASearch(t *testing.T) {
	o := options(t, newJudge(t), 1<<20)
	o.Budget.Time = 100 * time.Millisecond
	start := time.Now()
	if _, err := Run(t.Context(), sample, envtest.Matmul(64, 128, 256), o); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("a search of 100 ms took %v", took)
	}
}

// With a cost model better schedules are measured, and as many of them.
func TestACostModelChoosesWhatIsMeasured(t *testing.T) {
	target := envtest.Matmul(64, 128, 256)
	rng := rand.New(rand.NewPCG(5, 5))
	model := costmodel.New(rng)
	space := env.NewSpace(target, machine, env.Rules{})
	for range 60 {
		groups := make([][]costmodel.Measured, 8)
		for i := range groups {
			for range 8 {
				e := space.NewEpisode()
				var steps []env.Step
				for !e.Done() {
					steps = append(steps, e.DrawAction(rng))
				}
				groups[i] = append(groups[i], costmodel.Measured{Features: costmodel.Describe(steps, e), Reward: fours(e.Schedule())})
			}
		}
		if _, err := model.Learn(groups, rng); err != nil {
			t.Fatal(err)
		}
	}
	mean := map[bool]float64{}
	for _, with := range []bool{false, true} {
		j := newJudge(t)
		o := options(t, j, 64)
		if o.Policy = nil; with {
			o.Cost = model
		}
		if _, err := Run(t.Context(), sample, target, o); err != nil {
			t.Fatal(err)
		}
		if len(j.seen) != 64 {
			t.Errorf("with a cost model %v: %d schedules are measured, want 64", with, len(j.seen))
		}
		for _, text := range j.seen {
			s, err := schedule.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			mean[with] += fours(s) / 64
		}
	}
	if mean[true] < mean[false]+0.5 {
		t.Errorf("the mean of what is measured is %.2f, and %.2f without a cost model", mean[true], mean[false])
	}
}

// The winners and the greedy choice are measured again, and the second measurement decides.
func TestTheJudgeDecides(t *testing.T) {
	second := newJudge(t)
	second.worth = func(s schedule.Schedule) float64 { return -fours(s) }
	first := newJudge(t)
	o := options(t, first, 30)
	o.Judge = second
	found, err := Run(t.Context(), sample, envtest.Matmul(8, 16, 32), o)
	if err != nil {
		t.Fatal(err)
	}
	if want := 7 + 4 + 2; len(second.seen) != want {
		t.Fatalf("%d schedules were judged, want %d", len(second.seen), want)
	}
	if !slices.Contains(second.seen[:7], first.seen[0]) {
		t.Error("the greedy choice was not judged")
	}
	for _, s := range second.seen {
		if parsed, _ := schedule.Parse(s); -fours(parsed) > found.Feedback.LogSpeedup {
			t.Errorf("the judge finds %s better than %s", s, found.Schedule)
		}
	}
}

// A winner that does not work a second time is none, however fast it was at first.
func TestAWinnerMustWorkAgain(t *testing.T) {
	first, second := newJudge(t), newJudge(t)
	fastest := ""
	second.fails = func(s schedule.Schedule) bool {
		if fastest == "" {
			fastest = s.String() // it is the first to be judged
		}
		return s.String() == fastest
	}
	o := options(t, first, 30)
	o.Judge = second
	found, err := Run(t.Context(), sample, envtest.Matmul(8, 16, 32), o)
	if err != nil {
		t.Fatal(err)
	}
	if found.Schedule.String() == fastest || !found.Feedback.Measured() {
		t.Errorf("found %s with %+v, which failed when it was judged", found.Schedule, found.Feedback)
	}
	second.fails = func(schedule.Schedule) bool { return true }
	if _, err := Run(t.Context(), sample, envtest.Matmul(8, 16, 32), o); err == nil || !strings.Contains(err.Error(), "measured again: crash: SIGSEGV") {
		t.Errorf("error %v where every winner fails", err)
	}
}

func TestSaysWhyNothingWorks(t *testing.T) {
	j := newJudge(t)
	j.fails = func(schedule.Schedule) bool { return true }
	_, err := Run(t.Context(), sample, envtest.Add(4), options(t, j, 3))
	if err == nil || !strings.Contains(err.Error(), "crash: SIGSEGV") {
		t.Errorf("error %v", err)
	}
}

func TestFindSaysWhatThereIs(t *testing.T) {
	if _, err := Find("annealing"); err == nil || !strings.Contains(err.Error(), "beam, evolve, refine, sample, tree") {
		t.Errorf("error %v", err)
	}
}

// What only lost in the play-off is found where the better ones stop working.
func TestALoserComesBack(t *testing.T) {
	second := newJudge(t)
	second.fails = func(schedule.Schedule) bool { return len(second.seen) > 7 }
	o := options(t, newJudge(t), 30)
	o.Judge = second
	found, err := Run(t.Context(), sample, envtest.Matmul(8, 16, 32), o)
	if err != nil {
		t.Fatal(err)
	}
	if want := 7 + 4 + 2; len(second.seen) != want {
		t.Errorf("%d schedules were judged, want %d", len(second.seen), want)
	}
	if !slices.Contains(second.seen[:7], found.Schedule.String()) || slices.Contains(second.seen[7:], found.Schedule.String()) {
		t.Errorf("found %s, which failed", found.Schedule)
	}
}
