package results

import (
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sample(t *testing.T) File {
	t.Helper()
	good := NewEntry(Agent, "matmul_small", [][]float64{{1.5, 1.25}, {2, 1.75, 1.5}})
	good.Threads, good.GFLOPS, good.PeakGFLOPS, good.PeakShare = 2, 80, 160, 0.5
	good.MaxError, good.PrepareMS = 3e-7, 0.25
	good.Schedule, good.ChosenBy, good.Trials = "matmul0: T(8,32,4) V\n", "search", 120
	good.Agreement = map[string]Agreement{PyTorchDefault: NewAgreement(math.NaN(), 1e-4)}
	good.Versions.LLVM = "22.1.0"
	return File{
		"matmul_small": good,
		"matmul_large": NewFailure(Agent, "matmul_large", errors.New("timed out after 10 s")),
	}
}

func TestWriteThenRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "benchmarks", "agent_output.json")
	want := sample(t)
	if err := Write(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := got["matmul_small"].Processes(); !cmp.Equal(got, [][]float64{{1.5, 1.25}, {2, 1.75, 1.5}}) {
		t.Errorf("processes are %v", got)
	}
	if got["matmul_small"].Agreement[PyTorchDefault].OK() {
		t.Error("a difference that is not a number agrees")
	}
}

func TestKeysThatNotebooksRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent_output.json")
	file := sample(t)
	file["one"] = NewEntry(Agent, "one", [][]float64{{2}})
	if err := Write(path, file); err != nil {
		t.Fatal(err)
	}
	// Read by another language: what a notebook sees.
	out, err := exec.Command("python3", "-c", `
import json, sys
f = json.load(open(sys.argv[1]))
keys = ["method", "benchmark", "num_runs", "mean_time_ms", "min_time_ms", "max_time_ms", "std_time_ms", "median_time_ms"]
print([f["matmul_small"][k] for k in keys])
print([f["one"][k] for k in keys])
print([k for k in keys if k in f["matmul_large"]], f["matmul_large"]["error"])
`, path).CombinedOutput()
	want := `['RL-Optimized', 'matmul_small', 5, 1.6, 1.25, 2, 0.28504385627478446, 1.5]
['RL-Optimized', 'one', 1, 2, 2, 2, 0, 2]
['method', 'benchmark'] timed out after 10 s
`
	if err != nil || string(out) != want {
		t.Errorf("%v\n%s", err, cmp.Diff(want, string(out)))
	}
}

func TestReadErrors(t *testing.T) {
	const entry = `{"method": "RL-Optimized", "benchmark": "a", "num_runs": 2, "mean_time_ms": 1, "min_time_ms": 1, "max_time_ms": 1, "std_time_ms": 0, "median_time_ms": 1`
	tests := []struct{ name, content, want string }{
		{"empty", "", "is empty"},
		{"blank", " \n\t\n", "is empty"},
		{"cut short", "{\"a\": " + entry + ",\n\"threads\":", "is cut short: it ends in line 2, inside the results"},
		{"cut in a number", "{\"a\": " + entry, "is cut short: it ends in line 1, inside the results"},
		{"not JSON", "{\n\"a\": no}", "is not JSON: line 2: invalid character 'o' in literal null (expecting 'u')"},
		{"binary", "\x89PNG\r\n", "is not JSON: line 1: invalid character '\\u0089' looking for beginning of value"},
		{"two texts", "{\"a\": " + entry + "}}\n{}", "has more text after the results, in line 2"},
		{"array", "[1, 2]", "is not a results file: it holds a JSON array where an object by benchmark name belongs"},
		{"null", "null", "holds no benchmark"},
		{"no benchmark", "{}", "holds no benchmark"},
		{"foreign object", `{"name": "left-pad", "version": "1.0"}`, "is not a results file: name is a JSON string where an object belongs"},
		{"foreign nested object", `{"scripts": {"test": "jest"}}`, `is not a results file: scripts has no "method"`},
		{"wrong type", `{"a": {"method": "RL-Optimized", "benchmark": "a",` + "\n" + `"num_runs": "many"}}`, "is not a results file: num_runs of a is a JSON string"},
		{"no times", `{"a": {"method": "RL-Optimized", "benchmark": "a"}}`, `is not a results file: a has neither runs nor an "error"`},
		{"negative time", `{"a": ` + strings.Replace(entry, `"min_time_ms": 1`, `"min_time_ms": -1`, 1) + "}}", "is not a results file: a: a time of -1 ms; times are above zero and finite"},
		{"other key", `{"b": ` + entry + "}}", `is not a results file: the entry "b" says it is of benchmark "a"`},
		{"samples missing", `{"a": ` + entry + `, "samples_ms": [1]}}`, "is not a results file: a: 1 samples of 2 runs"},
		{"processes", `{"a": ` + entry + `, "samples_ms": [1, 2], "process_runs": [1, 2]}}`, "is not a results file: a: process_runs add up to 3, but there are 2 samples"},
		{"negative process", `{"a": ` + entry + `, "samples_ms": [1, 2], "process_runs": [3, -1]}}`, "is not a results file: a: process_runs holds -1"},
		{"interval", `{"a": ` + entry + `, "ci95_ms": [1]}}`, "is not a results file: a: ci95_ms has 1 numbers; it is the low and the high end"},
		{"negative rate", `{"a": ` + entry + `, "peak_share": -0.5}}`, "is not a results file: a: peak_share is -0.5; it is zero or above, and finite"},
		{"other method", `{"a": ` + strings.Replace(entry, "RL-Optimized", "PyTorch-JIT", 1) + "}}", "holds results of PyTorch-JIT (a) where those of RL-Optimized belong"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "agent_output.json")
			if err := os.WriteFile(path, []byte(test.content), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := Read(path)
			want := path + ": " + test.want + "; `nestling bench agent` makes it"
			if err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

func TestReadMissing(t *testing.T) {
	dir := t.TempDir()
	for _, m := range Methods {
		path := filepath.Join(dir, m.File)
		_, err := Read(path)
		want := path + ": no such file; `" + m.Command + "` makes it"
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	_, err := Read(dir)
	if want := dir + ": cannot be read: is a directory"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// The original's files hold the first eight keys and nothing else.
func TestReadFileOfTheFirstSystem(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pytorch_output.json")
	content := `{"a": {"method": "PyTorch-Default", "benchmark": "a", "num_runs": 100, "mean_time_ms": 1.5,
		"min_time_ms": 1, "max_time_ms": 2, "std_time_ms": 0.1, "median_time_ms": 1.4},
		"b": {"method": "PyTorch-Default", "benchmark": "b", "error": "out of memory"}}`
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if f["a"].MedianTimeMS != 1.4 || f["a"].Processes() != nil || !f["b"].Failed() {
		t.Errorf("%+v", f)
	}
}

func TestWriteRefusesWhatReadWould(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent_output.json")
	err := Write(path, File{"a": {Method: Agent, Benchmark: "a", NumRuns: 1, MeanTimeMS: math.NaN(), MinTimeMS: 1, MaxTimeMS: 1, MedianTimeMS: 1}})
	want := "cannot write " + path + ": a: a time of NaN ms; times are above zero and finite"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	e := NewEntry(Agent, "a", [][]float64{{1}})
	e.PeakShare = math.Inf(1)
	err = Write(path, File{"a": e})
	want = "cannot write " + path + ": a: peak_share is +Inf; it is zero or above, and finite"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the file was written")
	}
}

// A reader beside a writer sees whole files only, and nothing is left over.
func TestWriteIsAtomic(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "agent_output.json")
	small, large := sample(t), sample(t)
	for _, name := range []string{"x", "y", "z"} {
		large[name] = NewEntry(Agent, name, [][]float64{ones(5000)})
	}
	if err := Write(path, small); err != nil {
		t.Fatal(err)
	}
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := range 40 {
			f := small
			if i%2 == 0 {
				f = large
			}
			if err := Write(path, f); err != nil {
				t.Error(err)
			}
		}
	})
	done := make(chan struct{})
	go func() { writer.Wait(); close(done) }()
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		f, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(f) != len(small) && len(f) != len(large) {
			t.Fatalf("read %d entries", len(f))
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
}

func ones(n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = 1
	}
	return x
}

// A write that fails midway leaves the old file and nothing else. The limit on
// file size stands for a full disk: both end a write after its first part.
func TestFailedWriteKeepsTheOldFile(t *testing.T) {
	if os.Getenv("RESULTS_TEST_CHILD") == "full" {
		limit := syscall.Rlimit{Cur: 4096, Max: 4096}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
		err := Write(os.Getenv("RESULTS_TEST_PATH"), File{"a": NewEntry(Agent, "a", [][]float64{ones(5000)})})
		want := "cannot write " + os.Getenv("RESULTS_TEST_PATH") + ": file too large"
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		return
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "agent_output.json")
	if err := Write(path, sample(t)); err != nil {
		t.Fatal(err)
	}
	child(t, "full", path, nil)
	if f, err := Read(path); err != nil || len(f) != 2 {
		t.Errorf("the old file is gone: %v %v", f, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

// child runs the calling test again in a process of its own, as user nobody
// where credential says so.
func child(t *testing.T, role, path string, credential *syscall.Credential) {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "RESULTS_TEST_CHILD="+role, "RESULTS_TEST_PATH="+path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
	if credential != nil {
		cmd.Path, cmd.Dir = "/proc/self/fd/3", "/" // nobody may not be allowed to look into the build's folders
		file, err := os.Open(binary)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		cmd.ExtraFiles = []*os.File{file}
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
}
