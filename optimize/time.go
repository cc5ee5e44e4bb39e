package optimize

import (
	"context"

	"nestling/measure"
	"nestling/results"
	"nestling/stats"
)

// processes is how many fresh processes a report's times come from.
const processes = 5

// contestant is a schedule that takes turns with others.
type contestant struct {
	name      string // the row's method
	candidate measure.Candidate
	session   *measure.Session
	samples   [][]float64 // milliseconds, by process
	peaks     []float64   // GFLOP/s
	latest    measure.Outcome
	err       error // what ended its turns
	accident  bool  // that came from outside
}

// timeInTurns measures contestants, each in as many fresh processes, one process of
// each after the other: the clock drifts by more than schedules differ. That one
// fails is a row with an error.
func timeInTurns(ctx context.Context, lab *measure.Lab, seed uint64, contestants ...*contestant) ([]results.Entry, error) {
	for _, c := range contestants {
		var err error
		if c.session, err = lab.Session(ctx, c.candidate, measure.Plan{Warmup: 2, Samples: 6, Seed: seed}); err != nil {
			return nil, err
		}
	}
	for range processes {
		for _, c := range contestants {
			if err := c.turn(ctx); err != nil {
				return nil, err
			}
		}
	}
	var rows []results.Entry
	for _, c := range contestants {
		rows = append(rows, c.row(lab))
	}
	return rows, nil
}

// turn is one process, unless one before it failed.
func (c *contestant) turn(ctx context.Context) error {
	if c.err != nil {
		return nil
	}
	o, err := c.session.RunOnce(ctx)
	if err != nil {
		return err
	}
	if c.err, c.accident = o.Err(), o.Accident; c.err != nil {
		return nil
	}
	c.samples, c.peaks, c.latest = append(c.samples, milliseconds(o.Samples)), append(c.peaks, o.Probe...), o
	return nil
}

func (c *contestant) row(lab *measure.Lab) results.Entry {
	p := c.candidate.Program
	if c.err != nil {
		e := results.NewFailure(c.name, p.Name, c.err)
		e.Schedule = c.candidate.Schedule.String()
		return e
	}
	e := results.NewEntry(c.name, p.Name, c.samples)
	e.Threads, e.Schedule = lab.Options().Threads, c.candidate.Schedule.String()
	e.GFLOPS = p.Flops() / e.MedianTimeMS / 1e6
	e.PeakGFLOPS = stats.Median(c.peaks)
	e.PeakShare = e.GFLOPS / e.PeakGFLOPS
	e.MaxError, e.PrepareMS, e.CompileMS = c.latest.MaxError, c.latest.PrepareNanoseconds/1e6, c.latest.CompileMilliseconds
	e.PreparedBytes, e.WorkspaceBytes = c.latest.PreparedBytes, c.latest.WorkspaceBytes
	e.Versions.LLVM = lab.LLVM()
	return e
}

func milliseconds(nanoseconds []float64) []float64 {
	out := make([]float64, len(nanoseconds))
	for i, ns := range nanoseconds {
		out[i] = ns / 1e6
	}
	return out
}
