package ppo

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"

	"nestling/blas"
	"nestling/costmodel"
	"nestling/env"
	"nestling/program"
	"nestling/schedule"
)

// Refit learns the cost model of the run's best checkpoint anew, from schedules that were
// measured: for when what a cost model sees has changed since. o tells the run, its settings,
// its programs and the machine; known are the ratios of schedules to the probe, by program
// hash and text. It returns the mean loss of the last tenth of the steps, as
// Metrics.CostLoss. When ctx ends, all stays as it was.
func Refit(ctx context.Context, o TrainOptions, known map[string]map[string]float64, steps int, progress func(done, total int)) (loss float64, err error) {
	blas.SetThreads(1) // as in training
	if err := o.Config.Check(); err != nil {
		return 0, err
	}
	if !o.Config.CostModel || steps < 1 {
		return 0, fmt.Errorf("%s: %d steps of a cost model (cost_model %v); it takes 1 or more, of a run that has one", o.Run.Dir, steps, o.Config.CostModel)
	}
	c, err := LoadBest(o.Run)
	if err != nil {
		return 0, err
	}
	t := &trainer{TrainOptions: o, usuals: map[string]usualSchedule{}, spaces: spaces(o.Programs, o.Machine, o.Rules)}
	t.rng = newRand(o.Config.Seed)
	t.cost = newCostModel(o.Config)
	for _, p := range o.Programs {
		t.know(p, known[p.Hash])
	}
	if len(t.judged) == 0 {
		return 0, fmt.Errorf("the tuning database knows no schedules of the %d programs to learn from", len(o.Programs))
	}
	last := max(1, steps/10)
	for step := range steps {
		if err := context.Cause(ctx); err != nil {
			return 0, err
		}
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

// know takes the known schedules of a program for judged ones, as far as they are within
// reach; none where nothing is known of the default one.
func (t *trainer) know(p *program.Program, ratios map[string]float64) {
	usual, found := ratios[t.usual(p).text]
	if !found {
		return
	}
	// Schedules that begin alike are not next to each other: of many, some of all kinds stay.
	texts := slices.SortedFunc(maps.Keys(ratios), func(a, b string) int {
		return cmp.Or(cmp.Compare(textSum(a), textSum(b)), cmp.Compare(a, b))
	})
	for _, text := range texts {
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
		j := judgedEpisode{memoryOf(reward, stepsOf(steps)), textSum(text)}
		g.Episodes, g.measured = append(g.Episodes, j), append(g.measured, j.measured(costmodel.Describe(steps, playing)))
		t.thin(g)
	}
}

// replaceCost writes a checkpoint again, with this cost model in place of its own.
func (t *trainer) replaceCost(c *Checkpoint) error {
	_, err := t.Run.SaveCheckpoint(c.State.Iteration, func(dir string) error {
		if err := os.CopyFS(dir, os.DirFS(c.Dir)); err != nil {
			return err
		}
		if err := t.cost.Save(dir); err != nil {
			return err
		}
		return c.State.write(dir, costmodel.Files...)
	})
	return err
}
