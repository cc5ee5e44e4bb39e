package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nestling/eval"
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
