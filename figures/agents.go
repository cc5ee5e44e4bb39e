package figures

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"nestling/eval"
	"nestling/report"
	"nestling/results"
	"nestling/training"
)

// evaluation is what `nestling eval` has written of an agent.
type evaluation struct {
	eval.Report
	name string // of the agent, for people
	run  string // of the agent, for the command
	seed uint64 // of its training
	on   string // the set, in words
}

// WriteAgents composes the page of agents from their runs: how each and its teachers were
// trained, and its evaluations on the nine benchmarks and on test programs, as far as there
// are any. The picture of all curves is written beside it, as images/agents.png.
func WriteAgents(path string, runs []*results.Run) error {
	var b bytes.Buffer
	b.WriteString("# Agents\n\nWritten by `make agents`; every figure is from one machine and can be made again there. [How agents work](agent.md).\n\n" +
		"Agents keep each thread on a core of its own while they learn and are evaluated, and PyTorch's go where the system puts them: `nestling bench` is what compares the two on equal terms.\n\n")
	agents, err := readHistories(runs)
	if err != nil {
		return err
	}
	evaluations, err := readEvaluations(agents)
	if err != nil {
		return err
	}
	var machines []results.MachineInfo
	for _, e := range evaluations {
		machines = append(machines, e.Machine)
	}
	writeMachines(&b, machines)
	trainings := trainingsOf(agents)
	writeTrainings(&b, trainings)
	if err := writeCurves(&b, path, trainings); err != nil {
		return err
	}
	writeValidation(&b, trainings)
	writeShares(&b, evaluations)
	for _, e := range evaluations {
		if err := writeEvaluation(&b, e); err != nil {
			return err
		}
	}
	return results.WriteFile(path, b.Bytes())
}

func readHistories(runs []*results.Run) ([]history, error) {
	var all []history
	for _, run := range runs {
		h, err := readHistory(run)
		if err != nil {
			return nil, err
		}
		all = append(all, h)
	}
	return all, nil
}

// trainingsOf are the histories of agents and of all their teachers, a teacher before what
// it taught and each of them once.
func trainingsOf(agents []history) []history {
	var all []history
	seen := map[string]bool{}
	for _, h := range agents {
		for i, s := range h.stages {
			if dir := absolute(s.run.Dir); !seen[dir] {
				seen[dir] = true
				all = append(all, history{h.stages[:i+1], h.lost})
			}
		}
	}
	return all
}

// writeTrainings writes the table of trainings.
func writeTrainings(w io.Writer, trainings []history) {
	fmt.Fprint(w, "An agent with a teacher learns from the start what the teacher has found: its time and its schedules count the teacher's before its own. "+
		"All other columns are of the one training. The settings are those that differ from the command's own.\n\n")
	fmt.Fprint(w, "| model | run | command | time | schedules | iterations | new schedules a second | failed | network's share | mean reward of the last 10 | entropy, mean of about 5 iterations |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, h := range trainings {
		s := h.own()
		over := ""
		if s.setup.Preset != "" {
			over = " over " + s.setup.Over()
		}
		last := s.last()
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %d | %.1f | %d | %.0f %% | %.2f%s | %s |\n",
			agentName(h), near(s.run.Dir), s.command(), h.time(), h.trials(), last.Iteration,
			float64(s.fresh)/last.Elapsed, s.failed, 100*s.network/last.Elapsed, s.recentReward(), over, s.entropy())
	}
	fmt.Fprintln(w)
}

// entropy tells how certain the policy was at last, at most, and at first. Logs of before have
// no means.
func (s stage) entropy() string {
	first, least := s.log[0].Entropy, math.Inf(1)
	if s.last().EntropyAverage == 0 {
		return fmt.Sprintf("%.2f in the last one, at first %.2f", s.last().Entropy, first)
	}
	for _, m := range s.log {
		least = math.Min(least, m.EntropyAverage)
	}
	return fmt.Sprintf("%.2f, least %.2f (%.0f %%), at first %.2f", s.last().EntropyAverage, least, 100*least/first, first)
}

// recentReward is the mean over the last iterations.
func (s stage) recentReward() float64 {
	sum, n := 0.0, min(10, len(s.log))
	for _, m := range s.log[len(s.log)-n:] {
		sum += m.Reward
	}
	return sum / float64(n)
}

// writeCurves draws how agents learned, beside the page at a path, and tells whose curve is
// not there.
func writeCurves(w io.Writer, path string, trainings []history) error {
	var curves []report.AgentCurve
	var without []string
	for _, h := range trainings {
		switch s := h.own(); {
		case s.setup.Preset != "":
			without = append(without, near(s.run.Dir)+", whose rewards are over "+s.setup.Over())
		case h.lost != "":
			without = append(without, near(s.run.Dir)+", for nobody knows when its teacher ended")
		default:
			curves = append(curves, h.curve())
		}
	}
	if len(curves) > 0 {
		picture := filepath.Join(filepath.Dir(path), "images", "agents.png")
		if err := os.MkdirAll(filepath.Dir(picture), 0o777); err != nil {
			return err
		}
		if err := report.AgentsPlot(picture, curves); err != nil {
			return err
		}
		fmt.Fprint(w, "![rewards of all agents by time and by schedules](images/agents.png)\n\nA reward of 0 is as fast as the default schedule, -1 a tenth as fast.\n\n")
	}
	if len(without) > 0 {
		fmt.Fprintf(w, "Not in the picture: %s.\n\n", strings.Join(without, "; "))
	}
	return nil
}

// curve is how the agent itself learned, from where its teachers ended.
func (h history) curve() report.AgentCurve {
	s := h.own()
	c := report.AgentCurve{Name: agentName(h)}
	before, tried := h.teachers().seconds(), h.teachers().schedules()
	for _, m := range s.log {
		tried += m.Episodes
		c.Minutes, c.Schedules, c.Reward = append(c.Minutes, (before+m.Elapsed)/60), append(c.Schedules, float64(tried)), append(c.Reward, m.Reward)
	}
	return c
}

// agentName is the model, and what its training was set up by if that is not our own.
func agentName(h history) string {
	s, lessons := h.own(), 0
	for _, taught := range h.stages {
		if taught.setup.Teacher != "" {
			lessons++
		}
	}
	name := s.run.Model + without(s.setup)
	if s.setup.Preset != "" {
		name = s.setup.Preset + " (" + s.run.Model + ")"
	}
	switch lessons {
	case 0:
		return name
	case 1:
		return name + ", taught"
	}
	return fmt.Sprintf("%s, taught %d times", name, lessons)
}

// without names the parts of our learning that a training was to do without.
func without(s training.Setup) string {
	var parts []string
	for _, part := range []struct {
		name string
		off  bool
	}{
		{"imitation", s.Config.Imitation == 0},
		{"branches", s.Config.Branches == 0},
		{"a cost model", !s.Config.CostModel},
	} {
		if part.off {
			parts = append(parts, part.name)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " without " + strings.Join(parts, ", ")
}

// sets are what agents are evaluated on, with the words for them.
var sets = [][2]string{{"nine", "the nine benchmarks"}, {"test", "test programs"}}

// readEvaluations reads what there is of each agent, in order.
func readEvaluations(agents []history) ([]evaluation, error) {
	var all []evaluation
	for _, h := range agents {
		run := h.own().run
		for _, set := range sets {
			content, err := os.ReadFile(filepath.Join(run.Dir, "eval", set[0]+".json"))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			e := evaluation{name: agentName(h), run: near(run.Dir), seed: h.own().setup.Config.Seed, on: set[1]}
			if err := json.Unmarshal(content, &e.Report); err != nil {
				return nil, fmt.Errorf("%s of %s: %w", set[0], run.Dir, err)
			}
			all = append(all, e)
		}
	}
	return all, nil
}

// writeShares writes a line for each evaluation: how near to the best known schedules.
func writeShares(w io.Writer, evaluations []evaluation) {
	if len(evaluations) == 0 {
		return
	}
	fmt.Fprint(w, "Shares of the speed of the best schedule known of each program; \"known\" are the reference schedules and all that the searches of the same evaluation found. By one trial nothing is searched: where there are no references, either, that is only what the first choice is compared with. "+
		"Geometric means with their 95 % intervals over programs, and the least. What failed has no speed: a mean says over how many programs it is, where that is not all.\n\n")
	fmt.Fprint(w, "| agent | seed | on | programs | greedy of best | least | trials | search of best | least | failures |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, e := range evaluations {
		fmt.Fprintf(w, "| %s | %d | %s | %d | %s | %d | %s | %s |\n",
			e.name, e.seed, e.on, len(e.Programs), shares(e.Programs, eval.Greedy), e.Trials, shares(e.Programs, eval.Search), failures(e.Programs))
	}
	fmt.Fprintln(w)
}

// shares are two cells: the geometric mean of a contestant's shares, and the least.
func shares(rows []*eval.Row, contestant string) string {
	all := eval.Shares(rows, contestant)
	if len(all) == 0 {
		return "– | –"
	}
	m := eval.MeanOf(all, len(rows))
	text := fmt.Sprintf("%.0f %%", 100*m.Value)
	if m.Programs > 1 {
		text += fmt.Sprintf(" (%.0f–%.0f %%)", 100*m.Interval.Low, 100*m.Interval.High)
	}
	if m.Programs < m.Of {
		text += fmt.Sprintf(" over %d of %d", m.Programs, m.Of)
	}
	return text + fmt.Sprintf(" | %.0f %%", 100*slices.Min(all))
}

// failures counts what failed of the agent's own schedules, and of the default ones that all
// are held against: "1 greedy, 2 search".
func failures(rows []*eval.Row) string {
	var all []string
	for _, name := range []string{eval.Default, eval.Greedy, eval.Search} {
		if n := eval.Failures(rows, name); n > 0 {
			all = append(all, fmt.Sprintf("%d %s", n, name))
		}
	}
	if len(all) == 0 {
		return "0"
	}
	return strings.Join(all, ", ")
}

func writeEvaluation(w io.Writer, e evaluation) error {
	fmt.Fprintf(w, "## %s, seed %d, on %s\n\nBy `%s`.\n\n```\n", e.name, e.seed, e.on, e.command())
	if err := report.Evaluation(&e.Report).Write(w, false); err != nil {
		return err
	}
	fmt.Fprint(w, "```\n\n")
	return nil
}

// command is what made the evaluation.
func (e evaluation) command() string {
	text := "nestling eval --run " + e.run
	for _, run := range e.Beside {
		text += " --beside " + near(run)
	}
	text += fmt.Sprintf(" --set %s --trials %d", e.Set, e.Trials)
	if e.Others > 0 {
		text += fmt.Sprintf(" --others %d", e.Others)
	}
	return text + " --search " + e.Search
}
