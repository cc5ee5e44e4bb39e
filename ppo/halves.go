package ppo

import (
	"sync"

	"nestling/env"
	"nestling/nn"
	"nestling/nn/vector"
	"nestling/policy"
)

// half differentiates one half of a minibatch while another core does the other. There
// are two halves whatever the machine, and their gradients are added in their order: the
// same seed learns the same bits everywhere.
type half struct {
	agent *policy.Policy // shares its weights with the other
	tape  *nn.Tape
}

func halvesOf(agent *policy.Policy) [2]half {
	return [2]half{{agent, nn.NewTape()}, {agent.Twin(), nn.NewTape()}}
}

// split is where part 0 or 1 of n begins and ends. The first may be empty.
func split(n, part int) (from, to int) { return part * n / 2, (part + 1) * n / 2 }

// descend adds the gradient of the sum of both halves' losses to the agent's, and returns
// the sum. The loss of half i is that of n steps from one to another, at least one.
func (t *trainer) descend(n int, lossOf func(i int, h half, from, to int) *nn.Tensor) float64 {
	var losses [2]float64
	var both sync.WaitGroup
	for i, h := range t.halves {
		from, to := split(n, i)
		if from == to {
			continue
		}
		both.Go(func() {
			h.tape.Reset()
			loss := lossOf(i, h, from, to)
			h.tape.Backward(loss)
			losses[i] = float64(loss.Data[0])
		})
	}
	both.Wait()
	sum := t.agent.Parameters()
	for i, p := range t.halves[1].agent.Parameters() {
		vector.Axpy(1, p.Grad, sum[i].Grad)
		clear(p.Grad)
	}
	return losses[0] + losses[1]
}

// imitation is how improbable the policy finds steps of the best episodes, with the
// entropy of each: good schedules are rare, and one that was met once is worth more than
// one update (self-imitation: Oh et al. 2018, arXiv:1806.05635, without its clipped value).
func (h half) imitation(recalled []*step) (loss, entropy *nn.Tensor) {
	logProb, entropy, _ := h.agent.Evaluate(h.tape, seen(recalled))
	return h.tape.Scale(h.tape.Mean(logProb), -1), entropy
}

// seen are steps as they were seen.
func seen(steps []*step) []env.Step {
	out := make([]env.Step, len(steps))
	for i, s := range steps {
		out[i] = s.Step
	}
	return out
}

// logProb is the logarithm of how probable the policy finds each of some steps.
func (t *trainer) logProb(steps []env.Step) []float32 {
	out := make([]float32, len(steps))
	var both sync.WaitGroup
	for i, h := range t.halves {
		from, to := split(len(steps), i)
		if from == to {
			continue
		}
		both.Go(func() {
			h.tape.Reset()
			logProb, _, _ := h.agent.Evaluate(h.tape, steps[from:to])
			copy(out[from:to], logProb.Data)
		})
	}
	both.Wait()
	return out
}
