package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/klauspost/cpuid/v2"
	"github.com/rogpeppe/go-internal/testscript"
)

// built is the folder of the real executables, nestling and its two workers.
var built string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "nestling-cmd")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		// Some commands are tried as another user, who has to reach them.
		if err := os.Chmod(dir, 0o755); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		built = dir
		build := exec.Command("go", "build", "-buildvcs=false", "-o", built+"/", "nestling/cmd/nestling", "nestling/cmd/nestling-worker", "nestling/cmd/nestling-runner")
		if text, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building nestling: %v\n%s", err, text)
			return 1
		}
		return m.Run()
	}())
}

// TestRefusals runs what has to be refused with one clear line.
func TestRefusals(t *testing.T) {
	testscript.Run(t, parameters(t, "testdata/refusals"))
}

// TestCommands runs what has to work. Kernels and PyTorch are timed in it, so
// its scripts come one after the other.
func TestCommands(t *testing.T) {
	testscript.RunT(oneByOne{t}, parameters(t, "testdata/commands"))
}

// oneByOne is a test whose scripts do not run in parallel.
type oneByOne struct{ *testing.T }

func (o oneByOne) Parallel()     {}
func (o oneByOne) Verbose() bool { return testing.Verbose() }

func (o oneByOne) Run(name string, script func(testscript.T)) {
	o.T.Run(name, func(t *testing.T) { script(oneByOne{t}) })
}

func parameters(t *testing.T, dir string) testscript.Params {
	data, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	return testscript.Params{
		Dir: dir, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error { return setup(e, data) },
		Cmds:  commands,
	}
}

// setup prepares a script's folder and environment.
func setup(e *testscript.Env, data string) error {
	e.Setenv("PATH", built+":"+e.Getenv("PATH"))
	e.Setenv("BUILT", built)
	e.Setenv("DATA", data)
	e.Setenv("THREADS", strconv.Itoa(min(2, runtime.NumCPU())))
	e.Setenv("FMA", fusedMultiplyAdd())
	// The scripts of the guide, as in the project's own folder.
	if err := os.CopyFS(filepath.Join(e.WorkDir, "evaluation"), os.DirFS("../../evaluation")); err != nil {
		return err
	}
	// Another user works in the folder, and makes temporary files.
	if err := os.Chmod(filepath.Dir(e.WorkDir), 0o755); err != nil {
		return err
	}
	if err := os.Chmod(e.WorkDir, 0o777); err != nil {
		return err
	}
	return os.Chmod(e.Getenv("TMPDIR"), 0o777)
}

// fusedMultiplyAdd is how the instruction looks that a matrix product is to be
// made of on this machine, as a regular expression.
func fusedMultiplyAdd() string {
	switch {
	case cpuid.CPU.Supports(cpuid.AVX512F):
		return `vfmadd\w+ps\s.*%[yz]mm`
	case cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3):
		return `vfmadd\w+ps\s.*%ymm`
	case cpuid.CPU.Supports(cpuid.ASIMD):
		return `fmla\s+v`
	}
	return `mulps`
}

// trained is a folder of results with one run of one iteration in it.
var trained = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(built, "trained")
	train := exec.Command(filepath.Join(built, "nestling"), "train", "--iterations", "1", "--threads", "1",
		"--data", "testdata/programs", "--config", "testdata/quick.json", "--results", dir)
	if text, err := train.CombinedOutput(); err != nil {
		return "", fmt.Errorf("training an agent for the tests: %w\n%s", err, text)
	}
	return filepath.Join(dir, "lstm", "run_0"), nil
})
