package report

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"nestling/eval"
)

func evaluated(n int) []*eval.Row {
	var rows []*eval.Row
	for i := range n {
		r := &eval.Row{Name: fmt.Sprint("program_", i), Family: []string{"conv", "matmul"}[i%2], Speedups: map[string]float64{
			eval.Greedy: 1 + float64(i), eval.Search: 2 + float64(i), eval.Unscheduled: 0.01}, Failures: map[string]string{}}
		if i == 0 {
			r.Failures[eval.Reference] = "crash"
		} else {
			r.Speedups[eval.Reference] = 3
		}
		rows = append(rows, r)
	}
	return rows
}

// A few programs have a group each, many are shown by family.
func TestEvaluationGroups(t *testing.T) {
	for n, want := range map[int][]string{
		3:  {"program_0", "program_1", "program_2", geometricMeanRow},
		20: {"conv", "matmul", geometricMeanRow},
	} {
		rows := evaluated(n)
		var names []string
		for _, g := range evaluationGroups(rows) {
			names = append(names, g.name)
		}
		if !slices.Equal(names, want) {
			t.Errorf("groups %q, want %q", names, want)
		}
		path := filepath.Join(t.TempDir(), "evaluation.png")
		if err := EvaluationPlot(path, rows, "lstm on test programs"); err != nil {
			t.Fatal(err)
		}
		colours := pixels(t, path)
		for name, c := range map[string][3]uint32{eval.Search: {0, 0x72, 0xb2}, eval.Greedy: {0x56, 0xb4, 0xe9}, eval.Reference: {0x66, 0x66, 0x66}} {
			if colours[c] < 1000 {
				t.Errorf("%d pixels have the colour of %s", colours[c], name)
			}
		}
	}
}

func TestEvaluationBars(t *testing.T) {
	rows := evaluated(3)
	if got := evaluationBar(rows[:1], eval.Reference); got.problem != "failed" {
		t.Errorf("a failure is drawn as %+v", got)
	}
	if got := evaluationBar(rows[:1], eval.Random); got.problem != "–" {
		t.Errorf("who was not asked is drawn as %+v", got)
	}
	if got := evaluationBar(rows[1:2], eval.Greedy); got.value != 2 || got.low != 2 || got.label != "2.00×" {
		t.Errorf("one program is drawn as %+v", got)
	}
	if got := evaluationBar(rows, eval.Greedy); !(got.low < got.value && got.value < got.high) {
		t.Errorf("three programs are drawn as %+v", got)
	}
}
