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
	if err := os.MkdirAll(filepath.Join(run.Dir, "eval"), 0o755); err != nil {
		t.Fatal(err)
	}
	rows := []*eval.Row{{Name: "matmul_small", DefaultMS: 1, Share: 0.9, Speedups: map[string]float64{eval.Reference: 1.5, eval.Greedy: 1.35}}}
	if err := results.WriteJSON(filepath.Join(run.Dir, "eval", "nine.json"), eval.Report{Set: "nine", Trials: 64, Search: "refine", Programs: rows, Beside: []string{"results/lstm/run_7"}, Machine: results.MachineInfo{CPU: "a processor", Cores: 3}}); err != nil {
		t.Fatal(err)
	}
	path, text := agentsPage(t, run)
	for _, want := range []string{
		"| lstm | " + run.Dir + " | `nestling train --model lstm --seed 1 --threads 2 --programs 64` | 0.7 min | 128 | 4 | 3.0 | 8 | 25 % |",
		"(images/agents.png)",
		"seed 1, on the nine benchmarks", "| lstm | 1 | the nine benchmarks | 1 | 90 % | 90 % | 64 | – | – | 0 |",
		"Machine: a processor, 3 cores", "By `nestling eval --run " + run.Dir + " --beside results/lstm/run_7 --set nine --trials 64 --search refine`", "1.35×",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
	if picture, err := os.Stat(filepath.Join(filepath.Dir(path), "images", "agents.png")); err != nil || picture.Size() == 0 {
		t.Errorf("no picture: %v", err)
	}
}

// agentsPage is where the page of some runs is, and what it says.
func agentsPage(t *testing.T, runs ...*results.Run) (path, text string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "agents.md")
	if err := WriteAgents(path, runs); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, string(content)
}

// Teachers are on the page with those they taught, each once and before them.
func TestAgentsPageShowsTeachers(t *testing.T) {
	setup := training.Setup{Programs: 64, Threads: 2, Config: ppo.Defaults()}
	found := trained(t, setup, 2400)
	setup.Teacher = found.Dir
	first, second := trained(t, setup, 900), trained(t, setup, 360)
	_, text := agentsPage(t, first, second)
	at := 0
	for _, want := range []string{
		"| lstm | " + found.Dir + " | ", " | 40.0 min | 128 | 4 |",
		"| lstm, taught | " + first.Dir + " | ", "--teacher " + found.Dir,
		" | found in 40.0 min + taught in 15.0 min = 55.0 min | found in 128 + taught in 128 = 256 | 4 | 0.1 |",
		"| lstm, taught | " + second.Dir + " | ", " | found in 40.0 min + taught in 6.0 min = 46.0 min | ",
	} {
		i := strings.Index(text[at:], want)
		if i < 0 {
			t.Fatalf("the page lacks %q, or has it too early:\n%s", want, text)
		}
		at += i
	}
	if n := strings.Count(text, "| lstm | "+found.Dir+" | "); n != 1 {
		t.Errorf("the teacher is in %d lines of the table, want 1", n)
	}
}

// Of an agent whose teacher is not here nobody knows where its curve begins.
func TestAgentsPageWithoutATeachersRun(t *testing.T) {
	gone := filepath.Join(t.TempDir(), "lstm", "run_0")
	run := trained(t, training.Setup{Teacher: gone, Programs: 64, Threads: 2, Config: ppo.Defaults()}, 600)
	path, text := agentsPage(t, run)
	for _, want := range []string{
		"| taught in 10.0 min, in all more than 10.0 min, for the run of its teacher, " + gone + ", is not here | taught in 128, in all more than 128 |",
		"Not in the picture: " + run.Dir + ", for nobody knows when its teacher ended.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), "images", "agents.png")); err == nil || strings.Contains(text, "agents.png") {
		t.Errorf("there is a picture of no curve:\n%s", text)
	}
}

// What failed is counted, and a mean of shares says over how many programs it is.
func TestSharesCountFailures(t *testing.T) {
	rows := []*eval.Row{
		{Speedups: map[string]float64{eval.Greedy: 2, eval.Search: 4}},
		{Speedups: map[string]float64{eval.Greedy: 1, eval.Search: 1}},
		{Speedups: map[string]float64{eval.Search: 3}, Failures: map[string]string{eval.Greedy: "wrong"}},
		{Failures: map[string]string{eval.Default: "timeout"}},
	}
	var b strings.Builder
	writeShares(&b, []evaluation{{name: "lstm", seed: 1, on: "test programs", Report: eval.Report{Trials: 50, Programs: rows}}})
	want := "| lstm | 1 | test programs | 4 | 71 % (50–100 %) over 2 of 4 | 50 % | 50 | 100 % (100–100 %) over 3 of 4 | 100 % | 1 default, 1 greedy |\n"
	if !strings.Contains(b.String(), want) {
		t.Errorf("want %s, got\n%s", want, b.String())
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

// Trainings are compared by the looks at validation programs that they had in the same time,
// and named by what they did without.
func TestAgentsPageComparesByTime(t *testing.T) {
	ours := training.Setup{Programs: 64, Threads: 2, Config: ppo.Defaults()}
	plain, paper := ours, ours
	plain.Config.Imitation, plain.Config.CostModel = 0, false
	paper.Preset = "paper"
	_, text := agentsPage(t, trained(t, ours, 900), trained(t, plain, 900), trained(t, paper, 900))
	for _, want := range []string{
		"| model | seed | 5 min | 10 min | 15 min | 30 min | 45 min |",
		"| lstm | 1 | – | – | 0.500 | – | – |",
		"| lstm without imitation, a cost model | 1 | – | – | 0.500 | – | – |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "| paper (lstm) | 1 | –") {
		t.Errorf("rewards over unscheduled loops are beside others:\n%s", text)
	}
}
