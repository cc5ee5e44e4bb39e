package policy

import (
	"nestling/env"
	"nestling/nn"
)

// distilbert attends in both directions over what is seen (Sanh et al. 2019): a token for
// each operation around the current one, and for each loop and each operand of the current
// one, and for the latest actions. Its summary is that of [CLS], which stands last here
// and has learned features of its own.
type distilbert struct{ transformer }

var (
	distilbertConfig = Config{Width: 128, Layers: 2, Heads: 4, Trunk: 224, TrunkLayers: 2, Option: 128}
	distilbertFull   = Config{Width: 768, Layers: 6, Heads: 12, Trunk: 512, TrunkLayers: 3, Option: 256}
)

// A token is its features, each kind in a place of its own, and one-hot where it comes
// from: which makes one matrix hold an embedding for each kind and for each position.
const (
	operandTokenSize = env.OperandSize + env.MaxLoops*env.AccessSize
	atOp             = 0
	atLoop           = atOp + env.OpSize
	atOperand        = atLoop + env.LoopSize
	atPast           = atOperand + operandTokenSize
	atSlot           = atPast + env.PastSize
	slots            = env.MaxOps + env.MaxLoops + env.MaxOperands + pastTokens + 1
	tokenSize        = atSlot + slots
	// pastTokens is how many of the latest actions are tokens.
	pastTokens = 6
)

func newDistilbert(cfg Config) encoder {
	const epsilon = 1e-12
	return &distilbert{transformer{
		embed: nn.NewLinear("encoder.embeddings", tokenSize, cfg.Width),
		norm:  nn.NewNorm("encoder.embeddings.LayerNorm", cfg.Width, epsilon),
		blocks: newBlocks("encoder.transformer.layer.%d.", blockNames{
			"attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin",
			"ffn.lin1", "ffn.lin2", "sa_layer_norm", "output_layer_norm",
		}, cfg, epsilon),
	}}
}

func (e *distilbert) encode(t *nn.Tape, obs []*env.Observation) *nn.Tensor {
	s := sequence{size: tokenSize}
	for _, o := range obs {
		s.next()
		addTokens(&s, o)
	}
	tokens, mask := s.pack(t, false)
	x := e.norm.Forward(t, e.embed.Forward(t, tokens))
	for i := range e.blocks {
		x = e.blocks[i].postNorm(t, x, mask)
	}
	return summary(t, last(t, x))
}

// addTokens writes an observation as tokens.
func addTokens(s *sequence, o *env.Observation) {
	slot := 0
	add := func(at int, features []float32, index int) []float32 {
		token := s.add()
		copy(token[at:], features)
		token[atSlot+slot+index] = 1
		return token[at:]
	}
	for i := range o.Ops { // the current operation's slot is always the same
		add(atOp, o.Ops[i].Features, env.MaxOps-len(o.Ops)+i)
	}
	slot += env.MaxOps
	current := &o.Ops[len(o.Ops)-1]
	for l, loop := range current.Loops {
		add(atLoop, loop, env.MaxLoops-len(current.Loops)+l)
	}
	slot += env.MaxLoops
	for i := range current.Operands {
		addOperand(add, current, i)
	}
	slot += env.MaxOperands
	past := o.Past[max(0, len(o.Past)-pastTokens):]
	for i, a := range past {
		add(atPast, a, pastTokens-len(past)+i)
	}
	slot += pastTokens
	add(atOp, nil, 0) // [CLS]
}

// addOperand writes an operand as a token.
func addOperand(add func(at int, features []float32, index int) []float32, o *env.OpView, i int) {
	operand := &o.Operands[i]
	access := add(atOperand, operand.Features, operandSlot(o, i))[env.OperandSize:]
	skipped := env.MaxLoops - len(operand.Access)
	for l, a := range operand.Access {
		copy(access[(skipped+l)*env.AccessSize:], a)
	}
}
