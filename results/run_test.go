package results

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNewRunCountsFromZero(t *testing.T) {
	root := filepath.Join(t.TempDir(), "results")
	for n := range 3 {
		r, err := NewRun(root, "lstm")
		if err != nil {
			t.Fatal(err)
		}
		if want := filepath.Join(root, "lstm", fmt.Sprintf("run_%d", n)); r.Dir != want || r.N != n || r.Model != "lstm" {
			t.Errorf("got %+v, want %s", r, want)
		}
		for _, dir := range []string{r.Models(), r.Logs(), r.Benchmarks()} {
			if info, err := os.Stat(dir); err != nil || !info.IsDir() {
				t.Error(dir, err)
			}
		}
	}
	// A number is not given twice while a later run stands.
	if err := os.RemoveAll(filepath.Join(root, "lstm", "run_1")); err != nil {
		t.Fatal(err)
	}
	if r, err := NewRun(root, "lstm"); err != nil || r.N != 3 {
		t.Errorf("%+v %v", r, err)
	}
	if r, err := NewRun(root, "gpt-2"); err != nil || r.N != 0 {
		t.Errorf("%+v %v", r, err)
	}
}

func TestNewRunRefusesModelNames(t *testing.T) {
	for _, model := range []string{"", ".", "..", "a/b", ".hidden", "/"} {
		if r, err := NewRun(t.TempDir(), model); err == nil {
			t.Errorf("%q became %s", model, r.Dir)
		}
	}
}

func TestProcessesGetDifferentRuns(t *testing.T) {
	if os.Getenv("RESULTS_TEST_CHILD") == "new" {
		for range 10 {
			r, err := NewRun(os.Getenv("RESULTS_TEST_PATH"), "lstm")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(r.Logs()); err != nil {
				t.Fatal("another process has this run: ", err)
			}
		}
		return
	}
	root := t.TempDir()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var children []*exec.Cmd
	for range 4 {
		cmd := exec.Command(binary, "-test.run=^TestProcessesGetDifferentRuns$")
		cmd.Env = append(os.Environ(), "RESULTS_TEST_CHILD=new", "RESULTS_TEST_PATH="+root)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		children = append(children, cmd)
	}
	for _, cmd := range children {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	runs, err := os.ReadDir(filepath.Join(root, "lstm"))
	if err != nil || len(runs) != 40 {
		t.Errorf("40 were made, %d are there (%v)", len(runs), err)
	}
}

// Root writes anywhere, so an ordinary user tries.
func TestLock(t *testing.T) {
	run, err := NewRun(t.TempDir(), "lstm")
	if err != nil {
		t.Fatal(err)
	}
	release, err := run.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.Lock(); err == nil || !strings.HasSuffix(err.Error(), "lstm/run_0: another process is training it") {
		t.Errorf("locked twice: %v", err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	release, err = run.Lock()
	if err != nil {
		t.Fatalf("after its release: %v", err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
}

func TestReadOnlyFolder(t *testing.T) {
	if os.Getenv("RESULTS_TEST_CHILD") == "readonly" {
		dir := os.Getenv("RESULTS_TEST_PATH")
		_, newErr := NewRun(dir, "lstm")
		path := filepath.Join(dir, "agent_output.json")
		writeErr := Write(path, sample(t))
		run := &Run{Dir: dir, Model: "lstm"}
		_, saveErr := run.SaveCheckpoint(1, func(string) error { return nil })
		_, logErr := OpenLog(filepath.Join(dir, "train.jsonl"))
		for _, c := range []struct {
			err  error
			want string
		}{
			{newErr, "cannot make a new run: mkdir " + dir + "/lstm: permission denied"},
			{writeErr, "cannot write " + path + ": permission denied"},
			{saveErr, "cannot save a checkpoint: mkdir " + dir + "/models: permission denied"},
			{logErr, "cannot write " + dir + "/train.jsonl: permission denied"},
		} {
			if c.err == nil || c.err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", c.err, c.want)
			}
		}
		return
	}
	dir, err := os.MkdirTemp("/tmp", "readonly") // t.TempDir's parents are closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	var credential *syscall.Credential
	if os.Getuid() == 0 {
		credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	child(t, "readonly", dir, credential)
}

func TestOpenRun(t *testing.T) {
	root := t.TempDir()
	made, err := NewRun(root, "convnext")
	if err != nil {
		t.Fatal(err)
	}
	got, err := OpenRun(made.Dir + "/")
	if err != nil || !cmp.Equal(got, made) {
		t.Errorf("%+v %v", got, err)
	}
	t.Chdir(made.Dir)
	if got, err := OpenRun("."); err != nil || got.Model != "convnext" || got.N != 0 {
		t.Errorf("%+v %v", got, err)
	}

	file := filepath.Join(root, "convnext", "run_7")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(root, "lstm", "run_1"): "no run at " + filepath.Join(root, "lstm", "run_1") + ": no such file or directory",
		root:                                 root + " is not a run: a run is a folder such as results/lstm/run_0",
		file:                                 file + " is not a run: it is a file; a run is a folder such as results/lstm/run_0",
	} {
		if _, err := OpenRun(path); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// trained makes a run with checkpoints, the last of which is as old as age.
func trained(t *testing.T, root, model string, age time.Duration, iterations ...int) *Run {
	t.Helper()
	r, err := NewRun(root, model)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range iterations {
		dir, err := r.SaveCheckpoint(i, checkpointFiles("x"))
		if err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(filepath.Join(dir, StateFile), at, at); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func checkpointFiles(content string) func(dir string) error {
	return func(dir string) error {
		for _, name := range []string{PolicyFile, OptimizerFile, StateFile} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestLatest(t *testing.T) {
	root := filepath.Join(t.TempDir(), "with [glob] *?")
	none := "no trained model under " + root + "; `nestling train --model lstm` makes one"
	if _, err := Latest(root); !errors.Is(err, ErrNoModel) || err.Error() != none {
		t.Errorf("got %v", err)
	}
	empty := trained(t, root, "lstm", 0)
	if _, err := Latest(root); !errors.Is(err, ErrNoModel) {
		t.Errorf("a run without a checkpoint is a model: %v", err)
	}
	if _, err := empty.LatestCheckpoint(); !errors.Is(err, ErrNoModel) {
		t.Errorf("got %v", err)
	}

	trained(t, root, "lstm", 3*time.Hour, 10)
	want := trained(t, root, "distilbert", time.Hour, 7, 1200000, 999999)
	trained(t, root, "lstm", 2*time.Hour, 5000000)
	half(t, filepath.Join(want.Models(), "checkpoint_9000000"), PolicyFile) // no state
	half(t, filepath.Join(want.Models(), unfinished+"123"), PolicyFile, StateFile)
	half(t, filepath.Join(root, "gpt-2", "run_0", "models", unfinished+"1"), PolicyFile, StateFile)
	half(t, filepath.Join(root, "gpt-2", "run_00", "models", "checkpoint_000001"), PolicyFile, StateFile) // not a run

	got, err := Latest(root)
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("got %+v %v, want %+v", got, err, want)
	}
	checkpoint, err := got.LatestCheckpoint()
	if err != nil || checkpoint != filepath.Join(want.Models(), "checkpoint_1200000") {
		t.Errorf("got %s %v", checkpoint, err)
	}
}

func half(t *testing.T, dir string, files ...string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestSaveCheckpoint(t *testing.T) {
	r := trained(t, t.TempDir(), "lstm", 0, 12)
	half(t, filepath.Join(r.Models(), unfinished+"killed"), PolicyFile)

	// While it is being written, and after it failed, the old one stands.
	full := errors.New("no space left on device")
	_, err := r.SaveCheckpoint(13, func(dir string) error {
		if latest, err := r.LatestCheckpoint(); err != nil || filepath.Base(latest) != "checkpoint_000012" {
			t.Errorf("in between, %s %v", latest, err)
		}
		return errors.Join(checkpointFiles("y")(dir), full)
	})
	if !errors.Is(err, full) || !strings.HasPrefix(err.Error(), "cannot save "+filepath.Join(r.Models(), "checkpoint_000013")+": ") {
		t.Errorf("got %v", err)
	}
	if got := names(t, r.Models()); !slices.Equal(got, []string{"checkpoint_000012"}) {
		t.Errorf("models holds %v", got)
	}

	// The same iteration again, after training was taken up from an older one.
	dir, err := r.SaveCheckpoint(12, checkpointFiles("z"))
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(dir, StateFile))
	if err != nil || string(content) != "z" {
		t.Errorf("%q %v", content, err)
	}
	if got := names(t, r.Models()); !slices.Equal(got, []string{"checkpoint_000012"}) {
		t.Errorf("models holds %v", got)
	}
}

// A process that is killed while it saves leaves the checkpoints there were.
func TestSaveCheckpointSurvivesKill(t *testing.T) {
	if dir := os.Getenv("RESULTS_TEST_PATH"); os.Getenv("RESULTS_TEST_CHILD") == "kill" {
		r := &Run{Dir: dir, Model: "lstm"}
		_, err := r.SaveCheckpoint(2, func(d string) error {
			if err := checkpointFiles("half")(d); err != nil {
				return err
			}
			return syscall.Kill(os.Getpid(), syscall.SIGKILL)
		})
		t.Fatal("not killed: ", err)
	}
	r := trained(t, t.TempDir(), "lstm", 0, 1)
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "-test.run=^TestSaveCheckpointSurvivesKill$")
	cmd.Env = append(os.Environ(), "RESULTS_TEST_CHILD=kill", "RESULTS_TEST_PATH="+r.Dir)
	err = cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatal(err)
	}
	if latest, err := r.LatestCheckpoint(); err != nil || filepath.Base(latest) != "checkpoint_000001" {
		t.Errorf("%s %v", latest, err)
	}
	if got := names(t, r.Models()); len(got) != 2 {
		t.Errorf("the test did not leave a half-written folder: %v", got)
	}
	if _, err := r.SaveCheckpoint(2, checkpointFiles("whole")); err != nil {
		t.Fatal(err)
	}
	if got := names(t, r.Models()); !slices.Equal(got, []string{"checkpoint_000001", "checkpoint_000002"}) {
		t.Errorf("models holds %v", got)
	}
}
