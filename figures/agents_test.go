package figures

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nestling/eval"
	"nestling/ppo"
	"nestling/results"
	"nestling/training"
)

func TestAgentsPage(t *testing.T) {
	run := measured(t)
	setup := training.Setup{Model: run.Model, Programs: 64, Threads: 2, Config: ppo.Defaults()}
	if err := setup.Save(run); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(run.Dir, "eval"), 0o755); err != nil {
		t.Fatal(err)
	}
	rows := []*eval.Row{{Name: "matmul_small", DefaultMS: 1, Share: 0.9, Speedups: map[string]float64{eval.Reference: 1.5, eval.Greedy: 1.35}}}
	if err := results.WriteJSON(filepath.Join(run.Dir, "eval", "nine.json"), evaluation{Set: "nine", Trials: 64, Search: "refine", Programs: rows}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "agents.md")
	if err := WriteAgents(path, []*results.Run{run}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"--programs 64 --seed 1 --threads 2` | 40 s | 4 | 128 | 3.0 new | 8 | 25 % |",
		"seed 1, on the nine benchmarks", "| lstm | 1 | the nine benchmarks | 1 | 90 % | 90 % | 64 | – | – | 0 |", "By `nestling eval --set nine --trials 64 --search refine`", "1.35×",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
	if picture, err := os.Stat(filepath.Join(filepath.Dir(path), "images", "agents.png")); err != nil || picture.Size() == 0 {
		t.Errorf("no picture: %v", err)
	}
}

func TestAgentsWithoutTraining(t *testing.T) {
	run, err := results.NewRun(t.TempDir(), "lstm")
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteAgents(filepath.Join(t.TempDir(), "agents.md"), []*results.Run{run}); err == nil {
		t.Error("a run without a training makes a page")
	}
}
