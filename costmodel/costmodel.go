// Package costmodel guesses which of several schedules of a program is the fastest before
// any of them is compiled. It learns from schedules that were measured to give scores, such
// that of two schedules of a program the faster has the higher one (RankNet: Burges et al.
// 2005, "Learning to rank using gradient descent"). A score is of two parts: the time that the
// loops of all operations take, which a rule estimates and a small network corrects; and what
// another makes of each action of a schedule, with the operation as it was then.
package costmodel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"

	"nestling/env"
	"nestling/nn"
)

// Size is the length of the vector that describes an action: of the operation that it is
// on, of its loops on average, and of what was chosen, all answers added up.
const Size = env.OpSize + env.LoopSize + env.OptionSize

const width = 96

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
	each1, each2 nn.Linear // of an action
	all, score   nn.Linear // of the sum over actions
	nest1, nest2 nn.Linear // of a nest
	error        nn.Linear // of the estimate of a nest's time
	tape         *nn.Tape
	optimizer    *nn.Adam
}

const (
	learningRate = 1e-3
	weightDecay  = 0.05
)

// New makes a model that knows nothing, its weights drawn from rng.
func New(rng *rand.Rand) *Model {
	m := &Model{
		each1: nn.NewLinear("each1", Size, width), each2: nn.NewLinear("each2", width, width),
		all: nn.NewLinear("all", width, width), score: nn.NewLinear("score", width, 1),
		nest1: nn.NewLinear("nest1", NestSize, width), nest2: nn.NewLinear("nest2", width, width),
		error: nn.NewLinear("error", width, 1), tape: nn.NewTape(),
	}
	// What is said last begins as nothing: the estimate is where learning starts from.
	for _, l := range []nn.Linear{m.each1, m.each2, m.all, m.nest1, m.nest2} {
		nn.Xavier(l.Weight, rng)
	}
	m.optimizer = nn.NewAdam(m.parameters(), learningRate)
	m.optimizer.Decay = weightDecay
	return m
}

func (m *Model) parameters() []*nn.Parameter {
	var out []*nn.Parameter
	for _, l := range []nn.Linear{m.each1, m.each2, m.all, m.score, m.nest1, m.nest2, m.error} {
		out = append(out, l.Parameters()...)
	}
	return out
}

// typical is about how many actions a schedule has: sums over them are scaled by it.
const typical = 4

// forward gives scores, [schedules, 1].
func (m *Model) forward(of []Features) *nn.Tensor {
	m.tape.Reset()
	return m.tape.Add(m.scoreActions(of), m.tape.Scale(m.logTime(of), -1))
}

// scoreActions makes of the actions what the nests do not show, [schedules, 1].
func (m *Model) scoreActions(of []Features) *nn.Tensor {
	t := m.tape
	var all []float32
	counts := make([]int, len(of))
	for i, f := range of {
		all, counts[i] = append(all, f.Actions...), len(f.Actions)/Size
	}
	x := t.Constant(all, sum(counts), Size)
	x = t.ReLU(m.each2.Forward(t, t.ReLU(m.each1.Forward(t, x))))
	x = t.Scale(t.SumRows(x, counts), 1.0/typical)
	return m.score.Forward(t, t.ReLU(m.all.Forward(t, x)))
}

// logTime is the logarithm of the time that all nests of a schedule take together,
// [schedules, 1]: of each the estimate, corrected.
func (m *Model) logTime(of []Features) *nn.Tensor {
	t := m.tape
	var estimates, rows []float32
	counts := make([]int, len(of))
	for i, f := range of {
		for nest := range slices.Chunk(f.Nests, 1+NestSize) {
			estimates, rows = append(estimates, nest[0]), append(rows, nest[1:]...)
			counts[i]++
		}
	}
	x := t.Constant(rows, len(estimates), NestSize)
	x = t.ReLU(m.nest2.Forward(t, t.ReLU(m.nest1.Forward(t, x))))
	return t.LogSumExpRows(t.Add(m.error.Forward(t, x), t.Constant(estimates, len(estimates), 1)), counts)
}

func sum(counts []int) int {
	total := 0
	for _, n := range counts {
		total += n
	}
	return total
}

// likelihoodWeight is what a nat of a policy's log-probability counts beside a score. Of
// four proposals the best by both together was better than all that was known 1.8 times as
// often as any of them, by the policy alone 1.4 times, by the model alone 1.6 times.
const likelihoodWeight = 0.03

// Promise is how promising a schedule is that has a score, and that a policy finds as
// probable as a logarithm says.
func Promise(score, logProb float64) float64 { return score + likelihoodWeight*logProb }

// Scores rank schedules of one program: the higher, the faster.
func (m *Model) Scores(of []Features) []float64 {
	if len(of) == 0 {
		return nil
	}
	scores := m.forward(of)
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
// guesses. Without a pair to learn from nothing happens.
func (m *Model) Learn(groups [][]Measured) (loss float64, err error) {
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
	logProb, _ := m.tape.Categorical(m.tape.Gather(m.forward(of), pairs), len(choices), choices)
	mean := m.tape.Scale(m.tape.Mean(logProb), -1)
	m.tape.Backward(mean)
	loss = float64(mean.Data[0])
	if norm := m.optimizer.ClipGradients(1); math.IsNaN(norm+loss) || math.IsInf(norm+loss, 0) {
		return loss, fmt.Errorf("a step of the cost model is not finite (loss %g)", loss)
	}
	m.optimizer.Step()
	return loss, nil
}

// Files of a model in a checkpoint.
const (
	ModelFile     = "cost_model.safetensors"
	OptimizerFile = "cost_optimizer.safetensors"
)

// Save writes the model into a folder.
func (m *Model) Save(dir string) error {
	return nn.WriteSafetensors(filepath.Join(dir, ModelFile), nn.Arrays(m.parameters()), nil)
}

// Load restores what Save wrote.
func (m *Model) Load(dir string) error {
	file, err := nn.ReadSafetensors(filepath.Join(dir, ModelFile))
	if err != nil {
		return err
	}
	return file.CopyTo(nn.Arrays(m.parameters()))
}

// SaveOptimizer writes what learning goes on with.
func (m *Model) SaveOptimizer(dir string) error {
	return m.optimizer.Save(filepath.Join(dir, OptimizerFile))
}

// LoadOptimizer restores what SaveOptimizer wrote.
func (m *Model) LoadOptimizer(dir string) error {
	return m.optimizer.Load(filepath.Join(dir, OptimizerFile))
}
