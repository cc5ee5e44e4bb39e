package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"nestling/agent"
	"nestling/measure"
	"nestling/program"
	"nestling/results"
	"nestling/schedules"
	"nestling/suite"
)

// oneProgram checks the arguments of a command that works on one program.
func oneProgram(c *cobra.Command, args []string) error {
	if len(args) == 1 && args[0] != "" {
		return nil
	}
	return fmt.Errorf("%d programs given, not one: nestling %s", len(args), c.Use)
}

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

// agentRun is openRun for those who want an agent: where none was trained, the checkpoint
// that ships with Nestling becomes a run.
func (s *settings) agentRun(path string) (*results.Run, error) {
	run, err := s.openRun(path)
	if path != "" || !errors.Is(err, results.ErrNoModel) || !slices.Contains(agent.Shipped(), defaultModel) {
		return run, err
	}
	if run, err = agent.Unpack(s.results, defaultModel); err == nil {
		fmt.Fprintf(os.Stderr, "no agent was trained here yet: the one that ships with Nestling is unpacked into %s\n", run.Dir)
	}
	return run, err
}

// loadAgent loads the agent of a run, "" for the latest run.
func (s *settings) loadAgent(lab *measure.Lab, path string) (*agent.Agent, error) {
	run, err := s.agentRun(path)
	if err != nil {
		return nil, err
	}
	return s.agentOf(lab, run)
}

// agentOf loads the agent of a run, which is to keep within the tolerance.
func (s *settings) agentOf(lab *measure.Lab, run *results.Run) (*agent.Agent, error) {
	return agent.Load(run, lab.Machine(), schedules.ForbidsWinograd(s.tolerance))
}
