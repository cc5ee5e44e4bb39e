package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nestling/baseline"
	"nestling/measure/reference"
	"nestling/results"
	"nestling/suite"
)

// scripted is a method that does as it is told.
type scripted struct {
	name   string
	diary  *[]string // what all methods did
	output map[string][]float32
	turn   func(benchmark string) error
	open   error
	takes  time.Duration
	opened int
}

func (s *scripted) Name() string { return s.name }

func (s *scripted) Open(context.Context) error {
	s.opened++
	return s.open
}

func (s *scripted) Close() error { return nil }

func (s *scripted) Describe(c *Case, e *results.Entry) { e.Schedule = "of " + c.Name }

func (s *scripted) Turn(ctx context.Context, c *Case, runs int) (Turn, error) {
	*s.diary = append(*s.diary, s.name+" "+c.Name)
	time.Sleep(s.takes)
	if s.turn != nil {
		if err := s.turn(c.Name); err != nil {
			return Turn{}, err
		}
	}
	output := []float32{1, 2}
	if s.output != nil {
		output = s.output[c.Name]
	}
	return Turn{Nanoseconds: slices.Repeat([]float64{2e6}, runs), Outputs: [][]float32{output}, PeakGFLOPS: 10}, nil
}

// cases are benchmarks whose right output is 1 2.
func cases(names ...string) []*Case {
	var out []*Case
	for _, name := range names {
		want := reference.Result{Shape: []int{2}, Values: []float32{1, 2}, Scales: []float32{1, 2}}
		out = append(out, &Case{
			Benchmark: suite.Benchmark{Name: name, Flops: 4e6},
			Reference: &reference.Reference{Results: []reference.Result{want}},
		})
	}
	return out
}

func options() Options {
	return Options{
		Processes: 3, Runs: 2, Budget: time.Hour, Threads: 1, Tolerance: 1e-4,
		Save:     func(map[string]results.File) error { return nil },
		Progress: func(int, int, string) {},
	}
}

func TestTurns(t *testing.T) {
	var diary []string
	agent := &scripted{name: results.Agent, diary: &diary}
	eager := &scripted{name: results.PyTorchDefault, diary: &diary}
	o, saved := options(), 0
	o.Save = func(files map[string]results.File) error {
		saved++
		if got := files[results.Agent]["a"].NumRuns; got != 2*saved {
			t.Errorf("save %d has %d runs of the agent", saved, got)
		}
		return nil
	}
	files, err := Run(context.Background(), []Method{agent, eager}, cases("a", "b"), o)
	if err != nil {
		t.Fatal(err)
	}
	round := []string{"RL-Optimized a", "PyTorch-Default a", "RL-Optimized b", "PyTorch-Default b"}
	if diff := cmp.Diff(slices.Repeat(round, 3), diary); diff != "" {
		t.Errorf("turns, -want +got:\n%s", diff)
	}
	if agent.opened != 3 || saved != 3 {
		t.Errorf("%d rounds were begun and %d saved, want 3", agent.opened, saved)
	}
	e := files[results.PyTorchDefault]["b"]
	want := results.Entry{
		Method: "PyTorch-Default", Benchmark: "b", NumRuns: 6, ProcessRuns: []int{2, 2, 2}, MedianTimeMS: 2,
		Threads: 1, GFLOPS: 2, PeakGFLOPS: 10, PeakShare: 0.2, Schedule: "of b",
		Agreement: map[string]results.Agreement{"RL-Optimized": {Tolerance: 2e-4}},
	}
	got := results.Entry{
		Method: e.Method, Benchmark: e.Benchmark, NumRuns: e.NumRuns, ProcessRuns: e.ProcessRuns, MedianTimeMS: e.MedianTimeMS,
		Threads: e.Threads, GFLOPS: e.GFLOPS, PeakGFLOPS: e.PeakGFLOPS, PeakShare: e.PeakShare, Schedule: e.Schedule,
		Agreement: e.Agreement,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entry, -want +got:\n%s", diff)
	}
}

// A method that fails on a benchmark fails on that one, and is not asked again.
func TestFailureCostsOneRow(t *testing.T) {
	var diary []string
	m := &scripted{name: results.Agent, diary: &diary, turn: func(benchmark string) error {
		if benchmark == "a" {
			return errors.New("it crashed\nwith a long story")
		}
		return nil
	}}
	wrong := &scripted{name: results.PyTorchJIT, diary: &diary, output: map[string][]float32{"a": {1, 3}, "b": {1, 2}}}
	files, err := Run(context.Background(), []Method{m, wrong}, cases("a", "b"), options())
	if err != nil {
		t.Fatal(err)
	}
	if got := files[results.Agent]["a"].Error; got != "it crashed" {
		t.Errorf("the error of the entry is %q", got)
	}
	if got := files[results.PyTorchJIT]["a"].Error; !strings.HasPrefix(got, "output 0[1]: got 3, want 2") {
		t.Errorf("a wrong output is reported as %q", got)
	}
	for name, file := range files {
		if e := file["b"]; e.Failed() || e.NumRuns != 6 {
			t.Errorf("%s on b: %d runs, error %q", name, e.NumRuns, e.Error)
		}
	}
	asked := 0
	for _, line := range diary {
		if strings.HasSuffix(line, " a") {
			asked++
		}
	}
	if asked != 2 {
		t.Errorf("methods were asked for a %d times after they failed", asked-2)
	}
}

func TestDisagreement(t *testing.T) {
	var diary []string
	// Both within the tolerance, on either side of the reference.
	low := &scripted{name: results.Agent, diary: &diary, output: map[string][]float32{"a": {1 - 5e-5, 2}}}
	high := &scripted{name: results.PyTorchDefault, diary: &diary, output: map[string][]float32{"a": {1 + 5e-5, 2}}}
	files, err := Run(context.Background(), []Method{low, high}, cases("a"), options())
	if err != nil {
		t.Fatal(err)
	}
	a := files[results.Agent]["a"].Agreement[results.PyTorchDefault]
	if a.MaxError < 9e-5 || a.MaxError > 1.1e-4 || !a.OK() {
		t.Errorf("the agreement is %+v", a)
	}
}

func TestBudget(t *testing.T) {
	var diary []string
	slow := &scripted{name: results.Agent, diary: &diary, takes: 20 * time.Millisecond}
	o := options()
	o.Budget = 10 * time.Millisecond
	files, err := Run(context.Background(), []Method{slow}, cases("a"), o)
	if err != nil {
		t.Fatal(err)
	}
	if e := files[results.Agent]["a"]; e.NumRuns != 2 || e.Failed() || slow.opened != 1 {
		t.Errorf("%d runs in %d processes, error %q; the budget allows one process of 2", e.NumRuns, slow.opened, e.Error)
	}
}

func TestMethodThatDoesNotStart(t *testing.T) {
	var diary []string
	absent := &scripted{name: results.PyTorchDefault, diary: &diary, open: errors.New("no such method")}
	files, err := Run(context.Background(), []Method{absent}, cases("a", "b"), options())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b"}, slices.Sorted(maps.Keys(files[results.PyTorchDefault]))); diff != "" {
		t.Errorf("entries, -want +got:\n%s", diff)
	}
	if got := files[results.PyTorchDefault]["b"].Error; got != "no such method" || len(diary) > 0 {
		t.Errorf("error %q after %v", got, diary)
	}
}

// Where the user's PyTorch has no such method, no results say that it failed.
func TestUnavailableMethod(t *testing.T) {
	var diary []string
	o := options()
	o.Save = func(files map[string]results.File) error {
		if len(files[results.PyTorchCompile]) > 0 {
			t.Errorf("saved %v", files)
		}
		return nil
	}
	absent := &scripted{name: results.PyTorchCompile, diary: &diary, open: fmt.Errorf("%w: too old", baseline.ErrUnavailable)}
	if _, err := Run(context.Background(), []Method{absent}, cases("a"), o); !errors.Is(err, baseline.ErrUnavailable) {
		t.Errorf("the error is %v", err)
	}
}

// Ctrl-C keeps what was measured, and leaves no entry that it would be to blame for.
func TestInterruption(t *testing.T) {
	var diary []string
	ctx, cancel := context.WithCancel(context.Background())
	m := &scripted{name: results.Agent, diary: &diary, turn: func(benchmark string) error {
		if benchmark == "b" {
			cancel()
			return errors.New("killed")
		}
		return nil
	}}
	saved := map[string]results.File{}
	o := options()
	o.Save = func(files map[string]results.File) error {
		saved = files
		return nil
	}
	files, err := Run(ctx, []Method{m}, cases("a", "b"), o)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	for _, got := range []map[string]results.File{files, saved} {
		if e := got[results.Agent]["a"]; e.NumRuns != 2 || len(got[results.Agent]) != 1 {
			t.Errorf("kept %v", got)
		}
	}
}

// A contest goes on with the results of one that was interrupted, and does not
// run again what is finished or skipped.
func TestGoingOn(t *testing.T) {
	var diary []string
	ctx, cancel := context.WithCancel(context.Background())
	m := &scripted{name: results.Agent, diary: &diary, turn: func(benchmark string) error {
		if benchmark == "b" && len(diary) > 3 {
			cancel()
		}
		return nil
	}}
	o := options()
	o.Skip = func(method, benchmark string) bool { return benchmark == "c" }
	before, err := Run(ctx, []Method{m}, cases("a", "b", "c"), o)
	if !errors.Is(err, context.Canceled) || before[results.Agent]["a"].NumRuns != 4 || before[results.Agent]["b"].NumRuns != 2 {
		t.Fatalf("%v, %v", before, err)
	}
	if _, ran := before[results.Agent]["c"]; ran {
		t.Error("what is to be skipped has results")
	}
	diary, o.Earlier, o.Skip = nil, before, nil
	m.turn = nil
	after, err := Run(context.Background(), []Method{m}, cases("a", "b"), o)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"RL-Optimized a", "RL-Optimized b", "RL-Optimized b"}
	if diff := cmp.Diff(want, diary); diff != "" {
		t.Errorf("turns, -want +got:\n%s", diff)
	}
	for _, name := range []string{"a", "b"} {
		if e := after[results.Agent][name]; e.NumRuns != 6 || e.MedianTimeMS != 2 || e.PeakGFLOPS != 10 || e.Schedule != "of "+name {
			t.Errorf("%s: %+v", name, e)
		}
	}
	diary, o.Earlier = nil, after
	again, err := Run(context.Background(), []Method{m}, cases("a", "b"), o)
	if diff := cmp.Diff(after, again); err != nil || diff != "" || len(diary) > 0 {
		t.Errorf("what is finished was run again: %v, %v, %s", diary, err, diff)
	}
}

// PyTorch's process may die; that costs one benchmark.
func TestPyTorchDies(t *testing.T) {
	ctx := context.Background()
	python, err := baseline.FindPython(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	p := NewPyTorch(baseline.Options{Python: python, Method: baseline.Eager, Threads: 1})
	if err := p.Open(ctx); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	b, err := suite.Find("linear_small")
	if err != nil {
		t.Fatal(err)
	}
	c := &Case{Benchmark: b}
	for _, a := range b.Args {
		c.Inputs = append(c.Inputs, drawn(a.Shape))
	}
	if turn, err := p.Turn(ctx, c, 2); err != nil || len(turn.Nanoseconds) != 2 {
		t.Fatalf("%d runs, %v", len(turn.Nanoseconds), err)
	}
	killChildren(t)
	if _, err := p.Turn(ctx, c, 2); err == nil || !strings.Contains(err.Error(), "died") {
		t.Errorf("the turn of a dead process ends with %v", err)
	}
	if turn, err := p.Turn(ctx, c, 2); err != nil || len(turn.Nanoseconds) != 2 {
		t.Errorf("the turn after it: %d runs, %v", len(turn.Nanoseconds), err)
	}
}

// killChildren ends the processes that this one started.
func killChildren(t *testing.T) {
	t.Helper()
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	killed := 0
	for _, list := range lists {
		content, err := os.ReadFile(list)
		if err != nil {
			continue // the thread has ended
		}
		for _, id := range strings.Fields(string(content)) {
			pid, err := strconv.Atoi(id)
			if err == nil {
				err = syscall.Kill(pid, syscall.SIGKILL)
			}
			if err != nil {
				t.Fatal(err)
			}
			killed++
		}
	}
	if killed == 0 {
		t.Fatal("there is no process to kill")
	}
}

func drawn(shape []int) []float32 {
	n := 1
	for _, d := range shape {
		n *= d
	}
	out := make([]float32, n)
	for i := range out {
		out[i] = rand.Float32()
	}
	return out
}
