package env_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nestling/env"
	"nestling/env/envtest"
	"nestling/measure"
	"nestling/schedule"
	"nestling/schedule/scheduletest"
	"nestling/stats"
)

// bench stands for a laboratory: outcomes by schedule, and a note of what was
// asked.
type bench struct {
	outcome func(c measure.Candidate) measure.Outcome
	asked   []string
	err     error
}

func (b *bench) Evaluate(_ context.Context, batch []measure.Candidate, _ measure.Plan) ([]measure.Outcome, error) {
	if b.err != nil {
		return nil, b.err
	}
	var out []measure.Outcome
	for _, c := range batch {
		b.asked = append(b.asked, c.Program.Name)
		out = append(out, b.outcome(c))
	}
	return out, nil
}

const plain = "elementwise0: NT"

// twiceAsSlow takes 1 for the default schedule and 2 for plain.
func twiceAsSlow(c measure.Candidate) measure.Outcome {
	ratio := 1.0
	if strings.TrimSpace(c.Schedule.String()) == plain {
		ratio = 2
	}
	return measure.Outcome{Status: measure.OK, Ratio: ratio, Nanoseconds: 100 * ratio}
}

// The uncertainty of a speedup is that of both times, each beside its probe.
func TestLiveTellsHowSureItIs(t *testing.T) {
	p := envtest.Add(64, 64)
	samples, probe := []float64{10, 20, 40, 40}, []float64{4, 2, 1, 1} // the clock changes, the ratio does not
	lab := &bench{outcome: func(c measure.Candidate) measure.Outcome {
		o := twiceAsSlow(c)
		o.Samples, o.Probe = samples, probe
		if o.Ratio == 2 {
			o.Probe = nil // remembered
		}
		return o
	}}
	live := env.NewLive(lab, measure.Plan{}, machine)
	got, err := live.Evaluate(t.Context(), []env.Task{
		{Program: p, Schedule: scheduletest.Parse(t, plain)}, {Program: p, Schedule: schedule.Default(p, machine)}})
	if err != nil {
		t.Fatal(err)
	}
	if want := stats.MedianError(samples); got[0].Uncertainty != want || want == 0 {
		t.Errorf("the uncertainty is %g, want %g", got[0].Uncertainty, want)
	}
	if got[1].Uncertainty != 0 {
		t.Errorf("the uncertainty is %g where only the clock changes", got[1].Uncertainty)
	}
}

func TestLiveComparesWithTheDefaultSchedule(t *testing.T) {
	p := envtest.Add(64, 64)
	lab := &bench{outcome: twiceAsSlow}
	live := env.NewLive(lab, measure.Plan{}, machine)
	task := env.Task{Program: p, Schedule: scheduletest.Parse(t, plain)}
	got, err := live.Evaluate(t.Context(), []env.Task{task, task})
	if err != nil {
		t.Fatal(err)
	}
	want := []env.Feedback{{LogSpeedup: -math.Ln2}, {LogSpeedup: -math.Ln2, Cached: true}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if n := len(lab.asked); n != 2 {
		t.Errorf("%d measurements, want the baseline and one schedule", n)
	}
	if _, err := live.Evaluate(t.Context(), []env.Task{task}); err != nil {
		t.Fatal(err)
	}
	if n := len(lab.asked); n != 3 {
		t.Errorf("%d measurements; the baseline was measured again", n)
	}
}

func TestLiveRemembersBaselines(t *testing.T) {
	p := envtest.Add(64, 64)
	lab := &bench{outcome: twiceAsSlow}
	live := env.NewLive(lab, measure.Plan{}, machine)
	live.Remember(map[string]env.Baseline{p.Hash: {Ratio: 4, Nanoseconds: 400}})
	lab.outcome = func(c measure.Candidate) measure.Outcome {
		if c.Baseline != 400 {
			t.Errorf("the candidate's baseline is %g ns, want 400", c.Baseline)
		}
		return twiceAsSlow(c)
	}
	got, err := live.Evaluate(t.Context(), []env.Task{{Program: p, Schedule: scheduletest.Parse(t, plain)}})
	if err != nil || got[0].LogSpeedup != math.Ln2 {
		t.Errorf("%v %v, want ln 2 over the remembered baseline", got, err)
	}
	if d := cmp.Diff(map[string]env.Baseline{p.Hash: {Ratio: 4, Nanoseconds: 400}}, live.Baselines()); d != "" {
		t.Error(d)
	}
}

func TestLiveReportsFailures(t *testing.T) {
	good, bad := envtest.Add(64, 64), envtest.Add(32, 32)
	lab := &bench{outcome: func(c measure.Candidate) measure.Outcome {
		if c.Program == bad || strings.TrimSpace(c.Schedule.String()) == plain {
			return measure.Outcome{Status: measure.Crash, Error: "SIGSEGV"}
		}
		return measure.Outcome{Status: measure.OK, Ratio: 1}
	}}
	live := env.NewLive(lab, measure.Plan{}, machine)
	got, err := live.Evaluate(t.Context(), []env.Task{
		{Program: good, Schedule: scheduletest.Parse(t, plain)}, {Program: bad, Schedule: scheduletest.Parse(t, plain)},
	})
	want := []env.Feedback{
		{Failed: true, Reason: "crash: SIGSEGV"},
		{Reason: "the default schedule cannot be measured: crash: SIGSEGV"},
	}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(d, err)
	}
	lab.err = errors.New("no worker")
	if _, err := live.Evaluate(t.Context(), []env.Task{{Program: good}}); !errors.Is(err, lab.err) {
		t.Errorf("error %v, want the laboratory's", err)
	}
}

// A worker that was ended from outside says nothing about a schedule, nor about a program:
// what it was asked is asked again.
func TestAnAccidentIsNoFailure(t *testing.T) {
	accident := func(measure.Candidate) measure.Outcome {
		return measure.Outcome{Status: measure.Crash, Error: "killed", Accident: true}
	}
	lab := &bench{outcome: accident}
	live := env.NewLive(lab, measure.Plan{}, machine)
	tasks := []env.Task{{Program: envtest.Add(64, 64), Schedule: scheduletest.Parse(t, plain)}}
	for _, while := range []string{"the default schedule was", "the schedule was"} {
		got, err := live.Evaluate(t.Context(), tasks)
		if err != nil || got[0].Measured() || got[0].Failed {
			t.Errorf("ended while %s measured: %+v, %v; want neither a measurement nor a failure", while, got, err)
		}
		lab.outcome = func(c measure.Candidate) measure.Outcome {
			if strings.TrimSpace(c.Schedule.String()) == plain {
				return accident(c)
			}
			return twiceAsSlow(c)
		}
	}
	lab.outcome = twiceAsSlow
	if got, err := live.Evaluate(t.Context(), tasks); err != nil || got[0].LogSpeedup != -math.Ln2 {
		t.Errorf("after that: %+v, %v; want half the speed", got, err)
	}
}

func TestRewardIsBounded(t *testing.T) {
	for _, c := range []struct {
		f    env.Feedback
		want float64
	}{
		{env.Feedback{LogSpeedup: math.Ln10}, 1},
		{env.Feedback{LogSpeedup: -math.Ln10 / 2}, -0.5},
		{env.Feedback{LogSpeedup: 41157}, env.RewardLimit},
		{env.Feedback{LogSpeedup: -41157}, -env.RewardLimit},
		{env.Feedback{Failed: true, LogSpeedup: 1}, -env.RewardLimit},
	} {
		if got := c.f.Reward(); got != c.want {
			t.Errorf("%+v earns %g, want %g", c.f, got, c.want)
		}
	}
}

func TestRecordingIsReplayed(t *testing.T) {
	p := envtest.Add(64, 64)
	known := env.Task{Program: p, Schedule: scheduletest.Parse(t, plain)}
	failed := env.Task{Program: p, Schedule: scheduletest.Parse(t, "elementwise0: V")}
	unknown := env.Task{Program: p, Schedule: scheduletest.Parse(t, "elementwise0: T(8,8) V")}
	var lines bytes.Buffer
	for task, f := range map[*env.Task]env.Feedback{
		&known:  {LogSpeedup: 0.1 + 0.2},
		&failed: {Failed: true, Reason: "wrong: off by one"},
	} {
		if err := env.WriteRecord(&lines, *task, f); err != nil {
			t.Fatal(err)
		}
	}
	r, err := env.ReadRecording(&lines)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Evaluate(t.Context(), []env.Task{known, failed, unknown})
	want := []env.Feedback{
		{LogSpeedup: 0.1 + 0.2, Cached: true},
		{Failed: true, Reason: "wrong: off by one", Cached: true},
		{Failed: true, Reason: "not in the recording", Cached: true},
	}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(d, err)
	}
}

func TestBadRecordingsNameTheLine(t *testing.T) {
	for text, want := range map[string]string{
		"{\"program\":\"a\"}\nnonsense\n": "line 2",
		"{}\n":                            "line 1: no program hash",
	} {
		if _, err := env.ReadRecording(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

// What is measured again is compared with a default schedule measured beside it, whatever that
// was at first, and what comes after with the mean of both.
func TestAgainMeasuresTheBaselineAgain(t *testing.T) {
	p := envtest.Add(64, 64)
	slow := 4.0 // a neighbour is busy at first
	lab := &bench{outcome: func(c measure.Candidate) measure.Outcome {
		o := twiceAsSlow(c)
		if strings.TrimSpace(c.Schedule.String()) != plain {
			o.Ratio, o.Nanoseconds = slow*o.Ratio, slow*o.Nanoseconds
		}
		return o
	}}
	live := env.NewLive(lab, measure.Plan{}, machine)
	task := env.Task{Program: p, Schedule: scheduletest.Parse(t, plain)}
	for _, step := range []struct {
		judge func(context.Context, []env.Task) ([]env.Feedback, error)
		slow  float64
		want  float64 // speedup
		ratio float64 // the baseline's, afterwards
	}{
		{live.Evaluate, 4, 2, 4},
		{live.Again, 1, 0.5, 2},
		{live.Evaluate, 1, 1, 2},
		{live.Again, 2, 1, 2},
		{live.Again, 2.0 / 16, 1.0 / 16, 1},
	} {
		slow = step.slow
		feedback, err := step.judge(t.Context(), []env.Task{task, task})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range feedback {
			if math.Abs(f.LogSpeedup-math.Log(step.want)) > 1e-12 {
				t.Errorf("speedup %g, want %g", math.Exp(f.LogSpeedup), step.want)
			}
		}
		if b := live.Baselines()[p.Hash]; math.Abs(b.Ratio-step.ratio) > 1e-12 || math.Abs(b.Nanoseconds-100*step.ratio) > 1e-9 {
			t.Errorf("the baseline is %+v, want ratio %g and a hundred times the nanoseconds", b, step.ratio)
		}
	}
}
