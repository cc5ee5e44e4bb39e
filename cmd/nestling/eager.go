package main

import (
	"context"
	"errors"
	"fmt"

	"nestling/baseline"
	"nestling/bench"
	"nestling/eval"
	"nestling/measure"
	"nestling/stats"
	"nestling/suite"
)

// eager is PyTorch eager, for evaluations on the nine benchmarks.
type eager struct {
	*bench.PyTorch
	lab *measure.Lab
}

// eagerRuns is how many runs a turn of PyTorch times.
const eagerRuns = 20

// eager starts the user's PyTorch.
func (s *settings) eager(ctx context.Context, lab *measure.Lab) (*eager, error) {
	python, err := baseline.FindPython(ctx, s.python)
	if err != nil {
		return nil, err
	}
	return &eager{bench.NewPyTorch(baseline.Options{Python: python, Method: baseline.Eager, Threads: lab.Options().Threads}), lab}, nil
}

// time is the median time of a run of a benchmark in a fresh process, in nanoseconds.
func (e *eager) time(ctx context.Context, c eval.Case) (float64, error) {
	for _, b := range suite.Nine() {
		if b.Name != c.Name {
			continue
		}
		inputs, _, err := e.lab.Reference(ctx, c.Program, 1)
		if err != nil {
			return 0, err
		}
		turn, err := e.Turn(ctx, &bench.Case{Benchmark: b, Program: c.Program, Inputs: inputs}, eagerRuns)
		if err := errors.Join(err, e.Close()); err != nil {
			return 0, err
		}
		return stats.Median(turn.Nanoseconds), nil
	}
	return 0, fmt.Errorf("%s is none of the nine benchmarks", c.Name)
}
