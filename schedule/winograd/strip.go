package winograd

import (
	"fmt"
)

// convolution writes the strips of one convolution.
type convolution struct {
	*emitter
	*Spec
	name string // prefix of the tags of its parts

	image            buffer // [images, in, height, width]
	weights          buffer // Weights
	bias             buffer // [out]
	residual, result buffer // [images, out, height·width]
	input, output    buffer // scratch: inputShape, outputShape
	values, products buffer // scratch: valuesShape, productsShape
}

// place is where a strip lies: its (first) image and its number in the image.
type place struct{ image, strip string }

// Write writes a convolution out. name is the prefix of the names of its parts:
// NAME.gemm and NAME.fill.
func Write(name string, s Spec) (Code, error) {
	if err := s.Check(); err != nil {
		return Code{}, err
	}
	e := newEmitter(name)
	c := &convolution{emitter: e, Spec: &s, name: name}
	operands := append(c.imageOperand(), c.weightOperands(1)...)
	result := e.alloc(s.resultShape()...)
	scratch := []*buffer{&c.input, &c.values, &c.products, &c.output}
	shapes := [][]int{s.inputShape(), s.valuesShape(), s.productsShape(), s.outputShape()}
	all := e.scratch(s.Threads, shapes)
	c.result = e.flatten(result, s.resultShape())
	pieces := s.Images / s.Group * s.strips()
	e.threads(s.Threads, pieces, func(thread string, share func(body func(item string))) {
		for i, b := range scratch {
			*b = e.slice(all[i], append([]int{s.Threads}, shapes[i]...), thread)
		}
		c.clearMargins()
		share(func(item string) { c.strip(c.place(item), item) })
	})
	e.toTensor(result, s.resultShape())
	return Code{Statements: e.statements(), Operands: operands, Result: s.resultShape(), Parts: []Part{s.part(name, pieces)}}, nil
}

func (s *Spec) imageShape() []int  { return []int{s.Images, s.In, s.Height, s.Width} }
func (s *Spec) resultShape() []int { return []int{s.Images, s.Out, s.OutHeight(), s.OutWidth()} }

// imageOperand makes the buffer of the image, which is %in0, and returns its shape.
func (c *convolution) imageOperand() [][]int {
	c.image = c.operand(0, c.imageShape())
	return [][]int{c.imageShape()}
}

// weightOperands makes buffers of the other operands, from the given number on,
// and returns their shapes.
func (c *convolution) weightOperands(first int) [][]int {
	shapes := [][]int{c.Weights()}
	c.weights = c.operand(first, c.Weights())
	if c.Bias {
		c.bias = c.operand(first+len(shapes), []int{c.Out})
		shapes = append(shapes, []int{c.Out})
	}
	if c.Residual {
		c.residual = c.flatten(c.operand(first+len(shapes), c.resultShape()), c.resultShape())
		shapes = append(shapes, c.resultShape())
	}
	return shapes
}

// operand is the buffer of %in0, %in1, ….
func (e *emitter) operand(i int, shape []int) buffer {
	t := memref(shape...)
	return buffer{e.value("bufferization.to_buffer %%in%d read_only : %s to %s", i, tensor(shape...), t), t}
}

// toTensor defines %out.
func (e *emitter) toTensor(result buffer, shape []int) {
	e.line("%%out = bufferization.to_tensor %s restrict writable : %s to %s", result.name, result.typ, tensor(shape...))
}

// scratch makes buffers with a part for each thread.
func (e *emitter) scratch(threads int, shapes [][]int) []buffer {
	all := make([]buffer, len(shapes))
	for i, shape := range shapes {
		all[i] = e.alloc(append([]int{threads}, shape...)...)
	}
	return all
}

// flatten makes height and width one dimension.
func (e *emitter) flatten(b buffer, shape []int) buffer {
	t := memref(shape[0], shape[1], shape[2]*shape[3])
	return buffer{e.value("memref.collapse_shape %s [[0],[1],[2,3]] : %s into %s", b.name, b.typ, t), t}
}

// threads runs body once per thread; share in it loops over the thread's part of
// the items, of which all parts have about as many.
func (e *emitter) threads(threads, items int, body func(thread string, share func(func(item string)))) {
	thread := e.prefix + "thread"
	e.line("scf.forall (%s) in (%d) {", thread, threads)
	body(thread, func(each func(item string)) {
		first := e.affine(fmt.Sprintf("(d0*%d) floordiv %d", items, threads), thread)
		last := e.affine(fmt.Sprintf("(d0*%d+%d) floordiv %d", items, items, threads), thread)
		e.loopBetween(first, last, each)
	})
	e.line("}")
}

func (c *convolution) place(item string) place {
	return place{c.affine(fmt.Sprintf("(d0 floordiv %d)*%d", c.strips(), c.Group), item), c.affine(fmt.Sprintf("d0 mod %d", c.strips()), item)}
}

// strip computes one strip of Group images.
func (c *convolution) strip(p place, item string) {
	c.eachImage(p, func(p place, member string) {
		c.loop(c.inBlocks(), func(block string) {
			c.readStrip(p, block)
			c.transformInput(c.fromStrip(), block, member)
		})
	})
	c.product(func(frequency string) {
		if c.Prefetch&PrefetchInput != 0 {
			next := c.place(c.atMost(c.affine("d0+1", item), c.Images/c.Group*c.strips()-1))
			c.prefetchInput(next, frequency)
		}
		c.prefetchResult(p, frequency)
	})
	c.eachImage(p, func(p place, member string) { c.finishStrip(p, member) })
}

// finishStrip transforms a strip's products back and writes its results.
func (c *convolution) finishStrip(p place, member string) {
	c.loop(ceil(c.Out, lanes), func(block string) {
		c.transformOutput(block, member, c.toStrip())
		c.writeStrip(p, block)
	})
}

// eachImage loops over the images of a strip.
func (c *convolution) eachImage(p place, body func(p place, member string)) {
	if c.Group == 1 {
		body(p, c.constant(0))
		return
	}
	c.loop(c.Group, func(member string) { body(place{c.affine("d0+d1", p.image, member), p.strip}, member) })
}

// channel is 16·block + lane, not beyond the last.
func (c *convolution) channel(block string, lane, channels int) string {
	n := c.affine(fmt.Sprintf("d0*%d+%d", lanes, lane), block)
	if channels%lanes == 0 {
		return n
	}
	return c.atMost(n, channels-1)
}

// clearMargins sets the columns left and right of the image to zero, once.
func (c *convolution) clearMargins() {
	c.loop(c.stripRows()+2, func(row string) { c.clearColumns(c.input, row) })
}

// clearColumns sets the margins of one row of a buffer to zero.
func (c *convolution) clearColumns(b buffer, before ...string) {
	for w := range c.scratchWidth() {
		if w < c.PadLeft || w >= c.PadLeft+c.Width {
			c.store(c.splat(0), b, append(before, c.constant(w), c.constant(0))...)
		}
	}
}

// readStrip transposes the rows that a strip needs, of 16 channels, into scratch.
// Channels beyond the last repeat it: their weights are zero.
func (c *convolution) readStrip(p place, block string) {
	c.loop(c.stripRows()+2, func(row string) {
		h := c.affine(fmt.Sprintf("d0*%d+d1-%d", c.stripRows(), c.PadTop), p.strip, row)
		inside := c.value("arith.cmpi ult, %s, %s : index", h, c.constant(c.Height))
		c.either(inside, func() { c.readRow(p.image, block, h, row) }, func() {
			c.loop(c.Width, func(w string) {
				c.store(c.splat(0), c.input, row, c.affine(fmt.Sprintf("d0+%d", c.PadLeft), w), c.constant(0))
			})
		})
	})
}

// readRow transposes one row, in blocks of 16 pixels of which the last may
// overlap the one before.
func (c *convolution) readRow(image, block, h, row string) {
	channels := make([]string, lanes)
	for j := range channels {
		channels[j] = c.channel(block, j, c.In)
	}
	read := func(w string, columns int, load func(index ...string) string) {
		rows := make([]string, lanes)
		for j := range rows {
			rows[j] = load(image, channels[j], h, w)
		}
		for j, v := range c.transpose(rows)[:columns] {
			c.store(v, c.input, row, c.affine(fmt.Sprintf("d0+%d", c.PadLeft+j), w), c.constant(0))
		}
	}
	if c.Width < lanes {
		mask := c.firstLanes(c.Width)
		read(c.constant(0), c.Width, func(index ...string) string { return c.loadMasked(mask, c.image, index...) })
		return
	}
	c.loop(ceil(c.Width, lanes), func(i string) {
		w := c.affine(fmt.Sprintf("d0*%d", lanes), i)
		if c.Width%lanes != 0 {
			w = c.atMost(w, c.Width-lanes)
		}
		read(w, lanes, func(index ...string) string { return c.load(c.image, index...) })
	})
}

// firstLanes is a mask of the first n lanes.
func (e *emitter) firstLanes(n int) string {
	return e.value("vector.constant_mask [%d] : %s", n, maskType)
}

// fromStrip reads pixels of the input's scratch: of the tile (t, x), the pixel
// (i, j).
func (c *convolution) fromStrip() func(t, x string) func(i, j int) string {
	return func(t, x string) func(i, j int) string {
		rows, columns := c.tileIndices(t, x)
		return func(i, j int) string { return c.load(c.input, rows[i], columns[j], c.constant(0)) }
	}
}

// tileIndices are the rows and columns of a tile's inputs in scratch.
func (c *convolution) tileIndices(t, x string) (rows, columns []string) {
	for i := range c.M + 2 {
		rows = append(rows, c.affine(fmt.Sprintf("d0*%d+%d", c.M, i), t))
		columns = append(columns, c.affine(fmt.Sprintf("d0*%d+%d", c.M, i), x))
	}
	return rows, columns
}

// transformInput is Bᵀ d B of every tile of a strip and 16 channels.
func (c *convolution) transformInput(source func(t, x string) func(i, j int) string, block, member string) {
	c.eachTile(member, func(t, x, tile string) {
		pixel := source(t, x)
		n := c.M + 2
		columns := make([][]string, n)
		for j := range columns {
			d := make([]string, n)
			for i := range d {
				d[i] = pixel(i, j)
			}
			columns[j] = c.inputTransform(c.M, d)
		}
		for a := range n {
			row := make([]string, n)
			for j := range row {
				row[j] = columns[j][a]
			}
			for b, v := range c.inputTransform(c.M, row) {
				c.store(v, c.values, c.constant(a*n+b), block, tile, c.constant(0))
			}
		}
	})
}

// eachTile loops over an image's tiles in a strip, from right to left: what a
// partial tile writes too far is written again by its right neighbour's row.
func (c *convolution) eachTile(member string, body func(t, x, tile string)) {
	c.loop(c.Rows, func(t string) {
		c.loop(c.tilesAcross(), func(i string) {
			x := i
			if c.OutWidth()%c.M != 0 {
				x = c.affine(fmt.Sprintf("%d-d0", c.tilesAcross()-1), i)
			}
			body(t, x, c.affine(fmt.Sprintf("d0*%d+d1+d2*%d", c.tilesAcross(), c.imageTiles()), t, x, member))
		})
	})
}

// product multiplies, per frequency, the values with the weights. before is
// written first in the loop over frequencies.
func (c *convolution) product(before func(frequency string)) {
	c.loop(c.frequencies(), func(f string) {
		before(f)
		values := c.slice(c.values, c.valuesShape(), f)
		weights := c.slice(c.weights, c.Weights(), f)
		products := c.slice(c.products, c.productsShape(), f)
		c.gemm(values, weights, products)
	})
}

// gemm is the product of one frequency, as linalg operations that carry the tags
// that schedules know them by.
func (c *convolution) gemm(values, weights, products buffer) {
	vt, wt, pt := tensor(c.valuesShape()[1:]...), tensor(c.Weights()[1:]...), tensor(c.productsShape()[1:]...)
	v := c.value("bufferization.to_tensor %s restrict : %s to %s", values.name, values.typ, vt)
	w := c.value("bufferization.to_tensor %s restrict : %s to %s", weights.name, weights.typ, wt)
	p := c.value("bufferization.to_tensor %s restrict writable : %s to %s", products.name, products.typ, pt)
	zero := c.value("arith.constant 0.0 : f32")
	fill := c.value(`linalg.generic {indexing_maps = [affine_map<(o,t,i)->()>, affine_map<(o,t,i)->(o,t,i)>], `+
		`iterator_types = ["parallel","parallel","parallel"]} ins(%s : f32) outs(%s : %s) attrs = {nestling.op = "%s.fill"} {
^bb0(%%a: f32, %%b: f32): linalg.yield %%a : f32 } -> %s`, zero, p, pt, c.name, pt)
	sum := c.value(`linalg.generic {indexing_maps = [affine_map<(t,o,i,b,c)->(b,t,c)>, affine_map<(t,o,i,b,c)->(o,b,c,i)>, affine_map<(t,o,i,b,c)->(o,t,i)>], `+
		`iterator_types = ["parallel","parallel","parallel","reduction","reduction"]} ins(%s, %s : %s, %s) outs(%s : %s) attrs = {nestling.op = "%s.gemm"} {
^bb0(%%a: f32, %%b: f32, %%s: f32):
%%m = arith.mulf %%a, %%b : f32
%%n = arith.addf %%s, %%m : f32
linalg.yield %%n : f32 } -> %s`, v, w, vt, wt, fill, pt, c.name, pt)
	c.line("bufferization.materialize_in_destination %s in restrict writable %s : (%s, %s) -> ()", sum, products.name, pt, products.typ)
}

// transformOutput is Aᵀ m A of every tile of a strip and 16 channels, with what
// needs no neighbours: bias, and relu where no residual comes in between.
func (c *convolution) transformOutput(block, member string, target func(t, x string) func(v string, p, q int)) {
	perBlock := c.outLanes() / lanes
	outer, inner := c.affine(fmt.Sprintf("d0 floordiv %d", perBlock), block), c.affine(fmt.Sprintf("(d0 mod %d)*%d", perBlock, lanes), block)
	bias := ""
	if c.Bias {
		bias = c.channelBias(block)
	}
	c.eachTile(member, func(t, x, tile string) {
		n := c.M + 2
		columns := make([][]string, n)
		for j := range columns {
			m := make([]string, n)
			for i := range m {
				m[i] = c.load(c.products, c.constant(i*n+j), outer, tile, inner)
			}
			columns[j] = c.outputTransform(c.M, m)
		}
		store := target(t, x)
		for p := range c.M {
			row := make([]string, n)
			for j := range row {
				row[j] = columns[j][p]
			}
			for q, v := range c.outputTransform(c.M, row) {
				if c.Bias {
					v = c.add(v, bias)
				}
				if c.Relu && !c.Residual {
					v = c.relu(v)
				}
				store(v, p, q)
			}
		}
	})
}

// channelBias reads the bias of 16 channels.
func (c *convolution) channelBias(block string) string {
	first := c.affine(fmt.Sprintf("d0*%d", lanes), block)
	if c.Out%lanes == 0 {
		return c.load(c.bias, first)
	}
	left := c.affine(fmt.Sprintf("%d-d0", c.Out), first)
	return c.loadMasked(c.value("vector.create_mask %s : %s", left, maskType), c.bias, first)
}

// toStrip writes pixels of the output's scratch.
func (c *convolution) toStrip() func(t, x string) func(v string, p, q int) {
	return func(t, x string) func(v string, p, q int) {
		return func(v string, p, q int) {
			pixel := c.affine(fmt.Sprintf("(d0*%d+%d)*%d+d1*%d+%d", c.M, p, c.OutWidth(), c.M, q), t, x)
			c.store(v, c.output, pixel, c.constant(0))
		}
	}
}

// writeStrip transposes the output's scratch back to rows of the result, adding
// the residual. Channels beyond the last are written first, to the place of the
// last, which then overwrites them.
func (c *convolution) writeStrip(p place, block string) {
	channels := make([]string, lanes)
	for j := range channels {
		channels[j] = c.channel(block, j, c.Out)
	}
	stripPixels, pixels := c.stripRows()*c.OutWidth(), c.OutHeight()*c.OutWidth()
	base := c.affine(fmt.Sprintf("d0*%d", stripPixels), p.strip)
	count := c.atMost(c.affine(fmt.Sprintf("%d-d0", pixels), base), stripPixels)
	write := func(at string, load func(b buffer, index ...string) string, store func(v string, b buffer, index ...string)) {
		rows := make([]string, lanes)
		for j := range rows {
			rows[j] = c.load(c.output, c.affine(fmt.Sprintf("d0+%d", j), at), c.constant(0))
		}
		pixel := c.affine("d0+d1", base, at)
		columns := c.transpose(rows)
		for j := lanes - 1; j >= 0; j-- {
			v := columns[j]
			if c.Residual {
				v = c.add(v, load(c.residual, p.image, channels[j], pixel))
				if c.Relu {
					v = c.relu(v)
				}
			}
			store(v, c.result, p.image, channels[j], pixel)
		}
	}
	c.loopBetween(c.constant(0), c.affine(fmt.Sprintf("d0 floordiv %d", lanes), count), func(i string) {
		write(c.affine(fmt.Sprintf("d0*%d", lanes), i), c.load, c.store)
	})
	if stripPixels%lanes == 0 && pixels%stripPixels == 0 {
		return
	}
	rest := c.affine(fmt.Sprintf("d0 mod %d", lanes), count)
	c.either(c.value("arith.cmpi ne, %s, %s : index", rest, c.constant(0)), func() {
		mask := c.value("vector.create_mask %s : %s", rest, maskType)
		write(c.affine("d0-d1", count, rest),
			func(b buffer, index ...string) string { return c.loadMasked(mask, b, index...) },
			func(v string, b buffer, index ...string) { c.storeMasked(v, mask, b, index...) })
	}, nil)
}

// prefetchInput fetches a share, one of as many as there are frequencies, of the
// rows that a later strip adds, for reading.
func (c *convolution) prefetchInput(p place, frequency string) {
	image := c.flatten(c.image, c.imageShape())
	first := c.affine(fmt.Sprintf("d0*%d+%d", c.stripRows()*c.Width, (2-c.PadTop)*c.Width), p.strip)
	c.prefetch(image, p.image, first, c.In, c.stripRows()*c.Width, c.Height*c.Width, frequency, "read, locality<2>")
}

// prefetchResult fetches a share of a strip's results, for writing.
func (c *convolution) prefetchResult(p place, frequency string) {
	if c.Prefetch&PrefetchOutput == 0 {
		return
	}
	first := c.affine(fmt.Sprintf("d0*%d", c.stripRows()*c.OutWidth()), p.strip)
	c.prefetch(c.result, p.image, first, c.Out, c.stripRows()*c.OutWidth(), c.OutHeight()*c.OutWidth(), frequency, "write, locality<3>")
}

// prefetch fetches a share of `pixels` pixels from `first` on, of all channels of
// Group images; size is the number of pixels of an image. Each frequency has some
// of the channels.
func (c *convolution) prefetch(b buffer, image, first string, channels, pixels, size int, frequency, how string) {
	all := c.Group * channels
	low := c.affine(fmt.Sprintf("(d0*%d) floordiv %d", all, c.frequencies()), frequency)
	high := c.affine(fmt.Sprintf("(d0*%d+%d) floordiv %d", all, all, c.frequencies()), frequency)
	start := c.atMost(first, max(size-pixels, 0))
	c.loopBetween(low, high, func(n string) {
		of, channel := c.affine(fmt.Sprintf("d0+d1 floordiv %d", channels), image, n), c.affine(fmt.Sprintf("d0 mod %d", channels), n)
		for at := 0; at < min(pixels, size); at += lanes {
			c.line("memref.prefetch %s[%s,%s,%s], %s, data : %s", b.name, of, channel, c.affine(fmt.Sprintf("d0+%d", at), start), how, b.typ)
		}
	})
}
