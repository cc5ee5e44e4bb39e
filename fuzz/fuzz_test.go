package fuzz

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"nestling/codegen"
	"nestling/measure"
	"nestling/schedule"
)

// draws is how many random schedules TestAcceptedSchedulesAreRight tries;
// `go test ./fuzz -draws 1000000` or `nestling fuzz` for a long night.
var draws = flag.Int("draws", 1500, "random schedules to try")

var worker string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "nestling-fuzz")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		worker = filepath.Join(dir, "nestling-worker")
		if text, err := exec.Command("go", "build", "-buildvcs=false", "-o", dir+"/", "nestling/cmd/nestling-worker", "nestling/cmd/nestling-runner").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building the workers: %v\n%s", err, text)
			return 1
		}
		return m.Run()
	}())
}

// What Check accepts compiles, ends, and is right.
func TestAcceptedSchedulesAreRight(t *testing.T) {
	r := fuzz(t, "", *draws)
	for _, kind := range []schedule.Kind{schedule.Vectorize, schedule.TileFuse, schedule.Split, schedule.Layout, schedule.Winograd} {
		if r.Actions[kind] == 0 {
			t.Errorf("%s was never tried", kind)
		}
	}
}

// So it is in code for narrower vectors.
func TestAcceptedSchedulesAreRightOnOlderProcessors(t *testing.T) {
	for _, cpu := range []string{"x86-64", "x86-64-v3"} {
		t.Run(cpu, func(t *testing.T) { fuzz(t, cpu, *draws/10) })
	}
}

// fuzz tries schedules for a processor, and reports what was accepted and wrong.
func fuzz(t *testing.T, cpu string, draws int) *Report {
	lab, err := measure.Open(measure.Options{Worker: worker, Threads: 2, Target: codegen.Target{CPU: cpu},
		FailureDir: filepath.Join(os.TempDir(), "nestling-fuzz-failures")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lab.Close() }()
	programs, err := Programs(t.Context(), lab, 60, uint64(draws))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), lab, programs, Options{Draws: draws, Seed: uint64(draws)})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Findings {
		t.Errorf("%s\n%s%s\nin %s", f.Program, f.Schedule, f.Error, f.Reproducer)
	}
	t.Logf("%d draws: %d refused, %d right, %d slow; %v", r.Draws, r.Refused, r.Right, r.Slow, r.Actions)
	if r.Right < draws/3 || r.Slow > draws/20 {
		t.Errorf("of %d schedules only %d are known to be right, %d were refused, %d ran out of time", r.Draws, r.Right, r.Refused, r.Slow)
	}
	return r
}
