package policy

import (
	"math/rand/v2"
	"slices"

	"nestling/env"
	"nestling/nn"
)

// gpt2 reads a story from left to right (Radford et al. 2019): the operations around the
// current one and itself, and then the actions taken so far, each of which sees what came
// before it. The last token, which has learned features of its own, asks what to do next.
type gpt2 struct {
	embed  nn.Linear
	blocks []block
	norm   nn.Norm
}

var (
	gpt2Config = Config{Width: 128, Layers: 2, Heads: 4, Trunk: 224, TrunkLayers: 2, Option: 128}
	gpt2Full   = Config{Width: 768, Layers: 12, Heads: 12, Trunk: 512, TrunkLayers: 3, Option: 256}
)

// A token of the story: an operation as one vector, or an action, and one-hot its place,
// counted from the end of its kind.
const (
	storyPast     = 12 // the latest actions
	storyAction   = flatSize
	storyPlace    = storyAction + env.PastSize
	storyPlaces   = env.MaxOps + storyPast + 1
	storySize     = storyPlace + storyPlaces
	storyQuestion = storyPlaces - 1
)

func newGPT2(cfg Config) encoder {
	e := &gpt2{
		embed: nn.NewLinear("encoder.wte", storySize, cfg.Width),
		norm:  nn.NewNorm("encoder.ln_f", cfg.Width, 1e-5),
	}
	for i := range cfg.Layers {
		e.blocks = append(e.blocks, newBlock(layerName("encoder.h.%d.", i), blockNames{
			"attn.q", "attn.k", "attn.v", "attn.c_proj", "mlp.c_fc", "mlp.c_proj", "ln_1", "ln_2",
		}, cfg, 1e-5))
	}
	return e
}

func (e *gpt2) parameters() []*nn.Parameter {
	out := e.embed.Parameters()
	for i := range e.blocks {
		out = append(out, e.blocks[i].parameters()...)
	}
	return slices.Concat(out, e.norm.Parameters())
}

func (e *gpt2) initialise(rng *rand.Rand) {
	nn.Xavier(e.embed.Weight, rng)
	for i := range e.blocks {
		e.blocks[i].initialise(rng)
	}
}

func (e *gpt2) width() int { return e.embed.Weight.Rows() }

func (e *gpt2) encode(t *nn.Tape, obs []*env.Observation) *nn.Tensor {
	s := sequence{size: storySize}
	for _, o := range obs {
		s.next()
		for i := range o.Ops {
			token := s.add()
			flatten(&o.Ops[i], token[:flatSize])
			token[storyPlace+env.MaxOps-len(o.Ops)+i] = 1
		}
		past := o.Past[max(0, len(o.Past)-storyPast):]
		for i, a := range past {
			token := s.add()
			copy(token[storyAction:], a)
			token[storyPlace+env.MaxOps+storyPast-len(past)+i] = 1
		}
		s.add()[storyPlace+storyQuestion] = 1
	}
	tokens, mask := s.pack(t, true)
	x := e.embed.Forward(t, tokens)
	for i := range e.blocks {
		x = e.blocks[i].preNorm(t, x, mask)
	}
	return summary(t, e.norm.Forward(t, last(t, x)))
}
