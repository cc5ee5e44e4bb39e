package schedule

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"nestling/program"
	"nestling/schedule/winograd"
)

// winograd is W(m, rows, group, prefetch): the convolution is written out as
// Winograd's F(m,3), and takes in the zeros around its image, its bias, and what
// is done to each element of its result, as far as that is adding another tensor
// and relu. Its weights are transformed ahead of time.
//
// NAME.gemm and NAME.fill can be scheduled: the matrix product of one frequency
// and the zeros that it starts from.
func (r *rewriter) winograd() error {
	if err := r.want(4, "the outputs of a tile, tile rows and images of a strip, and what to prefetch, as in W(4,1,1,2)"); err != nil {
		return err
	}
	c, err := r.convolution(r.op)
	if err != nil {
		return err
	}
	c.finish()
	spec := c.spec()
	spec.M, spec.Rows, spec.Group, spec.Prefetch, spec.Threads = r.args[0], r.args[1], r.args[2], r.args[3], r.options.Threads
	code, err := winograd.Write(c.name, spec)
	if err != nil {
		return err
	}
	weights := c.transformedWeights(spec)
	c.writeOut(append([]int{c.image, weights}, c.epilogue()...), code)
	r.Prune()
	return nil
}

// winogradChain is WC(m, rows, prefetch) on a convolution whose image another one
// computes: both are written out as one, the second a strip behind the first.
//
// FIRST.gemm, FIRST.fill, SECOND.gemm and SECOND.fill can be scheduled.
func (r *rewriter) winogradChain() error {
	if err := r.want(3, "the outputs of a tile, tile rows of a strip, and what to prefetch, as in WC(4,1,2)"); err != nil {
		return err
	}
	second, err := r.convolution(r.op)
	if err != nil {
		return err
	}
	first, err := second.feeding()
	if err != nil {
		return err
	}
	second.finish()
	chain := winograd.Chain{First: first.spec(), Second: second.spec()}
	for _, spec := range []*winograd.Spec{&chain.First, &chain.Second} {
		spec.M, spec.Rows, spec.Group, spec.Prefetch, spec.Threads = r.args[0], r.args[1], 1, r.args[2], r.options.Threads
	}
	code, err := winograd.WriteChain(first.name, second.name, chain)
	if err != nil {
		return err
	}
	secondWeights := second.transformedWeights(chain.Second)
	before := len(r.Ops)
	firstWeights := first.transformedWeights(chain.First)
	second.shift(len(r.Ops) - before)
	operands := append([]int{first.image, firstWeights}, first.epilogue()...)
	operands = append(append(operands, secondWeights), second.epilogue()...)
	r.Ops[first.op].Name += ".direct"
	second.writeOut(operands, code)
	r.Prune()
	return nil
}

// feeding is the convolution that computes the image of this one, with all that
// lies between them.
func (c *convolution) feeding() (*convolution, error) {
	none := errors.New("its image must be what another convolution computes for it alone, through bias and relu at most")
	op := c.image
	for {
		v := &c.Values[op]
		if v.Kind != program.ValueResult {
			return nil, none
		}
		o := &c.Ops[v.Op]
		if o.Family == program.Conv {
			return c.feedingFrom(v.Op, none)
		}
		if len(o.Loops) != 4 || len(o.Operands) < 2 {
			return nil, none
		}
		op = o.Operands[0].Value
	}
}

func (c *convolution) feedingFrom(op int, none error) (*convolution, error) {
	first, err := c.rewriter.convolution(op)
	if err != nil {
		return nil, fmt.Errorf("%s, which computes its image: %w", c.Ops[op].Name, err)
	}
	first.finish()
	if c.Ops[first.last].Result != c.image || c.Uses(c.image) != 1 {
		return nil, none
	}
	return first, nil
}

// convolution is a 3×3 convolution with all that can be computed with it.
type convolution struct {
	*rewriter
	name           string
	op             int    // the convolution
	last           int    // the last operation taken in
	image, weights int    // values
	pads           [4]int // zeros above, below, left and right of the image
	bias, residual int    // values, -1 for none
	relu           bool
}

// convolutionMaps are the access maps of linalg.conv_2d_nchw_fchw of stride 1:
// loops n, f, h, w, c, kh, kw.
var convolutionMaps = [][][]int{
	{{1, 0, 0, 0, 0, 0, 0}, {0, 0, 0, 0, 1, 0, 0}, {0, 0, 1, 0, 0, 1, 0}, {0, 0, 0, 1, 0, 0, 1}},
	{{0, 1, 0, 0, 0, 0, 0}, {0, 0, 0, 0, 1, 0, 0}, {0, 0, 0, 0, 0, 1, 0}, {0, 0, 0, 0, 0, 0, 1}},
	{{1, 0, 0, 0, 0, 0, 0}, {0, 1, 0, 0, 0, 0, 0}, {0, 0, 1, 0, 0, 0, 0}, {0, 0, 0, 1, 0, 0, 0}},
}

// convolution finds out what the convolution reads: its image without the zeros
// around it, weights, and what its result starts from.
func (r *rewriter) convolution(op int) (*convolution, error) {
	o := &r.Ops[op]
	if err := checkConvolution(o); err != nil {
		return nil, err
	}
	c := &convolution{rewriter: r, name: o.Name, op: op, last: op, weights: o.Operands[1].Value, bias: -1, residual: -1}
	c.image = o.Operands[0].Value
	c.unpad()
	return c, c.start(o.Init().Value)
}

func checkConvolution(o *program.Op) error {
	const wanted = "needs a 3×3 convolution of stride 1 and dilation 1 on NCHW images with FCHW weights"
	if o.Code != "" || o.Family != program.Conv || len(o.Loops) != 7 {
		return errors.New(wanted)
	}
	for i, want := range convolutionMaps {
		m := o.Operands[i].Map
		if !slices.EqualFunc(m.Coefficients, want, slices.Equal) || slices.ContainsFunc(m.Offsets, func(n int) bool { return n != 0 }) {
			return errors.New(wanted)
		}
	}
	if o.Loops[5].Bound != 3 || o.Loops[6].Bound != 3 {
		return fmt.Errorf("%s; the window is %d×%d", wanted, o.Loops[5].Bound, o.Loops[6].Bound)
	}
	return nil
}

// unpad looks through zeros around the image, one on each side at most.
func (c *convolution) unpad() {
	insert := &c.Values[c.image]
	if insert.Kind != program.ValueInsert || !c.zeros(insert.Base) {
		return
	}
	source := &c.Values[insert.Source]
	if source.Kind != program.ValueResult || !isCopy(&c.Ops[source.Op]) || !samePlaces(&c.Ops[source.Op]) {
		return
	}
	inner := c.Values[c.Ops[source.Op].Operands[0].Value].Shape
	outer, at := insert.Shape, insert.Offsets
	if !slices.Equal(insert.Strides, []int{1, 1, 1, 1}) || inner[0] != outer[0] || inner[1] != outer[1] {
		return
	}
	pads := [4]int{at[2], outer[2] - inner[2] - at[2], at[3], outer[3] - inner[3] - at[3]}
	if slices.Max(pads[:]) > 1 {
		return
	}
	c.pads, c.image = pads, c.Ops[source.Op].Operands[0].Value
}

// samePlaces reports whether an operation computes every element from those in
// the same place of its first operand.
func samePlaces(o *program.Op) bool {
	n := len(o.Loops)
	return samePlace(o.Operands[0].Map, n) && samePlace(o.Init().Map, n)
}

// samePlace reports whether a map accesses an element for each iteration of n
// loops, in their order.
func samePlace(m program.AccessMap, n int) bool { return len(m.Coefficients) == n && isIdentity(m) }

// zeros reports whether all elements of a value are zero.
func (r *rewriter) zeros(value int) bool {
	v := &r.Values[value]
	switch v.Kind {
	case program.ValueConstant:
		return v.IsSplat && v.Splat == 0
	case program.ValueResult:
		o := &r.Ops[v.Op]
		return o.Family == program.Fill && o.Code == "" && len(o.Operands) == 2 && o.Yield == 0 && r.zeros(o.Operands[0].Value)
	}
	return false
}

// start takes in what the sums start from: zeros, a number per channel, or any
// tensor.
func (c *convolution) start(value int) error {
	v := &c.Values[value]
	switch {
	case c.zeros(value):
	case v.Kind == program.ValueEmpty:
		return errors.New("its sums start from nothing")
	case v.Kind == program.ValueResult && isCopy(&c.Ops[v.Op]) && c.perChannel(&c.Ops[v.Op], 0):
		c.bias = c.Ops[v.Op].Operands[0].Value
	default:
		c.residual = value
	}
	return nil
}

// perChannel reports whether an operation on [n, f, h, w] reads one number per
// channel as its operand i.
func (c *convolution) perChannel(o *program.Op, i int) bool {
	m := o.Operands[i].Map
	return len(o.Loops) == 4 && samePlace(o.Init().Map, 4) && len(m.Coefficients) == 1 &&
		slices.Equal(m.Coefficients[0], unit(4, 1)) && m.Offsets[0] == 0
}

// finish takes in the operations that follow, as long as they fit.
func (c *convolution) finish() {
	for c.take() {
	}
}

// take takes in the one operation that reads the result, if it fits.
func (c *convolution) take() bool {
	result := c.Ops[c.last].Result
	if c.Uses(result) != 1 || c.relu {
		return false
	}
	next := slices.IndexFunc(c.Ops, func(o program.Op) bool {
		return slices.ContainsFunc(o.Operands, func(operand program.Operand) bool { return operand.Value == result && !operand.Init })
	})
	if next < 0 {
		return false
	}
	o := &c.Ops[next]
	if o.Code != "" || len(o.Loops) != 4 || !samePlace(o.Init().Map, 4) {
		return false
	}
	own := slices.IndexFunc(o.Operands, func(operand program.Operand) bool { return operand.Value == result })
	if !samePlace(o.Operands[own].Map, 4) || !(c.takeRelu(o, own) || c.takeSum(o, own)) {
		return false
	}
	c.last = next
	return true
}

// takeRelu takes in max(x, 0).
func (c *convolution) takeRelu(o *program.Op, own int) bool {
	if len(o.Operands) != 2 || len(o.Body) != 2 || o.Body[0].Op != "constant" || o.Body[0].Const != 0 || o.Yield != 3 {
		return false
	}
	max := o.Body[1]
	c.relu = max.Op == "arith.maximumf" && (slices.Equal(max.Args, []int{own, 2}) || slices.Equal(max.Args, []int{2, own}))
	return c.relu
}

// takeSum takes in x + y where y is a tensor of the same shape, or a number per
// channel.
func (c *convolution) takeSum(o *program.Op, own int) bool {
	if len(o.Operands) != 3 || len(o.Body) != 1 || o.Body[0].Op != "arith.addf" || o.Yield != 3 {
		return false
	}
	if !slices.Equal(o.Body[0].Args, []int{0, 1}) && !slices.Equal(o.Body[0].Args, []int{1, 0}) {
		return false
	}
	other := 1 - own
	switch {
	case samePlace(o.Operands[other].Map, 4) && c.residual < 0:
		c.residual = o.Operands[other].Value
	case c.perChannel(o, other) && c.bias < 0:
		c.bias = o.Operands[other].Value
	default:
		return false
	}
	return true
}

// spec describes the convolution, without how it is to be computed.
func (c *convolution) spec() winograd.Spec {
	image, weights := c.Values[c.image].Shape, c.Values[c.weights].Shape
	return winograd.Spec{
		Images: image[0], In: image[1], Height: image[2], Width: image[3], Out: weights[0],
		PadTop: c.pads[0], PadBottom: c.pads[1], PadLeft: c.pads[2], PadRight: c.pads[3],
		Bias: c.bias >= 0, Residual: c.residual >= 0, Relu: c.relu,
	}
}

// epilogue lists the values that finish the result.
func (c *convolution) epilogue() []int {
	return slices.DeleteFunc([]int{c.bias, c.residual}, func(v int) bool { return v < 0 })
}

// writeOut puts code in the place of the last operation taken in, with its parts.
func (c *convolution) writeOut(operands []int, code winograd.Code) {
	o := program.Op{
		Name: c.name, Kind: "winograd", Family: program.Conv, Code: code.Statements,
		Result: c.Ops[c.last].Result, Location: c.Ops[c.op].Location,
		Pieces: code.Parts[0].Gemm.Pieces, Shares: code.Parts[0].Gemm.Shares,
	}
	for _, v := range operands {
		o.Operands = append(o.Operands, program.Operand{Value: v})
	}
	c.Ops[c.op].Name += ".direct" // what is replaced, until it is pruned
	c.Ops[c.last] = o
	at := c.last
	for _, part := range code.Parts {
		first := len(c.Values)
		c.Values = append(c.Values, part.Values...)
		for _, inner := range []program.Op{part.Fill, part.Gemm} {
			inner.Result += first
			inner.Inside = c.last + 1
			for i := range inner.Operands {
				inner.Operands[i].Value += first
			}
			at++
			c.insert(at, inner)
		}
	}
}

// transformedWeights adds the operations that compute G g Gᵀ of the weights in
// the layout that the products read, and returns the value.
//
//	U[a, b, o, i, c, l] = Σ G[a, y] · g[o·lanes + l, i·16 + c, y, x] · G[b, x]
func (c *convolution) transformedWeights(spec winograd.Spec) int {
	shape := spec.Weights()
	known := c.Values[c.weights].Weight
	side := spec.M + 2
	split := append([]int{side, side}, shape[1:]...)
	weights := c.padded([]int{shape[1] * shape[4], shape[2] * shape[3], 3, 3})
	g := c.add(matrix(winograd.MatrixG(spec.M)))
	// loops a, b, o, i, c, l, y, x
	bounds := append(slices.Clone(split), 3, 3)
	o := program.Op{
		Name: c.name + ".weights", Kind: "linalg.generic", Family: program.Generic,
		Operands: []program.Operand{
			{Value: g, Map: program.AccessMap{Coefficients: [][]int{unit(8, 0), unit(8, 6)}, Offsets: make([]int, 2)}},
			{Value: weights, Map: program.AccessMap{Coefficients: [][]int{
				{0, 0, shape[4], 0, 0, 1, 0, 0}, {0, 0, 0, shape[3], 1, 0, 0, 0}, unit(8, 6), unit(8, 7)}, Offsets: make([]int, 4)}},
			{Value: g, Map: program.AccessMap{Coefficients: [][]int{unit(8, 1), unit(8, 7)}, Offsets: make([]int, 2)}},
			{Value: c.fill(c.name+".weights.zeros", split, known), Map: program.AccessMap{Coefficients: identity(8).Coefficients[:6], Offsets: make([]int, 6)}, Init: true},
		},
		Body: []program.Instruction{
			{Op: "arith.mulf", Args: []int{0, 1}}, {Op: "arith.mulf", Args: []int{4, 2}}, {Op: "arith.addf", Args: []int{3, 5}},
		},
		Yield: 6, Arith: program.Arithmetic{Add: 1, Mul: 2},
	}
	for l, bound := range bounds {
		iterator := program.Parallel
		if l >= 6 {
			iterator = program.Reduction
		}
		o.Loops = append(o.Loops, program.Loop{Bound: bound, Iterator: iterator})
	}
	return c.view(c.before(o, split, known), shape)
}

// matrix is a constant.
func matrix(rows [][3]float64) program.Value {
	v := program.Value{Kind: program.ValueConstant, Shape: []int{len(rows), 3}, Weight: true}
	for _, row := range rows {
		for _, x := range row {
			v.Data = binary.LittleEndian.AppendUint32(v.Data, math.Float32bits(float32(x)))
		}
	}
	return v
}

// before inserts an operation before the convolution and returns its result.
func (c *convolution) before(o program.Op, shape []int, weight bool) int {
	o.Result = c.add(program.Value{Kind: program.ValueResult, Shape: shape, Weight: weight})
	c.insert(c.op, o)
	c.shift(1)
	return o.Result
}

// shift follows operations that were inserted before the convolution.
func (c *convolution) shift(n int) {
	c.op += n
	c.last += n
}

// fill adds an operation that fills a tensor with zeros.
func (c *convolution) fill(name string, shape []int, weight bool) int {
	return c.before(c.fillOp(name, shape, 0), shape, weight)
}

// padded is the weights with channels of zeros behind them.
func (c *convolution) padded(shape []int) int {
	from := &c.Values[c.weights]
	if slices.Equal(from.Shape, shape) {
		return c.weights
	}
	known, inner, here := from.Weight, from.Shape, []int{0, 0, 0, 0}
	zeros := c.fill(c.name+".weights.padding", shape, known)
	window := program.Value{Kind: program.ValueSlice, Base: zeros, Shape: inner, Offsets: here, Strides: []int{1, 1, 1, 1}, Weight: known}
	copied := c.copyOp(c.name+".weights.copy", c.weights, []int{0, 1, 2, 3})
	copied.Operands[1].Value = c.add(window)
	source := c.before(copied, inner, known)
	return c.add(program.Value{Kind: program.ValueInsert, Base: zeros, Source: source, Shape: shape, Offsets: here, Strides: []int{1, 1, 1, 1}, Weight: known})
}
