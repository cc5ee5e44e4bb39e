package env_test

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"nestling/env"
	"nestling/env/envtest"
	"nestling/schedule/scheduletest"
)

// What is offered is most like itself.
func TestTakeLikeTakesWhatIsOffered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyProgram(t)
		drawn := env.NewSpace(p, machine, env.Rules{}).NewEpisode()
		drawn.Draw(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)))
		again := env.NewSpace(p, machine, env.Rules{}).NewEpisode()
		for !again.Done() {
			if _, err := again.TakeLike(again.Wanted(drawn.Schedule())); err != nil {
				t.Fatalf("%v, on the way to\n%s", err, drawn.Schedule())
			}
		}
		if again.Schedule().String() != drawn.Schedule().String() {
			t.Fatalf("got\n%swant\n%s", again.Schedule(), drawn.Schedule())
		}
	})
}

func TestTakeLikeTakesTheNearestSizes(t *testing.T) {
	for _, c := range []struct{ of, want string }{
		{"elementwise0: T(24,48) V\n", "elementwise0: T(6,12) V\n"},
		{"elementwise0: TP(2,0) T(0,100) V\n", "elementwise0: TP(2,0) T(0,12) V\n"},
		{"elementwise0: T(0,5) V\n", "elementwise0: T(0,6) V\n"},
	} {
		e := env.NewSpace(envtest.Add(12, 24), machine, env.Rules{}).NewEpisode()
		if e.Rewriting() {
			e.GoOn()
		}
		for !e.Done() {
			if _, err := e.TakeLike(e.Wanted(scheduletest.Parse(t, c.of))); err != nil {
				t.Fatal(err)
			}
		}
		if got := e.Schedule().String(); got != c.want {
			t.Errorf("most like %sis %swant %s", c.of, got, c.want)
		}
	}
}

// An action on other loops, or of a kind that is not offered, is like nothing here.
func TestTakeLikeRefusesOtherLoops(t *testing.T) {
	e := env.NewSpace(envtest.Add(12, 24), machine, env.Rules{}).NewEpisode()
	for _, of := range []string{"elementwise0: T(4,4,4)\n", "elementwise0: I(2,1,0)\n", "elementwise0: W(4,1,1,0)\n"} {
		before := e.Schedule().String()
		if s, err := e.TakeLike(scheduletest.Parse(t, of)[0].Actions[0]); err == nil {
			t.Errorf("%sleads to answers %v", of, s.Answers)
		}
		if got := e.Schedule().String(); got != before {
			t.Errorf("a refused action leaves %q, not %q", got, before)
		}
	}
}
