package figures

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"nestling/eval"
	"nestling/report"
	"nestling/results"
	"nestling/stats"
	"nestling/training"
)

// evaluation is what `nestling eval` writes.
type evaluation struct {
	Agent    string      `json:"agent"`
	Set      string      `json:"set"`
	Trials   int         `json:"trials"`
	Search   string      `json:"search"`
	Programs []*eval.Row `json:"programs"`

	name string // of the agent, for people
	seed uint64
	on   string // the set, in words
}

// WriteAgents composes the page of agents from their runs: how each was trained, and its
// evaluations on the nine benchmarks and on test programs, as far as there are any. The
// picture of all curves is written beside it, as images/agents.png.
func WriteAgents(path string, runs []*results.Run) error {
	var b bytes.Buffer
	b.WriteString("# Agents\n\nWritten by `make agents`; every figure is from one machine and can be made again there. [How agents work](agent.md).\n\n" +
		"Agents keep each thread on a core of its own while they learn and are evaluated, and PyTorch's go where the system puts them: `nestling bench` is what compares the two on equal terms.\n\n")
	writeMachine(&b)
	b.WriteString("| model | command | time | iterations | schedules | a second | failed | network's share | mean reward of the last 10 | entropy |\n|---|---|---|---|---|---|---|---|---|---|\n")
	var curves []report.AgentCurve
	for _, run := range runs {
		curve, err := writeAgentTraining(&b, run)
		if err != nil {
			return err
		}
		if curve != nil {
			curves = append(curves, *curve)
		}
	}
	picture := filepath.Join(filepath.Dir(path), "images", "agents.png")
	if err := os.MkdirAll(filepath.Dir(picture), 0o777); err != nil {
		return err
	}
	if err := report.AgentsPlot(picture, curves); err != nil {
		return err
	}
	b.WriteString("\n![rewards of all agents by time and by schedules](images/agents.png)\n\n")
	evaluations, err := readEvaluations(runs)
	if err != nil {
		return err
	}
	writeShares(&b, evaluations)
	for _, e := range evaluations {
		if err := writeEvaluation(&b, e); err != nil {
			return err
		}
	}
	return results.WriteFile(path, b.Bytes())
}

// writeAgentTraining writes a line of the table and returns the curve behind it, nil where
// rewards are over something else than the default schedule.
func writeAgentTraining(w io.Writer, run *results.Run) (*report.AgentCurve, error) {
	log, sum, err := readTraining(run)
	if err != nil {
		return nil, err
	}
	setup, err := training.Read(run)
	if err != nil {
		return nil, err
	}
	c := &report.AgentCurve{Name: agentName(run, setup)}
	tried, recent, last := 0, 0.0, log[len(log)-1]
	for i, m := range log {
		tried += m.Episodes
		c.Minutes, c.Schedules, c.Reward = append(c.Minutes, m.Elapsed/60), append(c.Schedules, float64(tried)), append(c.Reward, m.Reward)
		if n := min(10, len(log)); i >= len(log)-n {
			recent += m.Reward / float64(n)
		}
	}
	flags, over := "", ""
	if setup.Preset != "" {
		flags += " --preset " + setup.Preset
		over = " over unscheduled loops"
	}
	if setup.Teacher != "" {
		flags += " --teacher RUN"
	}
	fmt.Fprintf(w, "| %s | `nestling train --model %s --programs %d --seed %d --threads %d%s` | %.0f s | %d | %d | %.1f new | %d | %.0f %% | %.2f%s | %.2f, at first %.2f |\n",
		c.Name, run.Model, setup.Programs, setup.Config.Seed, setup.Threads, flags, last.Elapsed, last.Iteration, sum.all,
		float64(sum.fresh)/last.Elapsed, sum.failed, 100*sum.network/last.Elapsed, recent, over, last.Entropy, log[0].Entropy)
	if setup.Preset != "" {
		return nil, nil
	}
	return c, nil
}

// agentName is the model, and what its training was set up by if that is not our own.
func agentName(run *results.Run, setup training.Setup) string {
	switch {
	case setup.Preset != "":
		return setup.Preset + " (" + run.Model + ")"
	case setup.Teacher != "":
		return run.Model + ", taught"
	}
	return run.Model
}

// sets are what agents are evaluated on, with the words for them.
var sets = [][2]string{{"nine", "the nine benchmarks"}, {"test", "test programs"}}

// readEvaluations reads what there is of each run, in order.
func readEvaluations(runs []*results.Run) ([]evaluation, error) {
	var all []evaluation
	for _, run := range runs {
		setup, err := training.Read(run)
		if err != nil {
			return nil, err
		}
		for _, set := range sets {
			content, err := os.ReadFile(filepath.Join(run.Dir, "eval", set[0]+".json"))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			e := evaluation{name: agentName(run, setup), seed: setup.Config.Seed, on: set[1]}
			if err := json.Unmarshal(content, &e); err != nil {
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
	fmt.Fprint(w, "Shares of the speed of the best schedule known of each program, geometric means and the least; \"known\" are the reference schedules and all that the searches of the same evaluation found.\n\n")
	fmt.Fprint(w, "| agent | seed | on | programs | greedy of best | least | trials | search of best | least | failures |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, e := range evaluations {
		failures := 0
		for _, r := range e.Programs {
			failures += len(r.Failed())
		}
		greedy, search := eval.Shares(e.Programs, eval.Greedy), eval.Shares(e.Programs, eval.Search)
		fmt.Fprintf(w, "| %s | %d | %s | %d | %s | %d | %s | %d |\n",
			e.name, e.seed, e.on, len(e.Programs), shares(greedy), e.Trials, shares(search), failures)
	}
	fmt.Fprintln(w)
}

// shares are two cells: the geometric mean of shares, and the least.
func shares(all []float64) string {
	if len(all) == 0 {
		return "– | –"
	}
	return fmt.Sprintf("%.0f %% | %.0f %%", 100*stats.GeometricMean(all), 100*slices.Min(all))
}

func writeEvaluation(w io.Writer, e evaluation) error {
	fmt.Fprintf(w, "## %s, seed %d, on %s\n\nBy `nestling eval --set %s --trials %d --search %s`.\n\n```\n", e.name, e.seed, e.on, e.Set, e.Trials, e.Search)
	if err := report.Evaluation(e.Programs, e.Trials).Write(w, false); err != nil {
		return err
	}
	fmt.Fprint(w, "```\n\n")
	return nil
}
