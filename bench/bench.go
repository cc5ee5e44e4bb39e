// Package bench sets methods beside each other on the nine benchmarks: the
// agent's schedules and PyTorch's ways to run a model. Methods take turns, so
// that the machine's drift hits all alike, and every output is checked against
// the reference and against the other methods'.
package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"nestling/baseline"
	"nestling/measure"
	"nestling/measure/reference"
	"nestling/program"
	"nestling/results"
	"nestling/suite"
)

// Options of a contest.
type Options struct {
	Benchmarks []suite.Benchmark
	Processes  int // fresh processes per method; the plan is 10
	Runs       int // timed runs per process and benchmark; the plan is 10
	// Budget of one method on one benchmark: no new process once it is used up.
	Budget    time.Duration
	Threads   int
	Tolerance float64 // largest error of an output over Σ|terms|
	Seed      uint64  // of the inputs
	// Save is given all results so far after every round, so that an
	// interruption costs the round under way.
	Save func(map[string]results.File) error
	// Progress is told what is being run, and how many of how many turns are done.
	Progress func(done, total int, what string)
	// Skip leaves a method's results without a benchmark; nil: none is skipped.
	Skip func(method, benchmark string) bool
	// Earlier are the files of a contest that was interrupted; this one goes on
	// with it. Budgets begin anew.
	Earlier map[string]results.File
}

// Case is one benchmark, ready to be run by any method.
type Case struct {
	suite.Benchmark
	Program   *program.Program
	Inputs    [][]float32
	Reference *reference.Reference
}

// Turn is what one process of a method did with one benchmark.
type Turn struct {
	Nanoseconds []float64 // one per run
	Outputs     [][]float32
	PeakGFLOPS  float64 // measured beside the runs; 0 if the method measures none
}

// Method is one contestant.
type Method interface {
	// Name as in results.Methods.
	Name() string
	// Open begins a round; its error fails the method on every benchmark, and
	// the whole contest if it is baseline.ErrUnavailable.
	Open(ctx context.Context) error
	// Turn runs a benchmark in the round's process. Its error fails the method
	// on this benchmark.
	Turn(ctx context.Context, c *Case, runs int) (Turn, error)
	// Close ends the round, also one that Open did not begin.
	Close() error
	// Describe adds what the method knows of its result.
	Describe(c *Case, e *results.Entry)
}

// Launcher is a method whose Open takes long: Launch does, beside other methods',
// what can be done of it without disturbing anyone. Open tells of failures.
type Launcher interface{ Launch(ctx context.Context) }

// Cases analyses the benchmarks and computes their references.
func Cases(ctx context.Context, lab *measure.Lab, o Options) ([]*Case, error) {
	var cases []*Case
	for i, b := range o.Benchmarks {
		o.Progress(i, len(o.Benchmarks), "reference of "+b.Name)
		p, err := lab.Analyse(ctx, []byte(b.Module), b.Name+".mlir")
		if err != nil {
			return nil, err
		}
		c := &Case{Benchmark: b, Program: p}
		if c.Inputs, c.Reference, err = lab.Reference(ctx, p, o.Seed); err != nil {
			return nil, fmt.Errorf("%s: %w", b.Name, err)
		}
		cases = append(cases, c)
	}
	o.Progress(len(cases), len(cases), "references")
	return cases, ctx.Err()
}

// row is one method on one benchmark.
type row struct {
	processes [][]float64 // nanoseconds
	peaks     []float64
	spent     time.Duration
	output    []float32 // of the first turn, for the comparison of methods
	maxError  float64
	err       error
	skipped   bool
	// earlier is the entry of the contest that this one goes on with, until the
	// first turn makes another.
	earlier *results.Entry
}

// goOn takes over what an earlier contest measured. What failed is tried again.
func (r *row) goOn(e results.Entry) {
	if e.Failed() || len(e.Processes()) == 0 {
		return
	}
	r.earlier, r.maxError = &e, e.MaxError
	for _, p := range e.Processes() {
		process := make([]float64, len(p))
		for i, ms := range p {
			process[i] = ms * 1e6
		}
		r.processes = append(r.processes, process)
		if e.PeakGFLOPS > 0 {
			r.peaks = append(r.peaks, e.PeakGFLOPS)
		}
	}
}

// contest is the state of Run.
type contest struct {
	Options
	methods []Method
	cases   []*Case
	rows    map[string][]*row // by method, in the order of cases
	done    int
}

// Run lets the methods take turns on the cases and returns a results file per
// method. When ctx ends early, what was measured is returned beside its error.
func Run(ctx context.Context, methods []Method, cases []*Case, o Options) (map[string]results.File, error) {
	c := &contest{Options: o, methods: methods, cases: cases, rows: map[string][]*row{}}
	for _, m := range methods {
		for _, k := range cases {
			r := &row{skipped: o.Skip != nil && o.Skip(m.Name(), k.Name)}
			if e, measured := o.Earlier[m.Name()][k.Name]; measured {
				r.goOn(e)
			}
			c.rows[m.Name()] = append(c.rows[m.Name()], r)
		}
	}
	for range o.Processes {
		err := c.round(ctx)
		files := c.files()
		err = errors.Join(err, o.Save(files))
		if err != nil {
			return files, err
		}
	}
	o.Progress(c.done, c.done, "")
	return c.files(), nil
}

// round gives every method one fresh process and every benchmark one turn in it.
func (c *contest) round(ctx context.Context) (err error) {
	defer func() {
		for _, m := range c.methods {
			err = errors.Join(err, m.Close())
		}
	}()
	c.launch(ctx)
	for _, m := range c.methods {
		if c.finished(m) {
			continue
		}
		problem := m.Open(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(problem, baseline.ErrUnavailable) {
			return problem // there is nothing to have a result of
		}
		if problem != nil {
			c.fail(m, problem)
		}
	}
	for i, k := range c.cases {
		for _, m := range c.methods {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			c.Progress(c.done, c.Processes*len(c.methods)*len(c.cases), k.Name+", "+m.Name())
			c.turn(ctx, m, k, c.rows[m.Name()][i])
			c.done++
		}
	}
	if c.complete() {
		return nil // an interruption that comes now comes too late
	}
	return ctx.Err()
}

// complete reports whether no method has a turn left to take.
func (c *contest) complete() bool {
	return !slices.ContainsFunc(c.methods, func(m Method) bool { return !c.finished(m) })
}

// launch launches the methods that have turns left, as many at once as there are
// cores.
func (c *contest) launch(ctx context.Context) {
	var crew sync.WaitGroup
	cores := make(chan struct{}, runtime.NumCPU())
	for _, m := range c.methods {
		if l, slow := m.(Launcher); slow && !c.finished(m) {
			crew.Go(func() {
				cores <- struct{}{}
				l.Launch(ctx)
				<-cores
			})
		}
	}
	crew.Wait()
}

// fail ends a method on all benchmarks on which it has turns left.
func (c *contest) fail(m Method, problem error) {
	for _, r := range c.rows[m.Name()] {
		if !c.over(r) {
			r.err = problem
		}
	}
}

// finished tells a method with no turn left to take.
func (c *contest) finished(m Method) bool {
	for _, r := range c.rows[m.Name()] {
		if !c.over(r) {
			return false
		}
	}
	return true
}

func (c *contest) over(r *row) bool {
	return r.skipped || r.err != nil || len(r.processes) >= c.Processes || (len(r.processes) > 0 && r.spent >= c.Budget)
}

func (c *contest) turn(ctx context.Context, m Method, k *Case, r *row) {
	if c.over(r) {
		return
	}
	start := time.Now()
	t, err := m.Turn(ctx, k, c.Runs)
	r.spent += time.Since(start)
	if ctx.Err() != nil {
		return // whatever went wrong, the interruption did it
	}
	if err == nil {
		var worst float64
		worst, err = k.Reference.Check(t.Outputs, c.Tolerance)
		r.maxError = max(r.maxError, worst)
	}
	if err != nil {
		r.err = err
		return
	}
	if r.output == nil {
		r.output = t.Outputs[0]
	}
	r.earlier = nil
	r.processes = append(r.processes, t.Nanoseconds)
	if t.PeakGFLOPS > 0 {
		r.peaks = append(r.peaks, t.PeakGFLOPS)
	}
}
