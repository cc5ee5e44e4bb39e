package measure

import (
	"context"
	"fmt"

	"nestling/codegen"
	"nestling/measure/database"
)

// recall settles the jobs that the tuning database knows, or this session.
func (l *Lab) recall(ctx context.Context, jobs []*job) error {
	if l.database != nil {
		// Part of the key.
		if err := l.askLLVMVersion(ctx); err != nil {
			return err
		}
	}
	for _, j := range jobs {
		o, found := l.known(l.key(j))
		if !found {
			continue
		}
		o.Cached = true
		if o.Status != OK {
			o.Reproducer = l.knownReproducer(j)
		}
		j.outcome = &o
	}
	return nil
}

func (l *Lab) known(key database.Key) (Outcome, bool) {
	l.mu.Lock()
	o, found := l.hopeless[key]
	l.mu.Unlock()
	if found || l.database == nil {
		return o, found
	}
	record, found := l.database.Get(key)
	return outcomeOf(record), found && l.holds(record)
}

// holds tells whether a record means the same under our tolerance.
func (l *Lab) holds(r database.Record) bool {
	within := r.MaxError <= l.options.Tolerance
	switch Status(r.Status) {
	case OK:
		return within
	case Wrong:
		return !within
	}
	return true
}

// Known lists the schedules that the tuning database knows to work, by the hash of their
// program, with their times as ratios to the probe: what was measured on this machine, with
// these threads and this compiler. There are none without a database.
func (l *Lab) Known(ctx context.Context) (map[string]map[string]float64, error) {
	known := map[string]map[string]float64{}
	if l.database == nil {
		return known, nil
	}
	if err := l.askLLVMVersion(ctx); err != nil {
		return nil, err
	}
	here := l.keyOf("", "", false)
	for _, r := range l.database.Records() {
		here.Program, here.Schedule = r.Program, r.Schedule
		if r.Key != here || Status(r.Status) != OK || !l.holds(r) {
			continue
		}
		if known[r.Program] == nil {
			known[r.Program] = map[string]float64{}
		}
		known[r.Program][r.Schedule] = r.Ratio
	}
	return known, nil
}

func (l *Lab) key(j *job) database.Key { return l.keyOf(j.Program.Hash, j.text, j.plan.Flush) }

func (l *Lab) keyOf(program, schedule string, cold bool) database.Key {
	l.mu.Lock()
	defer l.mu.Unlock()
	return database.Key{
		Program:  program,
		Schedule: schedule,
		Threads:  l.options.Threads,
		Machine:  l.options.machine(),
		Cold:     cold,
		Codegen:  codegen.Version,
		LLVM:     l.llvm,
	}
}

// Conditions are what times depend on beside program and schedule: the machine, the threads,
// and the version of the code generator.
func (l *Lab) Conditions() string {
	here := l.keyOf("", "", false)
	return fmt.Sprintf("%s, %d threads, code generator %s", here.Machine, here.Threads, here.Codegen)
}

// remember stores a job's outcome, unless repeating it might end otherwise.
func (l *Lab) remember(j *job) error {
	o := j.outcome
	if o.Status == Timeout || o.Status == Memory {
		key := l.key(j)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.hopeless[key] = *o
		return nil
	}
	if l.database == nil || j.outcome.Accident {
		return nil
	}
	return l.database.Put(database.Record{
		Key:                 l.key(j),
		Status:              string(o.Status),
		Error:               o.Error,
		Nanoseconds:         o.Nanoseconds,
		Ratio:               o.Ratio,
		Samples:             o.Samples,
		MaxError:            o.MaxError,
		PrepareNanoseconds:  o.PrepareNanoseconds,
		CompileMilliseconds: o.CompileMilliseconds,
	})
}

func outcomeOf(r database.Record) Outcome {
	return Outcome{
		Status:              Status(r.Status),
		Error:               r.Error,
		Nanoseconds:         r.Nanoseconds,
		Ratio:               r.Ratio,
		Samples:             r.Samples,
		MaxError:            r.MaxError,
		PrepareNanoseconds:  r.PrepareNanoseconds,
		CompileMilliseconds: r.CompileMilliseconds,
	}
}
