package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nestling/agent"
	"nestling/eval"
	"nestling/results"
	"nestling/training"
)

// In the CSV of an evaluation what failed is told from what was not asked.
func TestEvaluationCSVNamesFailures(t *testing.T) {
	path := filepath.Join(t.TempDir(), "set.csv")
	rows := []*eval.Row{
		{Name: "a", Family: "conv", Flops: 2e9, DefaultMS: 1.5, Share: 0.5, Speedups: map[string]float64{eval.Greedy: 1, eval.Search: 2}},
		{Name: "b", DefaultMS: 1, Speedups: map[string]float64{eval.Search: 2}, Failures: map[string]string{eval.Random: "crash", eval.Greedy: "wrong"}},
	}
	if err := writeEvaluationCSV(path, rows); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := `program,family,flops,default_ms,share_of_best,eager,unscheduled,reference,greedy,search,untrained,random,failed
a,conv,2e+09,1.5,0.5,,,,1,2,,,
b,,,1,,,,,,2,,,greedy random
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A folder that is called like a set has files of its own.
func TestEvaluationsOfFoldersHaveTheirOwnFiles(t *testing.T) {
	for set, want := range map[string]string{"test": "test", "test/": "test_folder", "./nine": "nine_folder", "a/b": "a_b"} {
		e := evaluation{agent: &agent.Agent{Run: &results.Run{Dir: "run_0"}}, report: eval.Report{Set: set}}
		if got := e.base(); got != filepath.Join("run_0", "eval", want) {
			t.Errorf("%s is in %s", set, got)
		}
	}
}

// What was set up in another way is called so.
func TestRivalsAreNamedByTheirSettings(t *testing.T) {
	root := t.TempDir()
	for _, preset := range []string{"", "paper"} {
		run, err := results.NewRun(root, "lstm")
		if err != nil {
			t.Fatal(err)
		}
		if err := (training.Setup{Model: "lstm", Preset: preset}).Save(run); err != nil {
			t.Fatal(err)
		}
		want := strings.TrimSpace(preset + " lstm/" + filepath.Base(run.Dir))
		if got := rivalName(&agent.Agent{Run: run}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
