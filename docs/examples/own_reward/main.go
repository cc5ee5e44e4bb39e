// Own_reward trains an agent for a reward of one's own: here the smallest object code.
//
//	go run ./docs/examples/own_reward
//
// It needs bin/nestling-worker, which `make build` makes. Its runs are below
// results/own_reward, where `nestling run` does not look for agents that make programs fast.
package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"nestling/codegen"
	"nestling/env"
	"nestling/measure"
	"nestling/policy"
	"nestling/ppo"
	"nestling/program"
	"nestling/results"
	"nestling/schedule"
	"nestling/suite"
)

// smallest rewards schedules by the size of their object code, against that of the default
// schedule. It is an env.Evaluator.
type smallest struct {
	lab   *measure.Lab
	usual map[string]float64 // bytes of the default schedule's object code, by program
}

// Evaluate judges a batch. A schedule that does not compile is a failure, no error.
func (s smallest) Evaluate(ctx context.Context, tasks []env.Task) ([]env.Feedback, error) {
	out := make([]env.Feedback, len(tasks))
	for i, t := range tasks {
		usual, err := s.ofDefault(ctx, t.Program)
		if err != nil {
			return nil, err
		}
		size, err := s.bytes(ctx, t.Program, t.Schedule)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			out[i] = env.Feedback{Failed: true, Reason: err.Error()}
		default:
			out[i] = env.Feedback{LogSpeedup: math.Log(usual / size)}
		}
	}
	return out, nil
}

// ofDefault is the size of a program by its default schedule, which is compiled once.
func (s smallest) ofDefault(ctx context.Context, p *program.Program) (float64, error) {
	if size, known := s.usual[p.Hash]; known {
		return size, nil
	}
	size, err := s.bytes(ctx, p, schedule.Default(p, s.lab.Machine()))
	if err == nil {
		s.usual[p.Hash] = size
	}
	return size, err
}

// bytes is the size of a program's object code by a schedule.
func (s smallest) bytes(ctx context.Context, p *program.Program, how schedule.Schedule) (float64, error) {
	o := s.lab.Options()
	code, err := schedule.Write(p, how, schedule.Options{Threads: o.Threads})
	if err != nil {
		return 0, err
	}
	result, err := s.lab.Compile(ctx, codegen.Request{Module: code.Module, Script: code.Script, Target: o.Target, Threads: o.Threads})
	return float64(len(result.Object)), err
}

// Baselines and Remember are for evaluators that compare with times measured before.
func (s smallest) Baselines() map[string]env.Baseline { return nil }

// Remember has nothing to keep.
func (s smallest) Remember(map[string]env.Baseline) {}

func main() {
	if err := train(context.Background(), filepath.Join("results", "own_reward"), ppo.Defaults()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// train trains an agent, whose run is below a folder, for a minute.
func train(ctx context.Context, root string, settings ppo.Config) error {
	lab, err := measure.Open(measure.Options{Threads: 1})
	if err != nil {
		return err
	}
	defer func() { _ = lab.Close() }()
	var programs []*program.Program
	for _, source := range suite.Generate(suite.Train, 1, 16) {
		p, err := lab.Analyse(ctx, []byte(source.Module), source.Name)
		if err != nil {
			return err
		}
		programs = append(programs, p)
	}
	run, err := results.NewRun(root, "lstm")
	if err != nil {
		return err
	}
	return ppo.Train(ctx, ppo.TrainOptions{
		Config: settings, Model: "lstm", Policy: policy.DefaultConfig("lstm"),
		Programs: programs, Machine: lab.Machine(), Evaluator: smallest{lab, map[string]float64{}}, Run: run, Budget: time.Minute,
		Report: func(m ppo.Metrics) error {
			_, err := fmt.Printf("iteration %d: %.2f of the usual size\n", m.Iteration, 1/m.Speedup)
			return err
		},
	})
}
