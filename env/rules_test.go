package env_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"nestling/env"
	"nestling/env/envtest"
	"nestling/schedule"
)

func TestClassicRulesAreKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyProgram(t)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		e := env.NewSpace(p, machine, env.Rules{Classic: true}).NewEpisode()
		e.Draw(rng)
		for _, o := range e.Schedule() {
			for _, a := range o.Actions {
				if !slices.Contains(schedule.Kinds, a.Kind) {
					t.Fatalf("%s is none of the classic six", a)
				}
				for _, size := range a.Sizes {
					if size > 64 || size&(size-1) != 0 {
						t.Fatalf("%s: size %d", a, size)
					}
				}
			}
		}
	})
}

// A space forgets what rewrites lead to, and finds the same again.
func TestForgettingChangesNothing(t *testing.T) {
	p := envtest.Matmul(512, 512, 512)
	shared := env.NewSpace(p, machine, env.Rules{})
	rewritten := map[string]bool{}
	for seed := range uint64(300) {
		draw := func(s *env.Space) string {
			e := s.NewEpisode()
			e.Draw(rand.New(rand.NewPCG(seed, 0)))
			return e.Schedule().String()
		}
		got, want := draw(shared), draw(env.NewSpace(p, machine, env.Rules{}))
		if got != want {
			t.Fatalf("seed %d: a space that has been used draws\n%sa new one\n%s", seed, got, want)
		}
		rewritten[strings.Join(rewrites(got), "\n")] = true
	}
	if len(rewritten) < 100 {
		t.Errorf("only %d different rewrites were drawn: too few for any to be forgotten", len(rewritten))
	}
}

// rewrites are the lines of a schedule that rewrite.
func rewrites(schedule string) []string {
	var out []string
	for line := range strings.Lines(schedule) {
		if strings.ContainsAny(strings.SplitN(line, ":", 2)[1], "SLGCW") {
			out = append(out, line)
		}
	}
	return out
}

// A clone goes its own way, and leaves the episode where it was.
func TestClonesAreIndependent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		e := env.NewSpace(anyProgram(t), machine, env.Rules{}).NewEpisode()
		for range rng.IntN(10) {
			if e.Done() {
				return
			}
			if _, err := e.Answer(rng.IntN(len(e.Question().Options))); err != nil {
				t.Fatal(err)
			}
		}
		before, answers := e.Schedule().String(), e.Answers()
		e.Clone().Draw(rng)
		if e.Schedule().String() != before || !slices.Equal(e.Answers(), answers) {
			t.Fatal("the clone's actions are the episode's too")
		}
		other := e.Clone()
		e.Draw(rand.New(rand.NewPCG(5, 0)))
		other.Draw(rand.New(rand.NewPCG(5, 0)))
		if e.Schedule().String() != other.Schedule().String() {
			t.Fatalf("the same answers give\n%sand\n%s", e.Schedule(), other.Schedule())
		}
	})
}

// The answers of an episode, given again action by action, are the episode again.
func TestReplayIsTheSameEpisode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		space := env.NewSpace(anyProgram(t), machine, env.Rules{})
		e := space.NewEpisode()
		var actions [][]int
		for !e.Done() {
			var answers []int
			for acted := false; !acted; {
				answer := rng.IntN(len(e.Question().Options))
				var err error
				if acted, err = e.Answer(answer); err != nil {
					t.Fatal(err)
				}
				answers = append(answers, answer)
			}
			actions = append(actions, answers)
		}
		again := space.NewEpisode()
		for _, answers := range actions {
			if _, err := again.Replay(answers); err != nil {
				t.Fatal(err)
			}
		}
		if !again.Done() || again.Schedule().String() != e.Schedule().String() {
			t.Fatalf("got\n%swant\n%s", again.Schedule(), e.Schedule())
		}
		retraced := space.NewEpisode()
		steps, err := retraced.Retrace(e.Answers())
		if err != nil || len(steps) != len(actions) || retraced.Schedule().String() != e.Schedule().String() {
			t.Fatalf("in %d steps, not %d, it is retraced as\n%s(%v)", len(steps), len(actions), retraced.Schedule(), err)
		}
	})
}
