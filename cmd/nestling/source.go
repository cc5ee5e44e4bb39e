package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"nestling/agent"
	"nestling/measure"
	"nestling/policy"
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

// openRun opens the run at a path, the latest run of a model, or, named "", the one that was
// trained last.
func (s *settings) openRun(name string) (*results.Run, error) {
	switch {
	case name == "":
		return results.Latest(s.results)
	case slices.Contains(policy.Names(), name):
		return results.LatestOf(s.results, name)
	}
	return results.OpenRun(name)
}

// shippedRun starts the names of runs that are the agents that ship with Nestling:
// shipped/lstm.
const shippedRun = "shipped/"

// agentRun is openRun for those who want an agent: where none was trained, the checkpoint
// that ships with Nestling becomes a run. That can be asked for by name, too.
func (s *settings) agentRun(name string) (*results.Run, error) {
	model, asked := strings.CutPrefix(name, shippedRun)
	if asked = asked && !strings.Contains(model, "/"); !asked {
		run, err := s.openRun(name)
		model = cmp.Or(name, defaultModel)
		if !errors.Is(err, results.ErrNoModel) || !slices.Contains(agent.Shipped(), model) {
			return run, err
		}
		fmt.Fprintf(os.Stderr, "no %s was trained here yet: ", cmp.Or(name, "agent"))
	}
	run, err := agent.Unpack(s.results, model)
	if err == nil {
		fmt.Fprintf(os.Stderr, "the %s that ships with Nestling is %s\n", model, run.Dir)
	}
	return run, err
}

// addAgent adds the flag that names an agent by its run.
func addAgent(flags *pflag.FlagSet, run *string) {
	flags.StringVar(run, "run", "", "agent, and where results go: a run's folder, a model for its latest run, or shipped/MODEL for the one that ships (default: the one trained last)")
}

// loadAgent loads the agent of a run, which is named as agentRun has it.
func (s *settings) loadAgent(lab *measure.Lab, name string) (*agent.Agent, error) {
	run, err := s.agentRun(name)
	if err != nil {
		return nil, err
	}
	return s.agentOf(lab, run)
}

// agentOf loads the agent of a run, which is to keep within the tolerance.
func (s *settings) agentOf(lab *measure.Lab, run *results.Run) (*agent.Agent, error) {
	return agent.Load(run, lab.Machine(), schedules.ForbidsWinograd(s.tolerance))
}
