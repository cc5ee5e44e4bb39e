package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"nestling/measure"
	"nestling/policy"
	"nestling/ppo"
	"nestling/program"
	"nestling/progress"
	"nestling/results"
	"nestling/schedules"
	"nestling/training"
)

// trainFlags are what `train` and `run` take to start a training.
type trainFlags struct {
	setup  training.Setup
	config string
	resume string
	// runFile is told the run's folder, for a job that is put back into the
	// queue and has to find its run again.
	runFile string
	budget  time.Duration
	// print prints the settings of the learning instead.
	print bool
}

func trainCommand(s *settings) *cobra.Command {
	f := trainFlags{setup: training.Setup{Model: defaultModel, Programs: defaultPrograms, Config: ppo.Defaults()}}
	c := &cobra.Command{
		Use:   "train",
		Short: "Train an agent",
		Long: `Trains a policy by proximal policy optimization on generated programs, or on a
folder of yours. Every iteration ends with a checkpoint; Ctrl-C stops cleanly, and
--resume goes on after that, or after a kill at any moment.`,
		Example: `  nestling train --model lstm
  nestling train --model lstm --time 20m --seed 3
  nestling train --data my_programs/
  nestling train --preset paper --time 20m
  nestling train --replay --time 5m
  nestling train --print-config > settings.json
  nestling train --resume results/lstm/run_0 --time 10m`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := s.readSetup(c, &f); err != nil {
				return err
			}
			if f.print {
				return printConfig(f.setup.Config)
			}
			_, err := s.train(c.Context(), f)
			return err
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.setup.Model, "model", f.setup.Model, "encoder: "+strings.Join(policy.Names(), ", "))
	flags.StringVar(&f.setup.Size, "size", "", "full for the sizes of the model's namesake (default: one that trains well on a processor)")
	flags.StringVar(&f.setup.Weights, "weights", "", "safetensors of the model's namesake to start from, with --size full")
	flags.StringVar(&f.setup.Teacher, "teacher", "", "run whose best schedules are the first to imitate; of the same seed, for its programs to be the same")
	flags.BoolVar(&f.setup.Replay, "replay", false, "the best schedules that the tuning database knows of the programs are the first to imitate, too")
	flags.StringVar(&f.setup.Preset, "preset", "", "settings to start from: paper for those of MLIR RL, its six actions and its reward (default: ours)")
	flags.IntVar(&f.setup.Programs, "programs", f.setup.Programs, "how many programs to generate")
	flags.StringVar(&f.setup.Data, "data", "", "folder of .mlir files to train on instead")
	flags.Uint64Var(&f.setup.Config.Seed, "seed", f.setup.Config.Seed, "of weights, programs and draws")
	flags.IntVar(&f.setup.Config.Iterations, "iterations", 0, "end after so many iterations (0: no limit)")
	flags.DurationVar(&f.budget, "time", 10*time.Minute, "end after so much training time, that before a resume included (0: no limit)")
	flags.StringVar(&f.config, "config", "", "JSON file with settings of the learning, some or all; a flag given beside it wins")
	flags.BoolVar(&f.print, "print-config", false, "print the settings of the learning as such a file and train nothing; docs/settings.md tells what each is")
	flags.StringVar(&f.resume, "resume", "", "run to go on with: results/lstm/run_0")
	flags.StringVar(&f.runFile, "run-file", "", "file to write the run's folder into")
	return c
}

// defaultModel is the encoder of an agent that nobody chose one for.
const defaultModel = "lstm"

// defaultPrograms is how many programs a training generates. Of a few hundred all are
// learned by heart in a quarter of an hour, and what is chosen for others gets worse.
const defaultPrograms = 1000

// readSetup takes the settings of the flags, or those that the run to resume was
// started with.
func (s *settings) readSetup(c *cobra.Command, f *trainFlags) error {
	if f.budget < 0 {
		return fmt.Errorf("--time %s: give 0 for no limit, or more", f.budget)
	}
	if f.resume == "" {
		return errors.Join(atLeastOne("programs", f.setup.Programs), f.readConfig(c))
	}
	for _, name := range []string{"model", "size", "weights", "teacher", "replay", "preset", "seed", "config"} {
		if c.Flags().Changed(name) {
			return fmt.Errorf("--%s cannot be given with --resume: a run goes on with what it was started with", name)
		}
	}
	run, err := results.OpenRun(f.resume)
	if err != nil {
		return err
	}
	given := f.setup
	if f.setup, err = training.Read(run); err != nil {
		return err
	}
	if c.Flags().Changed("iterations") {
		f.setup.Config.Iterations = given.Config.Iterations
	}
	if !c.Flags().Changed("time") && f.setup.Time != "" {
		if f.budget, err = time.ParseDuration(f.setup.Time); err != nil {
			return fmt.Errorf("the time of %s: %w", f.resume, err)
		}
	}
	if exact := schedules.ForbidsWinograd(s.tolerance); c.Flags().Changed("tolerance") && exact != f.setup.Exact {
		return fmt.Errorf("--tolerance %g: whether Winograd's algorithm is exact enough decides what can be chosen, and %s was started with the other answer", s.tolerance, f.resume)
	}
	if !c.Flags().Changed("results") {
		s.results = filepath.Join(run.Dir, "..", "..") // where its measurements are remembered
	}
	if c.Flags().Changed("data") {
		f.setup.Data = given.Data
	}
	if c.Flags().Changed("programs") { // more of the same seed begin with those there were
		f.setup.Programs = given.Programs
	}
	if c.Flags().Changed("threads") && s.threads != f.setup.Threads {
		return fmt.Errorf("--threads %d: what is fast depends on it, and %s was started with %d; leave it out", s.threads, f.resume, f.setup.Threads)
	}
	s.threads = f.setup.Threads
	return nil
}

// readConfig lays the settings of the file under those given as flags.
func (f *trainFlags) readConfig(c *cobra.Command) error {
	if f.setup.Size != "" && f.setup.Size != training.FullSize {
		return fmt.Errorf("no size %q; there is full, and the default without one", f.setup.Size)
	}
	if f.setup.Size != "" && f.setup.Preset != "" {
		return fmt.Errorf("--size %s with --preset %s: a preset has sizes of its own; leave one of them out", f.setup.Size, f.setup.Preset)
	}
	if f.setup.Weights != "" {
		if _, err := os.Stat(f.setup.Weights); err != nil {
			return fmt.Errorf("--weights: %w", err)
		}
	}
	preset, known := training.Presets[f.setup.Preset]
	if !known {
		return fmt.Errorf("no preset %q; there is paper, and ours without one", f.setup.Preset)
	}
	seed, iterations := f.setup.Config.Seed, f.setup.Config.Iterations
	f.setup.Config = preset()
	f.setup.Config.Seed, f.setup.Config.Iterations = seed, iterations
	if f.config == "" {
		return f.setup.Config.Check()
	}
	file, err := os.Open(f.config)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	defer func() { _ = file.Close() }()
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f.setup.Config); err != nil {
		return fmt.Errorf("%s: not settings of the learning: %w", f.config, err)
	}
	if decoder.More() {
		return fmt.Errorf("%s: more than one JSON object; settings of the learning are one", f.config)
	}
	if c.Flags().Changed("seed") {
		f.setup.Config.Seed = seed
	}
	if c.Flags().Changed("iterations") {
		f.setup.Config.Iterations = iterations
	}
	if err := f.setup.Config.Check(); err != nil {
		return fmt.Errorf("%s: %w", f.config, err)
	}
	return nil
}

// train trains until the settings, the budget or Ctrl-C end it, and returns the
// run. Settings and programs that are no good are refused before a run is made.
func (s *settings) train(ctx context.Context, f trainFlags) (run *results.Run, err error) {
	if err := policy.Available(f.setup.Model); err != nil {
		return nil, err
	}
	var release func() error
	if f.resume != "" {
		if run, release, err = runToResume(f.resume); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, release()) }()
	}
	lab, err := s.openTrainingLab()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lab.Close()) }()
	f.setup.Threads = lab.Options().Threads
	if f.resume == "" {
		f.setup.Exact = schedules.ForbidsWinograd(s.tolerance)
	}
	options, err := s.trainOptions(ctx, lab, f)
	if err != nil {
		return nil, err
	}
	if err := f.absolutePaths(); err != nil {
		return nil, err
	}
	if begins(run) {
		if err := f.begin(ctx, lab, &options); err != nil {
			return nil, err
		}
	}
	if run == nil {
		if run, release, err = s.newTrainingRun(f.setup.Model); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, release()) }()
	}
	if err := f.describe(run); err != nil {
		return nil, err
	}
	options.Run = run
	return run, s.learn(ctx, f, options)
}

// begin adds what a training begins with and later on remembers by itself.
func (f *trainFlags) begin(ctx context.Context, lab *measure.Lab, options *ppo.TrainOptions) (err error) {
	if options.Teacher, err = f.setup.Taught(options.Programs); err != nil {
		return err
	}
	if options.Lessons, err = f.setup.Replayed(ctx, lab, options.Programs); err != nil || options.Pretrained == "" {
		return err
	}
	p, err := policy.New(options.Model, options.Policy, rand.New(rand.NewPCG(0, 0)))
	if err != nil {
		return err
	}
	fit, err := policy.LoadPretrained(p, options.Pretrained)
	if err == nil {
		fmt.Fprintf(os.Stderr, "%d of %d parameters begin as in %s\n", len(fit), len(p.Parameters()), options.Pretrained)
	}
	return err
}

// learn trains a run, which is open, and shows how that goes.
func (s *settings) learn(ctx context.Context, f trainFlags, options ppo.TrainOptions) error {
	run := options.Run
	if before := ppo.Conditions(run); before != "" && before != options.Conditions {
		fmt.Fprintf(os.Stderr, "%s was trained on %s; here, on %s, it goes on with what it has learned, and measures anew\n", run.Dir, before, options.Conditions)
	}
	fmt.Fprintf(os.Stderr, "training %s on %d programs, %d threads: %s\n", f.setup.Model, len(options.Programs), f.setup.Threads, run.Dir)
	live := progress.NewTraining(os.Stderr, f.budget, f.setup.Config.Iterations)
	iterated := false
	options.Report = func(m ppo.Metrics) error {
		iterated = true
		if s.json {
			return json.NewEncoder(os.Stdout).Encode(m)
		}
		live.Update(progress.Iteration{Number: m.Iteration, Elapsed: time.Duration(m.Elapsed * float64(time.Second)),
			SchedulesPerSecond: m.NewPerSecond, Reward: m.RewardAverage, Speedup: m.Speedup, Entropy: m.Entropy, Failed: m.Failed, Collapsing: m.Collapsing})
		return nil
	}
	err := ppo.Train(ctx, options)
	live.Done()
	if err == nil && ctx.Err() != nil {
		fmt.Fprintf(os.Stderr, "`nestling train --resume %s` goes on\n", run.Dir)
		return ctx.Err()
	}
	if err == nil && !iterated {
		fmt.Fprintln(os.Stderr, "it has come to its end; with more --time or --iterations it goes on")
	}
	return err
}

// printConfig prints settings of the learning as --config reads them.
func printConfig(c ppo.Config) error {
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	return e.Encode(c)
}

// begins tells whether a run has yet to take its first step.
func begins(run *results.Run) bool {
	if run == nil {
		return true
	}
	_, err := run.LatestCheckpoint()
	return errors.Is(err, results.ErrNoModel)
}

// runToResume opens a run for this process alone.
func runToResume(path string) (*results.Run, func() error, error) {
	run, err := results.OpenRun(path)
	if err != nil {
		return nil, nil, err
	}
	release, err := run.Lock()
	return run, release, err
}

// newTrainingRun makes a run for this process alone.
func (s *settings) newTrainingRun(model string) (*results.Run, func() error, error) {
	run, err := results.NewRun(s.results, model)
	if err != nil {
		return nil, nil, err
	}
	release, err := run.Lock()
	return run, release, err
}

// absolutePaths makes the setup's paths such that the run may be gone on with from another
// folder, and compared with another.
func (f *trainFlags) absolutePaths() (err error) {
	for _, path := range []*string{&f.setup.Data, &f.setup.Teacher, &f.setup.Weights} {
		if *path == "" {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	return nil
}

// describe writes down what the run is, for a later resume, and where.
func (f *trainFlags) describe(run *results.Run) error {
	f.setup.Time = f.budget.String()
	if err := f.setup.Save(run); err != nil || f.runFile == "" {
		return err
	}
	return results.WriteFile(f.runFile, []byte(run.Dir+"\n"))
}

// analyseSetup reads the programs that a training learns from.
func analyseSetup(ctx context.Context, lab *measure.Lab, setup training.Setup) ([]*program.Program, error) {
	sources, err := setup.Sources()
	if err != nil {
		return nil, err
	}
	bar := progress.NewBar(os.Stderr, "programs")
	defer bar.Done()
	return training.Analyse(ctx, lab, sources, func(done, total int) { bar.Update(done, total, "") })
}

func (s *settings) trainOptions(ctx context.Context, lab *measure.Lab, f trainFlags) (ppo.TrainOptions, error) {
	programs, err := analyseSetup(ctx, lab, f.setup)
	if err != nil {
		return ppo.TrainOptions{}, err
	}
	options := f.setup.Options(lab, programs)
	if options.Validation, err = training.Analyse(ctx, lab, f.setup.Validation(), func(int, int) {}); err != nil {
		return options, err
	}
	options.Budget = f.budget
	return options, nil
}
