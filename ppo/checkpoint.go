package ppo

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"nestling/costmodel"
	"nestling/env"
	"nestling/nn"
	"nestling/policy"
	"nestling/results"
)

// keptCheckpoints is how many of the newest stay on disk, beside the best.
const keptCheckpoints = 3

// State is what a checkpoint holds besides weights and moments: state.json.
type State struct {
	Model              string                  `json:"model"`
	Policy             policy.Config           `json:"policy"`
	Config             Config                  `json:"config"`
	Rules              env.Rules               `json:"rules"`
	Iteration          int                     `json:"iteration"`
	Elapsed            float64                 `json:"elapsed_s"`
	Schedules          int                     `json:"schedules"` // judged so far
	Random             []byte                  `json:"random"`    // state of the random source
	EntropyCoefficient float64                 `json:"entropy_coefficient"`
	FirstEntropy       float64                 `json:"first_entropy"`   // of the first iteration
	EntropyAverage     float64                 `json:"entropy_average"` // Metrics.EntropyAverage of the last one
	Recent             []float64               `json:"recent_rewards"`
	Validated          []float64               `json:"recent_validations"`
	Best               float64                 `json:"best"` // largest mean of recent rewards, on validation programs if there are any
	BestIteration      int                     `json:"best_iteration"`
	Validation         int                     `json:"validation_programs"` // how many judged the best
	Baselines          map[string]env.Baseline `json:"baselines,omitempty"`
	Memories           map[string]Memory       `json:"memories,omitempty"` // by program hash
	Visits             map[string]int          `json:"visits,omitempty"`   // episodes on each program, by its hash
	Conditions         string                  `json:"conditions"`         // under which all that was measured; an older version did not say
	// Checksums are SHA-256 of the other files, in hexadecimal.
	Checksums map[string]string `json:"checksums"`
}

// Checkpoint is a policy as an iteration left it.
type Checkpoint struct {
	Dir    string
	State  State
	Policy *policy.Policy
	Cost   *costmodel.Model // nil: it has none
}

// Load reads a checkpoint. What is cut short, changed, or of another
// architecture is an error that names the checkpoint before it.
func Load(dir string) (*Checkpoint, error) {
	c, err := load(dir)
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w%s", dir, err, offer(dir))
	}
	return c, nil
}

// LoadLatest reads the newest checkpoint of a run.
func LoadLatest(run *results.Run) (*Checkpoint, error) {
	dir, err := run.LatestCheckpoint()
	if err != nil {
		return nil, err
	}
	return Load(dir)
}

// LoadBest reads the best checkpoint of a run, as far as its newest one knows: that itself
// before there is a best.
func LoadBest(run *results.Run) (*Checkpoint, error) {
	c, err := LoadLatest(run)
	if err != nil || c.State.BestIteration == 0 || c.State.BestIteration == c.State.Iteration {
		return c, err
	}
	if c, err = Load(filepath.Join(run.Models(), results.CheckpointName(c.State.BestIteration))); err != nil {
		return nil, fmt.Errorf("the best checkpoint: %w", err)
	}
	return c, nil
}

func load(dir string) (*Checkpoint, error) {
	s, err := readState(dir)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{Dir: dir, State: s}
	if err := c.verify(results.PolicyFile); err != nil {
		return nil, err
	}
	if c.Policy, err = policy.New(c.State.Model, c.State.Policy, newRand(0)); err != nil {
		return nil, err
	}
	if err := policy.Restore(c.Policy, dir); err != nil {
		return nil, err
	}
	return c, c.loadCost()
}

func readState(dir string) (s State, err error) {
	content, err := os.ReadFile(filepath.Join(dir, results.StateFile))
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(content, &s); err != nil {
		return s, fmt.Errorf("%s is not a training's state: %w", results.StateFile, err)
	}
	return s, nil
}

// verify reports whether a file is, bit for bit, what training wrote.
func (c *Checkpoint) verify(name string) error {
	sum, err := checksum(filepath.Join(c.Dir, name))
	if errors.Is(err, fs.ErrNotExist) && name != results.PolicyFile {
		return fmt.Errorf("it has no %s to go on from, as what ships with Nestling has none; `nestling train` starts a new run", name)
	}
	if err == nil && sum != c.State.Checksums[name] {
		err = fmt.Errorf("%s is not what training wrote: it was cut short or changed", name)
	}
	return err
}

// offer says what to do about a broken checkpoint, if there is one before it.
func offer(dir string) string {
	names, err := results.Checkpoints(filepath.Dir(dir))
	if err != nil {
		return ""
	}
	if at := slices.Index(names, filepath.Base(dir)); at > 0 {
		return "; remove it to go on from " + names[at-1]
	}
	return "; there is none before it, train anew"
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// newTrainer starts a training, or takes up the newest checkpoint of its run.
func newTrainer(o TrainOptions) (*trainer, error) {
	if err := o.Config.Check(); err != nil {
		return nil, err
	}
	if len(o.Programs) == 0 {
		return nil, errors.New("there are no programs to train on")
	}
	t := &trainer{TrainOptions: o, source: rand.NewPCG(o.Config.Seed, 1), remembered: map[string]remembered{}, usuals: map[string]usualSchedule{}}
	t.spaces = spaces(slices.Concat(o.Programs, o.Validation), o.Machine, o.Rules)
	t.state.Memories, t.state.Visits = map[string]Memory{}, map[string]int{}
	t.alike = byStructure(o.Programs)
	if o.Config.CostModel {
		t.cost = newCostModel(o.Config)
	}
	t.rng = rand.New(t.source)
	var err error
	switch dir, latest := o.Run.LatestCheckpoint(); {
	case errors.Is(latest, results.ErrNoModel):
		err = t.begin()
	case latest != nil:
		err = latest
	default:
		err = t.resume(dir)
	}
	if err != nil {
		return nil, err
	}
	t.halves = halvesOf(t.agent)
	t.journal, err = openJournal(o.Run, t.state.Iteration)
	return t, err
}

func (t *trainer) begin() (err error) {
	t.agent, err = policy.New(t.Model, t.Policy, newRand(t.Config.Seed))
	if err != nil {
		return err
	}
	if t.Pretrained != "" {
		if _, err := policy.LoadPretrained(t.agent, t.Pretrained); err != nil {
			return err
		}
	}
	if t.mean, err = policy.New(t.Model, t.Policy, newRand(0)); err != nil {
		return err
	}
	t.adam = nn.NewAdam(t.agent.Parameters(), t.Config.LearningRate)
	t.state.EntropyCoefficient = t.Config.EntropyCoefficient
	t.state.Validation = len(t.Validation)
	t.studyTeacher()
	if t.Config.Demonstrations {
		t.demonstrate()
	}
	return nil
}

func (t *trainer) resume(dir string) error {
	c, err := Load(dir)
	if err != nil {
		return err
	}
	if c.State.Model != t.Model {
		return fmt.Errorf("checkpoint %s: it holds a %s, not a %s", dir, c.State.Model, t.Model)
	}
	t.mean, t.state = c.Policy, c.State
	elsewhere := t.state.Conditions != "" && t.state.Conditions != t.Conditions
	if elsewhere {
		t.forget()
	}
	if t.state.Memories == nil {
		t.state.Memories = map[string]Memory{}
	}
	if t.state.Visits == nil {
		t.state.Visits = map[string]int{}
	}
	err = t.loadLearner(c)
	if err == nil {
		err = c.verify(results.OptimizerFile)
	}
	if err == nil {
		t.adam = nn.NewAdam(t.agent.Parameters(), t.Config.LearningRate)
		err = t.adam.Load(filepath.Join(dir, results.OptimizerFile))
	}
	if err == nil {
		err = t.source.UnmarshalBinary(t.state.Random)
	}
	if err == nil {
		err = t.replay()
	}
	if err == nil {
		err = t.loadCosts(c)
	}
	if err == nil && !elsewhere {
		err = t.loadJudged(c)
	}
	if err != nil {
		return fmt.Errorf("checkpoint %s: %w%s", dir, err, offer(dir))
	}
	t.Evaluator.Remember(t.state.Baselines)
	if t.Config.Demonstrations { // of programs that are new
		t.demonstrate()
	}
	if n := len(t.Validation); n != t.state.Validation { // what was best was best on others
		t.state.Validation, t.state.Validated, t.state.Best, t.state.BestIteration = n, nil, 0, 0
	}
	return nil
}

// forget leaves behind what was measured under other conditions: of what is fast there and
// how fast, little holds here. What was learned stays.
func (t *trainer) forget() {
	s := &t.state
	s.Baselines, s.Memories = nil, nil
	s.Validated, s.Best, s.BestIteration = nil, 0, 0
}

// Conditions tells under which conditions a run has measured what it goes on from; "" if it
// has no checkpoint whose state can be read.
func Conditions(run *results.Run) string {
	dir, err := run.LatestCheckpoint()
	if err != nil {
		return ""
	}
	s, err := readState(dir)
	if err != nil {
		return ""
	}
	return s.Conditions
}

// save writes the checkpoint of the iteration just finished, and removes those
// that are neither among the newest nor the best.
func (t *trainer) save() error {
	s := &t.state
	s.Model, s.Policy, s.Config = t.agent.Name(), t.agent.Config(), t.Config
	s.Rules, s.Conditions = t.Rules, t.Conditions
	s.Baselines = t.Evaluator.Baselines()
	var err error
	if s.Random, err = t.source.MarshalBinary(); err != nil {
		return fmt.Errorf("cannot save the random state: %w", err)
	}
	if _, err := t.Run.SaveCheckpoint(s.Iteration, t.writeFiles); err != nil {
		return err
	}
	return t.prune()
}

func (t *trainer) writeFiles(dir string) error {
	if err := errors.Join(policy.Save(t.mean, dir), t.saveLearner(dir), t.adam.Save(filepath.Join(dir, results.OptimizerFile)), t.saveCosts(dir)); err != nil {
		return err
	}
	files := []string{results.PolicyFile, results.OptimizerFile, results.LearnerFile}
	if t.cost != nil {
		files = append(files, costFiles...)
	}
	t.state.Checksums = map[string]string{}
	return t.state.write(dir, files...)
}

// write writes the state beside the other files of a checkpoint, with checksums of those
// that are new.
func (s *State) write(dir string, fresh ...string) error {
	for _, name := range fresh {
		sum, err := checksum(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		s.Checksums[name] = sum
	}
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, results.StateFile), content, 0o644)
}

func checksum(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", sha256.Sum256(content)), nil
}

func (t *trainer) prune() error {
	names, err := results.Checkpoints(t.Run.Models())
	if err != nil {
		return fmt.Errorf("cannot look for old checkpoints: %w", err)
	}
	best := results.CheckpointName(t.state.BestIteration)
	for _, name := range names[:max(0, len(names)-keptCheckpoints)] {
		if name == best {
			continue
		}
		if err := os.RemoveAll(filepath.Join(t.Run.Models(), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot remove an old checkpoint: %w", err)
		}
	}
	return nil
}
