// Package costmodel guesses which of several schedules of a program is the fastest before
// any of them is compiled. It learns from schedules that were measured to give scores, such
// that of two schedules of a program the faster has the higher one (RankNet: Burges et al.
// 2005, "Learning to rank using gradient descent"). A score is of two parts: the time that the
// loops of all operations take, which a rule estimates and a small network corrects; and what
// another makes of each action of a schedule, with the operation as it was then.
package costmodel

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"

	"nestling/env"
	"nestling/nn"
)

// Size is the length of the vector that describes an action: of the operation that it is
// on, of its loops on average, and of what was chosen: all answers added up, but for the tile
// or strip that they make, which the last one shows whole.
const Size = env.OpSize + env.LoopSize + env.OptionSize

// Features describe a schedule.
type Features struct {
	Actions []float32 // that lead to it, [actions, Size]
	Nests   []float32 // that it makes, [nests, 1 + NestSize]
}

// Describe reads features from the steps that lead to a schedule, and from the episode that
// they have ended.
func Describe(steps []env.Step, over *env.Episode) Features {
	return Features{describeActions(steps), describeNests(over)}
}

func describeActions(steps []env.Step) []float32 {
	out := make([]float32, 0, len(steps)*Size)
	for _, s := range steps {
		op := s.Observation.Ops[len(s.Observation.Ops)-1]
		out = append(out, op.Features...)
		loops := extend(&out, env.LoopSize)
		for _, l := range op.Loops {
			for i, v := range l {
				loops[i] += v / float32(len(op.Loops))
			}
		}
		chosen := extend(&out, env.OptionSize)
		for i, q := range s.Questions {
			for j, v := range q.Options[s.Answers[i]] {
				chosen[j] += v
			}
		}
		if last := len(s.Questions) - 1; last >= 0 {
			copy(env.SizesOf(chosen), env.SizesOf(s.Questions[last].Options[s.Answers[last]]))
		}
	}
	return out
}

// extend appends n zeros and returns them.
func extend(f *[]float32, n int) []float32 {
	at := len(*f)
	*f = append(*f, make([]float32, n)...)
	return (*f)[at:]
}

// Model is a cost model. It is not safe for concurrent use.
type Model struct {
	learner   *network // what the last step has made of it
	mean      *network // running mean of that, which scores: it swings less
	tape      *nn.Tape
	optimizer *nn.Adam // of the learner
}

const (
	learningRate = 1e-3
	weightDecay  = 0.05
	averaging    = 0.998 // what of the mean stays in a step, at most
)

// New makes a model that knows nothing, its weights drawn from rng.
func New(rng *rand.Rand) *Model {
	m := &Model{learner: newNetwork(), mean: newNetwork(), tape: nn.NewTape()}
	m.learner.begin(rng)
	nn.Approach(m.mean.parameters(), m.learner.parameters(), 1)
	m.optimizer = nn.NewAdam(m.learner.parameters(), learningRate)
	m.optimizer.Decay = weightDecay
	return m
}

// trust is what a nat of a policy's log-probability counts beside a score. Of four proposals
// the best by both together was better than all that was known 1.8 times as often as any of
// them, by the policy alone 1.4 times, by the model alone 1.6 times.
const trust = 0.03

// Promise is how promising a schedule is that has a score, and that a policy finds as
// probable as a logarithm says.
func Promise(score, logProb float64) float64 { return score + trust*logProb }

// Scores rank schedules of one program: the higher, the faster.
func (m *Model) Scores(of []Features) []float64 { return m.scores(of, 1) }

// scores are Scores in which a share of what actions add counts.
func (m *Model) scores(of []Features, share float32) []float64 {
	if len(of) == 0 {
		return nil
	}
	m.tape.Reset()
	scores := m.mean.forward(m.tape, of, share, nil)
	out := make([]float64, len(of))
	for i, v := range scores.Data {
		out[i] = float64(v)
	}
	return out
}

// Measured is a schedule with what it earned.
type Measured struct {
	Features Features
	Reward   float64 // env.Feedback.Reward
}

// alike is the difference of rewards below which two schedules are no pair to learn from.
const alike = 0.01

// Learn takes one step towards ranking the schedules of each group, which are of one
// program, as their rewards do, and returns the mean loss of a pair, in nats: ln 2 for
// guesses. What drops out meanwhile is drawn from rng. Without a pair to learn from nothing
// happens.
func (m *Model) Learn(groups [][]Measured, rng *rand.Rand) (loss float64, err error) {
	var of []Features
	var pairs []int // the faster one, then the slower one
	for _, g := range groups {
		for i, a := range g {
			for j, b := range g[:i] {
				switch first := len(of); {
				case a.Reward > b.Reward+alike:
					pairs = append(pairs, first+i, first+j)
				case b.Reward > a.Reward+alike:
					pairs = append(pairs, first+j, first+i)
				}
			}
		}
		for _, s := range g {
			of = append(of, s.Features)
		}
	}
	if len(pairs) == 0 {
		return 0, nil
	}
	choices := make([]nn.Choice, len(pairs)/2)
	for i := range choices {
		choices[i] = nn.Choice{Row: i, From: 2 * i, To: 2*i + 2}
	}
	m.tape.Reset()
	logProb, _ := m.tape.Categorical(m.tape.Gather(m.learner.forward(m.tape, of, 1, rng), pairs), len(choices), choices)
	mean := m.tape.Scale(m.tape.Mean(logProb), -1)
	m.tape.Backward(mean)
	loss = float64(mean.Data[0])
	if norm := m.optimizer.ClipGradients(1); math.IsNaN(norm+loss) || math.IsInf(norm+loss, 0) {
		return loss, fmt.Errorf("a step of the cost model is not finite (loss %g)", loss)
	}
	m.optimizer.Step()
	m.average()
	return loss, nil
}

// average lets the mean follow the learner: at first of the last tenth of the steps, for those
// before know little.
func (m *Model) average() {
	n := float64(m.optimizer.Steps())
	nn.Approach(m.mean.parameters(), m.learner.parameters(), max(1-averaging, 10/(9+n)))
}

// Files of a model in a checkpoint. To rank schedules takes the first alone.
const (
	ModelFile     = "cost_model.safetensors"
	LearnerFile   = "cost_learner.safetensors"
	OptimizerFile = "cost_optimizer.safetensors"
)

// Files are all that Save writes.
var Files = []string{ModelFile, LearnerFile, OptimizerFile}

// Save writes the model into a folder.
func (m *Model) Save(dir string) error {
	return errors.Join(
		nn.SaveParameters(filepath.Join(dir, ModelFile), m.mean.parameters()),
		nn.SaveParameters(filepath.Join(dir, LearnerFile), m.learner.parameters()),
		m.optimizer.Save(filepath.Join(dir, OptimizerFile)))
}

// Load restores what ranks of what Save wrote; learning goes on from there, too, unless
// LoadLearner says more of it.
func (m *Model) Load(dir string) error {
	if err := nn.LoadParameters(filepath.Join(dir, ModelFile), m.mean.parameters()); err != nil {
		return err
	}
	nn.Approach(m.learner.parameters(), m.mean.parameters(), 1)
	return nil
}

// LoadLearner restores what learning goes on with.
func (m *Model) LoadLearner(dir string) error {
	if err := nn.LoadParameters(filepath.Join(dir, LearnerFile), m.learner.parameters()); err != nil {
		return err
	}
	return m.optimizer.Load(filepath.Join(dir, OptimizerFile))
}
