// Package policy holds the agents: encoders of observations, the head that weighs
// what can be done by what they see, and how both are kept on disk.
package policy

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"nestling/env"
	"nestling/nn"
)

// Decision is what a policy does in one state.
type Decision struct {
	env.Step
	// LogProb is the log-probability of the action (of all its answers together),
	// Entropy the sum of the entropies of the distributions they were drawn from,
	// both in nats; Value is the expected return.
	LogProb, Value, Entropy float32
}

// Policy chooses actions and can be trained. It is for one goroutine.
//
// An encoder sums an observation up in one vector. The actor makes a query of it, and
// every option of a question is weighed by a small network that sees the query and what
// is known of the option: sizes that were never met in training are still judged by
// what tile they would make. The critic has layers of its own on the same encoder.
type Policy struct {
	name          string
	config        Config
	encoder       encoder
	actor, critic []nn.Linear
	value         nn.Linear
	head          head
	tape          *nn.Tape // of Act
}

// encoder is what the models differ in.
type encoder interface {
	parameters() []*nn.Parameter
	initialise(rng *rand.Rand)
	// encode sums up each observation, [batch, width].
	encode(t *nn.Tape, obs []*env.Observation) *nn.Tensor
	width() int
}

// models are the encoders by the name that users know them by. Another one is a file
// like theirs, and a line here.
var models = map[string]struct {
	usual, full Config
	create      func(Config) encoder
}{
	"lstm":       {lstmConfig, lstmFull, newLSTM},
	"distilbert": {distilbertConfig, distilbertFull, newDistilbert},
	"gpt-2":      {gpt2Config, gpt2Full, newGPT2},
	"convnext":   {convnextConfig, convnextFull, newConvNeXt},
}

// Names lists the models that a user can ask for.
func Names() []string { return slices.Sorted(maps.Keys(models)) }

// Config holds the sizes of a policy's layers.
type Config struct {
	Width       int   `json:"width"`            // of the vectors inside the encoder
	Layers      int   `json:"layers"`           // of the encoder
	Heads       int   `json:"heads,omitempty"`  // of attention
	Stages      []int `json:"stages,omitempty"` // of ConvNeXt: blocks of each stage, the width doubling from one to the next
	Trunk       int   `json:"trunk"`            // width of the layers between encoder and answers
	TrunkLayers int   `json:"trunk_layers"`     // how many of those
	Option      int   `json:"option"`           // width of the layers that weigh options
}

// DefaultConfig are sizes that train well on a processor: up to 1.2 million parameters.
func DefaultConfig(model string) Config { return models[model].usual }

// FullConfig are the sizes of the model's namesake.
func FullConfig(model string) Config { return models[model].full }

// New makes an untrained policy, its weights drawn from rng.
func New(model string, cfg Config, rng *rand.Rand) (*Policy, error) {
	p, err := build(model, cfg)
	if err != nil {
		return nil, err
	}
	p.encoder.initialise(rng)
	for _, l := range slices.Concat(p.actor, p.critic) {
		nn.Orthogonal(l.Weight, math.Sqrt2, rng)
	}
	nn.Orthogonal(p.value.Weight, 1, rng)
	p.head.initialise(rng)
	return p, nil
}

// build makes a policy of zeros.
func build(model string, cfg Config) (*Policy, error) {
	if err := check(model, cfg); err != nil {
		return nil, err
	}
	e := models[model].create(cfg)
	return &Policy{
		name: model, config: cfg, encoder: e, tape: nn.NewInferenceTape(),
		actor: newTrunk("actor", e.width(), cfg), critic: newTrunk("critic", e.width(), cfg),
		value: nn.NewLinear("critic.value", cfg.Trunk, 1),
		head:  newHead(cfg),
	}, nil
}

func newTrunk(name string, in int, cfg Config) []nn.Linear {
	var out []nn.Linear
	for i := range cfg.TrunkLayers {
		out = append(out, nn.NewLinear(fmt.Sprintf("%s.trunk%d", name, i), in, cfg.Trunk))
		in = cfg.Trunk
	}
	return out
}

func check(model string, cfg Config) error {
	if err := Available(model); err != nil {
		return err
	}
	if cfg.Width < 1 || cfg.Layers < 1 || cfg.Trunk < 1 || cfg.TrunkLayers < 1 || cfg.Option < 1 {
		return fmt.Errorf("model %s: sizes must be 1 or more, got %+v", model, cfg)
	}
	if models[model].usual.Heads > 0 && (cfg.Heads < 1 || cfg.Width%cfg.Heads != 0) {
		return fmt.Errorf("model %s: %d heads do not divide a width of %d", model, cfg.Heads, cfg.Width)
	}
	return nil
}

// Available tells whether there is a model of that name, or which there are.
func Available(model string) error {
	if _, ok := models[model]; ok {
		return nil
	}
	return fmt.Errorf("no model %q; the models are %s", model, strings.Join(Names(), ", "))
}

// Twin shares the policy's weights and has gradients of its own, for another goroutine
// to differentiate. Neither may act meanwhile.
func (p *Policy) Twin() *Policy {
	twin, err := build(p.name, p.config)
	if err != nil {
		panic("policy: what there is cannot be made again: " + err.Error())
	}
	weights := p.Parameters()
	for i, q := range twin.Parameters() {
		q.Data = weights[i].Data
	}
	return twin
}

// Name is the model's name: "lstm".
func (p *Policy) Name() string { return p.name }

// Config holds the sizes it was made with.
func (p *Policy) Config() Config { return p.config }

// Parameters are what training changes, in a fixed order.
func (p *Policy) Parameters() []*nn.Parameter {
	out := p.encoder.parameters()
	for _, l := range slices.Concat(p.actor, p.critic, []nn.Linear{p.value}) {
		out = append(out, l.Parameters()...)
	}
	return append(out, p.head.parameters()...)
}

// Act takes one action in every episode, none of which may be over: each answer drawn,
// or the most probable if greedy (then rng is not used and may be nil).
func (p *Policy) Act(episodes []*env.Episode, rng *rand.Rand, greedy bool) []Decision {
	if len(episodes) == 0 {
		return nil
	}
	p.tape.Reset()
	out := make([]Decision, len(episodes))
	obs := make([]*env.Observation, len(episodes))
	for i, e := range episodes {
		obs[i] = e.Observe()
		out[i].Observation = obs[i]
	}
	query, value := p.look(p.tape, obs)
	pending := make([]int, len(episodes))
	for i := range pending {
		pending[i] = i
		out[i].Value = value.Data[i]
	}
	for len(pending) > 0 {
		pending = p.answer(query, episodes, pending, out, rng, greedy)
	}
	return out
}

// answer answers one question in each of the pending episodes, and returns those whose
// actions are not complete yet.
func (p *Policy) answer(query *nn.Tensor, episodes []*env.Episode, pending []int, out []Decision, rng *rand.Rand, greedy bool) []int {
	var asked asked
	for _, i := range pending {
		asked.add(i, episodes[i].Question())
	}
	logits := p.head.weigh(p.tape, query, &asked)
	var left []int
	for n, i := range pending {
		c := &asked.choices[n]
		if x := logits.Data[c.From:c.To]; greedy {
			c.Index = nn.Argmax(x)
		} else {
			c.Index = nn.Sample(x, rng)
		}
		out[i].Questions = append(out[i].Questions, asked.questions[n])
		out[i].Answers = append(out[i].Answers, c.Index)
		acted, err := episodes[i].Answer(c.Index)
		if err != nil {
			panic(fmt.Sprintf("policy: the environment refuses its own option: %v", err))
		}
		if !acted {
			left = append(left, i)
		}
	}
	logProb, entropy := p.tape.Categorical(logits, len(episodes), asked.choices)
	for _, i := range pending {
		out[i].LogProb += logProb.Data[i]
		out[i].Entropy += entropy.Data[i]
	}
	return left
}

// Foresee tells how probable each option of the open question of each episode is, and
// the return that is expected. No episode may be over, and none is changed.
func (p *Policy) Foresee(episodes []*env.Episode) (probabilities [][]float64, values []float64) {
	if len(episodes) == 0 {
		return nil, nil
	}
	p.tape.Reset()
	obs := make([]*env.Observation, len(episodes))
	var asked asked
	for i, e := range episodes {
		obs[i] = e.Observe()
		asked.add(i, e.Question())
	}
	query, value := p.look(p.tape, obs)
	logits := p.head.weigh(p.tape, query, &asked)
	for i, c := range asked.choices {
		probabilities = append(probabilities, nn.Softmax(logits.Data[c.From:c.To]))
		values = append(values, float64(value.Data[i]))
	}
	return probabilities, values
}

// Evaluate computes, for actions that were taken, what Decision holds, all [batch], on a
// tape.
func (p *Policy) Evaluate(t *nn.Tape, steps []env.Step) (logProb, entropy, value *nn.Tensor) {
	obs := make([]*env.Observation, len(steps))
	var asked asked
	for i, s := range steps {
		obs[i] = s.Observation
		for n, q := range s.Questions {
			asked.add(i, q)
			asked.choices[len(asked.choices)-1].Index = s.Answers[n]
		}
	}
	query, value := p.look(t, obs)
	logProb, entropy = t.Categorical(p.head.weigh(t, query, &asked), len(steps), asked.choices)
	return logProb, entropy, value
}

// Rollout plays episodes to their end, and returns the decisions of each; act takes one action
// in each of those that are not over.
func Rollout(episodes []*env.Episode, act func([]*env.Episode) []Decision) [][]Decision {
	taken := make([][]Decision, len(episodes))
	for {
		var unfinished []*env.Episode
		var of []int
		for i, e := range episodes {
			if !e.Done() {
				unfinished, of = append(unfinished, e), append(of, i)
			}
		}
		if len(unfinished) == 0 {
			return taken
		}
		for i, d := range act(unfinished) {
			taken[of[i]] = append(taken[of[i]], d)
		}
	}
}

// LogProb is the logarithm of how probable it is that the policy takes all of some steps.
func (p *Policy) LogProb(steps []env.Step) float64 {
	if len(steps) == 0 {
		return 0
	}
	p.tape.Reset()
	logProb, _, _ := p.Evaluate(p.tape, steps)
	sum := 0.0
	for _, x := range logProb.Data {
		sum += float64(x)
	}
	return sum
}

// look computes the query of each observation, [batch, option], and its value, [batch].
func (p *Policy) look(t *nn.Tape, obs []*env.Observation) (query, value *nn.Tensor) {
	x := p.encoder.encode(t, obs)
	value = p.value.Forward(t, climb(t, p.critic, x))
	return p.head.query.Forward(t, climb(t, p.actor, x)), t.Reshape(value, len(obs))
}

func climb(t *nn.Tape, trunk []nn.Linear, x *nn.Tensor) *nn.Tensor {
	for _, l := range trunk {
		x = t.ReLU(l.Forward(t, x))
	}
	return x
}
