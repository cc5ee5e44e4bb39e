package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"nestling/env"
	"nestling/nn"
)

// convnext looks at the current operation as at an image (Liu et al. 2022): rows are its
// loops, the innermost last, columns the dimensions of its operands; what a cell shows is
// how the loop moves along the dimension, with what is known of the loop and the operand.
// Cells are taken in patches of half an operand. The average over the image is joined
// with the operation's own features, the mean of those around it, which say what can be
// fused, and the latest actions.
type convnext struct {
	stem      nn.Linear
	stemNorm  nn.Norm
	stages    [][]convBlock
	merges    []nn.Linear // of 2×2 cells, before every stage but the first
	mergeNorm []nn.Norm
	norm      nn.Norm
}

var (
	convnextConfig = Config{Width: 48, Layers: 1, Stages: []int{2}, Trunk: 224, TrunkLayers: 2, Option: 128}
	convnextFull   = Config{Width: 96, Layers: 4, Stages: []int{3, 3, 9, 3}, Trunk: 512, TrunkLayers: 3, Option: 256}
)

const (
	patch        = env.MaxDimensions / 2 // dimensions
	imageRows    = env.MaxLoops
	imageColumns = env.MaxOperands * env.MaxDimensions / patch
	patchSize    = patch*env.CellSize + env.LoopSize + env.OperandSize + 1
	convKernel   = 7
)

// convBlock is a depthwise convolution, and two layers on each cell, four times as wide
// inside; the sum is scaled by channel.
type convBlock struct {
	filter, bias     *nn.Parameter
	norm             nn.Norm
	expand, contract nn.Linear
	scale            *nn.Parameter
}

func newConvNeXt(cfg Config) encoder {
	e := &convnext{
		stem:     nn.NewLinear("encoder.embeddings.patch_embeddings", patchSize, cfg.Width),
		stemNorm: nn.NewNorm("encoder.embeddings.layernorm", cfg.Width, 1e-6),
	}
	width := cfg.Width
	for s, blocks := range cfg.Stages {
		prefix := fmt.Sprintf("encoder.stages.%d.", s)
		if s > 0 {
			e.mergeNorm = append(e.mergeNorm, nn.NewNorm(prefix+"downsampling_layer.0", width, 1e-6))
			e.merges = append(e.merges, nn.NewLinear(prefix+"downsampling_layer.1", 4*width, 2*width))
			width *= 2
		}
		var stage []convBlock
		for i := range blocks {
			stage = append(stage, newConvBlock(fmt.Sprintf("%slayers.%d.", prefix, i), width))
		}
		e.stages = append(e.stages, stage)
	}
	e.norm = nn.NewNorm("encoder.layernorm", width, 1e-6)
	return e
}

func newConvBlock(prefix string, width int) convBlock {
	return convBlock{
		filter: nn.NewParameter(prefix+"dwconv.weight", width, 1, convKernel, convKernel), bias: nn.NewParameter(prefix+"dwconv.bias", width),
		norm:   nn.NewNorm(prefix+"layernorm", width, 1e-6),
		expand: nn.NewLinear(prefix+"pwconv1", width, 4*width), contract: nn.NewLinear(prefix+"pwconv2", 4*width, width),
		scale: nn.NewParameter(prefix+"layer_scale_parameter", width),
	}
}

func (b *convBlock) parameters() []*nn.Parameter {
	return slices.Concat([]*nn.Parameter{b.filter, b.bias}, b.norm.Parameters(), b.expand.Parameters(), b.contract.Parameters(), []*nn.Parameter{b.scale})
}

func (e *convnext) parameters() []*nn.Parameter {
	out := append(e.stem.Parameters(), e.stemNorm.Parameters()...)
	for s := range e.stages {
		if s > 0 {
			out = append(append(out, e.mergeNorm[s-1].Parameters()...), e.merges[s-1].Parameters()...)
		}
		for i := range e.stages[s] {
			out = append(out, e.stages[s][i].parameters()...)
		}
	}
	return append(out, e.norm.Parameters()...)
}

// firstScale is what blocks add at first: little, but enough for a training of minutes
// (1e-6 is for one of days).
const firstScale = 0.2

func (e *convnext) initialise(rng *rand.Rand) {
	nn.Xavier(e.stem.Weight, rng)
	for _, l := range e.merges {
		nn.Xavier(l.Weight, rng)
	}
	for _, stage := range e.stages {
		for _, b := range stage {
			nn.Uniform(b.filter, 1.0/convKernel, rng)
			nn.Xavier(b.expand.Weight, rng)
			nn.Xavier(b.contract.Weight, rng)
			for i := range b.scale.Data {
				b.scale.Data[i] = firstScale
			}
		}
	}
}

// besides is what is joined with the image: the current operation, the mean of those
// around it, and the latest actions.
const besides = 2*env.OpSize + recent*env.PastSize

func (e *convnext) width() int { return len(e.norm.Gain.Data) + besides }

func (e *convnext) encode(t *nn.Tape, obs []*env.Observation) *nn.Tensor {
	image := t.Zeros(len(obs), imageRows*imageColumns, patchSize)
	other := t.Zeros(len(obs), besides)
	for i, o := range obs {
		const size = imageRows * imageColumns * patchSize
		draw(&o.Ops[len(o.Ops)-1], image.Data[i*size:(i+1)*size])
		describeAround(o, other.Data[i*besides:(i+1)*besides])
	}
	x := e.stemNorm.Forward(t, e.stem.Forward(t, image))
	rows, columns := imageRows, imageColumns
	for s, stage := range e.stages {
		if s > 0 {
			x, rows, columns = e.merge(t, s-1, x, rows, columns)
		}
		for i := range stage {
			x = stage[i].forward(t, x, rows, columns)
		}
	}
	return t.Concat(summary(t, e.norm.Forward(t, t.Average(x))), other)
}

// forward maps cells [batch, rows·columns, width].
func (b *convBlock) forward(t *nn.Tape, x *nn.Tensor, rows, columns int) *nn.Tensor {
	batch, width := x.Shape[0], x.Columns()
	y := t.Reshape(t.Transpose(x), batch, width, rows, columns)
	y = t.DepthwiseConv(y, b.filter.Tensor, b.bias.Tensor)
	y = t.Transpose(t.Reshape(y, batch, width, rows*columns))
	y = b.contract.Forward(t, t.GELU(b.expand.Forward(t, b.norm.Forward(t, y))))
	return t.Add(x, t.ScaleColumns(y, b.scale.Tensor))
}

// merge makes one cell of 2×2; at odd edges the last one is taken twice.
func (e *convnext) merge(t *nn.Tape, i int, x *nn.Tensor, rows, columns int) (*nn.Tensor, int, int) {
	batch, width := x.Shape[0], x.Columns()
	x = e.mergeNorm[i].Forward(t, x)
	halfRows, halfColumns := (rows+1)/2, (columns+1)/2
	var index []int
	for b := range batch {
		for r := range halfRows {
			for c := range halfColumns {
				for _, d := range [4][2]int{{0, 0}, {0, 1}, {1, 0}, {1, 1}} {
					index = append(index, b*rows*columns+min(2*r+d[0], rows-1)*columns+min(2*c+d[1], columns-1))
				}
			}
		}
	}
	x = t.Gather(t.Reshape(x, batch*rows*columns, width), index)
	x = e.merges[i].Forward(t, t.Reshape(x, batch, halfRows*halfColumns, 4*width))
	return x, halfRows, halfColumns
}

// draw writes an operation as cells [rows, columns, patchSize].
func draw(o *env.OpView, out []float32) {
	skipped := imageRows - len(o.Loops)
	for l, loop := range o.Loops {
		for i, operand := range o.Operands {
			slot := operandSlot(o, i)
			for d := 0; d < env.MaxDimensions; d += patch {
				cell := out[((skipped+l)*imageColumns+(slot*env.MaxDimensions+d)/patch)*patchSize:]
				for j := d; j < min(d+patch, len(operand.Grid[l])); j++ {
					copy(cell[(j-d)*env.CellSize:], operand.Grid[l][j])
				}
				cell = cell[patch*env.CellSize:]
				cell = cell[copy(cell, loop):]
				cell = cell[copy(cell, operand.Features):]
				cell[0] = 1
			}
		}
	}
}

// describeAround writes what is beside the image.
func describeAround(o *env.Observation, out []float32) {
	current := len(o.Ops) - 1
	copy(out, o.Ops[current].Features)
	around := out[env.OpSize:]
	for i := range current {
		for j, f := range o.Ops[i].Features {
			around[j] += f / float32(current)
		}
	}
	writeRecent(o, out[2*env.OpSize:])
}
