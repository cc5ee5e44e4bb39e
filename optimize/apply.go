package optimize

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"nestling/codegen"
	"nestling/measure"
	"nestling/program"
	"nestling/results"
	"nestling/schedule"
)

// ApplyOptions say what to do with a schedule written by hand.
type ApplyOptions struct {
	Schedule schedule.Schedule
	Target   codegen.Target // of another CPU: compile only
	IR       bool           // the module after each action
	Assembly bool
}

// Step is the module after one action.
type Step struct {
	Action string `json:"action"` // "matmul0: T(8,32,0)"
	IR     string `json:"ir"`
}

// Applied is what a schedule became.
type Applied struct {
	Schedule string           `json:"schedule"`
	Script   string           `json:"script"`
	Steps    []Step           `json:"steps,omitempty"`
	Assembly string           `json:"assembly,omitempty"`
	Timings  []codegen.Timing `json:"compile_ms"`
	Row      *results.Entry   `json:"result,omitempty"` // nil when it was compiled for another CPU
}

// Apply compiles a schedule and, for the host, checks and times it. A schedule
// that is wrong or dies is an error.
func Apply(ctx context.Context, lab *measure.Lab, p *program.Program, o ApplyOptions) (*Applied, error) {
	threads := lab.Options().Threads
	written, err := schedule.Write(p, o.Schedule, schedule.Options{Threads: threads})
	if err != nil {
		return nil, err
	}
	a := &Applied{Schedule: o.Schedule.String(), Script: written.Script}
	if o.IR {
		if a.Steps, err = steps(ctx, lab, p, o.Schedule, threads); err != nil {
			return nil, err
		}
	}
	code, err := lab.Compile(ctx, codegen.Request{Module: written.Module, Script: written.Script, Target: o.Target, Threads: threads, Assembly: o.Assembly})
	if err != nil && strings.Contains(err.Error(), "not a recognized processor") {
		return nil, fmt.Errorf("no CPU %q; LLVM spells them as in x86-64-v3, skylake, icelake-server, znver4", o.Target.CPU)
	}
	if err != nil {
		return nil, err
	}
	a.Assembly, a.Timings = code.Assembly, code.Timings
	if o.Target.CPU != "" {
		return a, nil
	}
	rows, err := timeInTurns(ctx, lab, 1, &contestant{name: "schedule", candidate: measure.Candidate{Program: p, Schedule: o.Schedule}})
	if err != nil {
		return nil, err
	}
	if rows[0].Failed() {
		return nil, errors.New(rows[0].Error)
	}
	a.Row = &rows[0]
	return a, nil
}

// steps compiles every beginning of the schedule for the module it leaves. Actions
// are taken as they are applied: rewrites from the first line to the last, then loop
// actions from the last operation to the first.
func steps(ctx context.Context, lab *measure.Lab, p *program.Program, s schedule.Schedule, threads int) ([]Step, error) {
	order, err := applied(p, s, threads)
	if err != nil {
		return nil, err
	}
	var out []Step
	counts := make([]int, len(s)) // of the actions of each line so far
	for _, line := range order {
		counts[line]++
		var begun schedule.Schedule
		for i, n := range counts {
			if n > 0 {
				begun = append(begun, beginning(s[i], n))
			}
		}
		written, err := schedule.Write(p, begun, schedule.Options{Threads: threads})
		if err != nil {
			return nil, err
		}
		code, err := lab.Compile(ctx, codegen.Request{Module: written.Module, Script: written.Script, Threads: threads, IR: true})
		if err != nil {
			return nil, err
		}
		for _, stage := range code.Stages {
			if stage.Name == codegen.TensorStage {
				out = append(out, Step{Action: s[line].Op + ": " + s[line].Actions[counts[line]-1].String(), IR: stage.IR})
			}
		}
	}
	return out, nil
}

// applied lists, for each action in the order of their application, its line.
func applied(p *program.Program, s schedule.Schedule, threads int) ([]int, error) {
	rewritten, _, err := schedule.Rewrite(p, s, schedule.Options{Threads: threads})
	if err != nil {
		return nil, err
	}
	var order []int
	for line, op := range s {
		order = append(order, slices.Repeat([]int{line}, rewrites(op))...)
	}
	for _, op := range slices.Backward(rewritten.Ops) {
		line := slices.IndexFunc(s, func(o schedule.OpSchedule) bool { return o.Op == op.Name })
		if line >= 0 {
			order = append(order, slices.Repeat([]int{line}, len(s[line].Actions)-rewrites(s[line]))...)
		}
	}
	return order, nil
}

// rewrites counts the rewrites at the beginning of a line.
func rewrites(op schedule.OpSchedule) int {
	n := slices.IndexFunc(op.Actions, func(a schedule.Action) bool { return !a.Kind.IsRewrite() })
	if n < 0 {
		return len(op.Actions)
	}
	return n
}

// beginning is an operation's schedule up to n actions. NT, which changes
// nothing, ends it where its last action does not.
func beginning(op schedule.OpSchedule, n int) schedule.OpSchedule {
	actions := slices.Clone(op.Actions[:n])
	if n < len(op.Actions) {
		actions = append(actions, schedule.Action{Kind: schedule.NoTransform})
	}
	return schedule.OpSchedule{Op: op.Op, Actions: actions}
}

// WriteText prints what a schedule became, for people.
func (a *Applied) WriteText(w io.Writer) error {
	for _, s := range a.Steps {
		fmt.Fprintf(w, "// after %s\n%s\n", s.Action, s.IR)
	}
	if a.Assembly != "" {
		fmt.Fprintln(w, a.Assembly)
	}
	total := 0.0
	var parts []string
	for _, t := range a.Timings {
		total += t.Milliseconds
		parts = append(parts, fmt.Sprintf("%s %.1f", t.Stage, t.Milliseconds))
	}
	if _, err := fmt.Fprintf(w, "compiled in %.1f ms (%s)\n", total, strings.Join(parts, ", ")); err != nil || a.Row == nil {
		return err
	}
	_, err := fmt.Fprintf(w, "ran right in %.4g ms, %.4g GFLOP/s, %.0f %% of the peak, largest error %.1e\n",
		a.Row.MedianTimeMS, a.Row.GFLOPS, 100*a.Row.PeakShare, a.Row.MaxError)
	return err
}
