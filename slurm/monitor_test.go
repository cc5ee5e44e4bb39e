package slurm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// monitor is a running submit_and_monitor.sh.
type monitor struct {
	t        *testing.T
	cmd      *exec.Cmd
	terminal *os.File // nil: it has none

	mu     sync.Mutex
	output strings.Builder // both streams
	read   chan struct{}   // closed when all output was read
}

// project copies the scripts to a folder of their own, with a stand-in for the
// nestling program: a shell script with the given body.
func project(t *testing.T, nestling string) string {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(filepath.Join(root, "scripts"), os.DirFS("../scripts")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "bin", "nestling"), nestling)
	return root
}

// write makes an executable shell script.
func write(t *testing.T, path, body string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/bash\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// submit runs a project's submit_and_monitor.sh in the given folder, without a
// terminal.
func submit(t *testing.T, root, folder string, args ...string) *monitor {
	t.Helper()
	m := newMonitor(t, root, folder, args)
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	m.cmd.Stdout, m.cmd.Stderr = in, in
	m.start(out)
	in.Close()
	return m
}

// submitOnTerminal does the same on a terminal of its own.
func submitOnTerminal(t *testing.T, root, folder string, args ...string) *monitor {
	t.Helper()
	m := newMonitor(t, root, folder, args)
	terminal, inside := openTerminal(t)
	m.terminal = terminal
	m.cmd.Stdin, m.cmd.Stdout, m.cmd.Stderr = inside, inside, inside
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	m.start(terminal)
	inside.Close()
	return m
}

func newMonitor(t *testing.T, root, folder string, args []string) *monitor {
	m := &monitor{t: t, read: make(chan struct{})}
	m.cmd = exec.Command(filepath.Join(root, "scripts", "submit_and_monitor.sh"), args...)
	m.cmd.Dir = folder
	return m
}

func (m *monitor) start(output *os.File) {
	m.t.Helper()
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	go m.collect(output)
	m.t.Cleanup(func() {
		m.cmd.Process.Kill()
		<-m.read
		output.Close()
	})
}

func (m *monitor) collect(output *os.File) {
	defer close(m.read)
	chunk := make([]byte, 4096)
	for {
		n, err := output.Read(chunk)
		m.mu.Lock()
		m.output.Write(chunk[:n])
		m.mu.Unlock()
		if err != nil { // a terminal ends with EIO, a pipe with EOF
			return
		}
	}
}

func (m *monitor) text() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.ReplaceAll(m.output.String(), "\r\n", "\n")
}

// awaits waits for a line that holds each of the texts, in this order.
func (m *monitor) awaits(texts ...string) {
	m.t.Helper()
	pattern := make([]string, len(texts))
	for i, text := range texts {
		pattern[i] = regexp.QuoteMeta(text)
	}
	line := regexp.MustCompile("(?m)^.*" + strings.Join(pattern, ".*"))
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if line.MatchString(m.text()) {
			return
		}
	}
	m.t.Fatalf("waited a minute for a line with %q; there is:\n%s", texts, m.text())
}

// ends waits for the end and checks the exit code.
func (m *monitor) ends(code int) {
	m.t.Helper()
	select {
	case <-m.read:
	case <-time.After(time.Minute):
		m.t.Fatalf("still running after a minute; it said:\n%s", m.text())
	}
	m.cmd.Wait()
	if got := m.cmd.ProcessState.ExitCode(); got != code {
		m.t.Fatalf("exit code %d, want %d; it said:\n%s", got, code, m.text())
	}
}

// said checks that the texts stand in the output in this order.
func (m *monitor) said(texts ...string) {
	m.t.Helper()
	rest := m.text()
	for _, text := range texts {
		i := strings.Index(rest, text)
		if i < 0 {
			m.t.Fatalf("no %q, or not where it belongs, in:\n%s", text, m.text())
		}
		rest = rest[i+len(text):]
	}
}

func (m *monitor) types(keys string) {
	m.t.Helper()
	if _, err := m.terminal.WriteString(keys); err != nil {
		m.t.Fatal(err)
	}
}

var submitted = regexp.MustCompile(`job (\d+): submitted`)

// job is the job's number.
func (m *monitor) job() string {
	m.t.Helper()
	m.awaits("submitted")
	return submitted.FindStringSubmatch(m.text())[1]
}

// openTerminal opens a pseudo-terminal: our end, and the one for the process.
func openTerminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

// slurm runs one of Slurm's commands.
func slurm(t *testing.T, command string, args ...string) string {
	t.Helper()
	out, err := exec.Command(command, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", command, strings.Join(args, " "), err, out)
	}
	return string(out)
}
