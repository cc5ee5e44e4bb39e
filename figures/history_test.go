package figures

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nestling/ppo"
	"nestling/results"
	"nestling/training"
)

// chain is a run that was taught by one that was taught by another.
func chain(t *testing.T) (found, taught, again *results.Run) {
	t.Helper()
	setup := training.Setup{Programs: 64, Threads: 2, Config: ppo.Defaults()}
	found = trained(t, setup, 2400)
	setup.Teacher = found.Dir
	taught = trained(t, setup, 900)
	setup.Teacher = taught.Dir
	return found, taught, trained(t, setup, 600)
}

func TestHistoryCountsAllTeachers(t *testing.T) {
	found, _, again := chain(t)
	h, err := readHistory(again)
	if err != nil {
		t.Fatal(err)
	}
	if h.stages[0].run.Dir != found.Dir || h.own().run != again || len(h.stages) != 3 {
		t.Errorf("%d stages, the first of %s", len(h.stages), h.stages[0].run.Dir)
	}
	for want, got := range map[string]string{
		"found in 40.0 min + taught in 15.0 min + taught in 10.0 min = 65.0 min": h.time(),
		"found in 128 + taught in 128 + taught in 128 = 384":                     h.trials(),
		"from nothing":         h.origin(),
		"lstm, taught 2 times": agentName(h),
		"lstm, taught":         agentName(h.teachers()),
		"lstm":                 agentName(h.teachers().teachers()),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	c := h.curve()
	if c.Minutes[0] != 57.5 || c.Minutes[3] != 65 || c.Schedules[0] != 256+32 || c.Schedules[3] != 384 {
		t.Errorf("the curve is at %g minutes and %g schedules; want it to begin where its teachers ended, at 55 and 256", c.Minutes, c.Schedules)
	}
}

// An agent is from nothing if none of those before it began with something.
func TestOrigin(t *testing.T) {
	taught := func(setup training.Setup, by training.Setup) history {
		return history{stages: []stage{{setup: by}, {setup: setup}}}
	}
	for want, h := range map[string]history{
		"from nothing":                                    taught(training.Setup{Teacher: "/a"}, training.Setup{}),
		"from the weights of /gpt2":                       taught(training.Setup{Teacher: "/a"}, training.Setup{Weights: "/gpt2"}),
		"from the tuning database's schedules":            taught(training.Setup{Teacher: "/a", Replay: true}, training.Setup{Replay: true}),
		"from what /a/run_0 had found, which is not here": {lost: "/a/run_0", stages: []stage{{setup: training.Setup{Teacher: "/a/run_0"}}}},
	} {
		if got := h.origin(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// The teachers of what ships lie below it.
func TestATeacherBelow(t *testing.T) {
	teacher := trained(t, training.Setup{Config: ppo.Defaults()}, 2400)
	run := trained(t, training.Setup{Teacher: "teachers/lstm/run_0", Config: ppo.Defaults()}, 600)
	if err := os.CopyFS(filepath.Join(run.Dir, "teachers", "lstm", "run_0"), os.DirFS(teacher.Dir)); err != nil {
		t.Fatal(err)
	}
	h, err := readHistory(run)
	if err != nil {
		t.Fatal(err)
	}
	if want := "found in 40.0 min + taught in 10.0 min = 50.0 min"; h.time() != want || h.origin() != "from nothing" {
		t.Errorf("%s, %s; want %s", h.time(), h.origin(), want)
	}
}

// A teacher's path that is relative is below the run: the run that has the name here is not
// the teacher.
func TestATeacherFromElsewhereIsNotHere(t *testing.T) {
	other := trained(t, training.Setup{Config: ppo.Defaults()}, 2400)
	t.Chdir(filepath.Join(other.Dir, "..", ".."))
	run := trained(t, training.Setup{Teacher: "lstm/run_0", Config: ppo.Defaults()}, 600)
	h, err := readHistory(run)
	if err != nil {
		t.Fatal(err)
	}
	if len(h.stages) != 1 || h.lost != "lstm/run_0" {
		t.Errorf("%d stages, without %q; want the own one alone, without lstm/run_0", len(h.stages), h.lost)
	}
}

// A teacher that is there and cannot be read is an error: a page must not leave it out.
func TestATeacherThatCannotBeRead(t *testing.T) {
	found, taught, again := chain(t)
	log := filepath.Join(found.Logs(), ppo.LogFile)
	if err := os.Remove(log); err != nil {
		t.Fatal(err)
	}
	_, err := readHistory(again)
	if err == nil || !strings.HasPrefix(err.Error(), "what the teacher of "+taught.Dir+" took cannot be told: "+log) || strings.Contains(err.Error(), "\n") {
		t.Errorf("a teacher without a log: %v", err)
	}
}

// Runs that are removed leave their names to others.
func TestATeacherOfItself(t *testing.T) {
	found, _, again := chain(t)
	setup, err := training.Read(found)
	if err != nil {
		t.Fatal(err)
	}
	setup.Teacher = again.Dir
	if err := setup.Save(found); err != nil {
		t.Fatal(err)
	}
	if _, err := readHistory(again); err == nil || !strings.Contains(err.Error(), again.Dir+" is among its own teachers") {
		t.Errorf("a run that taught its teacher: %v", err)
	}
}

// The page of results counts teachers, and tells what it says of the last training alone.
func TestLearningWithATeacher(t *testing.T) {
	found, taught, again := chain(t)
	var b bytes.Buffer
	if err := writeTraining(&b, again, ""); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"from nothing, on generated programs",
		"--programs 64`, then `nestling train --model lstm --teacher " + found.Dir + " --seed 1 --threads 2 --programs 64`, then `nestling train --model lstm --teacher " + taught.Dir,
		"| training time | found in 40.0 min + taught in 15.0 min + taught in 10.0 min = 65.0 min |\n",
		"| **the last training alone** | |\n| iterations | 4 |\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the section lacks %q:\n%s", want, b.String())
		}
	}
	if err := os.RemoveAll(found.Dir); err != nil {
		t.Fatal(err)
	}
	b.Reset()
	if err := writeTraining(&b, again, ""); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); strings.Contains(text, "from nothing") || !strings.Contains(text, "in all more than 25.0 min") {
		t.Errorf("without the first teacher:\n%s", text)
	}
}

// The rate while programs are small is told apart from that over all.
func TestThroughput(t *testing.T) {
	s := stage{setup: training.Setup{Config: ppo.Config{SmallFirst: 8}}, sums: sums{fresh: 90}}
	for i := range 3 {
		s.log = append(s.log, ppo.Metrics{New: 30, Elapsed: []float64{1, 4, 9}[i]})
	}
	if got, want := throughput(s), "15.0 in the first 2 iterations, on the smaller half of the programs; 10.0 over all of it, on programs of every size"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	s.setup.Config.SmallFirst = 0
	if got, want := throughput(s), "10.0 over all of it, on programs of every size"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
