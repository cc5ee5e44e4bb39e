package measure

import (
	"context"
	"errors"

	"nestling/codegen"
	"nestling/program"
)

// Lab supervises the workers. Its methods may be called at the same time; no
// two timings, and no compile beside a timing, ever run together.
type Lab struct{}

var errUnbuilt = errors.New("measure: not built yet")

// Open starts nothing yet that takes time: workers come up as they are needed.
func Open(o Options) (*Lab, error) { return nil, errUnbuilt }

// Close ends all workers.
func (l *Lab) Close() error { return nil }

// Options returns the options with every default filled in.
func (l *Lab) Options() Options { return Options{} }

// Analyse reads a module into plain data.
func (l *Lab) Analyse(ctx context.Context, source []byte, filename string) (*program.Program, error) {
	return nil, errUnbuilt
}

// Compile turns a module with its script into object code.
func (l *Lab) Compile(ctx context.Context, request codegen.Request) (codegen.Result, error) {
	return codegen.Result{}, errUnbuilt
}

// Evaluate compiles a batch on all cores and then checks and times its
// candidates one by one. outcomes[i] belongs to batch[i]. Failures of
// candidates are outcomes; the error is for what concerns the whole batch. When
// ctx ends early, what was measured is returned beside ctx's error, the rest
// with status Cancelled.
func (l *Lab) Evaluate(ctx context.Context, batch []Candidate, plan Plan) ([]Outcome, error) {
	return nil, errUnbuilt
}

// Session times one candidate in several fresh processes, one at a time and
// whenever the caller likes, so that it can take turns with others.
type Session struct{}

// Session compiles the candidate and prepares its reference.
func (l *Lab) Session(ctx context.Context, c Candidate, plan Plan) (*Session, error) {
	return nil, errUnbuilt
}

// RunOnce checks and times the candidate in a fresh process of its own:
// plan.Samples samples. A failure is an Outcome as in Evaluate.
func (s *Session) RunOnce(ctx context.Context) (Outcome, error) { return Outcome{}, errUnbuilt }

// Benchmark is RunOnce in so many fresh processes, one after the other. It
// stops at the first that fails. The final numbers are 10 processes of 10 runs.
func (l *Lab) Benchmark(ctx context.Context, c Candidate, plan Plan, processes int) ([]Outcome, error) {
	return nil, errUnbuilt
}

// FindWorker looks for the nestling-worker executable: $NESTLING_WORKER, then
// beside the running executable, then bin/ under the working directory.
func FindWorker() (string, error) { return "", errUnbuilt }
