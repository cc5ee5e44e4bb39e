package ppo

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"nestling/costmodel"
	"nestling/env"
	"nestling/nn"
	"nestling/program"
)

// judgedFile is what the cost model learns from, in a checkpoint.
const judgedFile = "judged.json"

// costFiles are those of a checkpoint that are the cost model's.
var costFiles = []string{costmodel.ModelFile, costmodel.OptimizerFile, judgedFile}

// judgedGroup are different schedules of one program, measured in the same iteration.
type judgedGroup struct {
	Program  string   `json:"program"` // its hash
	Episodes []Memory `json:"episodes"`
	measured []costmodel.Measured
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
		batch := make([][]costmodel.Measured, t.Config.CostBatch)
		for i := range batch {
			batch[i] = t.judged[t.rng.IntN(len(t.judged))].measured
		}
		loss, err := t.cost.Learn(batch)
		if err != nil {
			return err
		}
		total += loss
	}
	m.CostLoss = total / float64(t.Config.CostUpdates)
	return nil
}

// collect keeps what was measured for the cost model, different schedules of a program
// together.
func (t *trainer) collect(episodes []*episode) {
	groups := map[string]*judgedGroup{}
	seen := map[string]bool{}
	for _, e := range episodes {
		hash, text := e.task.Program.Hash, e.task.Schedule.String()
		key := hash + " " + text
		if !e.judged() || seen[key] || text == t.usual(e.task.Program).text {
			continue
		}
		seen[key] = true
		g := groups[hash]
		if g == nil {
			g = t.judgedGroup(e.task.Program)
			groups[hash] = g
			t.judged = append(t.judged, g)
		}
		steps := e.all()
		g.Episodes = append(g.Episodes, memoryOf(e.feedback.Reward(), steps))
		g.measured = append(g.measured, costmodel.Measured{Features: describe(steps, e.playing), Reward: e.feedback.Reward()})
	}
	t.judged = t.judged[max(0, len(t.judged)-t.Config.CostGroups):]
}

// usualSchedule is a program's default schedule, which earns 0 by definition; nothing where
// it is out of the policy's reach.
type usualSchedule struct {
	text     string
	measured []costmodel.Measured
}

// usual is worked out once for each program.
func (t *trainer) usual(p *program.Program) usualSchedule {
	if known, ok := t.usuals[p.Hash]; ok {
		return known
	}
	var u usualSchedule
	if over, steps, err := t.spaces[p.Hash].Default(); err == nil {
		u = usualSchedule{over.Schedule().String(), []costmodel.Measured{{Features: costmodel.Describe(steps, over)}}}
	}
	t.usuals[p.Hash] = u
	return u
}

// judgedGroup begins a group: with the default schedule, for that is what all others are to be
// compared with.
func (t *trainer) judgedGroup(p *program.Program) *judgedGroup {
	return &judgedGroup{Program: p.Hash, measured: slices.Clone(t.usual(p).measured)}
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
	return errors.Join(t.cost.Save(dir), t.cost.SaveOptimizer(dir), os.WriteFile(filepath.Join(dir, judgedFile), content, 0o644))
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

// loadCosts restores what saveCosts wrote. What was seen is found again by doing it again.
// A checkpoint of an older version has nothing to restore.
func (t *trainer) loadCosts(c *Checkpoint) error {
	if c.Cost == nil || t.cost == nil {
		return nil
	}
	t.cost = c.Cost
	if err := errors.Join(c.verify(costmodel.OptimizerFile), c.verify(judgedFile)); err != nil {
		return err
	}
	if err := t.cost.LoadOptimizer(c.Dir); err != nil {
		return err
	}
	path := filepath.Join(c.Dir, judgedFile)
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, &t.judged); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	known := map[string]*program.Program{}
	for _, p := range t.Programs {
		known[p.Hash] = p
	}
	for _, g := range t.judged {
		p := known[g.Program]
		if p == nil {
			continue // --data has changed
		}
		g.measured = t.judgedGroup(p).measured
		for _, m := range g.Episodes {
			r, over, err := t.again(p, m)
			if err != nil {
				return fmt.Errorf("%s: program %s: %w", path, p.Name, err)
			}
			g.measured = append(g.measured, costmodel.Measured{Features: describe(r.steps, over), Reward: m.Reward})
		}
	}
	return nil
}
