package env_test

import (
	"math"
	"math/rand/v2"
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
	bound := rapid.SampledFrom([]int{1, 2, 3, 7, 8, 12, 16, 28, 33, 64, 97, 120, 128, 720})
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

// A program that is too large for any memory is seen all the same.
func TestFeaturesOfHugeProgramsAreFinite(t *testing.T) {
	for _, shape := range [][]int{ // more bytes than an int holds
		{97, 32, 64, 120, 7, 28, 12, 720, 720, 97},
		{2, 720, 64, 64, 97, 720, 128, 8, 720, 16},
	} {
		e := env.NewSpace(envtest.Add(shape...), machine, env.Rules{}).NewEpisode()
		checkObservation(t, e.Observe())
		checkQuestion(t, e.Question())
	}
}

func TestEveryAnswerLeadsToALegalSchedule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyProgram(t)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		space := env.NewSpace(p, machine, env.Rules{})
		for range 5 {
			e := space.NewEpisode()
			for answers := 0; !e.Done(); answers++ {
				if answers == 2000 {
					t.Fatalf("not over after %d answers: %s", answers, e.Schedule())
				}
				checkObservation(t, e.Observe())
				q := e.Question()
				checkQuestion(t, q)
				if _, err := e.Answer(rng.IntN(len(q.Options))); err != nil {
					t.Fatal(err)
				}
			}
			if err := schedule.Check(p, e.Schedule()); err != nil {
				t.Fatalf("%v\n%s", err, e.Schedule())
			}
		}
	})
}

func checkObservation(t rapid.TB, o *env.Observation) {
	if len(o.Ops) == 0 || len(o.Ops) > env.MaxOps || len(o.Past) > env.MaxPast {
		t.Fatalf("%d operations, %d past actions", len(o.Ops), len(o.Past))
	}
	for _, op := range o.Ops {
		checkVector(t, op.Features, env.OpSize)
		for _, l := range op.Loops {
			checkVector(t, l, env.LoopSize)
		}
		for _, operand := range op.Operands {
			checkVector(t, operand.Features, env.OperandSize)
			for l, access := range operand.Access {
				checkVector(t, access, env.AccessSize)
				for _, cell := range operand.Grid[l] {
					checkVector(t, cell, env.CellSize)
				}
			}
		}
	}
	for _, past := range o.Past {
		checkVector(t, past, env.PastSize)
	}
}

func checkQuestion(t rapid.TB, q env.Question) {
	if len(q.Options) < 2 {
		t.Fatalf("a question with %d options", len(q.Options))
	}
	for i, o := range q.Options {
		checkVector(t, o, env.OptionSize)
		for j := range i {
			if equal(o, q.Options[j]) {
				t.Fatalf("options %d and %d look the same: %v", i, j, o)
			}
		}
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

func checkVector(t rapid.TB, v []float32, size int) {
	if len(v) != size {
		t.Fatalf("%d features, want %d", len(v), size)
	}
	for i, x := range v {
		if math.IsNaN(float64(x)) || math.Abs(float64(x)) > 8 {
			t.Fatalf("feature %d is %g", i, x)
		}
	}
}
