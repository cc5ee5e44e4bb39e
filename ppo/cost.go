package ppo

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"nestling/costmodel"
	"nestling/env"
	"nestling/nn"
)

// costFiles are those of a checkpoint that are the cost model's.
var costFiles = append(slices.Clone(costmodel.Files), judgedFile)

// newCostModel makes one that knows nothing.
func newCostModel(c Config) *costmodel.Model {
	return costmodel.New(rand.New(rand.NewPCG(c.Seed, 4)))
}

// all are the steps of an episode, with what it began with.
func (e *episode) all() []step { return slices.Concat(e.prefix, e.steps) }

// learnCosts lets the cost model learn from an iteration's schedules, and from those of
// iterations before.
func (t *trainer) learnCosts(episodes []*episode, m *Metrics) error {
	if t.cost == nil {
		return nil
	}
	t.collect(episodes)
	if len(t.judged) == 0 { // nothing but default schedules so far
		return nil
	}
	total := 0.0
	for range t.Config.CostUpdates {
		loss, err := t.learnCost()
		if err != nil {
			return err
		}
		total += loss
	}
	m.CostLoss = total / float64(t.Config.CostUpdates)
	return nil
}

// learnCost is one step of the cost model, and its loss.
func (t *trainer) learnCost() (loss float64, err error) {
	batch := make([][]costmodel.Measured, t.Config.CostBatch)
	for i := range batch {
		batch[i] = t.measured(t.judged[t.rng.IntN(len(t.judged))])
	}
	return t.cost.Learn(batch, t.rng)
}

// describe tells the cost model of a schedule by the steps that lead to it.
func describe(steps []step, over *env.Episode) costmodel.Features {
	return costmodel.Describe(plain(steps), over)
}

// plain are steps as they were seen.
func plain(steps []step) []env.Step {
	out := make([]env.Step, len(steps))
	for i, s := range steps {
		out[i] = s.Step
	}
	return out
}

// score tells how promising the policy and the cost model find each of some episodes.
func (t *trainer) score(episodes []*episode) {
	t.weigh(episodes)
	if t.cost == nil {
		return
	}
	of := make([]costmodel.Features, len(episodes))
	for i, e := range episodes {
		of[i] = describe(e.all(), e.playing)
	}
	for i, s := range t.cost.Scores(of) {
		episodes[i].promise = costmodel.Promise(s, episodes[i].promise)
	}
}

// weigh asks the policy how probable it finds episodes, with what they begin with: the
// promise of each is a logarithm.
func (t *trainer) weigh(episodes []*episode) {
	var steps []env.Step
	for _, e := range episodes {
		steps = append(steps, plain(e.prefix)...)
	}
	logProb := t.logProb(steps)
	for _, e := range episodes {
		for range e.prefix {
			e.promise += float64(logProb[0])
			logProb = logProb[1:]
		}
		for _, s := range e.steps {
			e.promise += float64(s.logProb)
		}
	}
}

// saveCosts writes the cost model, if there is one, and what it learns from.
func (t *trainer) saveCosts(dir string) error {
	if t.cost == nil {
		return nil
	}
	content, err := json.Marshal(t.judged)
	if err != nil {
		return err
	}
	return errors.Join(t.cost.Save(dir), os.WriteFile(filepath.Join(dir, judgedFile), content, 0o644))
}

// loadCost reads the checkpoint's cost model, if it has one. One of an older version sees other
// features: it counts as none.
func (c *Checkpoint) loadCost() error {
	if c.State.Checksums[costmodel.ModelFile] == "" {
		return nil
	}
	if err := c.verify(costmodel.ModelFile); err != nil {
		return err
	}
	cost := costmodel.New(newRand(0))
	err := cost.Load(c.Dir)
	if errors.Is(err, nn.ErrOtherNetwork) {
		return nil
	}
	c.Cost = cost
	return err
}

// loadCosts restores what has been learned of what saveCosts wrote; of an older version, which
// saw other features, nothing.
func (t *trainer) loadCosts(c *Checkpoint) error {
	if t.cost == nil || c.Cost == nil {
		return nil
	}
	t.cost = c.Cost
	return t.loadCostLearner(c)
}

// loadJudged restores what the cost model learns from.
func (t *trainer) loadJudged(c *Checkpoint) error {
	if t.cost == nil {
		return nil
	}
	judged, err := c.readJudged()
	t.takeJudged(judged)
	return err
}

// loadCostLearner reads what the cost model's learning goes on with; of an older version, which
// kept no mean, it begins anew from what was learned.
func (t *trainer) loadCostLearner(c *Checkpoint) error {
	if c.State.Checksums[costmodel.LearnerFile] == "" {
		return nil
	}
	if err := errors.Join(c.verify(costmodel.LearnerFile), c.verify(costmodel.OptimizerFile)); err != nil {
		return err
	}
	return t.cost.LoadLearner(c.Dir)
}
