package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"nestling/results"
)

// started is a training under way.
type started struct {
	*exec.Cmd
	stderr bytes.Buffer
}

// start starts a training with the given arguments, as a shell does.
func start(t *testing.T, args ...string) *started {
	t.Helper()
	s := &started{Cmd: exec.Command(filepath.Join(built, "nestling"), append([]string{"train"}, args...)...)}
	s.Stderr = &s.stderr
	s.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Process.Kill() })
	return s
}

// endless are the arguments of a training without end, and its run to be.
func endless(t *testing.T) ([]string, *results.Run) {
	root := t.TempDir()
	args := []string{"--time", "0", "--threads", "1", "--data", "testdata/programs", "--config", "testdata/quick.json", "--results", root}
	return args, &results.Run{Dir: filepath.Join(root, "lstm", "run_0"), Model: "lstm"}
}

// await returns when the run has a complete iteration after another.
func (s *started) await(t *testing.T, run *results.Run, after int) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); completed(t, run) <= after; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no iteration after %d in two minutes", after)
		}
	}
}

// completed is the number of the last iteration that has its checkpoint.
func completed(t *testing.T, run *results.Run) int {
	t.Helper()
	checkpoint, err := run.LatestCheckpoint()
	if errors.Is(err, results.ErrNoModel) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(checkpoint), "checkpoint_"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Ctrl-C ends a training with the exit code of an interruption. The iteration
// under way is lost, nothing else. A terminal sends it to all of the command's
// processes.
func TestInterrupt(t *testing.T) {
	args, run := endless(t)
	s := start(t, args...)
	s.await(t, run, 0)
	if err := syscall.Kill(-s.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := s.Wait(); !errors.As(err, &exit) || exit.ExitCode() != interrupted {
		t.Errorf("ended with %v, want exit code %d; it says:\n%s", err, interrupted, s.stderr.String())
	}
	if want := "`nestling train --resume " + run.Dir + "` goes on"; !strings.Contains(s.stderr.String(), want) {
		t.Errorf("it says\n%s\nwant %s", s.stderr.String(), want)
	}
	if err := checkIterations(run, completed(t, run)); err != nil {
		t.Error(err)
	}
	failures, err := os.ReadDir(filepath.Join(run.Dir, "..", "..", "failures"))
	if err != nil || len(failures) > 0 {
		t.Errorf("candidates are blamed for the interruption: %v, %v", failures, err)
	}
}

// A kill may come at any moment, again and again: when the training is taken up,
// nothing is lost but the iteration under way, and nothing is there twice.
func TestKill(t *testing.T) {
	args, run := endless(t)
	for _, later := range []time.Duration{0, 20 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond} {
		before := completed(t, run)
		s := start(t, args...)
		s.await(t, run, before)
		time.Sleep(later)
		if err := s.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		var exit *exec.ExitError
		if err := s.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("ended with %v, not by the kill; it says:\n%s", err, s.stderr.String())
		}
		args = []string{"--time", "0", "--resume", run.Dir}
	}
	last := completed(t, run) + 1
	s := start(t, append(args, "--iterations", strconv.Itoa(last))...)
	if err := s.Wait(); err != nil {
		t.Fatalf("%v; it says:\n%s", err, s.stderr.String())
	}
	if err := checkIterations(run, last); err != nil {
		t.Error(err)
	}
}
