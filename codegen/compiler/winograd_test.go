package compiler

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"nestling/codegen"
	"nestling/measure/reference"
	"nestling/schedule"
)

// winogradTolerance is what the largest error of Winograd's products stays under,
// relative to the sum of the sizes of an element's terms.
const winogradTolerance = 5e-5

// draw writes a program of 3×3 convolutions with what may come before and after.
type draw struct {
	*rapid.T
	b    strings.Builder
	next int
}

func (d *draw) size(name string, limit int) int { return rapid.IntRange(1, limit).Draw(d.T, name) }

// name is fresh.
func (d *draw) name(of string) string {
	d.next++
	return fmt.Sprintf("%%%s%d", of, d.next)
}

// image is a value of the program and its shape.
type image struct {
	name                        string
	count, channels, high, wide int
}

func (i image) typ() string {
	return fmt.Sprintf("tensor<%dx%dx%dx%dxf32>", i.count, i.channels, i.high, i.wide)
}

// pad surrounds an image with zeros on some sides: as many as it needs.
func (d *draw) pad(x image) image {
	pads := [4]int{}
	for i := range pads {
		pads[i] = rapid.IntRange(0, 1).Draw(d.T, "pad")
	}
	if x.high+pads[0]+pads[1] < 3 {
		pads[0], pads[1] = 1, 1
	}
	if x.wide+pads[2]+pads[3] < 3 {
		pads[2], pads[3] = 1, 1
	}
	if pads == [4]int{} {
		return x
	}
	p := image{d.name("p"), x.count, x.channels, x.high + pads[0] + pads[1], x.wide + pads[2] + pads[3]}
	fmt.Fprintf(&d.b, "%s = tensor.pad %s low[0, 0, %d, %d] high[0, 0, %d, %d] {\n^bb0(%%n: index, %%c: index, %%h: index, %%v: index):\n  tensor.yield %%zero : f32\n} : %s to %s\n",
		p.name, x.name, pads[0], pads[2], pads[1], pads[3], x.typ(), p.typ())
	return p
}

// convolution writes one convolution of padded x with weights w, which starts
// from zeros, bias or another tensor.
func (d *draw) convolution(x image, out int, w, bias string, starts ...string) image {
	r := image{d.name("c"), x.count, out, x.high - 2, x.wide - 2}
	init, e := d.name("i"), d.empty(r)
	switch rapid.SampledFrom(starts).Draw(d.T, "start") {
	case "zeros":
		fmt.Fprintf(&d.b, "%s = linalg.fill ins(%%zero : f32) outs(%s : %s) -> %s\n", init, e, r.typ(), r.typ())
	case "bias":
		fmt.Fprintf(&d.b, "%s = linalg.broadcast ins(%s : tensor<%dxf32>) outs(%s : %s) dimensions = [0, 2, 3]\n", init, bias, out, e, r.typ())
	case "tensor":
		fmt.Fprintf(&d.b, "%s = linalg.add ins(%%y, %%y : %s, %s) outs(%s : %s) -> %s\n", init, r.typ(), r.typ(), e, r.typ(), r.typ())
	}
	fmt.Fprintf(&d.b, "%s = linalg.conv_2d_nchw_fchw ins(%s, %s : %s, tensor<%dx%dx3x3xf32>) outs(%s : %s) -> %s\n",
		r.name, x.name, w, x.typ(), out, x.channels, init, r.typ(), r.typ())
	return r
}

func (d *draw) empty(like image) string {
	e := d.name("e")
	fmt.Fprintf(&d.b, "%s = tensor.empty() : %s\n", e, like.typ())
	return e
}

// residual may add %y.
func (d *draw) residual(x image) image {
	if !rapid.Bool().Draw(d.T, "residual") {
		return x
	}
	r, e := x, d.empty(x)
	r.name = d.name("r")
	fmt.Fprintf(&d.b, "%s = linalg.add ins(%%y, %s : %s, %s) outs(%s : %s) -> %s\n", r.name, x.name, x.typ(), x.typ(), e, x.typ(), x.typ())
	return r
}

func (d *draw) relu(x image) image {
	if !rapid.Bool().Draw(d.T, "relu") {
		return x
	}
	r, e := x, d.empty(x)
	r.name = d.name("m")
	fmt.Fprintf(&d.b, `%s = linalg.generic {indexing_maps = [affine_map<(n,f,h,w)->(n,f,h,w)>, affine_map<(n,f,h,w)->(n,f,h,w)>],
  iterator_types = ["parallel","parallel","parallel","parallel"]} ins(%s : %s) outs(%s : %s) {
^bb0(%%a: f32, %%o: f32):
  %%q = arith.maximumf %%a, %%zero : f32
  linalg.yield %%q : f32 } -> %s
`, r.name, x.name, x.typ(), e, x.typ(), x.typ())
	return r
}

// drawImage is the program's first argument.
func (d *draw) drawImage() image {
	return image{"%x", d.size("images", 3), d.size("in", 35), d.size("height", 21), d.size("width", 37)}
}

// module is the whole program, with weights %w and %b, %w2 and %b2.
func (d *draw) module(x image, channels []int, result image) string {
	weights := ""
	in := x.channels
	for i, out := range channels {
		weights += fmt.Sprintf("%%w%d: tensor<%dx%dx3x3xf32> {nestling.weight}, %%b%d: tensor<%dxf32> {nestling.weight}, ", i, out, in, i, out)
		in = out
	}
	return fmt.Sprintf("func.func @conv(%%x: %s, %s%%y: %s) -> %s {\n%%zero = arith.constant 0.0 : f32\n%sreturn %s : %s\n}\n",
		x.typ(), weights, result.typ(), result.typ(), d.b.String(), result.name, result.typ())
}

// Winograd's convolutions are right whatever the shape.
func TestWinogradIsRight(t *testing.T) {
	c := New()
	defer c.Close()
	rapid.Check(t, func(rt *rapid.T) {
		d := &draw{T: rt}
		x, out := d.drawImage(), d.size("out", 50)
		result := d.relu(d.residual(d.convolution(d.pad(x), out, "%w0", "%b0", "zeros", "bias", "tensor")))
		m := rapid.SampledFrom([]int{2, 4}).Draw(rt, "m")
		rows := d.size("rows", (result.high+m-1)/m)
		group := rapid.SampledFrom(divisors(x.count)).Draw(rt, "group")
		text := fmt.Sprintf("conv0: W(%d,%d,%d,%d)\n", m, rows, group, rapid.IntRange(0, 3).Draw(rt, "prefetch"))
		if rapid.Bool().Draw(rt, "vectors") {
			text += "conv0.gemm: T(1,1,0,1,4) V\nconv0.fill: T(1,1,8) V\n"
		}
		checkSchedule(t, rt, c, d.module(x, []int{out}, result), text, rapid.IntRange(1, 3).Draw(rt, "threads"))
	})
}

// So are two in a row, strip by strip.
func TestWinogradChainIsRight(t *testing.T) {
	c := New()
	defer c.Close()
	rapid.Check(t, func(rt *rapid.T) {
		d := &draw{T: rt}
		x := d.drawImage()
		// Enough channels that no window is all zeros after relu: errors come from the
		// whole tile, and would be infinite beside a sum of nothing.
		channels := []int{rapid.IntRange(8, 40).Draw(rt, "middle"), d.size("out", 40)}
		first := d.relu(d.convolution(d.pad(x), channels[0], "%w0", "%b0", "zeros", "bias"))
		result := d.relu(d.residual(d.convolution(d.pad(first), channels[1], "%w1", "%b1", "zeros", "bias", "tensor")))
		m := rapid.SampledFrom([]int{2, 4}).Draw(rt, "m")
		rows := d.size("rows", (result.high+m-1)/m)
		text := fmt.Sprintf("conv1: WC(%d,%d,%d)\n", m, rows, rapid.IntRange(0, 3).Draw(rt, "prefetch"))
		checkSchedule(t, rt, c, d.module(x, channels, result), text, rapid.IntRange(1, 3).Draw(rt, "threads"))
	})
}

func divisors(n int) []int {
	var all []int
	for d := 1; d <= n; d++ {
		if n%d == 0 {
			all = append(all, d)
		}
	}
	return all
}

// checkSchedule compiles a program with a schedule and compares what it computes
// with the reference. The shares of all threads are run by one.
func checkSchedule(t *testing.T, rt rapid.TB, c *Compiler, module, text string, threads int) {
	rt.Logf("%s\n%s", module, text)
	p, err := c.Analyse([]byte(module), "test.mlir")
	if err != nil {
		rt.Fatal(err)
	}
	s, err := schedule.Parse(text)
	if err != nil {
		rt.Fatal(err)
	}
	written, err := schedule.Write(p, s, schedule.Options{Threads: threads})
	if err != nil {
		rt.Fatal(err)
	}
	r, err := c.Compile(codegen.Request{Module: written.Module, Script: written.Script, Threads: 1})
	if err != nil {
		rt.Fatal(err)
	}
	inputs := reference.Inputs(p, 1)
	want, err := reference.Compute(p, inputs)
	if err != nil {
		rt.Fatal(err)
	}
	k := load(t, p, r, inputs)
	k.checkWithin(t, want, winogradTolerance)
}
