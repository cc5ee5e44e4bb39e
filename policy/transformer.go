package policy

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"nestling/nn"
)

// transformer is what the encoders of attention have in common: an embedding of tokens,
// layers, and one normalisation beside theirs.
type transformer struct {
	embed  nn.Linear
	norm   nn.Norm
	blocks []block
}

func (e *transformer) parameters() []*nn.Parameter {
	out := append(e.embed.Parameters(), e.norm.Parameters()...)
	for i := range e.blocks {
		out = append(out, e.blocks[i].parameters()...)
	}
	return out
}

func (e *transformer) initialise(rng *rand.Rand) {
	nn.Xavier(e.embed.Weight, rng)
	for i := range e.blocks {
		e.blocks[i].initialise(rng)
	}
}

func (e *transformer) width() int { return e.embed.Weight.Rows() }

// newBlocks makes the layers; prefix holds a %d for the number of each.
func newBlocks(prefix string, n blockNames, cfg Config, epsilon float32) []block {
	blocks := make([]block, cfg.Layers)
	for i := range blocks {
		blocks[i] = newBlock(fmt.Sprintf(prefix, i), n, cfg, epsilon)
	}
	return blocks
}

// block is one layer of a transformer of heads over tokens [batch, tokens, width].
type block struct {
	heads                int
	query, key, value    nn.Linear
	project              nn.Linear
	expand, contract     nn.Linear // of the feed-forward layers, four times as wide inside
	attended, propagated nn.Norm
}

// names of the parameters of a block, as a namesake calls them.
type blockNames struct{ query, key, value, project, expand, contract, attended, propagated string }

func newBlock(prefix string, n blockNames, cfg Config, epsilon float32) block {
	w := cfg.Width
	return block{
		heads: cfg.Heads,
		query: nn.NewLinear(prefix+n.query, w, w), key: nn.NewLinear(prefix+n.key, w, w), value: nn.NewLinear(prefix+n.value, w, w),
		project: nn.NewLinear(prefix+n.project, w, w),
		expand:  nn.NewLinear(prefix+n.expand, w, 4*w), contract: nn.NewLinear(prefix+n.contract, 4*w, w),
		attended: nn.NewNorm(prefix+n.attended, w, epsilon), propagated: nn.NewNorm(prefix+n.propagated, w, epsilon),
	}
}

func (b *block) parameters() []*nn.Parameter {
	var out []*nn.Parameter
	for _, l := range b.linears() {
		out = append(out, l.Parameters()...)
	}
	return slices.Concat(out, b.attended.Parameters(), b.propagated.Parameters())
}

func (b *block) linears() []nn.Linear {
	return []nn.Linear{b.query, b.key, b.value, b.project, b.expand, b.contract}
}

func (b *block) initialise(rng *rand.Rand) {
	for _, l := range b.linears() {
		nn.Xavier(l.Weight, rng)
	}
}

func (b *block) attend(t *nn.Tape, x *nn.Tensor, mask []bool) *nn.Tensor {
	q, k, v := b.query.Forward(t, x), b.key.Forward(t, x), b.value.Forward(t, x)
	return b.project.Forward(t, t.Attention(q, k, v, b.heads, mask))
}

func (b *block) propagate(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
	// GPT-2's own GELU is an approximation by tanh; it differs by less than 0.0005.
	return b.contract.Forward(t, t.GELU(b.expand.Forward(t, x)))
}

// postNorm is the block as in BERT: normalised after each sum.
func (b *block) postNorm(t *nn.Tape, x *nn.Tensor, mask []bool) *nn.Tensor {
	x = b.attended.Forward(t, t.Add(x, b.attend(t, x, mask)))
	return b.propagated.Forward(t, t.Add(x, b.propagate(t, x)))
}

// preNorm is the block as in GPT-2: what goes into each part is normalised.
func (b *block) preNorm(t *nn.Tape, x *nn.Tensor, mask []bool) *nn.Tensor {
	x = t.Add(x, b.attend(t, b.attended.Forward(t, x), mask))
	return t.Add(x, b.propagate(t, b.propagated.Forward(t, x)))
}

// sequence lays tokens of several observations out as [batch, tokens, size], the shorter
// ones filled up in front, so that all end together.
type sequence struct {
	size   int
	tokens [][][]float32 // by observation
}

// add appends a token to the latest observation and returns it to be filled.
func (s *sequence) add() []float32 {
	token := make([]float32, s.size)
	last := len(s.tokens) - 1
	s.tokens[last] = append(s.tokens[last], token)
	return token
}

func (s *sequence) next() { s.tokens = append(s.tokens, nil) }

// pack returns the tokens, and which keys each query may see: none that only fills up
// and, in causal attention, none that comes later.
func (s *sequence) pack(t *nn.Tape, causal bool) (x *nn.Tensor, mask []bool) {
	longest := 0
	for _, tokens := range s.tokens {
		longest = max(longest, len(tokens))
	}
	x = t.Zeros(len(s.tokens), longest, s.size)
	mask = make([]bool, len(s.tokens)*longest*longest)
	for i, tokens := range s.tokens {
		first := longest - len(tokens)
		for j, token := range tokens {
			copy(x.Data[(i*longest+first+j)*s.size:], token)
		}
		for query := first; query < longest; query++ {
			for key := first; key < longest; key++ {
				mask[(i*longest+query)*longest+key] = !causal || key <= query
			}
		}
	}
	return x, mask
}

// last picks the last token of each observation, [batch, width].
func last(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
	batch, tokens := x.Shape[0], x.Shape[1]
	rows := make([]int, batch)
	for i := range rows {
		rows[i] = (i+1)*tokens - 1
	}
	return t.Gather(t.Reshape(x, batch*tokens, x.Columns()), rows)
}

// summary brings a normalised vector to length 1: what is √width long moves every answer
// at once with each step of the trunk.
func summary(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
	return t.Scale(x, float32(1/math.Sqrt(float64(x.Columns()))))
}
