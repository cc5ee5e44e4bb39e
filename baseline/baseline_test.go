package baseline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"nestling/suite"
)

// found is the Python to test with, looked for once.
var found = sync.OnceValues(func() (string, error) { return FindPython(context.Background(), "") })

// python is a Python with PyTorch, without which nothing here can be tested:
// the failure names the packages.
func python(t *testing.T) string {
	t.Helper()
	path, err := found()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func start(t *testing.T, o Options) *Process {
	t.Helper()
	p, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// draw returns random inputs. Variances are positive, as variances are.
func draw(b suite.Benchmark) [][]float32 {
	rng := rand.New(rand.NewPCG(1, 2))
	inputs := make([][]float32, len(b.Args))
	for i, a := range b.Args {
		inputs[i] = make([]float32, a.Elements())
		for j := range inputs[i] {
			inputs[i][j] = 2*rng.Float32() - 1
			if strings.HasPrefix(a.Name, "variance") {
				inputs[i][j] = 0.5 + rng.Float32()
			}
		}
	}
	return inputs
}

// result loads and calls a benchmark.
func result(t *testing.T, p *Process, b suite.Benchmark, inputs [][]float32) []float32 {
	t.Helper()
	prepare, err := p.Load(t.Context(), b, inputs)
	if err != nil {
		t.Fatal(err)
	}
	if ahead := p.options.Method == JIT || p.options.Method == Compile; ahead != (prepare > 0) {
		t.Errorf("%v prepared %s for %v", p, b.Name, prepare)
	}
	out, err := p.Outputs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// agree compares results, weighing differences against the largest element.
func agree(t *testing.T, what string, got, want []float32, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
	scale, worst := 0.0, 0.0
	for i := range want {
		scale = max(scale, math.Abs(float64(want[i])))
		worst = max(worst, math.Abs(float64(got[i])-float64(want[i])))
	}
	if scale == 0 || !(worst <= tolerance*scale) {
		t.Errorf("%s: differs by %g of %g", what, worst, scale)
	}
}

// TestMethodsAgree runs all nine, the large ones with fewer images, eagerly in
// both memory formats and by JIT.
func TestMethodsAgree(t *testing.T) {
	fewer := map[string]suite.Benchmark{
		"conv2d_medium": suite.Conv2D("conv2d_medium", suite.Conv{Batch: 2, In: 64, Height: 56, Width: 56, Out: 64, Kernel: 3}),
		"conv2d_large":  suite.Conv2D("conv2d_large", suite.Conv{Batch: 1, In: 128, Height: 56, Width: 56, Out: 128, Kernel: 3}),
		"resnet_block":  suite.ResNetBlock("resnet_block", 2, 64, 56, 56),
	}
	path := python(t)
	eager := start(t, Options{Python: path, Method: Eager, Threads: 1})
	jit := start(t, Options{Python: path, Method: JIT, Threads: 1})
	channelsLast := start(t, Options{Python: path, Method: ChannelsLast, Threads: 1})
	for _, b := range suite.Nine() {
		if f, ok := fewer[b.Name]; ok {
			b = f
		}
		inputs := draw(b)
		want := result(t, eager, b, inputs)
		agree(t, b.Name+" by JIT", result(t, jit, b, inputs), want, 1e-4)
		agree(t, b.Name+" in channels-last", result(t, channelsLast, b, inputs), want, 1e-4)
	}
}

// TestResultsAreRight compares every kind of model with plain loops.
func TestResultsAreRight(t *testing.T) {
	p := start(t, Options{Python: python(t), Method: Eager, Threads: 1})
	linear, err := suite.Find("linear_small")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []suite.Benchmark{
		linear,
		suite.Matmul("matmul", 3, 5, 7),
		suite.Conv2D("conv3", suite.Conv{Batch: 2, In: 3, Height: 5, Width: 6, Out: 4, Kernel: 3}),
		suite.Conv2D("conv1", suite.Conv{Batch: 1, In: 3, Height: 4, Width: 4, Out: 2, Kernel: 1}),
		suite.ResNetBlock("block", 2, 4, 5, 6),
	} {
		inputs := draw(b)
		agree(t, b.Name, result(t, p, b, inputs), plain(b, inputs), 1e-5)
	}
}

func TestRun(t *testing.T) {
	p := start(t, Options{Python: python(t), Method: Eager, Threads: 1})
	b := suite.Linear("linear", 4, 4, 4) // microseconds: must be timed in blocks
	if _, err := p.Load(t.Context(), b, draw(b)); err != nil {
		t.Fatal(err)
	}
	m, err := p.Run(t.Context(), 2, 7)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Nanoseconds) != 7 || m.Block < 2 {
		t.Errorf("%d samples in blocks of %d; want 7 in blocks of several calls", len(m.Nanoseconds), m.Block)
	}
	for _, ns := range m.Nanoseconds {
		// No call through Python takes less than 100 ns, nor a millisecond.
		if ns < 100 || ns*float64(m.Block) < 0.5e6 {
			t.Errorf("%g ns a call in blocks of %d", ns, m.Block)
		}
	}
	if m.CPUOverWall <= 0 || m.CPUOverWall > 1.1 {
		t.Errorf("CPU time over wall time is %g with one thread", m.CPUOverWall)
	}
}

func TestThreadsAreVerified(t *testing.T) {
	path := python(t)
	for _, threads := range []int{1, 2} {
		info := start(t, Options{Python: path, Method: Eager, Threads: threads}).Info()
		if want := (WorkingThreads{threads, threads}); info.Working != want || info.Threads != threads {
			t.Errorf("asked for %d threads: %d set, %+v working", threads, info.Threads, info.Working)
		}
		if info.Torch == "" || info.Python == "" || info.BLAS == "" || !strings.Contains(info.Config, "OpenMP") {
			t.Errorf("incomplete description: %+v", info)
		}
	}
	one := wrapper(t, `OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 exec `+path+` "$@"`)
	startFails(t, Options{Python: one, Method: Eager, Threads: 2},
		"2 threads asked for, 1 seen working in matrix products")
	startFails(t, Options{Python: path, Method: Eager, Threads: 0}, "at least 1 is needed")
}

// TestTurns checks that a process runs only while it has something to answer.
func TestTurns(t *testing.T) {
	p := start(t, Options{Python: python(t), Method: Eager, Threads: 1})
	b := suite.Matmul("matmul", 64, 64, 64)
	for range 2 {
		result(t, p, b, draw(b))
		deadline := time.Now().Add(5 * time.Second)
		for state(t, p) != "T" {
			if time.Now().After(deadline) {
				t.Fatalf("the waiting process is in state %s, not stopped", state(t, p))
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// state is the kernel's letter for the process: R runs, S sleeps, T is stopped.
func state(t *testing.T, p *Process) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return rest[:1]
}

// TestCompile runs torch.compile where PyTorch has it; PyTorch 1 says so.
func TestCompile(t *testing.T) {
	path := python(t)
	eager := start(t, Options{Python: path, Method: Eager, Threads: 1})
	if strings.HasPrefix(eager.Info().Torch, "1.") {
		_, err := Start(t.Context(), Options{Python: path, Method: Compile, Threads: 1})
		if !errors.Is(err, ErrUnavailable) || !strings.Contains(fmt.Sprint(err), "PyTorch 2") {
			t.Errorf("got %v", err)
		}
		return
	}
	b := suite.Linear("linear", 64, 64, 128)
	compiled := start(t, Options{Python: path, Method: Compile, Threads: 1})
	inputs := draw(b)
	agree(t, b.Name, result(t, compiled, b, inputs), result(t, eager, b, inputs), 1e-4)
}

func TestLoadRefusesWrongInputs(t *testing.T) {
	p := start(t, Options{Python: python(t), Method: Eager, Threads: 1})
	b := suite.Linear("linear", 2, 2, 2)
	inputs := draw(b)
	_, err := p.Load(t.Context(), b, inputs[:2])
	wants(t, err, "linear takes 3 inputs, 2 given")
	inputs[1] = inputs[1][:3]
	_, err = p.Load(t.Context(), b, inputs)
	wants(t, err, "linear: input weight holds 4 elements, 3 given")
}

func TestErrorsOfPythonAreAnswers(t *testing.T) {
	p := start(t, Options{Python: python(t), Method: Eager, Threads: 1})
	b := suite.Matmul("matmul", 2, 2, 2)
	b.Args[1].Shape = []int{4} // [2,2]·[4] is no product
	_, err := p.Load(t.Context(), b, draw(b))
	wants(t, err, "PyTorch (eager): RuntimeError: size mismatch")
	_, err = p.Run(t.Context(), 1, 1)
	wants(t, err, "no benchmark loaded")
	b = suite.Matmul("matmul", 2, 2, 2)
	agree(t, "after an error", result(t, p, b, draw(b)), plain(b, draw(b)), 1e-5)
}

func TestDeathIsOneLine(t *testing.T) {
	p := start(t, Options{Python: python(t), Method: Eager, Threads: 1})
	b := suite.Matmul("long", 512, 512, 512)
	if _, err := p.Load(t.Context(), b, draw(b)); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(200*time.Millisecond, func() { _ = syscall.Kill(p.pid, syscall.SIGKILL) })
	_, err := p.Run(t.Context(), 0, 1e6)
	wants(t, err, "PyTorch (eager) died while running long (signal: killed)")
	_, err = p.Run(t.Context(), 0, 1)
	wants(t, err, "PyTorch (eager) died")
}

func TestLastWordsAreTold(t *testing.T) {
	startFails(t, Options{Python: wrapper(t, "echo first >&2; echo out of ink >&2; exit 3"), Method: JIT, Threads: 1},
		"PyTorch (jit) died while starting (exit status 3: out of ink)")
	startFails(t, Options{Python: wrapper(t, `echo hello >&4; exec sleep 60`), Method: JIT, Threads: 1},
		`answer "hello\n" is not JSON`)
}

func TestHangEnds(t *testing.T) {
	begin := time.Now()
	startFails(t, Options{Python: wrapper(t, "exec sleep 60"), Method: Eager, Threads: 1, Timeout: 200 * time.Millisecond},
		"PyTorch (eager) gave no answer within 200ms while starting; it was ended")
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := Start(ctx, Options{Python: wrapper(t, "exec sleep 60"), Method: Eager, Threads: 1})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func startFails(t *testing.T, o Options, want string) {
	t.Helper()
	p, err := Start(t.Context(), o)
	if err == nil {
		_ = p.Close()
	}
	wants(t, err, want)
}

// wants checks an error's text, and that it is one line.
func wants(t *testing.T, err error, want string) {
	t.Helper()
	switch text := fmt.Sprint(err); {
	case err == nil || !strings.Contains(text, want):
		t.Errorf("got %v; want %q", err, want)
	case strings.Contains(text, "\n"):
		t.Errorf("more than one line: %v", err)
	}
}
