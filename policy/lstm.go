package policy

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"nestling/env"
	"nestling/nn"
)

// lstm follows MLIR RL (arXiv:2409.11068): two layers with ELU embed each token,
// an LSTM runs over the producers and the operation itself, its last state is
// joined with the history of actions, and a trunk of ReLU layers leads to the
// heads. The critic has its own trunk on the same encoder: two encoders would
// double the time of a step, and what is worth knowing about an operation is the
// same for what to do and for what to expect.
type lstm struct {
	config        Config
	embed1        nn.Linear
	embed2        nn.Linear
	encoder       nn.LSTM
	actor, critic []nn.Linear
	heads, value  nn.Linear
	tape          *nn.Tape // of Act
}

func newLSTM(cfg Config) *lstm {
	return &lstm{
		config:  cfg,
		embed1:  nn.NewLinear("encoder.embed1", env.FeatureSize, cfg.Embedding),
		embed2:  nn.NewLinear("encoder.embed2", cfg.Embedding, cfg.Embedding),
		encoder: nn.NewLSTM("encoder.lstm", cfg.Embedding, cfg.Encoder),
		actor:   newTrunk("actor", cfg),
		critic:  newTrunk("critic", cfg),
		heads:   nn.NewLinear("actor.heads", cfg.Trunk, logits),
		value:   nn.NewLinear("critic.value", cfg.Trunk, 1),
		tape:    nn.NewInferenceTape(),
	}
}

func newTrunk(name string, cfg Config) []nn.Linear {
	var out []nn.Linear
	in := cfg.Encoder + env.HistorySize
	for i := range cfg.Layers {
		out = append(out, nn.NewLinear(fmt.Sprintf("%s.trunk%d", name, i), in, cfg.Trunk))
		in = cfg.Trunk
	}
	return out
}

// initialise draws weights as is usual for PPO: orthogonal, with small heads so
// that the first policy is close to its prior whatever it sees.
func (p *lstm) initialise(rng *rand.Rand) {
	for _, l := range slices.Concat([]nn.Linear{p.embed1, p.embed2}, p.actor, p.critic) {
		nn.Orthogonal(l.Weight, math.Sqrt2, rng)
	}
	p.encoder.Init(rng)
	nn.Orthogonal(p.heads.Weight, 0.01, rng)
	prior(p.heads.Bias.Data)
	nn.Orthogonal(p.value.Weight, 1, rng)
}

func (p *lstm) Name() string { return "lstm" }

func (p *lstm) Config() Config { return p.config }

func (p *lstm) Parameters() []*nn.Parameter {
	out := slices.Concat(p.embed1.Parameters(), p.embed2.Parameters(), p.encoder.Parameters())
	for _, l := range slices.Concat(p.actor, p.critic, []nn.Linear{p.heads, p.value}) {
		out = append(out, l.Parameters()...)
	}
	return out
}

func (p *lstm) Act(obs []env.Observation, rng *rand.Rand, greedy bool) []Decision {
	if len(obs) == 0 {
		return nil
	}
	p.tape.Reset()
	x, value := p.forward(p.tape, obs)
	mask := flattenAll(obs)
	actions := make([]env.Action, len(obs))
	for i := range obs {
		from, to := i*logits, (i+1)*logits
		actions[i] = choose(x.Data[from:to], mask[from:to], obs[i].Mask.Interchanging, rng, greedy)
	}
	logProb, entropy := p.tape.Categorical(x, mask, allChoices(obs, actions))
	out := make([]Decision, len(obs))
	for i := range out {
		out[i] = Decision{actions[i], logProb.Data[i], value.Data[i], entropy.Data[i]}
	}
	return out
}

func (p *lstm) Evaluate(t *nn.Tape, obs []env.Observation, actions []env.Action) (logProb, entropy, value *nn.Tensor) {
	x, value := p.forward(t, obs)
	logProb, entropy = t.Categorical(x, flattenAll(obs), allChoices(obs, actions))
	return logProb, entropy, value
}

// forward computes the logits of all heads, [batch, logits], and the values,
// [batch].
func (p *lstm) forward(t *nn.Tape, obs []env.Observation) (x, value *nn.Tensor) {
	history := t.Zeros(len(obs), env.HistorySize)
	for i, o := range obs {
		copy(history.Data[i*env.HistorySize:(i+1)*env.HistorySize], o.History)
	}
	joined := t.Concat(p.encode(t, obs), history)
	x = p.heads.Forward(t, climb(t, p.actor, joined))
	value = p.value.Forward(t, climb(t, p.critic, joined))
	return x, t.Reshape(value, len(obs))
}

func climb(t *nn.Tape, trunk []nn.Linear, x *nn.Tensor) *nn.Tensor {
	for _, l := range trunk {
		x = t.ReLU(l.Forward(t, x))
	}
	return x
}

// encode sums up the tokens of each observation, [batch, encoder].
func (p *lstm) encode(t *nn.Tape, obs []env.Observation) *nn.Tensor {
	tokens, counts, position := pack(t, obs)
	x := t.ELU(p.embed1.Forward(t, tokens))
	x = t.ELU(p.embed2.Forward(t, x))
	return t.Gather(p.encoder.Forward(t, x, counts), position)
}

// pack lays tokens out as nn.Tape.LSTM wants them: longest sequence first, step
// after step, all ending together. position[i] is where observation i went.
func pack(t *nn.Tape, obs []env.Observation) (tokens *nn.Tensor, counts, position []int) {
	order := make([]int, len(obs))
	rows := 0
	for i, o := range obs {
		order[i] = i
		rows += len(o.Tokens)
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(obs[b].Tokens) - len(obs[a].Tokens) })
	position = make([]int, len(obs))
	for at, i := range order {
		position[i] = at
	}
	tokens = t.Zeros(rows, env.FeatureSize)
	rest := tokens.Data
	for left := len(obs[order[0]].Tokens); left > 0; left-- {
		n := 0
		for _, i := range order {
			sequence := obs[i].Tokens
			if len(sequence) < left {
				break
			}
			rest = rest[copy(rest, sequence[len(sequence)-left]):]
			n++
		}
		counts = append(counts, n)
	}
	return tokens, counts, position
}
