package agent

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"nestling/ppo"
	"nestling/results"
)

// What ships is a run like any other: its checkpoint loads, and its log is there.
func TestShippedCheckpointsAreRuns(t *testing.T) {
	if len(Shipped()) == 0 {
		t.Fatal("no checkpoint is shipped")
	}
	for _, model := range Shipped() {
		a := unpacked(t, model)
		if a.policy.Name() != model || !strings.Contains(a.String(), filepath.Base(a.Checkpoint)) {
			t.Errorf("%s is unpacked as %s", model, a)
		}
		if a.Cost() == nil {
			t.Errorf("%s ships without a cost model", model)
		}
		log, err := results.ReadLog[ppo.Metrics](filepath.Join(a.Run.Logs(), ppo.LogFile))
		if err != nil || len(log) == 0 {
			t.Errorf("%s: %d iterations in its log (%v)", model, len(log), err)
		}
	}
}

// What is unpacked already is taken, and is older than what was trained here; what was trained
// on since is another agent.
func TestUnpackedOnce(t *testing.T) {
	root := t.TempDir()
	first, err := Unpack(root, "lstm")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Unpack(root, "lstm"); err != nil || again.Dir != first.Dir {
		t.Errorf("unpacked again into %v (%v), not %s", again, err, first.Dir)
	}
	trained, err := results.NewRun(root, "convnext")
	if err != nil {
		t.Fatal(err)
	}
	save := func(run *results.Run, iteration int) {
		t.Helper()
		_, err := run.SaveCheckpoint(iteration, func(dir string) error {
			return errors.Join(results.WriteFile(filepath.Join(dir, results.PolicyFile), []byte("weights")), results.WriteFile(filepath.Join(dir, results.StateFile), []byte("{}")))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	save(trained, 1)
	if _, err := Unpack(root, "gpt-2"); err != nil {
		t.Fatal(err)
	}
	if latest, err := results.Latest(root); err != nil || latest.Dir != trained.Dir {
		t.Errorf("the latest is %v (%v), not %s", latest, err, trained.Dir)
	}
	save(first, 1000000)
	if other, err := Unpack(root, "lstm"); err != nil || other.Dir == first.Dir {
		t.Errorf("%v, which was trained on, is what ships (%v)", other, err)
	}
}

func TestWhatIsNotShipped(t *testing.T) {
	_, err := Unpack(t.TempDir(), "gpt-5")
	if !errors.Is(err, results.ErrNoModel) || !strings.Contains(err.Error(), "nestling train --model gpt-5") {
		t.Errorf("error %v", err)
	}
}

// Repositories stay small: all shipped files together are bounded.
func TestShippedSize(t *testing.T) {
	total := int64(0)
	err := fs.WalkDir(shipped, ".", func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		total += info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if total > 20<<20 {
		t.Errorf("%d bytes are shipped, more than 20 MiB", total)
	}
}
