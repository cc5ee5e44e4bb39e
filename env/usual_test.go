package env_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"nestling/env"
	"nestling/env/envtest"
	"nestling/program"
	"nestling/schedule"
)

// usualOf lists the options of the open question that the default schedule would have, and
// those of them that come after nothing but what it would have, too.
func usualOf(e *env.Episode) (usual, onTheWay []int) {
	for i, o := range e.Question().Options {
		if o[env.OptionSize-2] == 1 {
			usual = append(usual, i)
		}
		if o[env.OptionSize-1] == 1 {
			onTheWay = append(onTheWay, i)
		}
	}
	return usual, onTheWay
}

// Who always answers as the default schedule would has the default schedule in the end.
func TestUsualAnswersMakeTheDefaultSchedule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyProgram(t)
		if slices.ContainsFunc(p.Ops, func(o program.Op) bool { return len(o.Loops) > env.MaxLoops }) {
			t.Skip("tiles of so many loops are not offered")
		}
		m := machine
		if rapid.Bool().Draw(t, "small caches") { // so that more is copied into panels
			m.Caches = [3]int{0, 1 << 14}
		}
		e := env.NewSpace(p, m, env.Rules{}).NewEpisode()
		for !e.Done() {
			usual, onTheWay := usualOf(e)
			if len(usual) != 1 || !slices.Equal(usual, onTheWay) {
				t.Skipf("%s: as usual are %v, on the way %v of %v: the default does what is not offered", e.Asked(), usual, onTheWay, e.Labels())
			}
			if _, err := e.Answer(usual[0]); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := lines(e.Schedule()), lines(schedule.Default(p, m)); !slices.Equal(got, want) {
			t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// A rule of the default schedule whose rewrite cannot be made does not hide those after it: what
// multiplies a convolution's result by another tensor does not fold into its weights.
func TestUsualRewriteAfterOneThatCannotBe(t *testing.T) {
	var b envtest.Builder
	convolution := b.Convolution(b.Argument(2, 32, 33, 33), b.Argument(32, 32, 3, 3), 2)
	p := b.Program("scaled", b.Add(convolution, b.Argument(b.Shape(convolution)...)))
	scale := &p.Ops[len(p.Ops)-1]
	scale.Arith, scale.Body[0].Op = program.Arithmetic{Mul: 1}, "arith.mulf"
	want := schedule.Default(p, machine)
	if !slices.ContainsFunc(want, func(o schedule.OpSchedule) bool { return o.Actions[0].Kind == schedule.Layout }) {
		t.Fatalf("the default schedule lays nothing out, and this tests nothing:\n%s", want)
	}
	e := env.NewSpace(p, machine, env.Rules{}).NewEpisode()
	for !e.Done() {
		usual, _ := usualOf(e)
		if len(usual) != 1 {
			t.Fatalf("%s: as usual are %v", e.Asked(), usual)
		}
		if _, err := e.Answer(usual[0]); err != nil {
			t.Fatal(err)
		}
	}
	if got := e.Schedule(); !slices.Equal(lines(got), lines(want)) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func lines(s schedule.Schedule) []string {
	out := strings.Split(s.String(), "\n")
	slices.Sort(out)
	return out
}

// After something else, what the default would have at the same place is still marked, but
// not as on the way; by the rules of MLIR RL nothing is.
func TestUsualAnswersOffTheWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyProgram(t)
		e := env.NewSpace(p, machine, env.Rules{}).NewEpisode()
		strayed := map[string]bool{}
		for !e.Done() {
			op := strings.SplitN(e.Asked(), ":", 2)[0]
			usual, onTheWay := usualOf(e)
			if len(usual) > 1 {
				t.Fatalf("%s: as usual are %v", e.Asked(), usual)
			}
			if strayed[op] && !e.Rewriting() && len(onTheWay) > 0 {
				t.Fatalf("%s: %v is on the way after something else", e.Asked(), onTheWay)
			}
			answer := rapid.IntRange(0, len(e.Labels())-1).Draw(t, "answer")
			strayed[op] = strayed[op] || !e.Rewriting() && !slices.Contains(onTheWay, answer)
			if _, err := e.Answer(answer); err != nil {
				t.Fatal(err)
			}
		}
		classic := env.NewSpace(p, machine, env.Rules{Classic: true}).NewEpisode()
		for !classic.Done() {
			if usual, _ := usualOf(classic); len(usual) > 0 {
				t.Fatalf("%s: MLIR RL is told of %v", classic.Asked(), usual)
			}
			if _, err := classic.Answer(0); err != nil {
				t.Fatal(err)
			}
		}
	})
}
