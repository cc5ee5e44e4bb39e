package bench

import (
	"context"
	"time"

	"nestling/agent"
	"nestling/measure"
	"nestling/results"
	"nestling/stats"
)

const (
	// warmup runs come before the timed ones of every process.
	warmup = 3
	// A process that has timed for processBudget ends with the runs it has, and
	// is killed at processLimit: unscheduled loops can take seconds a run.
	processBudget = 20 * time.Second
	processLimit  = 3 * time.Minute
	// threadSlack is how many cores more than its threads a process may keep
	// busy: clocks are coarse.
	threadSlack = 0.3
)

// Scheduled runs the benchmarks as compiled from chosen schedules.
type Scheduled struct {
	name     string
	lab      *measure.Lab
	seed     uint64
	choose   func(context.Context, *Case) (agent.Choice, error)
	sessions map[string]*measure.Session // by benchmark
	choices  map[string]agent.Choice
	outcomes map[string]measure.Outcome // of the latest turn
}

// NewScheduled makes the contestant of a name (results.Agent); choose is asked
// once per benchmark.
func NewScheduled(name string, lab *measure.Lab, seed uint64, choose func(context.Context, *Case) (agent.Choice, error)) *Scheduled {
	return &Scheduled{name: name, lab: lab, seed: seed, choose: choose, sessions: map[string]*measure.Session{},
		choices: map[string]agent.Choice{}, outcomes: map[string]measure.Outcome{}}
}

// Name as in results.Methods.
func (s *Scheduled) Name() string { return s.name }

// Open has nothing to do: every turn has a process of its own.
func (s *Scheduled) Open(context.Context) error { return nil }

// Close has nothing to do; processes end with their turns.
func (s *Scheduled) Close() error { return nil }

// Turn runs a benchmark in a fresh process, compiling it on its first turn.
func (s *Scheduled) Turn(ctx context.Context, c *Case, runs int) (Turn, error) {
	session, err := s.session(ctx, c, runs)
	if err != nil {
		return Turn{}, err
	}
	o, err := session.RunOnce(ctx)
	if err != nil {
		return Turn{}, err
	}
	if err := o.Err(); err != nil {
		return Turn{}, err
	}
	s.outcomes[c.Name] = o
	return Turn{Nanoseconds: o.Samples, Outputs: session.Outputs(), PeakGFLOPS: stats.Median(o.Probe)}, nil
}

func (s *Scheduled) session(ctx context.Context, c *Case, runs int) (*measure.Session, error) {
	if session, ok := s.sessions[c.Name]; ok {
		return session, nil
	}
	choice, err := s.choose(ctx, c)
	if err != nil {
		return nil, err
	}
	s.choices[c.Name] = choice
	session, err := s.lab.Session(ctx, measure.Candidate{Program: c.Program, Schedule: choice.Schedule},
		measure.Plan{Warmup: warmup, Samples: runs, Seed: s.seed, Budget: processBudget, Limit: processLimit})
	if err != nil {
		return nil, err
	}
	s.sessions[c.Name] = session
	return session, nil
}

// Describe adds the schedule and what was measured besides the time.
func (s *Scheduled) Describe(c *Case, e *results.Entry) {
	choice, o := s.choices[c.Name], s.outcomes[c.Name]
	e.Schedule, e.ChosenBy, e.Trials = choice.Schedule.String(), choice.By, choice.Trials
	e.PrepareMS, e.CompileMS, e.Versions.LLVM = o.PrepareNanoseconds/1e6, o.CompileMilliseconds, s.lab.LLVM()
	e.PreparedBytes, e.WorkspaceBytes = o.PreparedBytes, o.WorkspaceBytes
}
