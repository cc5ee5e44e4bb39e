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
)

// eagerRuns is how many runs a turn of PyTorch times.
const eagerRuns = 20

// eager finds the user's PyTorch, and returns what times a program in it: the median of a
// run in a fresh process, in nanoseconds. A wrong result is an error.
func (s *settings) eager(ctx context.Context, lab *measure.Lab) (func(context.Context, eval.Case) (float64, error), error) {
	python, err := baseline.FindPython(ctx, s.python)
	if err != nil {
		return nil, err
	}
	pytorch := bench.NewPyTorch(baseline.Options{Python: python, Method: baseline.Eager, Threads: lab.Options().Threads})
	return func(ctx context.Context, c eval.Case) (float64, error) {
		inputs, reference, err := lab.Reference(ctx, c.Program, 1)
		if err != nil {
			return 0, err
		}
		turn, err := pytorch.Turn(ctx, &bench.Case{Benchmark: *c.PyTorch, Program: c.Program, Inputs: inputs}, eagerRuns)
		if err := errors.Join(err, pytorch.Close()); err != nil {
			return 0, err
		}
		if _, err := reference.Check(turn.Outputs, lab.Options().Tolerance); err != nil {
			return 0, fmt.Errorf("PyTorch's result: %w", err)
		}
		return stats.Median(turn.Nanoseconds), nil
	}, nil
}
