package training

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nestling/measure"
	"nestling/ppo"
	"nestling/results"
	"nestling/schedule"
	"nestling/suite"
)

func TestSetupIsKept(t *testing.T) {
	run, err := results.NewRun(t.TempDir(), "lstm")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Read(run); err == nil || !strings.Contains(err.Error(), "nestling train") {
		t.Errorf("a run without a setup: %v", err)
	}
	want := Setup{Model: "lstm", Programs: 7, Data: "/programs", Threads: 2, Config: ppo.Defaults()}
	want.Config.Seed = 1<<64 - 1
	if err := want.Save(run); err != nil {
		t.Fatal(err)
	}
	got, err := Read(run)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	path := filepath.Join(run.Dir, setupFile)
	if err := os.WriteFile(path, []byte(`{"model": "lstm", "config": {"programs": 3}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	want = Setup{Model: "lstm", Config: ppo.Defaults()}
	want.Config.Programs = 3
	if got, err = Read(run); err != nil || !cmp.Equal(want, got) {
		t.Errorf("settings that an older version did not have: %+v, %v; want the defaults", got, err)
	}
	if err := os.Truncate(path, 20); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(run); err == nil || !strings.HasPrefix(err.Error(), path+": not the settings of a training: ") {
		t.Errorf("a setup cut short: %v", err)
	}
}

// What was learned on other programs, from other choices or on other threads is refused.
func TestATeacherMustFit(t *testing.T) {
	run, err := results.NewRun(t.TempDir(), "lstm")
	if err != nil {
		t.Fatal(err)
	}
	teacher := Setup{Model: "lstm", Programs: 7, Threads: 2, Config: ppo.Defaults()}
	if err := teacher.Save(run); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Setup){
		"--threads 1 --seed 1":                func(s *Setup) { s.Threads = 1 },
		"--threads 2 --seed 5":                func(s *Setup) { s.Config.Seed = 5 },
		"--threads 2 --seed 1 --preset paper": func(s *Setup) { s.Preset = "paper" },
		"--threads 2 --seed 1 --data d":       func(s *Setup) { s.Data = "d" },
		"--threads 2 --seed 1 and too small":  func(s *Setup) { s.Exact = true },
	} {
		student := teacher
		student.Model, student.Teacher = "gpt-2", run.Dir
		change(&student)
		if _, err := student.Taught(nil); err == nil || !strings.Contains(err.Error(), "trained with --threads 2 --seed 1, and this is to be with "+want) {
			t.Errorf("want an error that tells %s: %v", want, err)
		}
	}
}

// The same seed means the same programs, another seed others.
func TestSources(t *testing.T) {
	modules := func(seed uint64) string {
		s := Setup{Programs: 3, Config: ppo.Config{Seed: seed}}
		sources, err := s.Sources()
		if err != nil {
			t.Fatal(err)
		}
		if len(sources) != 3 {
			t.Errorf("%d programs, want 3", len(sources))
		}
		var all strings.Builder
		for _, source := range sources {
			all.WriteString(source.Module)
		}
		return all.String()
	}
	first := modules(1)
	if modules(1) != first {
		t.Error("the same seed gave other programs")
	}
	if modules(2) == first {
		t.Error("another seed gave the same programs")
	}
	if _, err := (Setup{Data: filepath.Join(t.TempDir(), "none")}).Sources(); err == nil {
		t.Error("a folder that is not there was read")
	}
}

// The tuning database's fastest schedule of a program is replayed, with what it earned.
func TestReplayKnowsTheFastest(t *testing.T) {
	lab, err := measure.Open(measure.Options{Worker: worker, Threads: 1, Database: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lab.Close() }()
	sources := suite.Generate(suite.Train, 1, 2)
	programs, err := Analyse(t.Context(), lab, sources, func(int, int) {})
	if err != nil {
		t.Fatal(err)
	}
	known := programs[0]
	usual := schedule.Default(known, lab.Machine())
	batch := []measure.Candidate{{Program: known, Schedule: usual}, {Program: known}}
	measured, err := lab.Evaluate(t.Context(), batch, plan)
	if err != nil {
		t.Fatal(err)
	}
	lessons, err := Setup{Replay: true}.Replayed(t.Context(), lab, programs)
	if err != nil {
		t.Fatal(err)
	}
	want := usual.String()
	if measured[1].Ratio < measured[0].Ratio {
		want = ""
	}
	reward := math.Log10(measured[0].Ratio / min(measured[0].Ratio, measured[1].Ratio))
	got := lessons[known.Hash]
	if len(lessons) != 1 || got.Schedule.String() != want || math.Abs(got.Reward-reward) > 1e-9 {
		t.Errorf("%d programs are known; of the first %q, which earns %g; want %q, which earns %g", len(lessons), got.Schedule, got.Reward, want, reward)
	}
	if none, err := (Setup{}).Replayed(t.Context(), lab, programs); err != nil || len(none) != 0 {
		t.Errorf("without being asked for, %d programs are replayed (%v)", len(none), err)
	}
}
