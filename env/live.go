package env

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"nestling/measure"
	"nestling/program"
	"nestling/schedule"
)

// Lab measures candidates; *measure.Lab is one.
type Lab interface {
	Evaluate(ctx context.Context, batch []measure.Candidate, plan measure.Plan) ([]measure.Outcome, error)
}

// Live judges schedules by compiling, checking and timing them. The default
// schedule of each program is measured before its first candidate, and again beside what
// Again confirms. A Live is not safe for concurrent use: no two timings run at once.
type Live struct {
	lab       Lab
	plan      measure.Plan
	against   func(*program.Program) schedule.Schedule // what schedules are compared with
	baselines map[string]Baseline                      // of the default schedule, by program hash
	broken    map[string]string                        // why the default schedule has none
}

// NewLive judges on one laboratory; every measurement follows the plan.
func NewLive(lab Lab, plan measure.Plan, m schedule.Machine) *Live {
	return NewLiveAgainst(lab, plan, func(p *program.Program) schedule.Schedule { return schedule.Default(p, m) })
}

// NewLiveAgainst compares with other schedules than the default ones.
func NewLiveAgainst(lab Lab, plan measure.Plan, against func(*program.Program) schedule.Schedule) *Live {
	return &Live{lab: lab, plan: plan, against: against,
		baselines: map[string]Baseline{}, broken: map[string]string{}}
}

// Baselines are the default schedules' times so far, by program hash.
func (l *Live) Baselines() map[string]Baseline { return maps.Clone(l.baselines) }

// Remember takes baselines measured by an earlier process.
func (l *Live) Remember(baselines map[string]Baseline) { maps.Copy(l.baselines, baselines) }

// Evaluate measures the missing baselines, then each different task once.
func (l *Live) Evaluate(ctx context.Context, tasks []Task) ([]Feedback, error) {
	return l.evaluate(ctx, tasks, l.plan)
}

// processes is how many a schedule is timed in that much hangs on: a program's default
// schedule, for it is in all rewards, and what is measured again. One process in ten is
// slower or faster by more than a tenth than most are, for where its memory lies.
const processes = 2

// Again measures tasks in new processes, whatever the laboratory remembers, each beside the
// default schedule of its program, which it is compared with. Other machines on the same
// host slow some kernels down to half their speed for seconds, and the peak loop not at all:
// a default schedule that met that when it was measured first would make everything else look
// fast. Its baseline becomes the mean of all its measurements.
func (l *Live) Again(ctx context.Context, tasks []Task) ([]Feedback, error) {
	fresh := l.plan
	fresh.Fresh, fresh.Processes = true, processes
	beside := slices.Clone(tasks)
	for _, t := range tasks {
		beside = append(beside, Task{t.Program, l.against(t.Program)})
	}
	feedback, err := l.evaluate(ctx, beside, fresh)
	if err != nil {
		return nil, err
	}
	feedback, usual := feedback[:len(tasks)], feedback[len(tasks):]
	corrected := map[string]bool{}
	for i, t := range tasks {
		if !usual[i].Measured() {
			continue
		}
		f, hash := &feedback[i], t.Program.Hash
		if f.Measured() {
			f.LogSpeedup -= usual[i].LogSpeedup
		}
		if !corrected[hash] {
			corrected[hash] = true
			l.baselines[hash] = l.baselines[hash].with(usual[i].LogSpeedup)
		}
	}
	return feedback, nil
}

// with is the baseline with one measurement more, which was faster by so much in logarithms.
func (b Baseline) with(faster float64) Baseline {
	b.Times = max(b.Times, 1) + 1
	factor := math.Exp(-faster / float64(b.Times))
	b.Ratio, b.Nanoseconds = b.Ratio*factor, b.Nanoseconds*factor
	return b
}

func (l *Live) evaluate(ctx context.Context, tasks []Task, plan measure.Plan) ([]Feedback, error) {
	if err := l.measureBaselines(ctx, tasks); err != nil {
		return nil, err
	}
	first := map[recordKey]int{} // index into batch
	var batch []measure.Candidate
	for _, t := range tasks {
		key := recordKey{t.Program.Hash, t.Schedule.String()}
		if _, seen := first[key]; !seen && l.unusable(t.Program.Hash) == "" {
			first[key] = len(batch)
			batch = append(batch, measure.Candidate{
				Program: t.Program, Schedule: t.Schedule,
				Baseline: l.baselines[t.Program.Hash].Nanoseconds,
			})
		}
	}
	outcomes, err := l.lab.Evaluate(ctx, batch, plan)
	if err != nil {
		return nil, fmt.Errorf("measuring %d schedules: %w", len(batch), err)
	}
	out := make([]Feedback, len(tasks))
	for i, t := range tasks {
		hash := t.Program.Hash
		if why := l.unusable(hash); why != "" {
			out[i] = Feedback{Reason: why}
			continue
		}
		j := first[recordKey{hash, t.Schedule.String()}]
		out[i] = feedback(outcomes[j], l.baselines[hash])
		outcomes[j].Cached = true // the next task that asks for it gets it for nothing
	}
	return out, nil
}

// unusable tells why there is nothing to compare a program's schedules with, "" where there
// is.
func (l *Live) unusable(hash string) string {
	if why := l.broken[hash]; why != "" {
		return "the default schedule cannot be measured: " + why
	}
	if _, known := l.baselines[hash]; !known {
		return "the default schedule's measurement was cut short from outside"
	}
	return ""
}

func feedback(o measure.Outcome, baseline Baseline) Feedback {
	if o.Status != measure.OK {
		return Feedback{Failed: !o.Accident, Reason: fmt.Sprintf("%s: %s", o.Status, o.Error), Cached: o.Cached}
	}
	return Feedback{
		LogSpeedup:  math.Log(baseline.Ratio / o.Ratio),
		Uncertainty: math.Hypot(baseline.Uncertainty, o.Uncertainty()),
		Cached:      o.Cached,
	}
}

func (l *Live) measureBaselines(ctx context.Context, tasks []Task) error {
	var batch []measure.Candidate
	asked := map[string]bool{}
	for _, t := range tasks {
		hash := t.Program.Hash
		if _, known := l.baselines[hash]; !known && !asked[hash] && l.broken[hash] == "" {
			asked[hash] = true
			batch = append(batch, l.baseline(t.Program))
		}
	}
	if len(batch) == 0 {
		return nil
	}
	plan := l.plan
	plan.Processes = processes
	outcomes, err := l.lab.Evaluate(ctx, batch, plan)
	if err != nil {
		return fmt.Errorf("measuring the default schedules of %d programs: %w", len(batch), err)
	}
	for i, o := range outcomes {
		hash := batch[i].Program.Hash
		switch {
		case o.Status == measure.OK:
			l.baselines[hash] = Baseline{Ratio: o.Ratio, Nanoseconds: o.Nanoseconds, Uncertainty: o.Uncertainty(), Times: 1}
		case !o.Accident: // or else it is measured the next time
			l.broken[hash] = fmt.Sprintf("%s: %s", o.Status, o.Error)
		}
	}
	return nil
}

func (l *Live) baseline(p *program.Program) measure.Candidate {
	return measure.Candidate{Program: p, Schedule: l.against(p)}
}
