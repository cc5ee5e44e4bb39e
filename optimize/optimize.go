// Package optimize turns a user's own program into object code with the best
// schedule that an agent finds, and reports what that gained.
package optimize

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

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
	// Memory is the folder where what was found is kept, "" for none.
	Memory string
}

// Report is what an optimisation found.
type Report struct {
	Program string `json:"program"`
	Agent   string `json:"agent"`
	// Recalled tells that nothing was measured now: decision and rows are those of an
	// earlier optimisation that was the same.
	Recalled bool      `json:"recalled"`
	Measured time.Time `json:"measured"` // when the rows were
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

// Run lets the agent schedule the program, which the laboratory analysed, measures it
// beside the unscheduled program and the default schedule, and exports the agent's
// schedule, or the default one where that turned out faster.
func Run(ctx context.Context, lab *measure.Lab, a *agent.Agent, p *program.Program, o Options) (*Report, error) {
	f, err := memoryOf(lab, a, p, o).learn(func() (finding, error) { return find(ctx, lab, a, p, o.Search) })
	if err != nil {
		return nil, err
	}
	return conclude(ctx, lab, p, f, o.Out, Report{Agent: a.String()})
}

// Recall is Run of what was found before, when everything was the same: nothing is measured,
// and what is known is exported. The report is nil where nothing is known.
func Recall(ctx context.Context, lab *measure.Lab, a *agent.Agent, p *program.Program, o Options) (*Report, error) {
	f, err := memoryOf(lab, a, p, o).recall()
	if err != nil {
		return nil, nil // a file that is damaged is as good as none
	}
	return conclude(ctx, lab, p, f, o.Out, Report{Agent: a.String(), Recalled: true})
}

// conclude completes a report by a finding, and exports what was chosen.
func conclude(ctx context.Context, lab *measure.Lab, p *program.Program, f finding, dir string, r Report) (*Report, error) {
	s, err := f.schedule(p)
	if err != nil {
		return nil, err
	}
	r.Program, r.Measured, r.Rows, r.Chosen, r.Schedule = p.Name, f.Measured, f.Rows, f.Chosen, s.String()
	return &r, export(ctx, lab, p, s, dir, &r)
}

// find has the agent choose and everything measured.
func find(ctx context.Context, lab *measure.Lab, a *agent.Agent, p *program.Program, s agent.Search) (finding, error) {
	choice, err := a.Choose(ctx, lab, p, s)
	if err != nil {
		return finding{}, err
	}
	contestants := []*contestant{
		{name: Unscheduled, candidate: measure.Candidate{Program: p}},
		{name: Default, candidate: measure.Candidate{Program: p, Schedule: schedule.Default(p, lab.Machine())}},
		{name: Agent, candidate: measure.Candidate{Program: p, Schedule: choice.Schedule}},
	}
	rows, err := timeInTurns(ctx, lab, s.Seed, contestants...)
	if err != nil {
		return finding{}, err
	}
	rows[2].ChosenBy, rows[2].Trials = choice.By, choice.Trials
	best, err := pick(rows[1], rows[2])
	return finding{
		Measured: time.Now().UTC().Truncate(time.Second), Rows: rows, Chosen: best.Method,
		accident: slices.ContainsFunc(contestants, func(c *contestant) bool { return c.accident }),
	}, err
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
