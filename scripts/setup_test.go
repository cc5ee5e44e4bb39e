// Package scripts tests the set-up; package slurm tests the batch scripts.
package scripts

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// machine is a PATH with stand-ins for what set-up calls. Each writes its name
// and arguments to a file.
type machine struct {
	t   *testing.T
	bin string
}

// newMachine has Debian's tools and an ordinary user who may use sudo.
func newMachine(t *testing.T) machine {
	t.Helper()
	m := machine{t, t.TempDir()}
	for _, tool := range []string{"bash", "awk", "grep", "dirname", "cat", "tee"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(m.bin, tool)); err != nil {
			t.Fatal(err)
		}
	}
	m.stand("id", "echo 1000")
	m.stand("sudo", "case $* in *apt-get*) exit 0 ;; esac")
	m.stand("apt-get", "exit 0")
	m.stand("go", "echo the doctor was here")
	m.has(needed(t)...)
	return m
}

// stand puts a stand-in into the machine.
func (m machine) stand(name, body string) {
	m.t.Helper()
	script := "#!/bin/bash\necho " + name + ` "$@" >>"` + m.bin + "/calls\"\n" + body + "\n"
	if err := os.WriteFile(filepath.Join(m.bin, name), []byte(script), 0o755); err != nil {
		m.t.Fatal(err)
	}
}

// has installs packages, as far as dpkg knows. A removed package whose
// configuration stayed is known, but not installed.
func (m machine) has(packages ...string) {
	body := "echo munge-removed config-files\n"
	for _, p := range packages {
		body += "echo " + p + " installed\n"
	}
	m.stand("dpkg-query", body+"exit 1") // as it does where it does not know them all
}

func (m machine) lacks(name string) {
	m.t.Helper()
	if err := os.Remove(filepath.Join(m.bin, name)); err != nil {
		m.t.Fatal(err)
	}
}

// setup runs set-up, and returns what it said, what it called and its exit code.
func (m machine) setup() (said, called string, code int) {
	m.t.Helper()
	cmd := exec.Command("./setup.sh")
	cmd.Env = []string{"PATH=" + m.bin}
	cmd.Path = filepath.Join(m.bin, "bash")
	cmd.Args = []string{"bash", "setup.sh"}
	out, _ := cmd.CombinedOutput()
	calls, err := os.ReadFile(filepath.Join(m.bin, "calls"))
	if err != nil && !os.IsNotExist(err) {
		m.t.Fatal(err)
	}
	return string(out), string(calls), cmd.ProcessState.ExitCode()
}

// needed lists the packages that set-up installs.
func needed(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../doctor/packages.txt")
	if err != nil {
		t.Fatal(err)
	}
	var packages []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			packages = append(packages, strings.Fields(line)[1:]...)
		}
	}
	return packages
}

func contains(t *testing.T, what, text string, wanted ...string) {
	t.Helper()
	for _, w := range wanted {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in what was %s:\n%s", w, what, text)
		}
	}
}

func TestEverythingIsThere(t *testing.T) {
	said, called, code := newMachine(t).setup()
	if said != "" || code != 0 || strings.Count(called, "\n") != 1 || !strings.HasPrefix(called, "dpkg-query ") {
		t.Errorf("said %q, called %q, exit code %d; want one question to dpkg and no more", said, called, code)
	}
}

func TestInstall(t *testing.T) {
	m := newMachine(t)
	have := slices.DeleteFunc(needed(t), func(p string) bool { return p == "munge" || p == "libmlir-22-dev" })
	m.has(append(have, "munge-tools")...)
	said, called, code := m.setup()
	if code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	contains(t, "said", said, "setup: installing libmlir-22-dev munge\n")
	contains(t, "called", called,
		"-q update\n", "DEBIAN_FRONTEND=noninteractive apt-get",
		"install -q -y --no-install-recommends libmlir-22-dev munge\n")
	// The machine's own word on starting services stands.
	if _, err := os.Stat("/usr/sbin/policy-rc.d"); err == nil {
		if strings.Contains(called, "policy-rc.d") {
			t.Errorf("policy-rc.d was touched:\n%s", called)
		}
		return
	}
	contains(t, "called", called, "sudo -n tee /usr/sbin/policy-rc.d\n", "sudo -n rm -f /usr/sbin/policy-rc.d\n")
}

// Where packages cannot be had, what is needed may still be there, and the
// doctor decides.
func TestNoPackages(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(machine)
		said    string
	}{
		{"no apt", func(m machine) { m.lacks("apt-get") }, "setup: looking for what Nestling needs"},
		{"no dpkg", func(m machine) { m.lacks("dpkg-query") }, "setup: looking for what Nestling needs"},
		{"apt fails", func(m machine) { m.stand("sudo", "case $* in *install*) exit 100 ;; esac") },
			"setup: apt-get could not install everything"},
		{"neither root nor sudo", func(m machine) { m.lacks("sudo") },
			"setup: not root, and there is no sudo. As root: apt-get install --no-install-recommends gcc g++"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newMachine(t)
			m.has()
			test.prepare(m)
			said, called, code := m.setup()
			contains(t, "said", said, test.said, "the doctor was here")
			contains(t, "called", called, "go run ./doctor/check\n")
			if code != 0 {
				t.Errorf("exit code %d where the doctor found everything", code)
			}
			m.stand("go", "exit 1")
			if _, _, code := m.setup(); code != 1 {
				t.Errorf("exit code %d where the doctor missed something, want 1", code)
			}
		})
	}
}

func TestStaleListsAreNoEnd(t *testing.T) {
	m := newMachine(t)
	m.has()
	m.stand("sudo", "case $* in *update*) exit 100 ;; esac")
	said, _, code := m.setup()
	contains(t, "said", said, "apt-get update failed; going on")
	if code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

func TestNoGo(t *testing.T) {
	m := newMachine(t)
	m.lacks("go")
	said, _, code := m.setup()
	contains(t, "said", said, "Go is missing: install Go 1.26 or newer from https://go.dev/dl")
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
}
