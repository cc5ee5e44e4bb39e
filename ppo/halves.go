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
// the sum. A half may have no loss: nil.
func (t *trainer) descend(lossOf func(i int, h half) *nn.Tensor) float64 {
	var losses [2]float64
	var both sync.WaitGroup
	for i, h := range t.halves {
		both.Go(func() {
			h.tape.Reset()
			if loss := lossOf(i, h); loss != nil {
				h.tape.Backward(loss)
				losses[i] = float64(loss.Data[0])
			}
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

// imitation is how improbable the policy finds steps of the best episodes: good
// schedules are rare, and one that was met once is worth more than one update
// (self-imitation: Oh et al. 2018, arXiv:1806.05635, without its clipped value).
func (h half) imitation(recalled []*step) *nn.Tensor {
	logProb, _, _ := h.agent.Evaluate(h.tape, seen(recalled))
	return h.tape.Scale(h.tape.Mean(logProb), -1)
}

// seen are steps as they were seen.
func seen(steps []*step) []env.Step {
	out := make([]env.Step, len(steps))
	for i, s := range steps {
		out[i] = s.Step
	}
	return out
}
