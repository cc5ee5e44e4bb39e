package env_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"nestling/env"
	"nestling/env/envtest"
	"nestling/program"
	"nestling/schedule"
)

var machine = schedule.Machine{Threads: 2, VectorLanes: 16}

// anyProgram is a random chain of operations, each of which may read what came
// before it; now and then with more loops than the agent can schedule.
func anyProgram(t *rapid.T) *program.Program {
	var b envtest.Builder
	bound := rapid.SampledFrom([]int{1, 2, 3, 7, 8, 12, 16, 28, 64, 97, 128})
	rank := rapid.SampledFrom([]int{1, 2, 2, 2, 3, 4, env.MaxLoops, env.MaxLoops + 1}).Draw(t, "rank")
	shape := rapid.SliceOfN(bound, rank, rank).Draw(t, "shape")
	value := b.Argument(shape...)
	for range rapid.IntRange(1, 4).Draw(t, "operations") {
		if shape := b.Shape(value); len(shape) == 2 && rapid.Bool().Draw(t, "matmul") {
			value = b.Matmul(value, b.Argument(shape[1], bound.Draw(t, "columns")))
		} else {
			value = b.Add(value, b.Argument(shape...))
		}
	}
	return b.Program("random", value)
}

func TestEveryDrawUnderTheMaskIsLegal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyProgram(t)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		e := env.New(p, machine)
		limit := len(p.Ops) * schedule.MaxActions * env.MaxLoops
		for steps := 0; !e.Done(); steps++ {
			if steps == limit {
				t.Fatalf("not over after %d steps: %s", limit, e.Schedule())
			}
			obs := e.Observe()
			checkObservation(t, obs)
			if _, err := e.Step(obs.Mask.Draw(rng)); err != nil {
				t.Fatalf("a draw under the mask was refused: %v", err)
			}
		}
		if err := schedule.Check(p, e.Schedule()); err != nil {
			t.Fatalf("%v\n%s", err, e.Schedule())
		}
	})
}

func checkObservation(t *rapid.T, obs env.Observation) {
	if len(obs.Tokens) == 0 || len(obs.Tokens) > env.MaxTokens {
		t.Fatalf("%d tokens", len(obs.Tokens))
	}
	for _, token := range append(obs.Tokens, obs.History) {
		if len(token) != env.FeatureSize && len(token) != env.HistorySize {
			t.Fatalf("%d features", len(token))
		}
		for i, x := range token {
			if math.IsNaN(float64(x)) || math.Abs(float64(x)) > 8 {
				t.Fatalf("feature %d is %g", i, x)
			}
		}
	}
	for head := range obs.Mask.Tile {
		for l := range obs.Mask.Tile[head] {
			if !obs.Mask.Tile[head][l][0] {
				t.Fatalf("head %d, loop %d cannot be left whole", head, l)
			}
		}
	}
}

func kind(k schedule.Kind) int {
	for i := range schedule.Kinds {
		if schedule.Kinds[i] == k {
			return i
		}
	}
	panic("no kind " + k)
}

func tile(k schedule.Kind, sizes ...int) env.Action {
	a := env.Action{Kind: kind(k)}
	for l, size := range sizes {
		for i, s := range env.TileSizes {
			if s == size {
				a.Tile[l] = i
			}
		}
	}
	return a
}

func play(t *testing.T, e *env.Episode, actions ...env.Action) {
	t.Helper()
	for i, a := range actions {
		if _, err := e.Step(a); err != nil {
			t.Fatalf("action %d: %v", i, err)
		}
	}
}

func TestActionsBecomeASchedule(t *testing.T) {
	e := env.New(envtest.Matmul(64, 64, 64), machine)
	play(t, e,
		env.Action{Kind: kind(schedule.Interchange)}, env.Action{Pointer: 2}, env.Action{Pointer: 0},
		tile(schedule.TileParallel, 0, 8, 16), tile(schedule.Tile, 4, 0, 0),
		env.Action{Kind: kind(schedule.Vectorize)},
		env.Action{Kind: kind(schedule.NoTransform)},
	)
	if !e.Done() {
		t.Fatal("both operations have ended, the episode has not")
	}
	want := "matmul1: I(2,0,1) TP(0,8,16) T(4,0,0) V\nfill0: NT\n"
	if got := e.Schedule().String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestDrawsWithoutEffectUseUpActions(t *testing.T) {
	e := env.New(envtest.Add(64, 64), machine)
	play(t, e,
		env.Action{Kind: kind(schedule.Interchange)}, env.Action{Pointer: 0},
		tile(schedule.Tile, 0, 0), tile(schedule.Tile, 0, 0), tile(schedule.Tile, 0, 0),
	)
	if e.Done() {
		t.Fatal("over after four actions")
	}
	play(t, e, tile(schedule.Tile, 0, 8))
	if !e.Done() {
		t.Fatal("not over after five actions")
	}
	if got := e.Schedule().String(); got != "elementwise0: T(0,8) NT\n" {
		t.Errorf("got %s", got)
	}
}

func TestMaskedActionsAreRefused(t *testing.T) {
	start := func() *env.Episode { return env.New(envtest.Add(64, 97), machine) }
	picking := start()
	play(t, picking, env.Action{Kind: kind(schedule.Interchange)})
	over := start()
	play(t, over, env.Action{Kind: kind(schedule.NoTransform)})
	for _, c := range []struct {
		name   string
		e      *env.Episode
		action env.Action
		want   string
	}{
		{"nothing to fuse", start(), tile(schedule.TileFuse, 8, 0), "kind 3 is masked"},
		{"no such kind", start(), env.Action{Kind: 6}, "kind 6 is masked"},
		{"not a divisor", start(), tile(schedule.Tile, 7, 0), "size index 4 of loop 0"},
		{"no such loop", start(), tile(schedule.Tile, 0, 0, 8), "of loop 2"},
		{"no such pointer", picking, env.Action{Pointer: 2}, "pointer 2"},
		{"negative pointer", picking, env.Action{Pointer: -1}, "pointer -1"},
		{"over", over, env.Action{Kind: kind(schedule.NoTransform)}, "the episode is over"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := c.e.Schedule().String()
			_, err := c.e.Step(c.action)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if after := c.e.Schedule().String(); after != before {
				t.Errorf("the refused action changed the schedule to %s", after)
			}
		})
	}
}

func TestTooManyLoopsOfferNoTransformAlone(t *testing.T) {
	shape := make([]int, env.MaxLoops+1)
	for i := range shape {
		shape[i] = 2
	}
	mask := env.New(envtest.Add(shape...), machine).Observe().Mask
	for k, ok := range mask.Kind {
		if ok != (k == kind(schedule.NoTransform)) {
			t.Errorf("%s: %t", schedule.Kinds[k], ok)
		}
	}
}

func TestObservationFollowsTheSchedule(t *testing.T) {
	e := env.New(envtest.Matmul(64, 32, 128), machine)
	first := e.Observe()
	if len(first.Tokens) != 2 {
		t.Fatalf("%d tokens, want the fill and the matmul", len(first.Tokens))
	}
	play(t, e, tile(schedule.TileFuse, 8, 16))
	second := e.Observe()
	for i := range second.Tokens {
		if equal(first.Tokens[i], second.Tokens[i]) {
			t.Errorf("token %d did not change with the tiling that fuses it", i)
		}
	}
	if equal(first.History, second.History) {
		t.Error("the history did not change")
	}
	if second.Mask.Kind[kind(schedule.Interchange)] {
		t.Error("interchange is offered after a tiling")
	}
}

func equal(a, b []float32) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

var rng = rand.New(rand.NewPCG(1, 2))

func drawAll(_ []int, obs []env.Observation) []env.Action {
	out := make([]env.Action, len(obs))
	for i := range obs {
		out[i] = obs[i].Mask.Draw(rng)
	}
	return out
}

func TestPlayEndsAllEpisodesInLockStep(t *testing.T) {
	episodes := []*env.Episode{
		env.New(envtest.Matmul(64, 32, 128), machine), env.New(envtest.Add(8), machine),
	}
	rounds := 0
	err := env.Play(episodes, func(unfinished []int, obs []env.Observation) []env.Action {
		if rounds == 0 && len(unfinished) != 2 {
			t.Errorf("first round asks for %d episodes", len(unfinished))
		}
		rounds++
		return drawAll(unfinished, obs)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range episodes {
		if !e.Done() {
			t.Errorf("%s is not over", e.Program().Name)
		}
	}
}

func BenchmarkEpisode(b *testing.B) {
	p := envtest.Matmul(256, 256, 256)
	steps := 0
	for b.Loop() {
		for e := env.New(p, machine); !e.Done(); steps++ {
			mask := e.Observe().Mask
			if _, err := e.Step(mask.Draw(rng)); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(steps), "ns/step")
}
