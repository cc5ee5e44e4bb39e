package winograd

import (
	"errors"
	"fmt"
)

// Chain is two convolutions of which the second reads what the first computes,
// strip by strip: the second runs one strip behind. What lies between them never
// leaves the scratch, of which it takes three strips, and is not transposed.
//
// First and Second have the same Images, M, Rows and Threads, and a Group of 1.
// Images are shared out to the threads.
type Chain struct{ First, Second Spec }

// Check reports what is wrong with the numbers, nil if nothing is.
func (c *Chain) Check() error {
	f, s := &c.First, &c.Second
	if err := f.Check(); err != nil {
		return fmt.Errorf("the first convolution: %w", err)
	}
	if err := s.Check(); err != nil {
		return err
	}
	switch {
	case f.Images != s.Images || f.Out != s.In || f.OutHeight() != s.Height || f.OutWidth() != s.Width:
		return errors.New("the second convolution does not read what the first computes")
	case f.M != s.M || f.Rows != s.Rows || f.Threads != s.Threads || f.Group != 1 || s.Group != 1:
		return errors.New("the convolutions of a chain have the same tiles and strips, of one image each")
	case f.Residual:
		return errors.New("the first convolution adds another tensor, which has no place in a chain")
	}
	return nil
}

// ring is how many strips between the convolutions are kept: the one being
// written, the one being read, and the last row before it.
const ring = 3

// middleShape is the scratch between the convolutions: blocks of channels, rows,
// columns with those of padding, channels. Row h is at h modulo its rows.
func (c *Chain) middleShape() []int {
	f, s := &c.First, &c.Second
	width := max(s.scratchWidth(), s.PadLeft+f.M*f.tilesAcross())
	return []int{s.inBlocks(), ring * s.stripRows(), width, lanes}
}

// chain writes the steps of a Chain.
type chain struct {
	*emitter
	first, second *convolution
	middle        buffer
	rows, width   int // of middle
}

// WriteChain writes a chain out. Its parts are FIRST.gemm, FIRST.fill, SECOND.gemm
// and SECOND.fill; its operands those of the first convolution, then those of the
// second without its image.
func WriteChain(first, second string, c Chain) (Code, error) {
	if err := c.Check(); err != nil {
		return Code{}, err
	}
	e := newEmitter(second)
	f, s := &c.First, &c.Second
	w := &chain{emitter: e, rows: c.middleShape()[1], width: c.middleShape()[2],
		first: &convolution{emitter: e, Spec: f, name: first}, second: &convolution{emitter: e, Spec: s, name: second}}
	operands := append(w.first.imageOperand(), w.first.weightOperands(1)...)
	operands = append(operands, w.second.weightOperands(len(operands))...)
	result := e.alloc(s.resultShape()...)
	w.second.result = e.flatten(result, s.resultShape())
	shapes := [][]int{f.inputShape(), f.valuesShape(), f.productsShape(), s.valuesShape(), s.productsShape(), s.outputShape(), c.middleShape()}
	buffers := []*buffer{&w.first.input, &w.first.values, &w.first.products, &w.second.values, &w.second.products, &w.second.output, &w.middle}
	all := e.scratch(s.Threads, shapes)
	e.threads(s.Threads, s.Images, func(thread string, share func(func(item string))) {
		for i, b := range buffers {
			*b = e.slice(all[i], append([]int{s.Threads}, shapes[i]...), thread)
		}
		w.first.clearMargins()
		w.clearMiddle()
		share(w.image)
	})
	e.toTensor(result, s.resultShape())
	return Code{Statements: e.statements(), Operands: operands, Result: s.resultShape(), Parts: []Part{f.part(first, f.Images), s.part(second, s.Images)}}, nil
}

// clearMiddle sets all columns of padding to zero.
func (w *chain) clearMiddle() {
	w.eachBlock(func(block string) {
		w.loop(w.rows, func(row string) {
			for column := range w.width {
				if column < w.second.PadLeft || column >= w.second.PadLeft+w.second.Width {
					w.store(w.splat(0), w.middle, block, row, w.constant(column), w.constant(0))
				}
			}
		})
	})
}

// eachBlock loops over the blocks of channels between the convolutions.
func (w *chain) eachBlock(body func(block string)) { w.loop(w.second.inBlocks(), body) }

// image computes one image: a step per strip, and one more for the second
// convolution's last.
func (w *chain) image(image string) {
	if w.second.PadTop > 0 {
		w.clearRow(w.constant(w.rows - 1))
	}
	w.loop(w.second.strips()+1, func(step string) {
		inside := w.value("arith.cmpi slt, %s, %s : index", step, w.constant(w.first.strips()))
		w.either(inside, func() { w.firstStrip(place{image, step}) }, func() {
			w.clearRow(w.ringRow(step, 0))
			w.clearRow(w.ringRow(step, 1))
		})
		w.either(w.value("arith.cmpi sgt, %s, %s : index", step, w.constant(0)), func() {
			w.secondStrip(place{image, w.affine("d0-1", step)})
		}, nil)
	})
}

// ringRow is where row i of a strip lies.
func (w *chain) ringRow(strip string, i int) string {
	return w.affine(fmt.Sprintf("(d0*%d+%d) mod %d", w.first.stripRows(), i, w.rows), strip)
}

// clearRow sets a row between the convolutions to zero.
func (w *chain) clearRow(row string) {
	w.eachBlock(func(block string) {
		w.loop(w.width, func(column string) { w.store(w.splat(0), w.middle, block, row, column, w.constant(0)) })
	})
}

// firstStrip computes a strip of the first convolution into the middle.
func (w *chain) firstStrip(p place) {
	c := w.first
	c.loop(c.inBlocks(), func(block string) {
		c.readStrip(p, block)
		c.transformInput(c.fromStrip(), block, c.constant(0))
	})
	c.product(func(frequency string) {
		if c.Prefetch&PrefetchInput != 0 {
			image := c.atMost(c.affine(fmt.Sprintf("d0+(d1+1) floordiv %d", c.strips()), p.image, p.strip), c.Images-1)
			c.prefetchInput(place{image, c.affine(fmt.Sprintf("(d0+1) mod %d", c.strips()), p.strip)}, frequency)
		}
	})
	c.loop(ceil(c.Out, lanes), func(block string) {
		c.transformOutput(block, c.constant(0), w.toMiddle(p.strip, block))
		w.clearRight(p.strip, block)
	})
	if rest := c.OutHeight() % c.stripRows(); rest != 0 {
		last := w.value("arith.cmpi eq, %s, %s : index", p.strip, w.constant(c.strips()-1))
		w.either(last, func() {
			for i := rest; i < c.stripRows(); i++ {
				w.clearRow(w.ringRow(p.strip, i))
			}
		}, nil)
	}
}

// clearRight sets to zero what partial tiles wrote right of the image.
func (w *chain) clearRight(strip, block string) {
	c := w.first
	if c.OutWidth()%c.M == 0 {
		return
	}
	for i := range c.stripRows() {
		row := w.ringRow(strip, i)
		for column := c.OutWidth(); column < c.M*c.tilesAcross(); column++ {
			w.store(w.splat(0), w.middle, block, row, w.constant(w.second.PadLeft+column), w.constant(0))
		}
	}
}

// toMiddle writes pixels of a strip between the convolutions.
func (w *chain) toMiddle(strip, block string) func(t, x string) func(v string, p, q int) {
	return func(t, x string) func(v string, p, q int) {
		return func(v string, p, q int) {
			row := w.affine(fmt.Sprintf("(d0*%d+d1*%d+%d) mod %d", w.first.stripRows(), w.first.M, p, w.rows), strip, t)
			column := w.affine(fmt.Sprintf("d0*%d+%d", w.first.M, q+w.second.PadLeft), x)
			w.store(v, w.middle, block, row, column, w.constant(0))
		}
	}
}

// fromMiddle reads the pixels that tiles of the second convolution need.
func (w *chain) fromMiddle(strip, block string) func(t, x string) func(i, j int) string {
	return func(t, x string) func(i, j int) string {
		var rows []string
		for i := range w.second.M + 2 {
			rows = append(rows, w.affine(fmt.Sprintf("(d0*%d+d1*%d+%d) mod %d",
				w.second.stripRows(), w.second.M, i-w.second.PadTop+w.rows, w.rows), strip, t))
		}
		_, columns := w.second.tileIndices(t, x)
		return func(i, j int) string { return w.load(w.middle, block, rows[i], columns[j], w.constant(0)) }
	}
}

// secondStrip computes a strip of the second convolution from the middle.
func (w *chain) secondStrip(p place) {
	c := w.second
	w.eachBlock(func(block string) { c.transformInput(w.fromMiddle(p.strip, block), block, c.constant(0)) })
	c.product(func(frequency string) { c.prefetchResult(p, frequency) })
	c.finishStrip(p, c.constant(0))
}
