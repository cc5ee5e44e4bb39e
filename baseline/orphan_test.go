package baseline

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// orphanVariable makes the test binary a program that starts PyTorch and waits.
const orphanVariable = "NESTLING_TEST_START_PYTORCH"

func TestMain(m *testing.M) {
	if python := os.Getenv(orphanVariable); python != "" {
		startAndWait(python)
	}
	os.Exit(m.Run())
}

func startAndWait(python string) {
	p, err := Start(context.Background(), Options{Python: python, Method: Eager, Threads: 1})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(p.pid)
	time.Sleep(time.Minute)
	os.Exit(1)
}

// TestDiesWithItsParent kills a program at a moment when its PyTorch is
// stopped, and so cannot see that its pipes are closed.
func TestDiesWithItsParent(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), orphanVariable+"="+python(t))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid := strings.TrimSpace(line)
	if !alive(pid) {
		t.Fatalf("PyTorch is not running: %s", line)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed: an error is the point
	for deadline := time.Now().Add(10 * time.Second); alive(pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %s outlives its parent", pid)
		}
	}
}

// alive tells whether a process is there and no zombie.
func alive(pid string) bool {
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	return err == nil && !strings.Contains(string(text), ") Z ")
}
