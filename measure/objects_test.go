package measure

import (
	"testing"

	"nestling/codegen"
)

// What is measured anew is not compiled anew, and the code of another schedule is another's.
func TestCodeIsKept(t *testing.T) {
	l := openLab(t, nil)
	p := analyse(t, l, sumModule)
	fresh := quick
	fresh.Fresh = true
	first := evaluate(t, l, fresh, Candidate{Program: p})[0]
	if first.Status != OK {
		t.Fatalf("%+v", first)
	}
	s := <-l.slots
	served := s.compiler.served
	l.slots <- s
	again := evaluate(t, l, fresh, Candidate{Program: p})[0]
	if again.Status != OK || again.Cached {
		t.Errorf("%+v, want a new measurement", again)
	}
	s = <-l.slots
	if s.compiler.served != served {
		t.Errorf("the compiler was asked %d times more", s.compiler.served-served)
	}
	l.slots <- s
}

func TestObjectsAreBounded(t *testing.T) {
	var o objects
	large := &codegen.Result{Object: make([]byte, maxObjectBytes/2+1)}
	ids := []identity{{"a", "1"}, {"a", "2"}, {"b", "1"}}
	for i, id := range ids {
		if o.get(id) != nil {
			t.Errorf("%v is there before it was put", id)
		}
		o.put(id, large)
		if o.get(id) != large {
			t.Errorf("%v is not there", id)
		}
		if i == 1 && o.get(ids[0]) == nil {
			t.Error("the first had to go too soon")
		}
	}
	if o.get(ids[0]) != nil || o.get(ids[1]) != nil {
		t.Error("more is kept than there is room for")
	}
}

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
