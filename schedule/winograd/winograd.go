// Package winograd writes 3×3 convolutions of stride 1 as Winograd's minimal
// filtering: tiles of m×m outputs are computed from (m+2)² products per pair of
// channels in place of 9m². It emits MLIR text and describes the matrix products
// inside, which are scheduled like any operation; it imports no C.
//
// The image is cut into strips of whole tile rows. For each strip the rows of 16
// channels are transposed so that channels lie in vector lanes, transformed, and
// collected per frequency; one matrix product per frequency follows; results are
// transformed back, finished (bias, relu, residual) and transposed to rows.
// Scratch buffers are made once, with a part for each thread.
package winograd

import (
	"errors"
	"fmt"
)

// Prefetch bits: what is fetched while the products run.
const (
	PrefetchInput  = 1 // rows of the next strip, for reading
	PrefetchOutput = 2 // rows of this strip, for writing
)

// Spec is one convolution: x [Images, In, Height, Width] with weights
// [Out, In, 3, 3] and zeros around the image.
type Spec struct {
	Images, In, Out, Height, Width       int
	PadTop, PadBottom, PadLeft, PadRight int // 0 or 1

	M        int // outputs of a tile in each dimension: 2 or 4
	Rows     int // tile rows of a strip
	Group    int // images of a strip; it divides Images
	Prefetch int // PrefetchInput | PrefetchOutput
	Threads  int // that share the strips

	Bias     bool // an operand [Out] that every pixel starts from
	Residual bool // an operand like the result that is added to it
	Relu     bool // negative results become zero, at the very end
}

// Code is a convolution written out.
type Code struct {
	// Statements use the tensors %in0, %in1, … and define %out.
	Statements string
	// Operands are the shapes of %in0, %in1, …: the image, the transformed
	// weights (Weights), and those of bias and residual that there are.
	Operands [][]int
	Result   []int
	// Parts can be scheduled: NAME.fill and NAME.gemm of each convolution.
	Parts []Part
}

// OutHeight and OutWidth are the extent of the result.
func (s *Spec) OutHeight() int { return s.Height + s.PadTop + s.PadBottom - 2 }
func (s *Spec) OutWidth() int  { return s.Width + s.PadLeft + s.PadRight - 2 }

// Tiles along the result's height and width; the last may be partial.
func (s *Spec) tilesDown() int   { return ceil(s.OutHeight(), s.M) }
func (s *Spec) tilesAcross() int { return ceil(s.OutWidth(), s.M) }

func (s *Spec) strips() int       { return ceil(s.tilesDown(), s.Rows) }
func (s *Spec) stripRows() int    { return s.M * s.Rows } // rows of results of a strip
func (s *Spec) frequencies() int  { return (s.M + 2) * (s.M + 2) }
func (s *Spec) imageTiles() int   { return s.Rows * s.tilesAcross() } // of one image in a strip
func (s *Spec) tiles() int        { return s.Group * s.imageTiles() } // of a strip
func (s *Spec) scratchWidth() int { return s.M*s.tilesAcross() + 2 }

func (s *Spec) inBlocks() int { return ceil(s.In, lanes) }

// outLanes is the number of result channels that lie together.
func (s *Spec) outLanes() int {
	if ceil(s.Out, lanes)%2 == 0 {
		return 2 * lanes
	}
	return lanes
}

func (s *Spec) outBlocks() int { return ceil(s.Out, s.outLanes()) }

func ceil(a, b int) int { return (a + b - 1) / b }

// Weights is the shape in which transformed weights are expected: frequency,
// block of results, block of inputs, input, result. Channels beyond In are
// multiplied by zeros, and so must be zero.
func (s *Spec) Weights() []int {
	return []int{s.frequencies(), s.outBlocks(), s.inBlocks(), lanes, s.outLanes()}
}

// Shapes of scratch, without the dimension of threads.
func (s *Spec) inputShape() []int {
	return []int{s.stripRows() + 2, s.scratchWidth(), lanes}
}

func (s *Spec) valuesShape() []int {
	return []int{s.frequencies(), s.inBlocks(), s.tiles(), lanes}
}

func (s *Spec) productsShape() []int {
	return []int{s.frequencies(), s.outBlocks(), s.tiles(), s.outLanes()}
}

// outputShape holds the pixels of a strip, row after row; a partial tile at the
// end of a row writes into the next, which is written after it.
func (s *Spec) outputShape() []int {
	return []int{ceil(s.stripRows()*s.OutWidth()+s.M, lanes) * lanes, lanes}
}

// Check reports what is wrong with the numbers, nil if nothing is.
func (s *Spec) Check() error {
	switch {
	case s.OutHeight() < 1 || s.OutWidth() < 1:
		return errors.New("the image is smaller than the window")
	case s.M != 2 && s.M != 4:
		return fmt.Errorf("tiles of %d×%d outputs; there are 2×2 and 4×4", s.M, s.M)
	case s.Rows < 1 || s.Rows > s.tilesDown():
		return fmt.Errorf("%d tile rows a strip; the image has %d", s.Rows, s.tilesDown())
	case s.Group < 1 || s.Images%s.Group != 0:
		return fmt.Errorf("%d images a strip do not divide %d images", s.Group, s.Images)
	case s.Prefetch < 0 || s.Prefetch > PrefetchInput|PrefetchOutput:
		return fmt.Errorf("prefetch %d; 0 none, 1 the next input, 2 the output, 3 both", s.Prefetch)
	case s.Threads < 1:
		return fmt.Errorf("%d threads; the least is 1", s.Threads)
	}
	for _, pad := range []int{s.PadTop, s.PadBottom, s.PadLeft, s.PadRight} {
		if pad < 0 || pad > 1 {
			return fmt.Errorf("padding of %d; 0 and 1 are possible", pad)
		}
	}
	return nil
}
