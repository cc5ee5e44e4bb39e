// Package optimize turns a user's own program into object code with the best
// schedule that an agent finds, and reports what that gained.
package optimize

import (
	"context"
	"fmt"
	"path/filepath"

	"nestling/agent"
	"nestling/codegen"
	"nestling/measure"
	"nestling/program"
	"nestling/results"
	"nestling/schedule"
)

// Options of one optimisation.
type Options struct {
	agent.Search
	Out string // folder for the files
}

// Report is what an optimisation found.
type Report struct {
	Program string `json:"program"`
	Agent   string `json:"agent"`
	// Rows are the unscheduled program, the default schedule and the agent's;
	// their methods are those names.
	Rows           []results.Entry `json:"rows"`
	Chosen         string          `json:"chosen"` // method of the row that was exported
	Schedule       string          `json:"schedule"`
	PreparedBytes  int64           `json:"prepared_bytes"`
	WorkspaceBytes int64           `json:"workspace_bytes"`
	// Libraries that the object file needs, as a linker is told them.
	Libraries []string `json:"libraries"`
	// Files written, by what they are.
	Files map[string]string `json:"files"`
}

// Names of the rows of a report.
const (
	Unscheduled = "unscheduled"
	Default     = "default"
	Agent       = "agent"
)

// Run lets the agent schedule the program, measures it beside the unscheduled
// program and the default schedule, and exports the agent's schedule, or the
// default one where that turned out faster.
func Run(ctx context.Context, lab *measure.Lab, a *agent.Agent, p *program.Program, o Options) (*Report, error) {
	choice, err := a.Choose(ctx, lab, p, o.Search)
	if err != nil {
		return nil, err
	}
	schedules := []schedule.Schedule{nil, schedule.Default(p, lab.Machine()), choice.Schedule}
	r := &Report{Program: p.Name, Agent: a.String()}
	var contestants []*contestant
	for i, name := range []string{Unscheduled, Default, Agent} {
		contestants = append(contestants, &contestant{name: name, candidate: measure.Candidate{Program: p, Schedule: schedules[i]}})
	}
	if r.Rows, err = time(ctx, lab, o.Seed, contestants...); err != nil {
		return nil, err
	}
	r.Rows[2].ChosenBy, r.Rows[2].Trials = choice.By, choice.Trials
	best, err := pick(r.Rows[1], r.Rows[2])
	if err != nil {
		return nil, err
	}
	r.Chosen = best.Method
	chosen := schedules[2]
	if best.Method == Default {
		chosen = schedules[1]
	}
	r.Schedule = chosen.String()
	return r, export(ctx, lab, p, chosen, o.Out, r)
}

// pick is the agent's row unless that failed or the default one is faster.
func pick(byDefault, byAgent results.Entry) (results.Entry, error) {
	switch {
	case !byAgent.Failed() && (byDefault.Failed() || byAgent.MedianTimeMS <= byDefault.MedianTimeMS):
		return byAgent, nil
	case !byDefault.Failed():
		return byDefault, nil
	}
	return results.Entry{}, fmt.Errorf("neither the agent's nor the default schedule gave a right result: %s", byDefault.Error)
}

// export compiles once more for the files: what is written is what was timed.
func export(ctx context.Context, lab *measure.Lab, p *program.Program, s schedule.Schedule, dir string, r *Report) error {
	options := lab.Options()
	written, err := schedule.Write(p, s, schedule.Options{Threads: options.Threads})
	if err != nil {
		return err
	}
	code, err := lab.Compile(ctx, codegen.Request{Module: written.Module, Script: written.Script, Target: options.Target, Threads: options.Threads})
	if err != nil {
		return err
	}
	r.Libraries = []string{"-lm"}
	if options.Threads > 1 {
		r.Libraries = append(r.Libraries, "-lomp")
	}
	r.PreparedBytes, r.WorkspaceBytes, r.Files = code.PreparedBytes, code.WorkspaceBytes, map[string]string{}
	for _, f := range []struct {
		what, name string
		content    []byte
	}{
		{"schedule", p.Name + ".sched", []byte(r.Schedule)},
		{"module", p.Name + ".mlir", []byte(written.Module)},
		{"script", p.Name + ".transform.mlir", []byte(written.Script)},
		{"object", p.Name + ".o", code.Object},
		{"header", p.Name + ".h", []byte(code.Header)},
	} {
		r.Files[f.what] = filepath.Join(dir, f.name)
		if err := results.WriteFile(r.Files[f.what], f.content); err != nil {
			return err
		}
	}
	r.Files["report"] = filepath.Join(dir, "report.json")
	return results.WriteJSON(r.Files["report"], r)
}
