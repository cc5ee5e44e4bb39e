package schedule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nestling/program"
)

// TestRewrittenPrograms compares what rewrites make of programs with
// testdata/rewrites/NAME.mlir.
func TestRewrittenPrograms(t *testing.T) {
	for name, c := range map[string]struct {
		program *program.Program
		rewrite string
	}{
		"split":            {programs["linear"], "matmul0: S(1,32)"},
		"layout":           {programs["linear"], "matmul0: L(1,1,0)"},
		"layout_of_blocks": {programs["linear"], "matmul0: S(1,32) L(1,0,2,1)"},
		"layout_of_result": {programs["conv"], "conv0: L(1,1,2,3,0) L(2,0,2,3,1)"},
		"cut":              {oddProduct(), "matmul0: C(1,8)"},
		"cut_overlapping":  {oddProduct(), "matmul0: C(1,8,4)"},
		"cut_reduction":    {oddProduct(), "matmul0: C(2,4)"},
		"group":            {programs["conv"], "relu0: G(0)"},
		"parts":            {sumOfAll(6, 8), "sum0: S(0,3) R(0)"},
	} {
		t.Run(name, func(t *testing.T) {
			q, _, err := Rewrite(c.program, parsed(t, c.rewrite), Options{Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("testdata", "rewrites", name+".mlir"), program.Print(q))
		})
	}
}

// refuses expects of each schedule an error that holds some words.
func refuses(t *testing.T, p *program.Program, words map[string]string) {
	t.Helper()
	for text, want := range words {
		if _, _, err := Rewrite(p, parsed(t, text), Options{Threads: 1}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

// golden compares text with a file, or writes it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (run with -update if this is meant):\n%s", path, diff)
	}
}
