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
	"time"

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
	beside  []string
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
eager, the reference schedules of the nine benchmarks, uniform random search, the same
network before training, and other agents; all with as many trials, or as many as --others
says. PyTorch runs the benchmarks and generated programs, not those of a folder.

--set is nine (the benchmarks), test (generated programs), validation or train (those of the
other splits: of the last, agents were trained on some) or a folder of .mlir files, which is
a path: ./mine.
Written into the run's folder: eval/SET.json, .csv and .png, and as SET.partial after each
program until all are done.`,
		Example: `  nestling eval
  nestling eval --set nine --trials 64
  nestling eval --run results/lstm/run_1 --set test --count 40
  nestling eval --set nine --explain --trials 1
  nestling eval --run lstm --beside gpt-2 --set nine`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := errors.Join(atLeastOne("trials", f.Trials), atLeastOne("count", f.count), atLeastOne("rounds", f.Rounds)); err != nil {
				return err
			}
			switch {
			case f.Others < 0:
				return fmt.Errorf("--others %d: give 0 for as many as --trials, or more", f.Others)
			case f.Others > 0 && f.Trials == 1:
				return fmt.Errorf("--others %d: with --trials 1 nothing is searched; leave it out, or give more trials", f.Others)
			}
			if _, err := search.Find(f.Method); err != nil {
				return err
			}
			if c.Flags().Changed("count") && !suite.Split(f.set).Known() {
				return fmt.Errorf("--count is how many programs to generate; --set %s has those that it has", f.set)
			}
			return s.eval(c.Context(), f)
		},
	}
	flags := c.Flags()
	addAgent(flags, &f.run)
	flags.StringSliceVar(&f.beside, "beside", nil, "other agents to compare with, named as --run names one")
	flags.StringVar(&f.set, "set", "test", "programs: nine, test, validation, train, or a folder")
	flags.IntVar(&f.count, "count", 40, "how many programs to generate")
	flags.IntVar(&f.Trials, "trials", 50, "schedules of each search; 1 evaluates the first choice alone")
	flags.IntVar(&f.Others, "others", 0, "schedules of each search that it is compared with (default: as many)")
	flags.StringVar(&f.Method, "search", search.DefaultMethod, "how the agent searches: sample, refine, evolve, beam or tree")
	flags.IntVar(&f.Rounds, "rounds", 3, "how often the finalists are measured, in turns")
	flags.Uint64Var(&f.Seed, "seed", 1, "of the generated programs and of what is drawn")
	flags.BoolVar(&f.explain, "explain", false, "print each decision of the first choice with the probabilities of its alternatives")
	return c
}

func (s *settings) eval(ctx context.Context, f evalFlags) (err error) {
	sources, err := sourcesOf(f)
	if err != nil {
		return err
	}
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
	if f.Rivals, err = s.rivals(lab, f.beside); err != nil {
		return err
	}
	cases, err := s.cases(ctx, lab, f, sources)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(cases, func(c eval.Case) bool { return c.PyTorch != nil }) {
		if f.Eager, err = s.eager(ctx, lab); err != nil {
			fmt.Fprintln(os.Stderr, "without PyTorch:", err)
		}
	}
	e := newEvaluation(a, f, lab.Options().Threads)
	if f.explain {
		if err := e.explain(cases, !s.json); err != nil {
			return err
		}
	}
	bar := progress.NewBar(os.Stderr, "evaluation")
	for i, c := range cases {
		bar.Update(i, len(cases), c.Name)
		row, err := eval.Run(ctx, lab, lab.Machine(), c, f.Options)
		if err != nil {
			if len(e.report.Programs) > 0 && ctx.Err() != nil {
				break // what was measured is kept
			}
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		e.report.Programs = append(e.report.Programs, row)
		if err := e.write(); err != nil {
			return err
		}
	}
	done := len(e.report.Programs)
	bar.Update(done, len(cases), "")
	bar.Done()
	return errors.Join(ctx.Err(), s.finishEvaluation(e, done == len(cases)))
}

// rivals loads the agents of runs.
func (s *settings) rivals(lab *measure.Lab, runs []string) ([]eval.Rival, error) {
	var all []eval.Rival
	for _, run := range runs {
		a, err := s.loadAgent(lab, run)
		if err != nil {
			return nil, err
		}
		name := rivalName(a)
		if slices.ContainsFunc(all, func(r eval.Rival) bool { return r.Name == name }) {
			return nil, fmt.Errorf("--beside %s: that agent, %s, is there already", run, name)
		}
		all = append(all, eval.Rival{Name: name, Run: a.Run.Dir, Policy: a.Policy(), Cost: a.Cost(), Rules: a.Rules()})
	}
	return all, nil
}

// rivalName is the run's name, with what its training was set up with if that is not our own:
// "lstm/run_1", "paper lstm/run_3". Runs of other programs do not tell.
func rivalName(a *agent.Agent) string {
	name := fmt.Sprintf("%s/%s", a.Run.Model, filepath.Base(a.Run.Dir))
	if setup, err := training.Read(a.Run); err == nil && setup.Preset != "" {
		name = setup.Preset + " " + name
	}
	return name
}

// cases are the programs of a set, with what is known of each.
func (s *settings) cases(ctx context.Context, lab *measure.Lab, f evalFlags, sources []suite.Program) ([]eval.Case, error) {
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

// isSet tells the names of sets from paths of folders.
func isSet(name string) bool {
	return name == "nine" || suite.Split(name).Known()
}

// sourcesOf are those of a set's programs.
func sourcesOf(f evalFlags) ([]suite.Program, error) {
	var sources []suite.Program
	switch {
	case suite.Split(f.set).Known():
		return suite.Generate(suite.Split(f.set), f.Seed, f.count), nil
	case f.set == "nine":
		for _, b := range suite.Nine() {
			sources = append(sources, suite.Program{Name: b.Name, Module: b.Module})
		}
		return sources, nil
	}
	sources, err := suite.FromFolder(f.set)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("--set %s: no set has that name (nine, test, validation, train), and no folder", f.set)
	}
	return sources, err
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

// evaluation is one under way.
type evaluation struct {
	agent  *agent.Agent
	report eval.Report
	// explanations are of first choices, by program, where they were asked for.
	explanations map[string]agent.Explanation
}

func newEvaluation(a *agent.Agent, f evalFlags, threads int) *evaluation {
	e := &evaluation{agent: a, report: eval.Report{
		Agent: a.String(), Set: f.set, Trials: f.Trials, Others: f.Others, Search: f.Method, Seed: f.Seed, Rounds: f.Rounds, Threads: threads,
		Machine: results.Machine(), Versions: results.ThisBuild(), Created: time.Now().UTC().Truncate(time.Second),
	}}
	for _, rival := range f.Rivals {
		e.report.Beside = append(e.report.Beside, rival.Run)
	}
	return e
}

// explain finds out how the agent came to its first choices, and prints it for people.
func (e *evaluation) explain(cases []eval.Case, print bool) error {
	e.explanations = map[string]agent.Explanation{}
	for _, c := range cases {
		x := e.agent.Explain(c.Program)
		e.explanations[c.Name] = x
		if print {
			if _, err := fmt.Printf("%s\n%s", c.Name, x); err != nil {
				return err
			}
		}
	}
	return nil
}

// partial is put to the name of an evaluation that has not come to its end.
const partial = ".partial"

// base is the path of the evaluation's files without what tells them apart. Those of a
// folder that is called like a set are not the set's.
func (e *evaluation) base() string {
	set := strings.Trim(strings.ReplaceAll(e.report.Set, string(filepath.Separator), "_"), "_.")
	if set != e.report.Set && isSet(set) {
		set += "_folder"
	}
	return filepath.Join(e.agent.Run.Dir, "eval", set)
}

// content is what the JSON file holds.
func (e *evaluation) content() any {
	e.report.Summarize()
	return struct {
		eval.Report
		Explanations map[string]agent.Explanation `json:"explanations,omitempty"`
	}{e.report, e.explanations}
}

// write writes down what there is so far.
func (e *evaluation) write() error {
	base := e.base() + partial
	if err := os.MkdirAll(filepath.Dir(base), 0o777); err != nil {
		return err
	}
	return errors.Join(results.WriteJSON(base+".json", e.content()), writeEvaluationCSV(base+".csv", e.report.Programs))
}

// finishEvaluation prints an evaluation, which takes the place of an earlier one if it is
// complete.
func (s *settings) finishEvaluation(e *evaluation, complete bool) error {
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
	if err := report.EvaluationPlot(picture, e.report.Programs, e.agent.Run.Model+" on "+e.report.Set+" programs"); err != nil {
		return err
	}
	if s.json {
		return json.NewEncoder(os.Stdout).Encode(e.content())
	}
	if err := report.Evaluation(&e.report).Write(os.Stdout, colour()); err != nil {
		return err
	}
	return s.printFiles("\n"+base+".json", base+".csv", picture)
}

// writeEvaluationCSV writes a line for each program: speedups over the default schedule, and
// last the names of those that failed, for an empty cell is one that was not asked, too.
func writeEvaluationCSV(path string, rows []*eval.Row) error {
	var text strings.Builder
	w := csv.NewWriter(&text)
	contestants := slices.Concat(eval.Contestants, eval.Rivals(rows))
	_ = w.Write(slices.Concat([]string{"program", "family", "flops", "default_ms", "share_of_best"}, contestants, []string{"failed"}))
	number := func(v float64) string {
		if v == 0 {
			return ""
		}
		return strconv.FormatFloat(v, 'g', 6, 64)
	}
	for _, r := range rows {
		record := []string{r.Name, r.Family, number(r.Flops), number(r.DefaultMS), number(r.Share)}
		for _, name := range contestants {
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
