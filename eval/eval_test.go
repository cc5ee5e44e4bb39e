package eval

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"nestling/env"
	"nestling/env/envtest"
	"nestling/measure"
	"nestling/policy"
	"nestling/schedule"
	"nestling/schedule/scheduletest"
	"nestling/suite"
)

var machine = schedule.Machine{Threads: 2, VectorLanes: 16}

// lab finds short schedules fast, those with P wrong, and counts what it times.
type lab struct {
	timed int
	// fails tells of what else is wrong, by how many batches there were before.
	fails   func(batches int, s schedule.Schedule) bool
	batches int
}

func (l *lab) Evaluate(_ context.Context, batch []measure.Candidate, _ measure.Plan) ([]measure.Outcome, error) {
	out := make([]measure.Outcome, len(batch))
	for i, c := range batch {
		l.timed++
		text := c.Schedule.String()
		ratio := 1 + float64(len(text))
		out[i] = measure.Outcome{Status: measure.OK, Ratio: ratio, Nanoseconds: 1000 * ratio}
		if strings.Contains(text, " P(") || l.fails != nil && l.fails(l.batches, c.Schedule) {
			out[i] = measure.Outcome{Status: measure.Wrong, Error: "off by one"}
		}
	}
	l.batches++
	return out, nil
}

func untrained(t *testing.T) *policy.Policy {
	t.Helper()
	p, err := policy.New("lstm", policy.Config{Width: 8, Layers: 1, Trunk: 8, TrunkLayers: 1, Option: 8}, rand.New(rand.NewPCG(1, 0)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRowsHoldEveryContestant(t *testing.T) {
	p := envtest.Matmul(8, 16, 32)
	reference := "matmul1: V\nfill0: V\n"
	usual := 1 + float64(len(schedule.Default(p, machine).String()))
	eager := func(context.Context, Case) (float64, error) { return 1000 * usual / 1024, nil }
	row, err := Run(t.Context(), &lab{}, machine, Case{Name: "product", Program: p, Reference: scheduletest.Parse(t, reference), PyTorch: &suite.Benchmark{}},
		Options{Policy: untrained(t), Trials: 20, Method: "refine", Seed: 1, Rounds: 2, Eager: eager})
	if err != nil {
		t.Fatal(err)
	}
	length := func(name string) float64 { return 1 + float64(len(row.Schedules[name])) }
	if row.Speedups[Eager] != 1024 || row.Best() >= 1024 {
		t.Errorf("PyTorch is %g times as fast as the default, the best schedule %g; want 1024, and less", row.Speedups[Eager], row.Best())
	}
	if over := Over([]*Row{row}, Reference, Eager); len(over) != 1 || over[0] != row.Speedups[Reference]/1024 {
		t.Errorf("the reference is %g times as fast as PyTorch", over)
	}
	for _, name := range Contestants[1:] {
		if want := usual / length(name); row.Speedups[name] != want && row.Failures[name] == "" {
			t.Errorf("%s: speedup %g, want %g by its schedule\n%s", name, row.Speedups[name], want, row.Schedules[name])
		}
	}
	if row.Schedules[Reference] != reference || row.Speedups[Search] < row.Speedups[Greedy] && row.Failures[Greedy] == "" {
		t.Errorf("%+v", row)
	}
	if row.DefaultMS != usual/1000 || row.Share != row.Speedups[Greedy]/row.Best() {
		t.Errorf("default %g ms, share %g; %+v", row.DefaultMS, row.Share, row)
	}
}

// A program whose default schedule fails is a row that says so, and one without speeds.
func TestADefaultThatFailsIsInTheRow(t *testing.T) {
	p := envtest.Matmul(8, 16, 32)
	usual := schedule.Default(p, machine).String()
	l := &lab{fails: func(_ int, s schedule.Schedule) bool { return s.String() == usual }}
	row, err := Run(t.Context(), l, machine, Case{Name: "product", Program: p}, Options{Policy: untrained(t), Trials: 1, Rounds: 2})
	if err != nil {
		t.Fatal(err)
	}
	if row.Failures[Default] != "wrong: off by one" || len(row.Speedups) > 0 || row.Share != 0 {
		t.Errorf("%+v", row)
	}
}

// What is right once and wrong the next time is wrong: slower than all that works.
func TestWhatFailsOnceHasNoSpeed(t *testing.T) {
	unscheduled := func(round int, s schedule.Schedule) bool { return round == 1 && len(s) == 0 }
	row, err := Run(t.Context(), &lab{fails: unscheduled}, machine, Case{Name: "product", Program: envtest.Matmul(8, 16, 32)},
		Options{Policy: untrained(t), Trials: 1, Rounds: 3})
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := row.Speedups[Unscheduled]; ok || row.Failures[Unscheduled] == "" {
		t.Errorf("unscheduled: speedup %g, failures %v", s, row.Failures)
	}
	if faster, known := row.Beats(Greedy, Unscheduled); !faster || !known {
		t.Errorf("greedy beats what failed: %t, %t; want true, true", faster, known)
	}
	if faster, known := row.Beats(Unscheduled, Greedy); faster || !known {
		t.Errorf("what failed beats greedy: %t, %t; want false, true", faster, known)
	}
	if _, known := row.Beats(Greedy, Random); known {
		t.Error("greedy is compared with a search that was not made")
	}
}

// PyTorch that fails in one round has no speed either, whatever it did in the others.
func TestEagerThatFailsOnceHasNoSpeed(t *testing.T) {
	calls := 0
	eager := func(context.Context, Case) (float64, error) {
		if calls++; calls == 2 {
			return 0, errors.New("out of memory")
		}
		return 1000, nil
	}
	row, err := Run(t.Context(), &lab{}, machine, Case{Name: "product", Program: envtest.Matmul(8, 16, 32), PyTorch: &suite.Benchmark{}},
		Options{Policy: untrained(t), Trials: 1, Rounds: 3, Eager: eager})
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := row.Speedups[Eager]; ok || row.Failures[Eager] != "out of memory" {
		t.Errorf("eager: speedup %g, failures %v", s, row.Failures)
	}
}

// What PyTorch is not given is not asked of it, and is no failure.
func TestEagerIsAskedForWhatItCanRun(t *testing.T) {
	eager := func(context.Context, Case) (float64, error) { return 0, errors.New("asked") }
	row, err := Run(t.Context(), &lab{}, machine, Case{Name: "product", Program: envtest.Matmul(8, 16, 32)},
		Options{Policy: untrained(t), Trials: 1, Rounds: 1, Eager: eager})
	if err != nil {
		t.Fatal(err)
	}
	if why, failed := row.Failures[Eager]; failed {
		t.Errorf("PyTorch failed: %s", why)
	}
	if _, known := row.Beats(Greedy, Eager); known {
		t.Error("greedy is compared with a PyTorch that was not asked")
	}
}

// With one trial there is no search, and what would take long is not run unscheduled.
func TestOneTrialIsTheFirstChoiceAlone(t *testing.T) {
	l := &lab{}
	row, err := Run(t.Context(), l, machine, Case{Name: "large", Program: envtest.Matmul(1024, 1024, 1024)},
		Options{Policy: untrained(t), Trials: 1, Seed: 1, Rounds: 3})
	if err != nil {
		t.Fatal(err)
	}
	if len(row.Schedules) != 1 || l.timed != 6 {
		t.Errorf("%d schedules, %d timings; want the first choice, and both it and the default three times", len(row.Schedules), l.timed)
	}
}

func TestFailuresAreNamed(t *testing.T) {
	p := envtest.Matmul(8, 16, 32)
	row, err := Run(t.Context(), &lab{}, machine, Case{Name: "product", Program: p, Reference: scheduletest.Parse(t, "matmul1: T(4,0,0) P(1) V\nfill0: V\n")},
		Options{Policy: untrained(t), Trials: 1, Seed: 1, Rounds: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, fast := row.Speedups[Reference]; fast || row.Failures[Reference] != "wrong: off by one" {
		t.Errorf("a wrong schedule has speedup %v, failure %q", row.Speedups[Reference], row.Failures[Reference])
	}
}

// Other agents choose and search by what they are, and searches that are compared with have
// trials of their own.
func TestRivalsAreContestants(t *testing.T) {
	p := envtest.Matmul(8, 16, 32)
	rival := Rival{Name: "other", Policy: untrained(t), Rules: env.Rules{Classic: true}}
	l := &lab{}
	row, err := Run(t.Context(), l, machine, Case{Name: "product", Program: p},
		Options{Policy: untrained(t), Rivals: []Rival{rival}, Trials: 6, Others: 2, Method: "sample", Seed: 1, Rounds: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{Greedy, Search, rival.Greedy(), rival.Search()} {
		if row.Speedups[name] == 0 && row.Failures[name] == "" {
			t.Errorf("%s has no speed", name)
		}
	}
	if got := Rivals([]*Row{row}); !slices.Equal(got, []string{"other greedy", "other search"}) {
		t.Errorf("rivals are %v", got)
	}
	few := l.timed
	if _, err := Run(t.Context(), l, machine, Case{Name: "product", Program: p},
		Options{Policy: untrained(t), Rivals: []Rival{rival}, Trials: 6, Method: "sample", Seed: 1, Rounds: 1}); err != nil {
		t.Fatal(err)
	}
	if many := l.timed - few; many < few+6 {
		t.Errorf("%d timings with two trials for others, %d with six", few, many)
	}
	report := Report{Programs: []*Row{row}}
	report.Summarize()
	if n := len(Asked(report.Programs)); len(report.Means) != n || n < 6 {
		t.Errorf("%d means of %d contestants", len(report.Means), n)
	}
	if !slices.ContainsFunc(report.Comparisons, func(c Comparison) bool { return c.Contestant == Greedy && c.Over == "other search" && c.Of <= 1 }) {
		t.Errorf("greedy is not held against the rival's search: %+v", report.Comparisons)
	}
}

// Without a search nothing is said of one.
func TestReportsCompareWhatWasAsked(t *testing.T) {
	report := Report{Programs: []*Row{{Name: "a", Speedups: map[string]float64{Greedy: 2, Reference: 1}}}}
	report.Summarize()
	if len(report.Comparisons) != 1 || report.Comparisons[0].Contestant != Greedy || report.Comparisons[0].Over != Reference {
		t.Errorf("%+v; want greedy over reference alone", report.Comparisons)
	}
}
