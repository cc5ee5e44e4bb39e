package policy

import (
	"math"
	"math/rand/v2"

	"nestling/env"
	"nestling/nn"
)

// head weighs options: two layers on what the query asks for and what the option is,
// beside a plain weight for each feature of the option, which is where an untrained
// policy's preferences are.
type head struct {
	query, option, hidden, score nn.Linear
	prior                        *nn.Parameter // [1, env.OptionSize]
}

func newHead(cfg Config) head {
	return head{
		query:  nn.NewLinear("head.query", cfg.Trunk, cfg.Option),
		option: nn.NewLinear("head.option", env.OptionSize, cfg.Option),
		hidden: nn.NewLinear("head.hidden", cfg.Option, cfg.Option/2+1),
		score:  nn.NewLinear("head.score", cfg.Option/2+1, 1),
		prior:  nn.NewParameter("head.prior", 1, env.OptionSize),
	}
}

func (h *head) parameters() []*nn.Parameter {
	var out []*nn.Parameter
	for _, l := range []nn.Linear{h.query, h.option, h.hidden, h.score} {
		out = append(out, l.Parameters()...)
	}
	return append(out, h.prior)
}

// initialise makes the first policy close to its prior whatever it sees.
func (h *head) initialise(rng *rand.Rand) {
	for _, l := range []nn.Linear{h.query, h.option, h.hidden} {
		nn.Orthogonal(l.Weight, math.Sqrt2, rng)
	}
	nn.Orthogonal(h.score.Weight, 0.01, rng)
	copy(h.prior.Data, env.Prior())
}

// asked are the questions of a batch, their options one after the other.
type asked struct {
	questions []env.Question
	choices   []nn.Choice
	rows      []int // the observation that each option belongs to
}

func (a *asked) add(row int, q env.Question) {
	from := len(a.rows)
	for range q.Options {
		a.rows = append(a.rows, row)
	}
	a.questions = append(a.questions, q)
	a.choices = append(a.choices, nn.Choice{Row: row, From: from, To: len(a.rows)})
}

// weigh computes the logit of every option, [options, 1].
func (h *head) weigh(t *nn.Tape, query *nn.Tensor, a *asked) *nn.Tensor {
	features := t.Zeros(len(a.rows), env.OptionSize)
	rest := features.Data
	for _, q := range a.questions {
		for _, o := range q.Options {
			rest = rest[copy(rest, o):]
		}
	}
	x := t.Add(h.option.Forward(t, features), t.Gather(query, a.rows))
	x = t.ReLU(h.hidden.Forward(t, t.ReLU(x)))
	return t.Add(h.score.Forward(t, x), t.Linear(features, h.prior.Tensor, nil))
}
