package main

import (
	"os/exec"
	"path/filepath"
	"testing"

	"nestling/measure"
	"nestling/ppo"
	"nestling/results"
)

// The example trains.
func TestTrain(t *testing.T) {
	built := t.TempDir()
	if text, err := exec.Command("go", "build", "-buildvcs=false", "-o", built+"/", "nestling/cmd/nestling-worker", "nestling/cmd/nestling-runner").CombinedOutput(); err != nil {
		t.Fatalf("building the workers: %v\n%s", err, text)
	}
	t.Setenv(measure.WorkerVariable, filepath.Join(built, "nestling-worker"))
	root := t.TempDir()
	settings := ppo.Defaults()
	settings.Iterations, settings.Programs = 1, 2
	if err := train(t.Context(), root, settings); err != nil {
		t.Fatal(err)
	}
	run, err := results.LatestOf(root, "lstm")
	if err != nil {
		t.Fatal(err)
	}
	if log, err := results.ReadLog[ppo.Metrics](filepath.Join(run.Logs(), ppo.LogFile)); err != nil || len(log) != 1 {
		t.Errorf("%d iterations in the log (%v); want 1", len(log), err)
	}
}
