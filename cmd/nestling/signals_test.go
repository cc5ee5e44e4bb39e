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

// started is a training under way, in a folder of its own.
type started struct {
	*exec.Cmd
	stderr bytes.Buffer
	run    *results.Run
}

// begin starts a training without end and returns when an iteration is complete.
func begin(t *testing.T, checkpoint string) *started {
	t.Helper()
	root := t.TempDir()
	b := &started{run: &results.Run{Dir: filepath.Join(root, "lstm", "run_0"), Model: "lstm"}}
	b.Cmd = exec.Command(filepath.Join(built, "nestling"), "train", "--time", "0", "--threads", "1",
		"--data", "testdata/programs", "--config", "testdata/quick.json", "--results", root)
	b.Stderr = &b.stderr
	b.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // as a shell does
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Process.Kill() })
	path := filepath.Join(b.run.Models(), checkpoint)
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return b
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %s after two minutes; the training says:\n%s", checkpoint, b.stderr.String())
		}
	}
}

// goOn takes the training up until it has n iterations, and checks its log.
func (b *started) goOn(t *testing.T, n int) {
	t.Helper()
	resume := exec.Command(filepath.Join(built, "nestling"), "train", "--resume", b.run.Dir, "--iterations", strconv.Itoa(n))
	if text, err := resume.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if err := checkIterations(b.run, n); err != nil {
		t.Error(err)
	}
}

// Ctrl-C ends a training with the exit code of an interruption. The iteration
// under way is lost, nothing else. A terminal sends it to all of the command's
// processes.
func TestInterrupt(t *testing.T) {
	b := begin(t, "checkpoint_000001")
	if err := syscall.Kill(-b.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := b.Wait(); !errors.As(err, &exit) || exit.ExitCode() != interrupted {
		t.Errorf("ended with %v, want exit code %d; it says:\n%s", err, interrupted, b.stderr.String())
	}
	if want := "`nestling train --resume " + b.run.Dir + "` goes on"; !strings.Contains(b.stderr.String(), want) {
		t.Errorf("it says\n%s\nwant %s", b.stderr.String(), want)
	}
	if err := checkIterations(b.run, completed(t, b.run)); err != nil {
		t.Error(err)
	}
	failures, err := os.ReadDir(filepath.Join(b.run.Dir, "..", "..", "failures"))
	if err != nil || len(failures) > 0 {
		t.Errorf("candidates are blamed for the interruption: %v, %v", failures, err)
	}
}

// completed is the number of the last iteration that has its checkpoint.
func completed(t *testing.T, run *results.Run) int {
	t.Helper()
	checkpoint, err := run.LatestCheckpoint()
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(checkpoint), "checkpoint_"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A kill may come at any moment.
func TestKill(t *testing.T) {
	b := begin(t, "checkpoint_000002")
	if err := b.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := b.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("ended with %v, not by the kill", err)
	}
	b.goOn(t, completed(t, b.run)+2)
}
