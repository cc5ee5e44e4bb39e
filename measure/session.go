package measure

import (
	"context"
	"slices"
)

// Session times one candidate in several fresh processes, one at a time and
// whenever the caller likes, so that it can take turns with others. Its methods
// must not be called at the same time.
type Session struct {
	lab     *Lab
	job     *job
	failure *Outcome // of the compile
}

// Session compiles the candidate and computes what its results must be. A
// candidate that does not compile is reported by RunOnce. Sessions measure
// anew whatever the tuning database knows.
func (l *Lab) Session(ctx context.Context, c Candidate, plan Plan) (*Session, error) {
	ctx, end := l.begin(ctx)
	defer end()
	s := &Session{lab: l, job: newJob(c, plan)}
	if err := l.compile(ctx, s.job); err != nil {
		return nil, err
	}
	s.failure = s.job.outcome
	return s, nil
}

// RunOnce checks and times the candidate in a fresh process with a peak loop of
// its own: plan.Samples samples. Failures are outcomes, as in Evaluate.
func (s *Session) RunOnce(ctx context.Context) (Outcome, error) {
	if s.failure != nil {
		return *s.failure, nil
	}
	ctx, end := s.lab.begin(ctx)
	defer end()
	j := *s.job
	if err := s.lab.timeAll(ctx, []*job{&j}); err != nil {
		return failed(Cancelled, err.Error()), err
	}
	return *j.outcome, nil
}

// Outputs are copies of what the latest RunOnce computed, one per result of the
// program. Call it before the laboratory measures anything else.
func (s *Session) Outputs() [][]float32 {
	outputs := s.lab.shared.outputs()
	for i := range outputs {
		outputs[i] = slices.Clone(outputs[i])
	}
	return outputs
}

// Benchmark is RunOnce in so many fresh processes, one after the other, up to
// the first that fails. The final numbers are 10 processes of 10 runs.
func (l *Lab) Benchmark(ctx context.Context, c Candidate, plan Plan, processes int) ([]Outcome, error) {
	s, err := l.Session(ctx, c, plan)
	if err != nil {
		return nil, err
	}
	var outcomes []Outcome
	for range processes {
		o, err := s.RunOnce(ctx)
		if err != nil {
			return outcomes, err
		}
		outcomes = append(outcomes, o)
		if o.Status != OK {
			break
		}
	}
	return slices.Clip(outcomes), nil
}
