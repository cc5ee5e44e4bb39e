package ppo

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"nestling/costmodel"
	"nestling/env"
	"nestling/program"
	"nestling/results"
	"nestling/schedule"
)

// Refit learns the cost model of the run's best checkpoint anew, from schedules that were
// measured: for when what a cost model sees has changed since. o tells the run, its settings,
// its programs and the machine; known are the ratios of schedules to the probe, by program
// hash and text. It returns the mean loss of the last tenth of the steps, as
// Metrics.CostLoss.
func Refit(o TrainOptions, known map[string]map[string]float64, steps int, progress func(done, total int)) (loss float64, err error) {
	c, err := LoadBest(o.Run)
	if err != nil {
		return 0, err
	}
	t := &trainer{TrainOptions: o, usuals: map[string]usualSchedule{}, spaces: spaces(o.Programs, o.Machine, o.Rules)}
	t.rng = newRand(o.Config.Seed)
	t.cost = costmodel.New(rand.New(rand.NewPCG(o.Config.Seed, 4)))
	for _, p := range o.Programs {
		t.know(p, known[p.Hash])
	}
	if len(t.judged) == 0 {
		return 0, fmt.Errorf("the tuning database knows no schedules of the %d programs to learn from", len(o.Programs))
	}
	last := max(1, steps/10)
	for step := range steps {
		l, err := t.learnCost()
		if err != nil {
			return 0, err
		}
		if step >= steps-last {
			loss += l / float64(last)
		}
		progress(step+1, steps)
	}
	return loss, t.replaceCost(c)
}

// know takes what is known of a program's schedules for judged, if that is known of its
// default schedule, too: all but those that are out of reach.
func (t *trainer) know(p *program.Program, ratios map[string]float64) {
	usual, found := ratios[t.usual(p).text]
	if !found {
		return
	}
	for _, text := range slices.Sorted(maps.Keys(ratios)) {
		s, err := schedule.Parse(text)
		if err != nil || text == t.usual(p).text {
			continue
		}
		playing := t.spaces[p.Hash].NewEpisode()
		steps, err := playing.Follow(s)
		if err != nil { // sizes that are not offered, or not any more
			continue
		}
		g := t.judgedProgram(p)
		reward := env.Feedback{LogSpeedup: math.Log(usual / ratios[text])}.Reward()
		g.Episodes = append(g.Episodes, judgedEpisode{memoryOf(reward, stepsOf(steps)), textSum(text)})
		g.measured = append(g.measured, costmodel.Measured{Features: costmodel.Describe(steps, playing), Reward: reward})
	}
}

// replaceCost writes a checkpoint again, with this cost model in place of its own.
func (t *trainer) replaceCost(c *Checkpoint) error {
	files, err := os.ReadDir(c.Dir)
	if err != nil {
		return err
	}
	_, err = t.Run.SaveCheckpoint(c.State.Iteration, func(dir string) error {
		for _, f := range files {
			content, err := os.ReadFile(filepath.Join(c.Dir, f.Name()))
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, f.Name()), content, 0o644)
			}
			if err != nil {
				return err
			}
		}
		if err := errors.Join(t.cost.Save(dir), t.cost.SaveOptimizer(dir)); err != nil {
			return err
		}
		for _, name := range []string{costmodel.ModelFile, costmodel.OptimizerFile} {
			sum, err := checksum(filepath.Join(dir, name))
			if err != nil {
				return err
			}
			c.State.Checksums[name] = sum
		}
		return results.WriteJSON(filepath.Join(dir, results.StateFile), c.State)
	})
	return err
}
