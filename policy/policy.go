// Package policy holds the agents: encoders of observations, the heads that turn
// what they see into actions, and how both are kept on disk.
package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"nestling/env"
	"nestling/nn"
)

// Decision is what a policy does in one state.
type Decision struct {
	Action env.Action
	// LogProb is the log-probability of the action (of all its parts together),
	// Entropy the sum of the entropies of the distributions it was drawn from,
	// both in nats; Value is the expected return.
	LogProb, Value, Entropy float32
}

// Policy chooses actions and can be trained. It is for one goroutine.
type Policy interface {
	// Name is the model's name: "lstm".
	Name() string
	// Config holds the sizes it was made with.
	Config() Config
	// Parameters are what training changes, in a fixed order.
	Parameters() []*nn.Parameter
	// Act decides for a batch of observations: by drawing, or the most probable
	// of each choice if greedy (then rng is not used and may be nil).
	Act(obs []env.Observation, rng *rand.Rand, greedy bool) []Decision
	// Evaluate computes, for actions that were taken in obs, what Decision holds,
	// all [batch], on a tape. Actions that the masks forbid make it panic.
	Evaluate(t *nn.Tape, obs []env.Observation, actions []env.Action) (logProb, entropy, value *nn.Tensor)
}

// Config holds the sizes of a policy's layers.
type Config struct {
	Embedding int `json:"embedding"` // width of the two layers that embed a token
	Encoder   int `json:"encoder"`   // width of the state that sums up the tokens
	Trunk     int `json:"trunk"`     // width of the layers between encoder and heads
	Layers    int `json:"layers"`    // how many of those
}

// DefaultConfig is small enough that the policy's share of a training on a CPU
// is minor.
func DefaultConfig() Config {
	return Config{Embedding: 256, Encoder: 256, Trunk: 256, Layers: 3}
}

// Names are the models that a user can ask for.
var Names = []string{"lstm", "distilbert", "gpt-2", "convnext"}

var available = []string{"lstm"}

// New makes an untrained policy, its weights drawn from rng.
func New(model string, cfg Config, rng *rand.Rand) (Policy, error) {
	if err := check(model, cfg); err != nil {
		return nil, err
	}
	p := newLSTM(cfg)
	p.initialise(rng)
	return p, nil
}

func check(model string, cfg Config) error {
	switch {
	case !slices.Contains(Names, model):
		return fmt.Errorf("no model %q; the models are %s", model, strings.Join(Names, ", "))
	case !slices.Contains(available, model):
		return fmt.Errorf("the encoder of model %q is not available yet; available: %s", model, strings.Join(available, ", "))
	case cfg.Embedding < 1 || cfg.Encoder < 1 || cfg.Trunk < 1 || cfg.Layers < 1:
		return fmt.Errorf("model %s: sizes must be 1 or more, got %+v", model, cfg)
	}
	return nil
}

// Available tells whether a model can be made here, or why not.
func Available(model string) error { return check(model, DefaultConfig()) }
