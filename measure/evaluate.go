package measure

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"nestling/codegen"
	"nestling/measure/wire"
	"nestling/schedule"
	"nestling/stats"
)

// job is a candidate on its way through compiler and runner.
type job struct {
	Candidate
	plan    Plan
	text    string // the schedule's
	code    schedule.Code
	problem *problem
	object  *codegen.Result

	outcome *Outcome // set when all is known
}

func newJob(c Candidate, plan Plan) *job {
	return &job{Candidate: c, plan: plan.withDefaults(), text: c.Schedule.String()}
}

func (j *job) fail(s Status, reason string) {
	o := failed(s, reason)
	j.outcome = &o
}

// Evaluate compiles a batch on all cores and then checks and times its
// candidates one by one. outcomes[i] belongs to batch[i]. Failures of
// candidates are outcomes; the error is for what concerns the whole batch. When
// ctx ends early, what was measured is returned beside ctx's error, the rest
// with status Cancelled.
func (l *Lab) Evaluate(ctx context.Context, batch []Candidate, plan Plan) ([]Outcome, error) {
	ctx, end := l.begin(ctx)
	defer end()
	jobs, jobOf := distinct(batch, plan)
	err := l.evaluate(ctx, jobs, plan)
	outcomes := make([]Outcome, len(batch))
	for i, j := range jobOf {
		if j.outcome == nil {
			j.fail(Cancelled, reasonOf(err))
		}
		outcomes[i] = *j.outcome
	}
	return outcomes, err
}

func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// distinct makes one job of all candidates that are the same.
func distinct(batch []Candidate, plan Plan) (jobs []*job, jobOf []*job) {
	known := map[identity]*job{}
	for _, c := range batch {
		j := newJob(c, plan)
		id := j.identity()
		if known[id] == nil {
			known[id] = j
			jobs = append(jobs, j)
		}
		jobOf = append(jobOf, known[id])
	}
	return jobs, jobOf
}

func (l *Lab) evaluate(ctx context.Context, jobs []*job, plan Plan) error {
	if !plan.Fresh {
		if err := l.recall(ctx, jobs); err != nil {
			return err
		}
	}
	if err := l.compileAll(ctx, pending(jobs)); err != nil {
		return err
	}
	jobs = pending(jobs)
	slices.SortStableFunc(jobs, func(a, b *job) int { return strings.Compare(a.Program.Hash, b.Program.Hash) })
	return l.timeAll(ctx, jobs)
}

func pending(jobs []*job) []*job {
	var out []*job
	for _, j := range jobs {
		if j.outcome == nil {
			out = append(out, j)
		}
	}
	return out
}

// compileAll compiles on all slots. Its error ends the batch.
func (l *Lab) compileAll(ctx context.Context, jobs []*job) error {
	queue := make(chan *job)
	var crew sync.WaitGroup
	failures := make(chan error, l.options.Compilers)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for range min(l.options.Compilers, len(jobs)) {
		crew.Go(func() {
			for j := range queue {
				if err := l.compile(ctx, j); err != nil {
					cancel(err)
					failures <- err
					return
				}
			}
		})
	}
	feed(ctx, queue, jobs)
	crew.Wait()
	close(failures)
	return <-failures
}

func feed(ctx context.Context, queue chan<- *job, jobs []*job) {
	defer close(queue)
	for _, j := range jobs {
		select {
		case queue <- j:
		case <-ctx.Done():
			return
		}
	}
}

// compile takes a job up to its object code and its reference, or to its
// failure. An error is not the candidate's.
func (l *Lab) compile(ctx context.Context, j *job) error {
	var err error
	j.code, err = schedule.Write(j.Program, j.Schedule, schedule.Options{Threads: l.options.Threads})
	if err != nil {
		j.fail(Compile, err.Error())
		return nil
	}
	s, err := l.take(ctx)
	if err != nil {
		return err
	}
	defer func() { l.slots <- s }()
	// The reference is computed in a slot, too: no timing may run beside it.
	if j.problem, err = l.problems.get(ctx, j.Program, j.plan.Seed); err != nil {
		return fmt.Errorf("%s: the results it must have: %w", j.Program.Name, err)
	}
	if j.object = l.objects.get(j.identity()); j.object != nil {
		return nil
	}
	response, err := l.askIn(ctx, s, wire.CompileRequest{Compile: &codegen.Request{
		Module: j.code.Module, Script: j.code.Script, Target: l.options.Target, Threads: l.options.Threads,
	}})
	if d := asDeath(err); d != nil {
		o := buried(d, "compile", Compile)
		j.outcome = &o
		return l.finish(j)
	}
	if err != nil {
		return err
	}
	if response.Error != "" {
		j.fail(Compile, response.Error)
		return l.finish(j)
	}
	j.object = response.Result
	l.objects.put(j.identity(), j.object)
	return nil
}

// buried is the outcome of a worker's death. A crash has its own name in each role.
func buried(d *death, during string, crash Status) Outcome {
	status := d.status
	if status == Crash {
		status = crash
	}
	o := failed(status, during+": "+d.Error())
	o.Accident = !d.itself
	return o
}

// finish keeps what there is to keep of a job's outcome.
func (l *Lab) finish(j *job) error {
	j.outcome.CompileMilliseconds = j.compileMilliseconds()
	if j.outcome.Status != OK {
		folder, err := l.reproducer(j)
		if err != nil {
			return err
		}
		j.outcome.Reproducer = folder
	}
	return l.remember(j)
}

func (j *job) compileMilliseconds() float64 {
	if j.object == nil {
		return 0
	}
	sum := 0.0
	for _, t := range j.object.Timings {
		sum += t.Milliseconds
	}
	return sum
}

// timeAll checks and times jobs one by one, with nothing else running. Jobs of
// one program that stand together share the tensors that are handed over.
func (l *Lab) timeAll(ctx context.Context, jobs []*job) error {
	if len(jobs) == 0 {
		return nil
	}
	giveBack, err := l.takeAll(ctx)
	if err != nil {
		return err
	}
	defer giveBack()
	for i, j := range jobs {
		if err := l.time(ctx, j, len(jobs)-i); err != nil {
			return err
		}
	}
	return nil
}

// time checks and times a compiled job in as many processes as its plan says; waiting is
// how many jobs are left with it.
func (l *Lab) time(ctx context.Context, j *job, waiting int) error {
	var outcomes []Outcome
	for unsettled := 0; len(outcomes) < j.plan.Processes; {
		r, err := l.runner(ctx, waiting+j.plan.Processes-1-len(outcomes))
		if err != nil {
			return err
		}
		outcome, err := l.measure(ctx, j, r)
		if err != nil {
			return err
		}
		if unsettled < maxUnsettled && l.doubtful(j.plan, outcome) {
			unsettled++
			continue
		}
		outcomes = append(outcomes, outcome)
		if outcome.Status != OK {
			break
		}
	}
	j.outcome = typical(outcomes)
	return l.finish(j)
}

// typical is the outcome of the median ratio, the faster of two in the middle, or the
// failure that the last is.
func typical(outcomes []Outcome) *Outcome {
	last := &outcomes[len(outcomes)-1]
	if last.Status != OK {
		return last
	}
	slices.SortFunc(outcomes, func(a, b Outcome) int { return cmp.Compare(a.Ratio, b.Ratio) })
	return &outcomes[(len(outcomes)-1)/2]
}

// maxSpares bounds the runners that wait.
const maxSpares = 8

// runner hands out a waiting runner. When there is none left it starts several
// at once, for starting one takes longer than many a timing, and must not happen
// beside one.
func (l *Lab) runner(ctx context.Context, wanted int) (*process, error) {
	for len(l.spares) > 0 {
		r := l.spares[0]
		l.spares = l.spares[1:]
		if r.alive() {
			return r, nil
		}
		r.kill() // died while idle: only its pipes are left
	}
	started := make([]*process, min(wanted, maxSpares))
	problems := make([]error, len(started))
	var crew sync.WaitGroup
	cores := make(chan struct{}, runtime.NumCPU())
	for i := range started {
		crew.Go(func() {
			cores <- struct{}{}
			started[i], problems[i] = startProcess(ctx, l.options, "run", l.shared.file)
			<-cores
		})
	}
	crew.Wait()
	for _, r := range started {
		if r != nil {
			l.spares = append(l.spares, r)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	r := l.spares[0]
	l.spares = l.spares[1:]
	return r, nil
}

// measure checks and times a compiled job in a runner, which it uses up.
func (l *Lab) measure(ctx context.Context, j *job, r *process) (Outcome, error) {
	defer r.kill()
	if err := l.shared.load(j.problem); err != nil {
		return Outcome{}, err
	}
	outcome, err := l.converse(ctx, j, r)
	if d := asDeath(err); d != nil {
		return buried(d, "run", Crash), nil
	}
	return outcome, err
}

// converse is the conversation with a runner that wire.RunRequest describes.
func (l *Lab) converse(ctx context.Context, j *job, r *process) (Outcome, error) {
	deadline := time.Now().Add(j.plan.runLimit(j.Baseline))
	within := func() limits { return limits{time: time.Until(deadline), memory: l.options.MemoryLimit} }
	var first wire.FirstRun
	if err := r.exchange(ctx, l.runRequest(j), &first, within()); err != nil {
		return Outcome{}, err
	}
	if first.Verdict == wire.Refused {
		return failed(Compile, "run: "+first.Error), nil
	}
	if first.Verdict == wire.Slow {
		return failed(Timeout, "run: "+first.Error), nil
	}
	outcome, right := l.judge(j, first.Verdict, first.Error)
	outcome.PrepareNanoseconds = first.PrepareNanoseconds
	outcome.PreparedBytes, outcome.WorkspaceBytes = j.object.PreparedBytes, j.object.WorkspaceBytes
	if !right {
		return outcome, nil
	}
	var timed wire.TimeResponse
	if err := r.exchange(ctx, l.timeRequest(j), &timed, within()); err != nil {
		return Outcome{}, err
	}
	l.learnPeak(timed.Probe)
	again, right := l.judge(j, timed.Verdict, timed.Error)
	outcome.MaxError = max(outcome.MaxError, again.MaxError)
	if !right {
		outcome.Status, outcome.Error = again.Status, "after timing: "+again.Error
		return outcome, nil
	}
	outcome.take(timed)
	if busy := timed.BusyThreads; busy > float64(l.options.Threads)+0.5 {
		outcome.Status, outcome.Error = Wrong, fmt.Sprintf("it kept %.1f threads busy; allowed are %d", busy, l.options.Threads)
	}
	return outcome, nil
}

func (l *Lab) runRequest(j *job) wire.RunRequest {
	return wire.RunRequest{
		Object: j.object.Object, Symbol: j.object.Symbol, Threads: l.options.Threads,
		Inputs: l.shared.places.inputs, Weights: l.shared.places.weights, Outputs: l.shared.places.outputs,
		PreparedBytes: j.object.PreparedBytes, WorkspaceBytes: j.object.WorkspaceBytes,
		FirstLimit: j.plan.firstLimit(j.Baseline),
	}
}

func (l *Lab) timeRequest(j *job) wire.TimeRequest {
	p := j.plan
	r := wire.TimeRequest{
		Warmup: p.Warmup, Blocks: p.Samples, MinBlock: p.MinBlock, Budget: p.Budget,
		SlowerThan: p.SlowerThan * j.Baseline, Stream: p.Stream,
	}
	if p.Settled {
		r.Peak = settledShare * l.peak
	}
	if p.Flush {
		r.FlushBytes = flushBytes()
	}
	return r
}

// judge tells whether the outputs in the shared memory are right.
func (l *Lab) judge(j *job, v wire.Verdict, reason string) (o Outcome, right bool) {
	if v == wire.Wrong {
		o = failed(Wrong, reason)
		o.MaxError = math.Inf(1)
		return o, false
	}
	largest, err := j.problem.reference.Check(l.shared.outputs(), l.options.Tolerance)
	o = Outcome{Status: OK, MaxError: largest}
	if err != nil {
		o.Status, o.Error = Wrong, err.Error()
	}
	return o, err == nil
}

// take adds times to an outcome.
func (o *Outcome) take(t wire.TimeResponse) {
	o.Samples, o.Probe, o.Stream, o.RunsPerBlock, o.BusyThreads = t.Samples, t.Probe, t.Stream, t.RunsPerBlock, t.BusyThreads
	ratios := make([]float64, len(t.Samples))
	for i := range ratios {
		ratios[i] = t.Samples[i] * t.Probe[i] / 1e6
	}
	o.Nanoseconds = stats.Median(t.Samples)
	o.Ratio = stats.Median(ratios)
}
