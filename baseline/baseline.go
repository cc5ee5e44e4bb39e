// Package baseline runs the benchmarks in PyTorch, in the user's own Python:
// an embedded program in a long-lived process, one per method, driven over
// pipes of its own so that methods can take turns. A process is stopped
// (SIGSTOP) whenever it has nothing to answer, so that its idle threads take
// no time from the method whose turn it is.
package baseline

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"nestling/suite"
)

// Method is a way to run a model in PyTorch.
type Method string

const (
	Eager   Method = "eager"   // as it comes
	JIT     Method = "jit"     // traced, frozen, optimize_for_inference
	Compile Method = "compile" // torch.compile, where it exists (PyTorch 2)
	// ChannelsLast is eager with images, weights and results in channels-last
	// memory format. It is given its inputs in that format already and keeps its
	// result in it, so that no change of layout is in its time. Where there are
	// no images it is eager.
	ChannelsLast Method = "channels-last"
)

// Methods lists every method.
var Methods = []Method{Eager, ChannelsLast, JIT, Compile}

// ErrUnavailable is wrapped by the error of Start when the user's PyTorch does
// not have the method.
var ErrUnavailable = errors.New("method not available")

var errNothingLoaded = errors.New("PyTorch has no benchmark loaded; load one first")

// Options say how to start a process.
type Options struct {
	Python  string // a Python that has torch, as FindPython returns it
	Method  Method
	Threads int           // for everything: OpenMP, OpenBLAS, MKL, PyTorch
	Timeout time.Duration // limit of one request; 0: five minutes
}

// Info is what a process says about itself.
type Info struct {
	Python  string         `json:"python"`          // version of Python
	Torch   string         `json:"torch"`           // version of PyTorch
	Threads int            `json:"threads"`         // torch.get_num_threads()
	Working WorkingThreads `json:"working_threads"` // threads seen working
	BLAS    string         `json:"blas"`            // path of the BLAS library in use, or "mkl"
	MKLDNN  bool           `json:"mkldnn"`          // oneDNN is there
	Config  string         `json:"config"`          // torch.__config__, as PyTorch prints it
}

// WorkingThreads counts the threads that spent CPU time in a trial: the
// settings only say what was asked for. BLAS and OpenMP have threads of their
// own.
type WorkingThreads struct {
	Matmul      int `json:"matmul"`
	Elementwise int `json:"elementwise"`
}

// Measurement is what Run returns.
type Measurement struct {
	Nanoseconds []float64 `json:"samples"`       // per call, one per run: the mean of a block
	Block       int       `json:"block"`         // calls per run, enough of them for a millisecond
	CPUOverWall float64   `json:"cpu_over_wall"` // CPU time over wall time of the timed calls
}

//go:embed server.py
var server string

// Start starts a process, sets its threads and verifies them. It refuses a
// PyTorch on the reference BLAS, and a thread count that does not come about.
// The process ends with Close, and dies with the one that started it.
func Start(ctx context.Context, o Options) (*Process, error) {
	p, err := Launch(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := p.Begin(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Launch is the part of Start that may happen beside other work: it imports
// PyTorch, which takes seconds. Begin comes next.
func Launch(ctx context.Context, o Options) (*Process, error) {
	if o.Threads < 1 {
		return nil, fmt.Errorf("%d threads for PyTorch; at least 1 is needed", o.Threads)
	}
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Minute
	}
	p, err := launch(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := p.request(ctx, "starting", request{Request: "launch"}, &struct{}{}); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Begin is the rest of Start, with nothing else running.
func (p *Process) Begin(ctx context.Context) error {
	if err := p.request(ctx, "starting", request{Request: "start", Threads: p.options.Threads}, &p.info); err != nil {
		return err
	}
	return p.checkThreads()
}

// checkThreads compares the threads that worked with those asked for.
func (p *Process) checkThreads() error {
	for _, seen := range []struct {
		n    int
		what string
	}{
		{p.info.Threads, "set in PyTorch"},
		{p.info.Working.Matmul, "seen working in matrix products"},
		{p.info.Working.Elementwise, "seen working in element-wise operations"},
	} {
		if seen.n != p.options.Threads {
			return fmt.Errorf("%v: %d threads asked for, %d %s", p, p.options.Threads, seen.n, seen.what)
		}
	}
	return nil
}

// Info describes the PyTorch of the process.
func (p *Process) Info() Info { return p.info }

// Load makes the process ready to run a benchmark: inputs, one per b.Args and
// row-major, become its parameters and arguments. It returns what the method
// did ahead of time: tracing, freezing and compiling, the first call included;
// the eager methods do nothing ahead.
func (p *Process) Load(ctx context.Context, b suite.Benchmark, inputs [][]float32) (prepare time.Duration, err error) {
	if err := checkInputs(b, inputs); err != nil {
		return 0, err
	}
	if err := p.inputs.write(inputs); err != nil {
		return 0, fmt.Errorf("inputs of %s: %w", b.Name, err)
	}
	p.loaded = suite.Benchmark{}
	var answer struct {
		Shape   []int         `json:"shape"`
		Prepare time.Duration `json:"prepare"`
	}
	if err := p.request(ctx, "loading "+b.Name, loadRequest(b), &answer); err != nil {
		return 0, err
	}
	if fmt.Sprint(answer.Shape) != fmt.Sprint(b.Result) {
		return 0, fmt.Errorf("%v: the result of %s has shape %v; %v expected", p, b.Name, answer.Shape, b.Result)
	}
	p.loaded = b
	return answer.Prepare, p.inputs.clear()
}

func checkInputs(b suite.Benchmark, inputs [][]float32) error {
	if len(inputs) != len(b.Args) {
		return fmt.Errorf("%s takes %d inputs, %d given", b.Name, len(b.Args), len(inputs))
	}
	for i, a := range b.Args {
		if len(inputs[i]) != a.Elements() {
			return fmt.Errorf("%s: input %s holds %d elements, %d given", b.Name, a.Name, a.Elements(), len(inputs[i]))
		}
	}
	return nil
}

// Run calls the loaded benchmark warmup times, and then times runs calls.
func (p *Process) Run(ctx context.Context, warmup, runs int) (Measurement, error) {
	var m Measurement
	if p.loaded.Name == "" {
		return m, errNothingLoaded
	}
	err := p.request(ctx, "running "+p.loaded.Name, request{Request: "run", Warmup: warmup, Runs: runs}, &m)
	if err == nil && len(m.Nanoseconds) != runs {
		err = fmt.Errorf("%v: %d times of %s instead of %d", p, len(m.Nanoseconds), p.loaded.Name, runs)
	}
	return m, err
}

// Outputs calls the loaded benchmark once and returns its result, row-major.
func (p *Process) Outputs(ctx context.Context) ([]float32, error) {
	if p.loaded.Name == "" {
		return nil, errNothingLoaded
	}
	if err := p.outputs.clear(); err != nil {
		return nil, err
	}
	if err := p.request(ctx, "reading the result of "+p.loaded.Name, request{Request: "outputs"}, &struct{}{}); err != nil {
		return nil, err
	}
	n := 1
	for _, d := range p.loaded.Result {
		n *= d
	}
	return p.outputs.read(n)
}
