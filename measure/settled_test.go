package measure

import "testing"

// One process of three that is slow does not count, nor does one that is fast; one that
// fails does.
func TestTypical(t *testing.T) {
	ok := func(ratio float64) Outcome { return Outcome{Status: OK, Ratio: ratio} }
	for _, c := range []struct {
		outcomes []Outcome
		want     Outcome
	}{
		{[]Outcome{ok(2)}, ok(2)},
		{[]Outcome{ok(3), ok(2)}, ok(2)},
		{[]Outcome{ok(9), ok(2), ok(1)}, ok(2)},
		{[]Outcome{ok(1), failed(Wrong, "now and then")}, failed(Wrong, "now and then")},
	} {
		if got := typical(c.outcomes); got.Status != c.want.Status || got.Ratio != c.want.Ratio {
			t.Errorf("of %+v: %+v, want %+v", c.outcomes, got, c.want)
		}
	}
}

// A machine that gives half of its peak is waited for, until that has been in vain for long.
func TestPeakIsForgotten(t *testing.T) {
	l := &Lab{}
	full, half := []float64{190, 200, 210}, []float64{100, 110, 90}
	l.learnPeak(full)
	plan := Plan{Samples: 3, Settled: true}
	outcome := func(probes []float64) Outcome { return Outcome{Status: OK, Samples: probes, Probe: probes} }
	if l.doubtful(plan, outcome(full)) || !l.doubtful(plan, outcome(half)) {
		t.Errorf("doubts at a full peak: %v, at half of it: %v", l.doubtful(plan, outcome(full)), l.doubtful(plan, outcome(half)))
	}
	if early := outcome(half[:1]); l.doubtful(plan, early) {
		t.Error("what was given up early is doubted")
	}
	if l.doubtful(Plan{Samples: 3}, outcome(half)) {
		t.Error("a plan that does not wait doubts")
	}
	for n := 0; l.doubtful(plan, outcome(half)); n++ {
		if n > 200 {
			t.Fatalf("after %d processes at half of the peak it is still %g", n, l.peak)
		}
		l.learnPeak(half)
	}
	if l.peak < 100 {
		t.Errorf("the peak is %g, want what there is", l.peak)
	}
}

// A peak that cannot be reached costs time and nothing else.
func TestWaitingEnds(t *testing.T) {
	l := openLab(t, nil)
	p := analyse(t, l, sumModule)
	l.peak = 1e9
	plan := quick
	plan.Settled, plan.Processes = true, 2
	if o := evaluate(t, l, plan, Candidate{Program: p})[0]; o.Status != OK || len(o.Samples) == 0 {
		t.Errorf("%+v", o)
	}
	if least := 1e9 * 0.96; l.peak >= 1e9 || l.peak < least {
		t.Errorf("the peak is %g after four processes that have not reached it, want less than 1e9 and more than %g", l.peak, least)
	}
}
