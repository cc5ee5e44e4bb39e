package ppo

import (
	"context"
	"fmt"
	"slices"

	"nestling/costmodel"
	"nestling/env"
	"nestling/program"
	"nestling/schedule"
)

// Memory is the best episode met so far on a program: what was done, and what it
// earned. A checkpoint keeps it; what was seen is found again by doing it again.
type Memory struct {
	Reward  float64 `json:"reward"`
	Answers [][]int `json:"answers"` // of each action
}

// remembered is a memory with what was seen.
type remembered struct {
	steps    []step
	schedule schedule.Schedule
}

// remember keeps the best episode of each program, if it clearly beats what is remembered.
// Before that it is measured a second time, and that is what counts: the best of many
// measurements is partly luck, and some schedules are as fast in one process of two.
func (t *trainer) remember(ctx context.Context, episodes []*episode) error {
	for _, e := range episodes {
		t.state.Visits[e.task.Program.Hash]++
	}
	challengers := t.challengers(episodes)
	confirmed, err := t.confirm(ctx, challengers)
	if err != nil {
		return err
	}
	for i, e := range challengers {
		if hash := e.task.Program.Hash; t.clearlyBest(hash, confirmed[i]) {
			t.memorise(hash, confirmed[i].Reward(), remembered{e.all(), e.task.Schedule})
			e.found = true
		}
	}
	return nil
}

// clearlyBest tells whether feedback clearly beats what is remembered of its program: by
// more than luck and by more than the measurement's standard error.
func (t *trainer) clearlyBest(program string, f env.Feedback) bool {
	best, known := t.state.Memories[program]
	margin := max(t.Config.ClearlyBetter, f.RewardUncertainty())
	return f.Measured() && (!known || f.Reward() >= best.Reward+margin)
}

// challengers are the best episodes of their programs, where they clearly beat what is
// remembered.
func (t *trainer) challengers(episodes []*episode) []*episode {
	var best []*episode
	for _, e := range episodes {
		if !t.clearlyBest(e.task.Program.Hash, e.feedback) {
			continue
		}
		at := slices.IndexFunc(best, func(b *episode) bool { return b.task.Program == e.task.Program })
		switch {
		case at < 0:
			best = append(best, e)
		case e.feedback.Reward() > best[at].feedback.Reward():
			best[at] = e
		}
	}
	return best
}

// confirm measures episodes a second time, where the evaluator can. What that comes to is for
// the memory alone: advantages are differences between episodes that were all measured once,
// and compared with the same baseline.
func (t *trainer) confirm(ctx context.Context, episodes []*episode) ([]env.Feedback, error) {
	if again, can := t.Evaluator.(env.Remeasurer); can && t.Config.Confirm && len(episodes) > 0 {
		return again.Again(ctx, tasksOf(episodes))
	}
	feedback := make([]env.Feedback, len(episodes))
	for i, e := range episodes {
		feedback[i] = e.feedback
	}
	return feedback, nil
}

// memorise takes an episode for the best met on its program.
func (t *trainer) memorise(hash string, reward float64, r remembered) {
	t.state.Memories[hash], t.remembered[hash] = memoryOf(reward, r.steps), r
}

func memoryOf(reward float64, steps []step) Memory {
	m := Memory{Reward: reward}
	for _, s := range steps {
		m.Answers = append(m.Answers, s.Answers)
	}
	return m
}

// demonstrate lets the trainer begin with what the default schedule does with each program
// that nothing is remembered of, as far as that is within what an agent can choose: it is
// there for nothing, its reward is 0 by definition, and what is better takes its place.
func (t *trainer) demonstrate() {
	for _, p := range t.Programs {
		if _, known := t.state.Memories[p.Hash]; !known {
			t.study(p, Lesson{Schedule: schedule.Default(p, t.Machine)})
		}
	}
}

// Lesson is a schedule that was not found here, and what it earns.
type Lesson struct {
	Schedule schedule.Schedule
	Reward   float64
}

// study takes a schedule for the best met on its program, if it can be reached: some have
// sizes that are not offered.
func (t *trainer) study(p *program.Program, l Lesson) {
	playing := t.spaces[p.Hash].NewEpisode()
	seen, err := playing.Follow(l.Schedule)
	if err != nil {
		return
	}
	t.memorise(p.Hash, l.Reward, remembered{stepsOf(seen), playing.Schedule()})
}

// Teacher is what is handed on from one training to another; its zero value is nothing.
type Teacher struct {
	Memories map[string]Memory // the best episodes, by program hash: the first to imitate
	Cost     *costmodel.Model  // nil: it has none
	judged   []*judgedProgram  // what that has learned from
}

// TeacherOf is what a checkpoint hands on.
func TeacherOf(c *Checkpoint) (Teacher, error) {
	judged, err := c.readJudged()
	return Teacher{Memories: c.State.Memories, Cost: c.Cost, judged: judged}, err
}

// studyTeacher takes the best episodes of another training, or schedules known from
// elsewhere, for the first ones, as far as they are on programs of this one and can be done
// again here.
func (t *trainer) studyTeacher() {
	if t.Config.CostModel {
		if t.Teacher.Cost != nil {
			t.cost = t.Teacher.Cost
		}
		t.takeJudged(t.Teacher.judged)
	}
	for _, p := range t.Programs {
		if l, known := t.Lessons[p.Hash]; known {
			t.study(p, l)
		}
		m, known := t.Teacher.Memories[p.Hash]
		if !known {
			continue
		}
		if best, known := t.state.Memories[p.Hash]; known && best.Reward > m.Reward {
			continue
		}
		if r, _, err := t.again(p, m); err == nil {
			t.memorise(p.Hash, m.Reward, r)
		}
	}
}

// known is the mean of the best rewards, in a fixed order for the last bit's sake.
func (t *trainer) known() float64 {
	sum, n := 0.0, 0
	for _, p := range t.Programs {
		if m, ok := t.state.Memories[p.Hash]; ok {
			sum += m.Reward
			n++
		}
	}
	return sum / float64(max(1, n))
}

// replay plays the remembered actions of a checkpoint again, for the observations.
func (t *trainer) replay() error {
	for _, p := range t.Programs {
		m, known := t.state.Memories[p.Hash]
		if !known {
			continue
		}
		r, _, err := t.again(p, m)
		if err != nil {
			return fmt.Errorf("what is remembered of program %s: %w", p.Name, err)
		}
		t.remembered[p.Hash] = r
	}
	return nil
}

// again plays a remembered episode again, and returns it at its end.
func (t *trainer) again(p *program.Program, m Memory) (remembered, *env.Episode, error) {
	e := t.spaces[p.Hash].NewEpisode()
	var steps []step
	for _, answers := range m.Answers {
		s, err := e.Replay(answers)
		if err != nil {
			return remembered{}, nil, err
		}
		steps = append(steps, step{Step: s})
	}
	return remembered{steps, e.Schedule()}, e, nil
}

// isExample tells whether what is remembered of a program is to be imitated: not what is
// slower than the default schedule, where that is out of reach, and not the default schedule
// itself while nothing else was tried on the program.
func (t *trainer) isExample(p *program.Program) bool {
	reward := t.state.Memories[p.Hash].Reward
	tried := t.state.Visits[p.Hash] > 0
	return len(t.remembered[p.Hash].steps) > 0 && (reward > 0 || reward == 0 && tried)
}

// recall draws n steps of the examples, those more often whose episodes earned more: what is
// worth most is to be learned first, and what the rule does anyway is soon known.
func (t *trainer) recall(n int) []*step {
	var weights []float64 // summed up, in a fixed order: the same seed, the same draw
	var episodes []remembered
	sum := 0.0
	for _, p := range t.Programs {
		if t.isExample(p) {
			r := t.remembered[p.Hash]
			sum += float64(len(r.steps)) * (t.Config.PlainShare + t.state.Memories[p.Hash].Reward)
			weights, episodes = append(weights, sum), append(episodes, r)
		}
	}
	if len(episodes) == 0 {
		return nil
	}
	out := make([]*step, n)
	for i := range out {
		at, _ := slices.BinarySearch(weights, t.rng.Float64()*sum)
		steps := episodes[min(at, len(episodes)-1)].steps
		out[i] = &steps[t.rng.IntN(len(steps))]
	}
	return out
}
