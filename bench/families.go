package bench

import (
	"context"
	"math"
	"slices"
	"time"

	"nestling/measure"
	"nestling/program"
	"nestling/results"
	"nestling/schedule"
	"nestling/stats"
	"nestling/suite"
)

// FamilyOptions say how carefully to measure.
type FamilyOptions struct {
	Rounds   int // fresh processes of each of the two, in turns
	Samples  int // blocks per process
	MinBlock time.Duration
	Budget   time.Duration // of one process
	Seed     uint64
	// Progress is told what is being run, and how many of how many are done.
	Progress func(done, total int, what string)
}

// Families measures each case unscheduled and by the default schedule, in turns and
// with every result checked. What fails has its reason in its row. When ctx ends
// early, the rows so far are returned beside its error.
func Families(ctx context.Context, lab *measure.Lab, cases []suite.Case, o FamilyOptions) ([]results.FamilyRow, error) {
	var rows []results.FamilyRow
	for i, c := range cases {
		o.Progress(i, len(cases), c.Name)
		row, err := familyRow(ctx, lab, c, o)
		if ctx.Err() != nil {
			return rows, ctx.Err()
		}
		if err != nil {
			row.Error = oneLine(err).Error()
		}
		rows = append(rows, row)
	}
	o.Progress(len(cases), len(cases), "")
	return rows, nil
}

func familyRow(ctx context.Context, lab *measure.Lab, c suite.Case, o FamilyOptions) (results.FamilyRow, error) {
	row := results.FamilyRow{Name: c.Name, Family: c.Family, MemoryBound: c.MemoryBound, Threads: lab.Options().Threads}
	p, err := lab.Analyse(ctx, []byte(c.Module), c.Name+".mlir")
	if err != nil {
		return row, err
	}
	chosen := schedule.Default(p, lab.Machine())
	for _, op := range chosen {
		row.Schedule = append(row.Schedule, op.String())
	}
	outcomes, err := turns(ctx, lab, p, []schedule.Schedule{nil, chosen}, measure.Plan{
		Warmup: warmup, Samples: o.Samples, MinBlock: o.MinBlock, Budget: o.Budget, Limit: processLimit,
		Seed: o.Seed, Stream: c.MemoryBound,
	}, o.Rounds)
	if err != nil {
		return row, err
	}
	fill(&row, p, outcomes[0], outcomes[1])
	return row, nil
}

// turns runs the schedules of one program in turns, each in fresh processes:
// outcomes[i][round] is that of schedules[i].
func turns(ctx context.Context, lab *measure.Lab, p *program.Program, schedules []schedule.Schedule, plan measure.Plan, rounds int) ([][]measure.Outcome, error) {
	sessions := make([]*measure.Session, len(schedules))
	for i, s := range schedules {
		var err error
		if sessions[i], err = lab.Session(ctx, measure.Candidate{Program: p, Schedule: s}, plan); err != nil {
			return nil, err
		}
	}
	outcomes := make([][]measure.Outcome, len(schedules))
	for range rounds {
		for i, s := range sessions {
			o, err := s.RunOnce(ctx)
			if err == nil {
				err = o.Err()
			}
			if err != nil {
				return nil, err
			}
			outcomes[i] = append(outcomes[i], o)
		}
	}
	return outcomes, nil
}

// fill takes a row's figures from what was measured.
func fill(r *results.FamilyRow, p *program.Program, unscheduled, chosen []measure.Outcome) {
	r.UnscheduledMS = median(unscheduled, func(o measure.Outcome) float64 { return o.Nanoseconds }) / 1e6
	r.DefaultMS = median(chosen, func(o measure.Outcome) float64 { return o.Nanoseconds }) / 1e6
	ratio := func(o measure.Outcome) float64 { return o.Ratio }
	r.Speedup = median(unscheduled, ratio) / median(chosen, ratio)
	r.GFLOPS = p.Flops() / r.DefaultMS / 1e6
	r.PeakShare = r.GFLOPS / median(chosen, func(o measure.Outcome) float64 { return stats.Median(o.Probe) })
	for _, o := range slices.Concat(unscheduled, chosen) {
		r.MaxError = math.Max(r.MaxError, o.MaxError)
	}
	if !r.MemoryBound {
		return
	}
	bytes := traffic(p)
	r.Bytes = bytes
	r.GBs = bytes / r.DefaultMS / 1e6
	r.StreamGBs = median(chosen, func(o measure.Outcome) float64 { return stats.Median(o.Stream) })
	r.StreamShare = median(chosen, func(o measure.Outcome) float64 {
		shares := make([]float64, len(o.Samples))
		for i := range shares {
			shares[i] = bytes / o.Samples[i] / o.Stream[i]
		}
		return stats.Median(shares)
	})
}

func median(outcomes []measure.Outcome, of func(measure.Outcome) float64) float64 {
	values := make([]float64, len(outcomes))
	for i, o := range outcomes {
		values[i] = of(o)
	}
	return stats.Median(values)
}

// traffic is the bytes of a program's arguments and results.
func traffic(p *program.Program) float64 {
	elements := 0
	for _, v := range slices.Concat(p.Args, p.Results) {
		elements += p.Values[v].Elements()
	}
	return 4 * float64(elements)
}
