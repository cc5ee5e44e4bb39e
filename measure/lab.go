package measure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"nestling/codegen"
	"nestling/measure/database"
	"nestling/measure/wire"
	"nestling/program"
)

// Lab supervises the workers. Its methods may be called at the same time; no
// two timings, and no compile beside a timing, ever run together.
type Lab struct {
	options Options
	ctx     context.Context // ends with Close
	cancel  context.CancelCauseFunc

	// A compile takes a slot. A timing takes all of them, in turn, so that
	// nothing runs beside it.
	slots chan *slot
	turn  chan struct{}

	problems problems
	objects  objects
	database *database.Database // nil: none

	mu      sync.Mutex
	llvm    string            // LLVM's version, once a compiler has told it
	sources map[string][]byte // what users gave, by program hash, for reproducers
	// hopeless candidates passed a limit. That may not be for ever, but trying
	// again in the same session costs the whole limit again.
	hopeless map[database.Key]Outcome

	// What follows belongs to who has all the slots.
	shared *shared
	peak   float64    // GFLOP/s of the peak loop, what can be had of late
	spares []*process // runners waiting for an object
}

// slot holds a compiler process, nil before it is needed.
type slot struct{ compiler *process }

var errClosed = errors.New("the laboratory was closed")

// Open checks the options. Workers come up as they are needed.
func Open(o Options) (*Lab, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	l := &Lab{
		options:  o,
		slots:    make(chan *slot, o.Compilers),
		turn:     make(chan struct{}, 1),
		problems: problems{known: map[problemKey]*problem{}},
		sources:  map[string][]byte{},
		hopeless: map[database.Key]Outcome{},
	}
	if o.FailureDir != "" {
		if err := os.MkdirAll(o.FailureDir, 0o777); err != nil {
			return nil, fmt.Errorf("folder for failures: %w", err)
		}
	}
	if o.Database != "" {
		if l.database, err = database.Open(o.Database); err != nil {
			return nil, err
		}
	}
	if l.shared, err = newShared(); err != nil {
		return nil, err
	}
	for range o.Compilers {
		l.slots <- &slot{}
	}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	return l, nil
}

// Options returns the options with every default filled in.
func (l *Lab) Options() Options { return l.options }

// Close ends all workers and whatever is under way.
func (l *Lab) Close() error {
	l.cancel(errClosed)
	l.turn <- struct{}{}
	// Neither turn nor slots are given back.
	for range l.options.Compilers {
		if s := <-l.slots; s.compiler != nil {
			s.compiler.kill()
		}
	}
	for _, r := range l.spares {
		r.kill()
	}
	err := l.shared.close()
	if l.database != nil {
		err = errors.Join(err, l.database.Close())
	}
	return err
}

// begin makes a context that ends with the laboratory, too.
func (l *Lab) begin(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.ctx, func() { cancel(errClosed) })
	return ctx, func() { stop(); cancel(nil) }
}

func (l *Lab) take(ctx context.Context) (*slot, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	select {
	case s := <-l.slots:
		return s, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// takeAll takes every slot; compiles under way end first.
func (l *Lab) takeAll(ctx context.Context) (giveBack func(), err error) {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	var taken []*slot
	giveBack = func() {
		for _, s := range taken {
			l.slots <- s
		}
		<-l.turn
	}
	for len(taken) < l.options.Compilers {
		s, err := l.take(ctx)
		if err != nil {
			giveBack()
			return nil, err
		}
		taken = append(taken, s)
	}
	return giveBack, nil
}

// Analyse reads a module into plain data. The error is the compiler's own, with
// line and column, or says how the compiler ended.
func (l *Lab) Analyse(ctx context.Context, source []byte, filename string) (*program.Program, error) {
	ctx, end := l.begin(ctx)
	defer end()
	response, err := l.ask(ctx, wire.CompileRequest{Analyse: &wire.AnalyseRequest{Source: source, Filename: filename}})
	switch {
	case asDeath(err) != nil:
		return nil, fmt.Errorf("%s: the compiler could not read it: %w", filename, err)
	case err != nil:
		return nil, err
	case response.Error != "":
		return nil, errors.New(response.Error)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sources[response.Program.Hash] = source
	return response.Program, nil
}

// Compile turns a module with its script into object code.
func (l *Lab) Compile(ctx context.Context, request codegen.Request) (codegen.Result, error) {
	ctx, end := l.begin(ctx)
	defer end()
	response, err := l.ask(ctx, wire.CompileRequest{Compile: &request})
	switch {
	case asDeath(err) != nil:
		return codegen.Result{}, fmt.Errorf("the compiler: %w", err)
	case err != nil:
		return codegen.Result{}, err
	case response.Error != "":
		return codegen.Result{}, errors.New(response.Error)
	}
	return *response.Result, nil
}

// waitFactor times the processor time that a compiler may use is what it may take by the
// clock: it has a share of a busy machine, or is stuck.
const waitFactor = 5

// ask has a compiler answer a request. The error is a *death if it did not
// survive; any other error means that there is no compiler to be had.
func (l *Lab) ask(ctx context.Context, request wire.CompileRequest) (wire.CompileResponse, error) {
	s, err := l.take(ctx)
	if err != nil {
		return wire.CompileResponse{}, err
	}
	defer func() { l.slots <- s }()
	return l.askIn(ctx, s, request)
}

func (l *Lab) askIn(ctx context.Context, s *slot, request wire.CompileRequest) (wire.CompileResponse, error) {
	var response wire.CompileResponse
	if err := l.staff(ctx, s); err != nil {
		return response, err
	}
	processor := l.options.CompileLimit + readingTime(request)
	within := limits{time: waitFactor * processor, processor: processor, memory: l.options.MemoryLimit}
	err := s.compiler.exchange(ctx, request, &response, within)
	if err != nil || s.compiler.served >= l.options.RecycleAfter || s.compiler.resident() > l.options.RecycleBytes {
		s.compiler.kill()
		s.compiler = nil
	}
	return response, err
}

// readingTime is what a compiler may take beside its limit for a module whose
// weights are written out in it.
func readingTime(r wire.CompileRequest) time.Duration {
	const bytesPerSecond = 1 << 20
	bytes := 0
	if r.Analyse != nil {
		bytes += len(r.Analyse.Source)
	}
	if r.Compile != nil {
		bytes += len(r.Compile.Module)
	}
	return time.Duration(bytes) * time.Second / bytesPerSecond
}

// staff sees to it that a slot has a living compiler.
func (l *Lab) staff(ctx context.Context, s *slot) error {
	if s.compiler != nil && s.compiler.alive() {
		return nil
	}
	if s.compiler != nil {
		s.compiler.kill() // died while idle: only its pipes are left
	}
	compiler, err := startProcess(ctx, l.options, "compile", nil)
	if err != nil {
		s.compiler = nil
		return err
	}
	s.compiler = compiler
	l.mu.Lock()
	defer l.mu.Unlock()
	l.llvm = compiler.ready.LLVM
	return nil
}

// LLVM is the version of LLVM that the compilers have, "" before there was one.
func (l *Lab) LLVM() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.llvm
}

// askLLVMVersion learns LLVM's version from a compiler, once.
func (l *Lab) askLLVMVersion(ctx context.Context) error {
	if l.LLVM() != "" {
		return nil
	}
	s, err := l.take(ctx)
	if err != nil {
		return err
	}
	defer func() { l.slots <- s }()
	return l.staff(ctx, s)
}
