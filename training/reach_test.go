package training

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"nestling/env"
	"nestling/measure"
	"nestling/schedule"
	"nestling/schedule/scheduletest"
	"nestling/schedules"
	"nestling/suite"
)

// The fastest schedules known, with and without Winograd's algorithm, are within what an
// agent can choose: only the path to them has to be learned.
func TestReferencesCanBeReached(t *testing.T) {
	for _, threads := range []int{1, 2} {
		lab, err := measure.Open(measure.Options{Worker: worker, Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = lab.Close() }()
		for _, b := range suite.Nine() {
			p, err := lab.Analyse(t.Context(), []byte(b.Module), b.Name)
			if err != nil {
				t.Fatal(err)
			}
			machine := schedule.Machine{Threads: threads, VectorLanes: 16}
			for _, tolerance := range []float64{1e-4, 1e-5} {
				reference, err := schedules.Find(b.Name, threads, tolerance)
				if err != nil {
					t.Fatal(err)
				}
				t.Run(fmt.Sprint(reference.File), func(t *testing.T) {
					e := env.NewSpace(p, machine, env.Rules{Exact: tolerance < 1e-4}).NewEpisode()
					if _, err := e.Follow(reference.Schedule); err != nil {
						t.Fatal(err)
					}
					for _, want := range reference.Schedule {
						if want.Op != "copy0" && !slices.ContainsFunc(e.Schedule(), func(got schedule.OpSchedule) bool { return sameKinds(got, want) }) {
							t.Errorf("it leads to\n%swithout %s", e.Schedule(), want)
						}
					}
				})
			}
		}
	}
}

// Two convolutions that have been written out one by one can still become a chain.
func TestChainTakesThePlaceOfWinograd(t *testing.T) {
	lab, err := measure.Open(measure.Options{Worker: worker, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lab.Close() }()
	block := suite.ResNetBlock("block", 4, 32, 28, 28)
	p, err := lab.Analyse(t.Context(), []byte(block.Module), block.Name)
	if err != nil {
		t.Fatal(err)
	}
	alone, chained := scheduletest.Parse(t, "conv0: FN W(4,1,1,3)\nconv1: FN W(4,1,1,3)\n"), scheduletest.Parse(t, "conv0: FN\nconv1: FN WC(4,1,2)\n")
	e := env.NewSpace(p, schedule.Machine{Threads: 2, VectorLanes: 16}, env.Rules{}).NewEpisode()
	for !strings.Contains(e.Schedule().String(), "W(4,1,1,3)") {
		if _, err := e.Toward(alone); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.Clone().Follow(alone); err != nil {
		t.Errorf("each by itself: %v", err)
	}
	if _, err := e.Follow(chained); err != nil {
		t.Fatal(err)
	}
	for _, want := range chained {
		if !slices.ContainsFunc(e.Schedule(), func(got schedule.OpSchedule) bool { return sameKinds(got, want) }) {
			t.Errorf("it leads to\n%swithout %s", e.Schedule(), want)
		}
	}
}

// sameKinds compares without numbers, for a size that is the whole loop is 0 as well, and
// without the NT that what is written out ends with.
func sameKinds(got, want schedule.OpSchedule) bool {
	actions := got.Actions
	if n := len(actions) - 1; n == len(want.Actions) && actions[n].Kind == schedule.NoTransform {
		actions = actions[:n]
	}
	return got.Op == want.Op && slices.EqualFunc(actions, want.Actions, func(x, y schedule.Action) bool { return x.Kind == y.Kind })
}
