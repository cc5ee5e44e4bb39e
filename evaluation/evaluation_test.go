// Package evaluation tests the guide's spellings of Nestling's commands.
package evaluation

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The guide's scripts and the commands they stand for.
var spellings = map[string]string{
	"run_rl_optimized.py":    "bench agent",
	"run_pytorch_default.py": "bench pytorch",
	"run_pytorch_jit.py":     "bench pytorch-jit",
	"compare_all.py":         "compare",
}

// project copies the scripts to a folder of their own, where nothing is built.
func project(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(filepath.Join(root, "evaluation"), os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	return root
}

// stand writes a stand-in for nestling that prints what it was called with.
func stand(t *testing.T, path, name string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\nprintf '%s:' " + name + " \"$@\"; pwd; exit 3\n"
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
}

// run runs a script as the guide does, and returns its output and exit code.
func run(t *testing.T, folder, script string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command("python", append([]string{script}, args...)...)
	cmd.Dir = folder
	out, _ := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal("python does not start; `make setup` installs it")
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func TestSpellings(t *testing.T) {
	root := project(t)
	stand(t, filepath.Join(root, "bin", "nestling"), "built")
	for script, command := range spellings {
		want := "built:" + strings.ReplaceAll(command, " ", ":") + ":--run:results/lstm/run 1:" + root + "\n"
		got, code := run(t, root, filepath.Join("evaluation", script), "--run", "results/lstm/run 1")
		if got != want || code != 3 {
			t.Errorf("%s: %q with exit code %d, want %q with 3", script, got, code, want)
		}
	}
}

// Paths that a user gives are those of the folder the user is in.
func TestFolderIsKept(t *testing.T) {
	root, folder := project(t), t.TempDir()
	stand(t, filepath.Join(root, "bin", "nestling"), "built")
	want := "built:compare:" + folder + "\n"
	if got, _ := run(t, folder, filepath.Join(root, "evaluation", "compare_all.py")); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestInstalledNestling(t *testing.T) {
	root, installed := project(t), t.TempDir()
	stand(t, filepath.Join(installed, "nestling"), "installed")
	t.Setenv("PATH", installed+":"+os.Getenv("PATH"))
	want := "installed:compare:" + root + "\n"
	if got, _ := run(t, root, "evaluation/compare_all.py"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestNotBuilt(t *testing.T) {
	root := project(t)
	want := "nestling is not built yet: run `make build` in " + root + "\n"
	if got, code := run(t, root, "evaluation/compare_all.py"); got != want || code != 1 {
		t.Errorf("%q with exit code %d, want %q with 1", got, code, want)
	}
}

// Every script that is there is one that the guide names.
func TestNoOther(t *testing.T) {
	scripts, err := filepath.Glob("*.py")
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range scripts {
		if _, named := spellings[script]; !named && script != "nestling.py" {
			t.Errorf("the guide does not name %s", script)
		}
	}
	if len(scripts) != len(spellings)+1 {
		t.Errorf("%d scripts, want the guide's %d and what they share", len(scripts), len(spellings))
	}
}
