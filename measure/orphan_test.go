package measure

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// becomeDoomedParent starts a compiler and runners, tells their process ids in
// the file, and waits to be killed.
func becomeDoomedParent(path string) {
	err := func() error {
		l, err := Open(Options{Threads: 1, Compilers: 1})
		if err != nil {
			return err
		}
		if err := l.askLLVMVersion(context.Background()); err != nil {
			return err
		}
		r, err := l.runner(context.Background(), 2)
		if err != nil {
			return err
		}
		s := <-l.slots
		ids := fmt.Sprintln(s.compiler.cmd.Process.Pid, r.cmd.Process.Pid, l.spares[0].cmd.Process.Pid)
		if err := os.WriteFile(path+".part", []byte(ids), 0o600); err != nil {
			return err
		}
		return os.Rename(path+".part", path)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	time.Sleep(time.Minute)
	os.Exit(1)
}

func TestWorkersDieWithTheirParent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ids")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(self)
	parent.Env = append(os.Environ(), orphanVariable+"="+path, WorkerVariable+"="+worker)
	parent.Stderr = os.Stderr
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var ids []string
	eventually(t, "the parent starts its workers", func() bool {
		text, err := os.ReadFile(path)
		ids = strings.Fields(string(text))
		return err == nil
	})
	for _, id := range ids {
		if !running(t, id) {
			t.Fatalf("worker %s is not running", id)
		}
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := parent.Wait(); err == nil {
		t.Error("the parent was to be killed")
	}
	for _, id := range ids {
		eventually(t, "worker "+id+" ends", func() bool { return !running(t, id) })
	}
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// running tells whether a process exists and is no zombie.
func running(t *testing.T, id string) bool {
	t.Helper()
	pid, err := strconv.Atoi(id)
	if err != nil {
		t.Fatal(err)
	}
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + id + "/stat")
	if err != nil {
		return false
	}
	state := string(stat[strings.LastIndexByte(string(stat), ')')+2])
	return state != "Z" && state != "X"
}
