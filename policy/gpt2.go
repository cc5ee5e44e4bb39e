package policy

import (
	"nestling/env"
	"nestling/nn"
)

// gpt2 reads a story from left to right (Radford et al. 2019): the operations around the
// current one and itself, and then the actions taken so far, each of which sees what came
// before it. The last token, which has learned features of its own, asks what to do next.
type gpt2 struct{ transformer }

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
	const epsilon = 1e-5
	return &gpt2{transformer{
		embed: nn.NewLinear("encoder.wte", storySize, cfg.Width),
		norm:  nn.NewNorm("encoder.ln_f", cfg.Width, epsilon),
		blocks: newBlocks("encoder.h.%d.", blockNames{
			"attn.q", "attn.k", "attn.v", "attn.c_proj", "mlp.c_fc", "mlp.c_proj", "ln_1", "ln_2",
		}, cfg, epsilon),
	}}
}

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
