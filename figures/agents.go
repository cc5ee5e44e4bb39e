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

	"nestling/eval"
	"nestling/report"
	"nestling/results"
	"nestling/training"
)

// evaluation is what `nestling eval` writes.
type evaluation struct {
	Agent    string      `json:"agent"`
	Set      string      `json:"set"`
	Trials   int         `json:"trials"`
	Search   string      `json:"search"`
	Programs []*eval.Row `json:"programs"`
}

// WriteAgents composes the page of agents from their runs: how each was trained, and its
// evaluations on the nine benchmarks and on test programs, as far as there are any. The
// picture of all curves is written beside it, as images/agents.png.
func WriteAgents(path string, runs []*results.Run) error {
	var b bytes.Buffer
	b.WriteString("# Agents\n\nWritten by `make agents`; every figure is from one machine and can be made again there. [How agents work](agent.md).\n\n")
	writeMachine(&b)
	b.WriteString("| model | command | time | iterations | schedules | a second | failed | network's share | mean reward of the last 10 | entropy |\n|---|---|---|---|---|---|---|---|---|---|\n")
	var curves []report.AgentCurve
	for _, run := range runs {
		curve, err := writeAgentTraining(&b, run)
		if err != nil {
			return err
		}
		curves = append(curves, curve)
	}
	picture := filepath.Join(filepath.Dir(path), "images", "agents.png")
	if err := os.MkdirAll(filepath.Dir(picture), 0o777); err != nil {
		return err
	}
	if err := report.AgentsPlot(picture, curves); err != nil {
		return err
	}
	b.WriteString("\n![rewards of all agents by time and by schedules](images/agents.png)\n\n")
	for _, run := range runs {
		for _, set := range []string{"nine", "test"} {
			if err := writeEvaluation(&b, run, set); err != nil {
				return err
			}
		}
	}
	return results.WriteFile(path, b.Bytes())
}

// writeAgentTraining writes a line of the table and returns the curve behind it.
func writeAgentTraining(w io.Writer, run *results.Run) (report.AgentCurve, error) {
	c := report.AgentCurve{Name: run.Model}
	log, sum, err := readTraining(run)
	if err != nil {
		return c, err
	}
	setup, err := training.Read(run)
	if err != nil {
		return c, err
	}
	tried, recent, last := 0, 0.0, log[len(log)-1]
	for i, m := range log {
		tried += m.Episodes
		c.Minutes, c.Schedules, c.Reward = append(c.Minutes, m.Elapsed/60), append(c.Schedules, float64(tried)), append(c.Reward, m.Reward)
		if n := min(10, len(log)); i >= len(log)-n {
			recent += m.Reward / float64(n)
		}
	}
	teacher := ""
	if setup.Teacher != "" {
		teacher = " --teacher RUN"
	}
	fmt.Fprintf(w, "| %s | `nestling train --model %s --programs %d --seed %d --threads %d%s` | %.0f s | %d | %d | %.1f new | %d | %.0f %% | %.2f | %.2f, at first %.2f |\n",
		run.Model, run.Model, setup.Programs, setup.Config.Seed, setup.Threads, teacher, last.Elapsed, last.Iteration, sum.all,
		float64(sum.fresh)/last.Elapsed, sum.failed, 100*sum.network/last.Elapsed, recent, last.Entropy, log[0].Entropy)
	return c, nil
}

func writeEvaluation(w io.Writer, run *results.Run, set string) error {
	content, err := os.ReadFile(filepath.Join(run.Dir, "eval", set+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var e evaluation
	if err := json.Unmarshal(content, &e); err != nil {
		return fmt.Errorf("%s: %w", set, err)
	}
	title := map[string]string{"nine": "the nine benchmarks", "test": "test programs"}[set]
	fmt.Fprintf(w, "## %s on %s\n\nBy `nestling eval --set %s --trials %d --search %s`.\n\n```\n", run.Model, title, set, e.Trials, e.Search)
	if err := report.Evaluation(e.Programs, e.Trials).Write(w, false); err != nil {
		return err
	}
	fmt.Fprint(w, "```\n\n")
	return nil
}
