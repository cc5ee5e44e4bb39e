package figures

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nestling/ppo"
	"nestling/report"
	"nestling/results"
	"nestling/training"
)

const benchmarks = `goos: linux
pkg: nestling/codegen/compiler
BenchmarkMatmulCandidate-2 	      20	  30000000 ns/op
BenchmarkMatmulCandidate-2 	      20	  40000000 ns/op
BenchmarkMatmulCandidate-2 	      20	  90000000 ns/op
PASS
pkg: nestling/policy
BenchmarkStep/lstm 	      20	  50000000 ns/op
BenchmarkStep/distilbert 	      20	  10000000 ns/op
BenchmarkStep/gpt-2 	      20	  20000000 ns/op
pkg: nestling/training
BenchmarkSchedules-2 	       1	4000000000 ns/op	        12.50 schedules/s
BenchmarkOther 	      20	  1 ns/op
`

// measured is a run with a training of 40 s and results of one benchmark.
func measured(t *testing.T) *results.Run {
	t.Helper()
	run := trained(t, training.Setup{Programs: 64, Threads: 2, Config: ppo.Defaults()}, 40)
	for _, m := range results.Methods[:3] {
		file := results.File{"matmul_small": results.NewEntry(m.Name, "matmul_small", [][]float64{{1, 1.5}, {2, 2.5}})}
		if err := results.Write(filepath.Join(run.Benchmarks(), m.File), file); err != nil {
			t.Fatal(err)
		}
	}
	return run
}

// trained is a run of the LSTM that was trained for so long, in four iterations.
func trained(t *testing.T, setup training.Setup, seconds float64) *results.Run {
	t.Helper()
	run, err := results.NewRun(t.TempDir(), "lstm")
	if err != nil {
		t.Fatal(err)
	}
	setup.Model = run.Model
	if err := setup.Save(run); err != nil {
		t.Fatal(err)
	}
	log, err := results.OpenLog(filepath.Join(run.Logs(), ppo.LogFile))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		m := ppo.Metrics{Iteration: i + 1, Elapsed: seconds * float64(i+1) / 4, Seconds: seconds / 4, Episodes: 32, New: 30, Failed: 2, NetworkShare: 0.25, Speedup: 0.5 + float64(i), Entropy: 3 - float64(i)}
		if i > 0 {
			reward := 0.25 * float64(i)
			m.Validation = &reward
		}
		if err := log.Append(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	return run
}

// table is a measurement of one benchmark on one thread.
func table() []*report.Speed {
	s := &report.Speed{
		Setup: report.Setup{Threads: 1, Benchmarks: []string{"matmul_small"}, PyTorch: []report.PyTorch{{Version: "1.13", Ways: []string{"eager"}}}},
	}
	s.Entries = map[string]results.File{}
	for _, method := range []string{report.Scheduled, s.PyTorch[0].Method("eager")} {
		s.Entries[method] = results.File{"matmul_small": results.NewEntry(method, "matmul_small", [][]float64{{1, 1.5}, {2, 2.5}})}
	}
	return []*report.Speed{s}
}

// families is a file with the row of one program.
func families(t *testing.T) string {
	t.Helper()
	rows, err := json.Marshal([]results.FamilyRow{{Name: "add_64x256", Family: "add", Threads: 2, UnscheduledMS: 3, DefaultMS: 2, Speedup: 1.5}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), FamiliesFile)
	if err := os.WriteFile(path, rows, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPage(t *testing.T) {
	dir := t.TempDir()
	input := filepath.Join(dir, "bench.txt")
	if err := os.WriteFile(input, []byte(benchmarks), 0o644); err != nil {
		t.Fatal(err)
	}
	speeds, err := ReadSpeeds(input)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "results.md")
	page := Page{Table: table(), Families: families(t), Speeds: speeds, Run: measured(t), Curve: "images/learning.png"}
	if err := page.Write(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Machine: ",
		"from text to object code, warm | 40.0 ms | ≤ 60 ms |",
		"on all cores | 12.5 a second | ≥ 15 a second |",
		"policy of lstm on 64 actions: forward, backward, Adam | 50.0 ms | ≤ 20 ms |",
		"policy of gpt-2 on 64 actions: forward, backward, Adam | 20.0 ms | ≤ 60 ms |",
		"policy of convnext on 64 actions: forward, backward, Adam | – | ≤ 60 ms |",
		"The lstm agent of this page, from nothing, on generated programs (never the nine).\n\nBy `nestling train --model lstm --seed 1 --threads 2 --programs 64`.\n",
		"| training time | 0.7 min |\n| schedules | 128 |\n| iterations | 4 |\n",
		"(goal: ≥ 15 over small programs) | 3.0 in the first 4 iterations, on the smaller half of the programs; 3.0 over all of it, on programs of every size |",
		"| schedules that failed | 8 of 128 |",
		"share of the time | 25 % |",
		"geometric mean | 0.50 in the first iteration, 3.50 in the last |",
		"| entropy | 3.00 in the first iteration, 0.00 in the last |",
		"(images/learning.png)",
		"matmul_small",
		"## Default schedules of every family",
		"add_64x256",
		"PyTorch 1.13, milliseconds per run, and Nestling's speedups",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
}

func TestNothingMeasured(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadSpeeds(filepath.Join(dir, "none.txt")); err == nil || !strings.Contains(err.Error(), "go test -bench") {
		t.Errorf("no file: %v", err)
	}
	empty := filepath.Join(dir, "empty.txt")
	if err := os.WriteFile(empty, []byte("PASS\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSpeeds(empty); err == nil || !strings.Contains(err.Error(), "make bench") {
		t.Errorf("no benchmarks: %v", err)
	}
	if err := WriteFamilies(io.Discard, filepath.Join(dir, FamiliesFile)); err == nil || !strings.Contains(err.Error(), "bench families") {
		t.Errorf("no rows of families: %v", err)
	}
	run := measured(t)
	if err := os.Truncate(filepath.Join(run.Logs(), ppo.LogFile), 0); err != nil {
		t.Fatal(err)
	}
	if err := (Page{Table: table(), Families: families(t), Run: run}).Write(filepath.Join(dir, "results.md")); err == nil || !strings.Contains(err.Error(), "no iteration") {
		t.Errorf("a training without an iteration: %v", err)
	}
}
