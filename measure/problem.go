package measure

import (
	"context"
	"sync"

	"nestling/measure/reference"
	"nestling/program"
)

// problem is a program with arguments and the results it must have for them.
type problem struct {
	program   *program.Program
	inputs    [][]float32 // one per function argument
	reference *reference.Reference

	once sync.Once
	done chan struct{}
	err  error
}

type problemKey struct {
	hash string
	seed uint64
}

// problemBytes bounds the memory that problems are kept in; the one in use is
// kept whatever its size.
const problemBytes = 1 << 30

// problems keeps the latest problems, each computed once.
type problems struct {
	mu     sync.Mutex
	known  map[problemKey]*problem
	latest []problemKey // oldest first
}

// Reference returns the random arguments that candidates of a program are run
// on, one per function argument, and what results they must give.
func (l *Lab) Reference(ctx context.Context, p *program.Program, seed uint64) (inputs [][]float32, r *reference.Reference, err error) {
	ctx, end := l.begin(ctx)
	defer end()
	s, err := l.take(ctx) // no timing may run beside it
	if err != nil {
		return nil, nil, err
	}
	defer func() { l.slots <- s }()
	q, err := l.problems.get(ctx, p, seed)
	if err != nil {
		return nil, nil, err
	}
	return q.inputs, q.reference, nil
}

// get computes the problem of a program, or waits for who does.
func (ps *problems) get(ctx context.Context, p *program.Program, seed uint64) (*problem, error) {
	q := ps.entry(p, seed)
	go q.once.Do(func() {
		q.inputs = reference.Inputs(p, seed)
		q.reference, q.err = reference.Compute(p, q.inputs)
		close(q.done)
	})
	select {
	case <-q.done:
		return q, q.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (ps *problems) entry(p *program.Program, seed uint64) *problem {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	key := problemKey{p.Hash, seed}
	if q, found := ps.known[key]; found {
		return q
	}
	q := &problem{program: p, done: make(chan struct{})}
	ps.known[key] = q
	ps.latest = append(ps.latest, key)
	ps.forget()
	return q
}

// forget drops the oldest problems when all together pass the bound.
func (ps *problems) forget() {
	var total int64
	for i := len(ps.latest) - 1; i >= 0; i-- {
		total += tensorBytes(ps.known[ps.latest[i]].program)
		if total > problemBytes && i < len(ps.latest)-1 {
			for _, key := range ps.latest[:i+1] {
				delete(ps.known, key)
			}
			ps.latest = append(ps.latest[:0], ps.latest[i+1:]...)
			return
		}
	}
}

// tensorBytes is the memory of a program's arguments, and of its results with
// their scales.
func tensorBytes(p *program.Program) int64 {
	var elements int64
	for _, v := range p.Args {
		elements += int64(p.Values[v].Elements())
	}
	for _, v := range p.Results {
		elements += 2 * int64(p.Values[v].Elements())
	}
	return 4 * elements
}
