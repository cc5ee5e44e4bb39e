package policy

import (
	"math"
	"math/rand/v2"
	"slices"

	"nestling/env"
	"nestling/nn"
)

// lstm follows MLIR RL (arXiv:2409.11068): two layers with ELU embed each operation,
// an LSTM runs over those around the current one and last over itself, and its state is
// joined with the latest actions.
type lstm struct {
	embed1, embed2 nn.Linear
	layer          nn.LSTM
}

var (
	lstmConfig = Config{Width: 256, Layers: 1, Trunk: 224, TrunkLayers: 2, Option: 128}
	lstmFull   = Config{Width: 512, Layers: 1, Trunk: 512, TrunkLayers: 3, Option: 256}
)

const (
	// flatSize is an operation as one vector: its features, its loops, its operands with
	// how each loop moves them.
	flatSize = env.OpSize + env.MaxLoops*env.LoopSize + env.MaxOperands*(env.OperandSize+env.MaxLoops*env.AccessSize)
	// recent is how many of the latest actions are joined with the state.
	recent = 4
)

func newLSTM(cfg Config) encoder {
	return &lstm{
		embed1: nn.NewLinear("encoder.embed1", flatSize, cfg.Width),
		embed2: nn.NewLinear("encoder.embed2", cfg.Width, cfg.Width),
		layer:  nn.NewLSTM("encoder.lstm", cfg.Width, cfg.Width),
	}
}

func (p *lstm) parameters() []*nn.Parameter {
	return slices.Concat(p.embed1.Parameters(), p.embed2.Parameters(), p.layer.Parameters())
}

func (p *lstm) initialise(rng *rand.Rand) {
	nn.Orthogonal(p.embed1.Weight, math.Sqrt2, rng)
	nn.Orthogonal(p.embed2.Weight, math.Sqrt2, rng)
	p.layer.Init(rng)
}

func (p *lstm) width() int { return p.layer.Hidden.Columns() + recent*env.PastSize }

func (p *lstm) encode(t *nn.Tape, obs []*env.Observation) *nn.Tensor {
	tokens, counts, position := pack(t, obs)
	x := t.ELU(p.embed1.Forward(t, tokens))
	x = t.ELU(p.embed2.Forward(t, x))
	past := t.Zeros(len(obs), recent*env.PastSize)
	for i, o := range obs {
		writeRecent(o, past.Data[i*recent*env.PastSize:(i+1)*recent*env.PastSize])
	}
	return t.Concat(t.Gather(p.layer.Forward(t, x, counts), position), past)
}

// pack lays operations out as nn.Tape.LSTM wants them: longest sequence first, step
// after step, all ending together. position[i] is where observation i went.
func pack(t *nn.Tape, obs []*env.Observation) (tokens *nn.Tensor, counts, position []int) {
	order := make([]int, len(obs))
	rows := 0
	for i, o := range obs {
		order[i] = i
		rows += len(o.Ops)
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(obs[b].Ops) - len(obs[a].Ops) })
	position = make([]int, len(obs))
	for at, i := range order {
		position[i] = at
	}
	tokens = t.Zeros(rows, flatSize)
	rest := tokens.Data
	for left := len(obs[order[0]].Ops); left > 0; left-- {
		n := 0
		for _, i := range order {
			sequence := obs[i].Ops
			if len(sequence) < left {
				break
			}
			flatten(&sequence[len(sequence)-left], rest[:flatSize])
			rest = rest[flatSize:]
			n++
		}
		counts = append(counts, n)
	}
	return tokens, counts, position
}

// flatten writes an operation as one vector. Loops are aligned at the innermost.
func flatten(o *env.OpView, out []float32) {
	out = out[copy(out, o.Features):]
	skipped := env.MaxLoops - len(o.Loops)
	for l, loop := range o.Loops {
		copy(out[(skipped+l)*env.LoopSize:], loop)
	}
	out = out[env.MaxLoops*env.LoopSize:]
	for i, operand := range o.Operands {
		at := out[operandSlot(o, i)*(env.OperandSize+env.MaxLoops*env.AccessSize):]
		at = at[copy(at, operand.Features):]
		for l, access := range operand.Access {
			copy(at[(skipped+l)*env.AccessSize:], access)
		}
	}
}
