// Package fuzz looks for schedules that are accepted and go wrong. It draws them
// at random from the whole vocabulary: what Check accepts must compile, end, and
// give the right result; everything else must be refused.
package fuzz

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"nestling/measure"
	"nestling/program"
	"nestling/schedule"
	"nestling/suite"
)

// batch is how many candidates compile together before they run.
const batch = 32

// maxFlops keeps the programs small: plain loops run them in a millisecond, and
// a wrong result shows in them as well as in larger ones.
const maxFlops = 2e6

// Options say how much to try.
type Options struct {
	Draws int    // schedules to try, those that are refused included
	Seed  uint64 // the same seed draws the same schedules
	// Progress is called now and then with the schedules tried so far.
	Progress func(done int)
}

// Finding is a schedule that was accepted and failed.
type Finding struct {
	Program    string `json:"program"`
	Schedule   string `json:"schedule"`
	Error      string `json:"error"`
	Reproducer string `json:"reproducer"` // folder with everything to repeat it
}

// Report is what came of the draws.
type Report struct {
	Draws    int                   `json:"draws"`
	Refused  int                   `json:"refused"`
	Right    int                   `json:"right"`
	Slow     int                   `json:"slow"` // right or not: they did not end in time
	Actions  map[schedule.Kind]int `json:"actions"`
	Findings []Finding             `json:"findings"`
}

// Run draws schedules for the programs until there are enough. A context that
// ends stops it, with what was found so far.
func Run(ctx context.Context, lab *measure.Lab, programs []*program.Program, o Options) (*Report, error) {
	rng := rand.New(rand.NewPCG(o.Seed, 0x66757a7a))
	r := &Report{Actions: map[schedule.Kind]int{}}
	options := schedule.Options{Threads: lab.Options().Threads}
	for r.Draws < o.Draws {
		var candidates []measure.Candidate
		for len(candidates) < batch && r.Draws < o.Draws {
			p := programs[rng.IntN(len(programs))]
			s := draw(p, options, rng)
			r.Draws++
			if schedule.Check(p, s) != nil {
				r.Refused++
				continue
			}
			candidates = append(candidates, measure.Candidate{Program: p, Schedule: s, Baseline: 1e6})
		}
		if err := r.try(ctx, lab, candidates); err != nil {
			if ctx.Err() != nil {
				return r, nil
			}
			return r, err
		}
		if o.Progress != nil {
			o.Progress(r.Draws)
		}
	}
	return r, nil
}

// try compiles, runs and checks a batch.
func (r *Report) try(ctx context.Context, lab *measure.Lab, candidates []measure.Candidate) error {
	outcomes, err := lab.Evaluate(ctx, candidates, measure.Plan{Samples: 1, Budget: 10 * time.Millisecond, Limit: 20 * time.Second, Fresh: true})
	if err != nil {
		return err
	}
	for i, o := range outcomes {
		for _, entry := range candidates[i].Schedule {
			for _, a := range entry.Actions {
				r.Actions[a.Kind]++
			}
		}
		switch o.Status {
		case measure.OK:
			r.Right++
		case measure.Timeout:
			r.Slow++
		default:
			r.Findings = append(r.Findings, Finding{Program: candidates[i].Program.Name, Schedule: candidates[i].Schedule.String(),
				Error: fmt.Sprintf("%s: %s", o.Status, o.Error), Reproducer: o.Reproducer})
		}
	}
	return nil
}

// Programs draws n small programs of every family, with sizes that divide by
// nothing among them, and analyses them.
func Programs(ctx context.Context, lab *measure.Lab, n int, seed uint64) ([]*program.Program, error) {
	rng := rand.New(rand.NewPCG(seed, 0x70726f67))
	sources := suite.Generate(suite.Validation, seed, 2*n)
	var programs []*program.Program
	for i := 0; len(programs) < n; i++ {
		source := sources[i/2]
		if i%2 == 0 {
			b := benchmark(rng, fmt.Sprintf("fuzz_%d", i))
			source = suite.Program{Name: b.Name, Module: b.Module}
		}
		p, err := lab.Analyse(ctx, []byte(source.Module), source.Name+".mlir")
		if err != nil {
			return nil, err
		}
		if p.Flops() <= maxFlops || i >= 3*n {
			programs = append(programs, p)
		}
	}
	return programs, nil
}

// benchmark is a small relative of the nine.
func benchmark(rng *rand.Rand, name string) suite.Benchmark {
	size := func(most int) int { return 1 + rng.IntN(most) }
	// Half of the channels are whole vectors, which most of the vocabulary is for.
	channels := func() int {
		if rng.IntN(2) == 0 {
			return 16 * size(3)
		}
		return size(40)
	}
	switch rng.IntN(5) {
	case 0:
		return suite.Matmul(name, size(64), channels(), size(64))
	case 1:
		return suite.Linear(name, size(64), channels(), channels())
	case 2:
		return suite.ResNetBlock(name, size(2), channels(), 3+rng.IntN(14), 3+rng.IntN(14))
	default:
		return suite.Conv2D(name, suite.Conv{Batch: size(3), In: channels(), Height: 3 + rng.IntN(18), Width: 3 + rng.IntN(18),
			Out: channels(), Kernel: []int{1, 3, 3, 3, 5}[rng.IntN(5)]})
	}
}
