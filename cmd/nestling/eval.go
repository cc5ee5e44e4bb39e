package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"nestling/agent"
	"nestling/eval"
	"nestling/measure"
	"nestling/progress"
	"nestling/report"
	"nestling/results"
	"nestling/schedules"
	"nestling/search"
	"nestling/suite"
	"nestling/training"
)

// evalFlags are what `nestling eval` takes.
type evalFlags struct {
	run     string
	set     string
	count   int
	explain bool
	eval.Options
}

func evalCommand(s *settings) *cobra.Command {
	f := evalFlags{Options: eval.Options{Rounds: 3, Seed: 1}}
	c := &cobra.Command{
		Use:   "eval",
		Short: "How good an agent is on programs it has not seen",
		Long: `Lets an agent schedule programs that it was not trained on, and measures its first
choice and its best of some trials beside unscheduled loops, the default schedule, PyTorch
eager, the reference schedules of the nine benchmarks, uniform random search, and the same
network before training; all with as many trials. PyTorch runs the benchmarks and generated
programs, not those of a folder.

--set is test (generated programs), nine (the benchmarks) or a folder of .mlir files.
Written into the run's folder: eval/SET.json, .csv and .png, and as SET.partial after each
program until all are done.`,
		Example: `  nestling eval
  nestling eval --set nine --trials 64
  nestling eval --run results/lstm/run_1 --set test --count 40
  nestling eval --set nine --explain --trials 1`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := errors.Join(atLeastOne("trials", f.Trials), atLeastOne("count", f.count), atLeastOne("rounds", f.Rounds)); err != nil {
				return err
			}
			if _, err := search.Find(f.Method); err != nil {
				return err
			}
			return s.eval(c.Context(), f)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.run, "run", "", "run whose agent to evaluate (default: the one trained last)")
	flags.StringVar(&f.set, "set", "test", "programs: test, nine, or a folder")
	flags.IntVar(&f.count, "count", 40, "how many test programs to generate")
	flags.IntVar(&f.Trials, "trials", 50, "schedules of each search; 1 evaluates the first choice alone")
	flags.StringVar(&f.Method, "search", search.DefaultMethod, "how the agent searches: sample, refine, evolve, beam or tree")
	flags.IntVar(&f.Rounds, "rounds", 3, "how often the finalists are measured, in turns")
	flags.Uint64Var(&f.Seed, "seed", 1, "of the test programs and of what is drawn")
	flags.BoolVar(&f.explain, "explain", false, "print each decision of the first choice with the probabilities of its alternatives")
	return c
}

func (s *settings) eval(ctx context.Context, f evalFlags) (err error) {
	lab, err := s.openTrainingLab()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lab.Close()) }()
	a, err := s.loadAgent(lab, f.run)
	if err != nil {
		return err
	}
	f.Policy, f.Cost, f.Rules = a.Policy(), a.Cost(), a.Rules()
	fmt.Fprintln(os.Stderr, "agent:", a)
	cases, err := s.cases(ctx, lab, f)
	if err != nil {
		return err
	}
	if f.explain {
		if err := explain(a, cases); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(cases, func(c eval.Case) bool { return c.PyTorch != nil }) {
		if f.Eager, err = s.eager(ctx, lab); err != nil {
			fmt.Fprintln(os.Stderr, "without PyTorch:", err)
		}
	}
	e := evaluation{agent: a, flags: f, threads: lab.Options().Threads}
	bar := progress.NewBar(os.Stderr, "evaluation")
	for i, c := range cases {
		bar.Update(i, len(cases), c.Name)
		row, err := eval.Run(ctx, lab, lab.Machine(), c, f.Options)
		if err != nil {
			if len(e.rows) > 0 && ctx.Err() != nil {
				break // what was measured is kept
			}
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		e.rows = append(e.rows, row)
		if err := e.write(); err != nil {
			return err
		}
	}
	bar.Update(len(e.rows), len(cases), "")
	bar.Done()
	return errors.Join(ctx.Err(), s.finishEvaluation(e, len(e.rows) == len(cases)))
}

// cases are the programs of a set.
func (s *settings) cases(ctx context.Context, lab *measure.Lab, f evalFlags) ([]eval.Case, error) {
	var sources []suite.Program
	switch f.set {
	case "test":
		sources = suite.Generate(suite.Test, f.Seed, f.count)
	case "nine":
		for _, b := range suite.Nine() {
			sources = append(sources, suite.Program{Name: b.Name, Module: b.Module})
		}
	default:
		var err error
		if sources, err = suite.FromFolder(f.set); err != nil {
			return nil, err
		}
	}
	programs, err := training.Analyse(ctx, lab, sources, func(int, int) {})
	if err != nil {
		return nil, err
	}
	cases := make([]eval.Case, len(programs))
	for i, p := range programs {
		cases[i] = eval.Case{Name: sources[i].Name, Family: sources[i].Family, Program: p}
		switch {
		case f.set == "nine":
			if err := s.knowBenchmark(&cases[i], lab.Options().Threads); err != nil {
				return nil, err
			}
		case sources[i].Graph != nil:
			b := sources[i].Benchmark()
			cases[i].PyTorch = &b
		}
	}
	return cases, nil
}

// knowBenchmark adds what is known of one of the nine.
func (s *settings) knowBenchmark(c *eval.Case, threads int) error {
	reference, err := schedules.Find(c.Name, threads, s.tolerance)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	c.Reference = reference.Schedule
	b, err := suite.Find(c.Name)
	c.PyTorch = &b
	return err
}

// explain prints how the agent came to its first choices.
func explain(a *agent.Agent, cases []eval.Case) error {
	for _, c := range cases {
		if _, err := fmt.Printf("%s\n%s\n", c.Name, strings.Join(a.Explain(c.Program), "\n")); err != nil {
			return err
		}
	}
	return nil
}

// evaluation is one under way.
type evaluation struct {
	agent   *agent.Agent
	flags   evalFlags
	threads int
	rows    []*eval.Row
}

// partial is put to the name of an evaluation that has not come to its end.
const partial = ".partial"

// base is the path of the evaluation's files without what tells them apart.
func (e *evaluation) base() string {
	set := strings.ReplaceAll(e.flags.set, string(filepath.Separator), "_")
	return filepath.Join(e.agent.Run.Dir, "eval", strings.Trim(set, "_."))
}

func (e *evaluation) content() map[string]any {
	f := e.flags
	return map[string]any{"agent": e.agent.String(), "set": f.set, "trials": f.Trials, "search": f.Method,
		"seed": f.Seed, "rounds": f.Rounds, "threads": e.threads, "programs": e.rows}
}

// write writes down what there is so far.
func (e *evaluation) write() error {
	base := e.base() + partial
	if err := os.MkdirAll(filepath.Dir(base), 0o777); err != nil {
		return err
	}
	return errors.Join(results.WriteJSON(base+".json", e.content()), writeEvaluationCSV(base+".csv", e.rows))
}

// finishEvaluation prints an evaluation, which takes the place of an earlier one if it is
// complete.
func (s *settings) finishEvaluation(e evaluation, complete bool) error {
	base := e.base() + partial
	if complete {
		base = e.base()
		for _, kind := range []string{".json", ".csv"} {
			if err := os.Rename(base+partial+kind, base+kind); err != nil {
				return err
			}
		}
	}
	picture := base + ".png"
	if err := report.EvaluationPlot(picture, e.rows, e.agent.Run.Model+" on "+e.flags.set+" programs"); err != nil {
		return err
	}
	if s.json {
		return json.NewEncoder(os.Stdout).Encode(e.content())
	}
	if err := report.Evaluation(e.rows, e.flags.Trials).Write(os.Stdout, colour()); err != nil {
		return err
	}
	return s.printFiles("\n"+base+".json", base+".csv", picture)
}

// writeEvaluationCSV writes a line for each program: speedups over the default schedule, and
// last the names of those that failed, for an empty cell is one that was not asked, too.
func writeEvaluationCSV(path string, rows []*eval.Row) error {
	var text strings.Builder
	w := csv.NewWriter(&text)
	_ = w.Write(append(append([]string{"program", "family", "flops", "default_ms", "share_of_best"}, eval.Contestants...), "failed"))
	number := func(v float64) string {
		if v == 0 {
			return ""
		}
		return strconv.FormatFloat(v, 'g', 6, 64)
	}
	for _, r := range rows {
		record := []string{r.Name, r.Family, number(r.Flops), number(r.DefaultMS), number(r.Share)}
		for _, name := range eval.Contestants {
			record = append(record, number(r.Speedups[name]))
		}
		_ = w.Write(append(record, strings.Join(slices.Sorted(maps.Keys(r.Failures)), " ")))
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return err
	}
	return results.WriteFile(path, []byte(text.String()))
}
