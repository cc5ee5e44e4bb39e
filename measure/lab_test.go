package measure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nestling/codegen"
	"nestling/measure/wire"
	"nestling/program"
	"nestling/schedule"
	"nestling/schedule/scheduletest"
)

// product analyses productModule and finds its operations.
func product(t *testing.T, l *Lab) (p *program.Program, matmul string) {
	t.Helper()
	p = analyse(t, l, productModule)
	for _, op := range p.Ops {
		if op.Family == program.Matmul {
			return p, op.Name
		}
	}
	t.Fatalf("no matmul among %v", p.Ops)
	return nil, ""
}

func evaluate(t *testing.T, l *Lab, plan Plan, batch ...Candidate) []Outcome {
	t.Helper()
	outcomes, err := l.Evaluate(t.Context(), batch, plan)
	if err != nil {
		t.Fatal(err)
	}
	return outcomes
}

func TestEvaluate(t *testing.T) {
	l := openLab(t, func(o *Options) { o.Compilers, o.Threads = 2, 2 })
	p, matmul := product(t, l)
	sum := analyse(t, l, sumModule)
	illegal := scheduletest.Parse(t, matmul+": T(0,0,7) NT")
	tiled := scheduletest.Parse(t, matmul+": TP(16,0,0) T(4,8,0) NT")
	outcomes := evaluate(t, l, quick,
		Candidate{Program: p},
		Candidate{Program: sum},
		Candidate{Program: p, Schedule: illegal},
		Candidate{Program: p, Schedule: tiled},
		Candidate{Program: p},
	)
	for i, want := range []Status{OK, OK, Compile, OK, OK} {
		if outcomes[i].Status != want {
			t.Errorf("candidate %d: %+v, want %s", i, outcomes[i], want)
		}
	}
	if outcomes[0].CompileMilliseconds <= 0 || outcomes[0].PrepareNanoseconds <= 0 {
		t.Errorf("%+v", outcomes[0])
	}
	if outcomes[0].Nanoseconds != outcomes[4].Nanoseconds {
		t.Error("the same candidate was measured twice in one batch")
	}
}

func TestAnalyseSaysWhatTheCompilerSays(t *testing.T) {
	l := openLab(t, nil)
	_, err := l.Analyse(t.Context(), []byte("func.func @f() {\n  nonsense\n}"), "broken.mlir")
	if err == nil || !strings.Contains(err.Error(), "broken.mlir:2") {
		t.Errorf("%v", err)
	}
}

func TestScriptThatFails(t *testing.T) {
	l := openLab(t, nil)
	p := analyse(t, l, sumModule)
	_, err := l.Compile(t.Context(), codegen.Request{Module: p.Module, Script: "no script", Threads: 1})
	if err == nil {
		t.Fatal("nonsense was taken for a script")
	}
	if _, err := l.Compile(t.Context(), codegen.Request{Module: p.Module, Script: script(t, p), Threads: 1}); err != nil {
		t.Errorf("the next compile: %v", err)
	}
}

func script(t *testing.T, p *program.Program) string {
	t.Helper()
	text, err := schedule.Script(p, nil, schedule.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// broken is a candidate that MLIR refuses.
func broken(p *program.Program) Candidate {
	q := *p
	q.Module = strings.Replace(p.Module, "return", "retrun", 1)
	q.Hash += "broken"
	return Candidate{Program: &q}
}

func TestCompileThatFails(t *testing.T) {
	l := openLab(t, nil)
	p := analyse(t, l, sumModule)
	outcomes := evaluate(t, l, quick, broken(p), Candidate{Program: p})
	if outcomes[0].Status != Compile || !strings.Contains(outcomes[0].Error, "retrun") {
		t.Errorf("%+v", outcomes[0])
	}
	wantReproducer(t, outcomes[0], "retrun")
	if outcomes[1].Status != OK {
		t.Errorf("the next: %+v", outcomes[1])
	}
}

// frozen is a compiler that takes its next request and does nothing.
type frozen struct{ *process }

// freezeCompiler stops the laboratory's one compiler.
func freezeCompiler(t *testing.T, l *Lab) frozen {
	t.Helper()
	s := <-l.slots
	defer func() { l.slots <- s }()
	if err := unix.Kill(s.compiler.cmd.Process.Pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for !stopped(t, s.compiler.cmd.Process.Pid) {
		time.Sleep(time.Millisecond)
	}
	return frozen{s.compiler}
}

// stopped tells whether every thread of a process has come to its stop: the signal
// is sent at once, but a thread that still runs may take a request.
func stopped(t *testing.T, pid int) bool {
	t.Helper()
	stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(stats) == 0 {
		t.Fatalf("threads of %d: %v, %v", pid, stats, err)
	}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			return false
		}
		_, state, _ := strings.Cut(string(text), ") ")
		if !strings.HasPrefix(state, "T") {
			return false
		}
	}
	return true
}

// whenAsked calls a function once the compiler has a request in its pipe.
func (f frozen) whenAsked(do func()) {
	pipe, err := f.requests.SyscallConn()
	if err != nil {
		panic(err)
	}
	go func() {
		for waiting := 0; waiting == 0; time.Sleep(time.Millisecond) {
			err := pipe.Control(func(fd uintptr) { waiting, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
			if err != nil {
				break // closed: the test is over
			}
		}
		do()
	}()
}

func (f frozen) signal(s unix.Signal) {
	_ = unix.Kill(f.cmd.Process.Pid, s)
	_ = unix.Kill(f.cmd.Process.Pid, unix.SIGCONT)
}

func TestCompilerKilled(t *testing.T) {
	for _, signal := range []unix.Signal{unix.SIGSEGV, unix.SIGKILL, unix.SIGABRT} {
		t.Run(unix.SignalName(signal), func(t *testing.T) {
			l := openLab(t, nil)
			p, matmul := product(t, l)
			f := freezeCompiler(t, l)
			f.whenAsked(func() { f.signal(signal) })
			outcomes := evaluate(t, l, quick, Candidate{Program: p}, Candidate{Program: p, Schedule: scheduletest.Parse(t, matmul+": T(8,0,0) NT")})
			if outcomes[0].Status != Compile || !strings.Contains(outcomes[0].Error, "killed by "+unix.SignalName(signal)) {
				t.Errorf("%+v", outcomes[0])
			}
			wantReproducer(t, outcomes[0], unix.SignalName(signal))
			if outcomes[1].Status != OK {
				t.Errorf("the next: %+v", outcomes[1])
			}
		})
	}
}

func TestCompilerHangs(t *testing.T) {
	l := openLab(t, func(o *Options) { o.CompileLimit = time.Second })
	p, matmul := product(t, l)
	pid := freezeCompiler(t, l).cmd.Process.Pid
	first := Candidate{Program: p}
	outcomes := evaluate(t, l, quick, first, Candidate{Program: p, Schedule: scheduletest.Parse(t, matmul+": T(8,0,0) NT")})
	if outcomes[0].Status != Timeout || !strings.Contains(outcomes[0].Error, "no answer within 5") {
		t.Errorf("%+v", outcomes[0])
	}
	if outcomes[1].Status != OK {
		t.Errorf("the next: %+v", outcomes[1])
	}
	if unix.Kill(pid, 0) == nil {
		t.Errorf("the hanging compiler %d is still there", pid)
	}
	if again := evaluate(t, l, quick, first)[0]; again.Status != Timeout || !again.Cached {
		t.Errorf("tried again in the same session: %+v", again)
	}
}

// Only its own work counts against a compiler: not what a busy machine gives to others.
func TestCompilerWaitsForTheProcessor(t *testing.T) {
	l := openLab(t, func(o *Options) { o.CompileLimit = time.Second })
	p, _ := product(t, l)
	f := freezeCompiler(t, l)
	f.whenAsked(func() { time.Sleep(2 * time.Second); f.signal(unix.SIGCONT) })
	if o := evaluate(t, l, quick, Candidate{Program: p})[0]; o.Status != OK {
		t.Errorf("%+v", o)
	}
}

func TestCompilerWorksTooLong(t *testing.T) {
	l := openLab(t, nil)
	s := <-l.slots
	defer func() { l.slots <- s }()
	if err := l.staff(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	// A module that takes seconds to read.
	endless := append([]byte("module {\n"), bytes.Repeat([]byte("func.func private @f()\n"), 1<<20)...)
	request := wire.CompileRequest{Analyse: &wire.AnalyseRequest{Source: endless}}
	var response wire.CompileResponse
	within := limits{time: time.Minute, processor: 50 * time.Millisecond, memory: l.options.MemoryLimit}
	d := asDeath(s.compiler.exchange(t.Context(), request, &response, within))
	if d == nil || d.status != Timeout || !strings.Contains(d.reason, "within 50ms of processor time") {
		t.Errorf("%v", d)
	}
}

func TestCompilerEatsMemory(t *testing.T) {
	l := openLab(t, nil)
	p, _ := product(t, l)
	s := <-l.slots
	l.options.MemoryLimit = s.compiler.resident() // any growth is too much
	l.slots <- s
	j := newJob(Candidate{Program: p}, quick)
	for range 20 { // one compile may be over before its memory is looked at
		l.objects = objects{}
		j = newJob(Candidate{Program: p}, quick)
		if err := l.compile(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		if j.outcome != nil {
			break
		}
	}
	if j.outcome == nil || j.outcome.Status != Memory {
		t.Fatalf("%+v", j.outcome)
	}
	l.options.MemoryLimit = 4 << 30
	if o := evaluate(t, l, Plan{Fresh: true, Samples: 1}, Candidate{Program: p})[0]; o.Status != OK {
		t.Errorf("the next: %+v", o)
	}
}

func TestCompilersAreRecycled(t *testing.T) {
	l := openLab(t, func(o *Options) { o.RecycleAfter = 2 })
	pids := map[int]bool{}
	for range 4 {
		analyse(t, l, sumModule)
		s := <-l.slots
		if s.compiler != nil {
			pids[s.compiler.cmd.Process.Pid] = true
		}
		l.slots <- s
	}
	if len(pids) != 2 {
		t.Errorf("%d compilers served 4 requests, 2 each", len(pids))
	}
}

func TestWorkersThatDieIdleAreReplaced(t *testing.T) {
	l := openLab(t, nil)
	p := analyse(t, l, sumModule)
	timeOne(t, l, additionJob(compileC(t, nil, nil), quick))
	s := <-l.slots
	killIdle(t, s.compiler)
	l.slots <- s
	r, err := l.runner(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	killIdle(t, r)
	l.spares = append(l.spares, r)
	if o := evaluate(t, l, quick, Candidate{Program: p})[0]; o.Status != OK {
		t.Errorf("%+v", o)
	}
}

func killIdle(t *testing.T, p *process) {
	t.Helper()
	if err := unix.Kill(p.cmd.Process.Pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.exited
}

func TestDatabaseRemembers(t *testing.T) {
	dir := t.TempDir()
	withDatabase := func(o *Options) { o.Database = dir }
	l := openLab(t, withDatabase)
	p, matmul := product(t, l)
	batch := []Candidate{{Program: p}, broken(p), {Program: p, Schedule: scheduletest.Parse(t, matmul+": T(8,0,0) NT")}}
	before := evaluate(t, l, quick, batch...)

	other := openLab(t, withDatabase)
	after := evaluate(t, other, quick, batch...)
	for i := range batch {
		if before[i].Cached || !after[i].Cached {
			t.Errorf("candidate %d: cached %v, then %v", i, before[i].Cached, after[i].Cached)
		}
		if before[i].Status != after[i].Status || before[i].Ratio != after[i].Ratio || before[i].Nanoseconds != after[i].Nanoseconds {
			t.Errorf("candidate %d: measured %+v, remembered %+v", i, before[i], after[i])
		}
	}
	fresh := quick
	fresh.Fresh = true
	if o := evaluate(t, other, fresh, batch[0])[0]; o.Cached || o.Status != OK {
		t.Errorf("%+v", o)
	}
	cold := quick
	cold.Flush = true
	if o := evaluate(t, other, cold, batch[0])[0]; o.Cached {
		t.Error("a hot time was given for a cold one")
	}
	strict := openLab(t, func(o *Options) { o.Database = dir; o.Tolerance = before[0].MaxError / 2 })
	if o := evaluate(t, strict, quick, batch[0])[0]; o.Cached || o.Status != Wrong {
		t.Errorf("a tighter tolerance: %+v", o)
	}
}

func TestDeathsFromOutsideAreNotRemembered(t *testing.T) {
	l := openLab(t, func(o *Options) { o.Database = t.TempDir() })
	p, _ := product(t, l)
	f := freezeCompiler(t, l)
	f.whenAsked(func() { f.signal(unix.SIGKILL) })
	c := Candidate{Program: p}
	if o := evaluate(t, l, quick, c)[0]; o.Status != Compile {
		t.Fatalf("%+v", o)
	}
	if o := evaluate(t, l, quick, c)[0]; o.Status != OK || o.Cached {
		t.Errorf("%+v", o)
	}
}

func TestCancelKeepsWhatThereIs(t *testing.T) {
	l := openLab(t, func(o *Options) { o.Database = t.TempDir() })
	hang := compileC(t, nil, map[string]string{"BEFORE": "for (volatile int x = 0; ; x++);"})
	jobs := []*job{additionJob(compileC(t, nil, nil), quick), additionJob(hang, quick), additionJob(hang, quick)}
	ctx, cancel := context.WithCancel(t.Context())
	var cancelled time.Time
	go func() {
		for l.database.Len() == 0 { // until the first is measured
			time.Sleep(time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond)
		cancelled = time.Now()
		cancel()
	}()
	err := l.timeAll(ctx, jobs)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if took := time.Since(cancelled); took > 5*time.Second {
		t.Errorf("cancelling took %v", took)
	}
	if jobs[0].outcome == nil || jobs[0].outcome.Status != OK || jobs[1].outcome != nil {
		t.Errorf("%+v, %+v", jobs[0].outcome, jobs[1].outcome)
	}
}

func TestCancelledBatch(t *testing.T) {
	l := openLab(t, nil)
	p := analyse(t, l, sumModule)
	ctx, cancel := context.WithCancel(t.Context())
	freezeCompiler(t, l).whenAsked(cancel)
	outcomes, err := l.Evaluate(ctx, []Candidate{{Program: p}}, quick)
	if !errors.Is(err, context.Canceled) || len(outcomes) != 1 || outcomes[0].Status != Cancelled {
		t.Errorf("%+v, %v", outcomes, err)
	}
	if o := evaluate(t, l, quick, Candidate{Program: p})[0]; o.Status != OK {
		t.Errorf("the next batch: %+v", o)
	}
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	l, err := Open(Options{Worker: worker, Threads: 1, Compilers: 1})
	if err != nil {
		t.Fatal(err)
	}
	p := analyse(t, l, sumModule)
	freezeCompiler(t, l).whenAsked(func() { _ = l.Close() })
	if _, err := l.Evaluate(t.Context(), []Candidate{{Program: p}}, quick); !errors.Is(err, errClosed) {
		t.Errorf("error %v", err)
	}
	if _, err := l.Analyse(t.Context(), []byte(sumModule), "x.mlir"); !errors.Is(err, errClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestSession(t *testing.T) {
	l := openLab(t, nil)
	p := analyse(t, l, sumModule)
	plan := quick
	plan.Samples = 10
	plan.Budget = time.Minute
	outcomes, err := l.Benchmark(t.Context(), Candidate{Program: p}, plan, 3)
	if err != nil {
		t.Fatal(err)
	}
	if len(outcomes) != 3 {
		t.Fatalf("%d processes", len(outcomes))
	}
	for _, o := range outcomes {
		if o.Status != OK || len(o.Samples) != 10 || len(o.Probe) != 10 {
			t.Errorf("%+v", o)
		}
	}
	outcomes, err = l.Benchmark(t.Context(), broken(p), plan, 3)
	if err != nil || len(outcomes) != 1 || outcomes[0].Status != Compile {
		t.Errorf("a candidate that does not compile: %+v, %v", outcomes, err)
	}
}

func TestReproducerHoldsWhatTheUserGave(t *testing.T) {
	l := openLab(t, func(o *Options) { o.Tolerance = 1e-30 }) // nothing is that right
	p, _ := product(t, l)
	o := evaluate(t, l, quick, Candidate{Program: p})[0]
	if o.Status != Wrong {
		t.Fatalf("%+v", o)
	}
	source, err := os.ReadFile(filepath.Join(o.Reproducer, "program.mlir"))
	if err != nil || string(source) != productModule {
		t.Errorf("%v, program.mlir:\n%s", err, source)
	}
}

func TestNoWorker(t *testing.T) {
	if _, err := Open(Options{Worker: "/nowhere/nestling-worker"}); err == nil || !strings.Contains(err.Error(), "make build") {
		t.Error(err)
	}
	if _, err := Open(Options{Worker: "/bin/false"}); err == nil || !strings.Contains(err.Error(), runnerName) {
		t.Errorf("a worker without a runner beside it: %v", err)
	}
	// A program that is no worker fails the batch, not the candidates.
	dir := t.TempDir()
	for _, name := range []string{workerName, runnerName} {
		if err := os.Symlink("/bin/false", filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	l, err := Open(Options{Worker: filepath.Join(dir, workerName), Threads: 1, Compilers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Analyse(t.Context(), []byte(sumModule), "x.mlir"); err == nil || !strings.Contains(err.Error(), "did not come up") {
		t.Error(err)
	}
}

func TestDatabaseThatCannotBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tuning")
	l := openLab(t, func(o *Options) { o.Database = dir })
	p, matmul := product(t, l)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	batch := []Candidate{{Program: p}, {Program: p, Schedule: scheduletest.Parse(t, matmul+": T(8,0,0) NT")}}
	outcomes, err := l.Evaluate(t.Context(), batch, quick)
	if err == nil || !strings.Contains(err.Error(), "new measurements are not stored") {
		t.Errorf("error %v", err)
	}
	if outcomes[0].Status != OK || outcomes[1].Status != Cancelled {
		t.Errorf("%+v", outcomes)
	}
}
