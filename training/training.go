// Package training sets a training up from what a user says: a model, programs,
// a number of threads. What was said is kept with the run, so that an
// interrupted training goes on as it began.
package training

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"nestling/env"
	"nestling/measure"
	"nestling/policy"
	"nestling/ppo"
	"nestling/program"
	"nestling/results"
	"nestling/schedule"
	"nestling/suite"
)

// Setup is what a training was started with.
type Setup struct {
	Model    string     `json:"model"`
	Programs int        `json:"programs"`       // how many are generated, unless Data is set
	Data     string     `json:"data,omitempty"` // folder of the user's own .mlir files
	Threads  int        `json:"threads"`
	Preset   string     `json:"preset,omitempty"`  // "" is ours; see Presets
	Size     string     `json:"size,omitempty"`    // "full": the namesake's, "": one that trains well on a processor
	Weights  string     `json:"weights,omitempty"` // safetensors of the namesake to start from
	Teacher  string     `json:"teacher,omitempty"` // run whose best schedules are the first to imitate
	Replay   bool       `json:"replay,omitempty"`  // the best schedules of the tuning database are the first to imitate
	Exact    bool       `json:"exact,omitempty"`   // without Winograd's algorithm
	Time     string     `json:"time,omitempty"`    // it ends after so long, as time.ParseDuration reads it; 0s: never
	Config   ppo.Config `json:"config"`
}

// Presets are the ways to set a training up, by name, with their settings of the
// learning.
//
// "paper" is MLIR RL (arXiv:2409.11068) as far as that fits: its six actions with its
// sizes, the speedup over the unscheduled program as the reward (a hundredfold at most), its
// settings, and layers as wide as its own. What differs: options are weighed by their
// features and not by a head for each action, sizes are drawn one loop after the other, the
// LSTM is 512 wide and not 411, and candidates that are clearly slow are given up early.
var Presets = map[string]func() ppo.Config{"": ppo.Defaults, "paper": ppo.Paper}

// FullSize names the sizes of a model's namesake.
const FullSize = "full"

// setupFile keeps the setup in a run's folder.
const setupFile = "training.json"

// Save keeps the setup with a run.
func (s Setup) Save(run *results.Run) error {
	return results.WriteJSON(filepath.Join(run.Dir, setupFile), s)
}

// Read returns the setup that a run was started with.
func Read(run *results.Run) (Setup, error) {
	s := Setup{Config: ppo.Defaults()} // for settings that an older version did not have
	path := filepath.Join(run.Dir, setupFile)
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("%s has no %s, so it cannot be gone on with; `nestling train` starts a new run", run.Dir, setupFile)
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(content, &s); err != nil {
		return s, fmt.Errorf("%s: not the settings of a training: %w", path, err)
	}
	return s, nil
}

// Sources are the modules to train on: the user's, or generated ones.
func (s Setup) Sources() ([]suite.Program, error) {
	if s.Data != "" {
		return suite.FromFolder(s.Data)
	}
	return suite.Generate(suite.Train, s.Config.Seed, s.Programs), nil
}

// validationPrograms is how many programs choose among a run's checkpoints.
const validationPrograms = 48

// Validation are modules that choose among checkpoints; there are none for a user's own
// programs.
func (s Setup) Validation() []suite.Program {
	if s.Data != "" {
		return nil
	}
	return suite.Generate(suite.Validation, s.Config.Seed, validationPrograms)
}

// Analyse turns sources into programs, telling progress after each.
func Analyse(ctx context.Context, lab *measure.Lab, sources []suite.Program, progress func(done, total int)) ([]*program.Program, error) {
	programs := make([]*program.Program, len(sources))
	for i, source := range sources {
		p, err := lab.Analyse(ctx, []byte(source.Module), source.Name)
		if err != nil {
			return nil, err
		}
		programs[i] = p
		progress(i+1, len(sources))
	}
	return programs, nil
}

// plan is how a candidate is timed while learning: briefly, for rewards are
// ratios to a probe, and candidates that are clearly slow are given up early.
var plan = measure.Plan{
	Warmup: 1, Samples: 5, MinBlock: 500 * time.Microsecond, Budget: 300 * time.Millisecond,
	Limit: time.Second, SlowerThan: 3, GiveUp: 50, Settled: true,
}

// lessons are the settings that what is remembered of a program depends on: which programs
// there are, what can be chosen, and what it is worth.
func (s Setup) lessons() string {
	text := fmt.Sprintf("--threads %d --seed %d", s.Threads, s.Config.Seed)
	for _, flag := range [][2]string{{"--data", s.Data}, {"--preset", s.Preset}} {
		if flag[1] != "" {
			text += " " + flag[0] + " " + flag[1]
		}
	}
	if s.Exact {
		text += " and too small a --tolerance for Winograd's algorithm"
	}
	return text
}

// Taught is what the teacher's run met of some programs; nothing without a teacher. One that
// met none of them is an error: an older version generated others.
func (s Setup) Taught(programs []*program.Program) (ppo.Teacher, error) {
	if s.Teacher == "" {
		return ppo.Teacher{}, nil
	}
	run, err := results.OpenRun(s.Teacher)
	if err != nil {
		return ppo.Teacher{}, err
	}
	of, err := Read(run)
	if err != nil {
		return ppo.Teacher{}, err
	}
	if mine, its := s.lessons(), of.lessons(); mine != its {
		return ppo.Teacher{}, fmt.Errorf("what %s has learned is of no use here: it was trained with %s, and this is to be with %s", s.Teacher, its, mine)
	}
	c, err := ppo.LoadLatest(run)
	if err != nil {
		return ppo.Teacher{}, err
	}
	if len(c.State.Memories) == 0 {
		return ppo.Teacher{}, fmt.Errorf("%s remembers no schedules to learn from: what ships with Nestling has none", s.Teacher)
	}
	met := func(p *program.Program) bool { _, known := c.State.Memories[p.Hash]; return known }
	if !slices.ContainsFunc(programs, met) {
		return ppo.Teacher{}, fmt.Errorf("%s remembers schedules of %d programs, but of none of these %d: programs are generated otherwise since; train a new teacher",
			s.Teacher, len(c.State.Memories), len(programs))
	}
	return ppo.TeacherOf(c)
}

// Replayed are the fastest schedules that the tuning database knows of each program, with
// what they would earn; none of programs that it does not know the schedule of that rewards
// compare with.
func (s Setup) Replayed(ctx context.Context, lab *measure.Lab, programs []*program.Program) (map[string]ppo.Lesson, error) {
	lessons := map[string]ppo.Lesson{}
	if !s.Replay {
		return lessons, nil
	}
	known, err := lab.Known(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range programs {
		fastest := s.against(p, lab.Machine()).String()
		usual, found := known[p.Hash][fastest]
		if !found {
			continue
		}
		least := usual
		for text, ratio := range known[p.Hash] {
			if ratio < least || ratio == least && text < fastest {
				fastest, least = text, ratio
			}
		}
		best, err := schedule.Parse(fastest)
		if err != nil {
			return nil, fmt.Errorf("the tuning database's schedule of %s: %w", p.Name, err)
		}
		lessons[p.Hash] = ppo.Lesson{Schedule: best, Reward: env.Feedback{LogSpeedup: math.Log(usual / least)}.Reward()}
	}
	return lessons, nil
}

// against is the schedule that rewards compare with: the default one, or none.
func (s Setup) against(p *program.Program, m schedule.Machine) schedule.Schedule {
	if s.Preset == "paper" {
		return nil
	}
	return schedule.Default(p, m)
}

// Over says what speedups of the training are over.
func (s Setup) Over() string {
	if s.Preset == "paper" {
		return "unscheduled loops"
	}
	return "the default schedule"
}

// Options puts a training together for ppo.Random, or ppo.Train once it has a run.
func (s Setup) Options(lab *measure.Lab, programs []*program.Program) ppo.TrainOptions {
	o := ppo.TrainOptions{
		Config: s.Config, Model: s.Model, Policy: policy.DefaultConfig(s.Model),
		Programs: programs, Machine: lab.Machine(), Rules: env.Rules{Exact: s.Exact}, Conditions: lab.Conditions(),
		Evaluator: env.NewLiveAgainst(lab, plan, func(p *program.Program) schedule.Schedule { return s.against(p, lab.Machine()) }),
	}
	if s.Size == FullSize {
		o.Policy = policy.FullConfig(s.Model)
	}
	o.Pretrained = s.Weights
	if s.Preset == "paper" {
		o.Rules.Classic = true
		o.Policy.Width, o.Policy.Trunk, o.Policy.TrunkLayers = 512, 512, 3
	}
	return o
}
