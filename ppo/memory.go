package ppo

import (
	"fmt"
	"slices"

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

// clearlyBetter is by how much a reward must exceed another to be more than luck: 2.3 %
// of the time. Among equals the first is kept, which is the plainest: schedules that differ
// by chance alone teach nothing.
const clearlyBetter = 0.01

// remember keeps the episodes that clearly beat what is remembered of their programs.
func (t *trainer) remember(episodes []*episode) {
	for _, e := range episodes {
		hash := e.task.Program.Hash
		t.state.Visits[hash]++
		best, known := t.state.Memories[hash]
		if !e.feedback.Measured() || (known && e.feedback.Reward() < best.Reward+clearlyBetter) {
			continue
		}
		t.memorise(hash, e.feedback.Reward(), remembered{slices.Concat(e.prefix, e.steps), e.task.Schedule})
	}
}

// memorise takes an episode for the best met on its program.
func (t *trainer) memorise(hash string, reward float64, r remembered) {
	m := Memory{Reward: reward}
	for _, s := range r.steps {
		m.Answers = append(m.Answers, s.Answers)
	}
	t.state.Memories[hash], t.remembered[hash] = m, r
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
	steps := make([]step, len(seen))
	for i, s := range seen {
		steps[i].Step = s
	}
	t.memorise(p.Hash, l.Reward, remembered{steps, playing.Schedule()})
}

// studyTeacher takes the best episodes of another training, or schedules known from
// elsewhere, for the first ones, as far as they are on programs of this one and can be done
// again here.
func (t *trainer) studyTeacher() {
	for _, p := range t.Programs {
		if l, known := t.Lessons[p.Hash]; known {
			t.study(p, l)
		}
		m, known := t.Teacher[p.Hash]
		if !known {
			continue
		}
		if best, known := t.state.Memories[p.Hash]; known && best.Reward > m.Reward {
			continue
		}
		if r, err := t.again(p, m); err == nil {
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
		r, err := t.again(p, m)
		if err != nil {
			return fmt.Errorf("what is remembered of program %s: %w", p.Name, err)
		}
		t.remembered[p.Hash] = r
	}
	return nil
}

// again plays a remembered episode again.
func (t *trainer) again(p *program.Program, m Memory) (remembered, error) {
	e := t.spaces[p.Hash].NewEpisode()
	var steps []step
	for _, answers := range m.Answers {
		s, err := e.Replay(answers)
		if err != nil {
			return remembered{}, err
		}
		steps = append(steps, step{Step: s})
	}
	return remembered{steps, e.Schedule()}, nil
}

// plainShare is what a step of an episode that is as fast as the default schedule weighs
// beside the reward of others.
const plainShare = 0.1

// recall draws n remembered steps, those more often whose episodes earned more: what is
// worth most is to be learned first, and what the rule does anyway is soon known. There
// are none before the first episode.
func (t *trainer) recall(n int) []*step {
	var weights []float64 // summed up, in a fixed order: the same seed, the same draw
	var episodes []remembered
	sum := 0.0
	for _, p := range t.Programs {
		if r := t.remembered[p.Hash]; len(r.steps) > 0 {
			sum += float64(len(r.steps)) * (plainShare + max(0, t.state.Memories[p.Hash].Reward))
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
