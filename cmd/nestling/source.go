package main

import (
	"context"
	"path/filepath"
	"slices"

	"nestling/agent"
	"nestling/measure"
	"nestling/program"
	"nestling/results"
	"nestling/suite"
)

// readProgram analyses a file of MLIR, or one of the nine benchmarks by name.
func readProgram(ctx context.Context, lab *measure.Lab, source string) (*program.Program, error) {
	if filepath.Ext(source) == "" && slices.Contains(suite.Names(), source) {
		b, err := suite.Find(source)
		if err != nil {
			return nil, err
		}
		return lab.Analyse(ctx, []byte(b.Module), b.Name+".mlir")
	}
	text, err := suite.ReadModule(source)
	if err != nil {
		return nil, err
	}
	return lab.Analyse(ctx, text, source)
}

// openRun opens the run at a path, or the one that was trained last.
func (s *settings) openRun(path string) (*results.Run, error) {
	if path != "" {
		return results.OpenRun(path)
	}
	return results.Latest(s.results)
}

// loadAgent loads the newest checkpoint of a run, "" for the latest run.
func (s *settings) loadAgent(lab *measure.Lab, path string) (*agent.Agent, error) {
	run, err := s.openRun(path)
	if err != nil {
		return nil, err
	}
	return agent.Load(run, lab.Machine())
}
