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

// convolutionProgram draws a 3×3 convolution with what may come before and after.
func convolutionProgram(t *rapid.T) (module string, images, height, width int) {
	size := func(name string, limit int) int { return rapid.IntRange(1, limit).Draw(t, name) }
	images, height, width = size("images", 3), size("height", 21), size("width", 37)
	in, out := size("in", 35), size("out", 50)
	pads := [4]int{}
	for i := range pads {
		pads[i] = rapid.IntRange(0, 1).Draw(t, "pad")
	}
	height, width = max(height, 3-pads[0]-pads[1]), max(width, 3-pads[2]-pads[3])
	paddedHeight, paddedWidth := height+pads[0]+pads[1], width+pads[2]+pads[3]
	outHeight, outWidth := paddedHeight-2, paddedWidth-2
	image := fmt.Sprintf("tensor<%dx%dx%dx%dxf32>", images, in, height, width)
	padded := fmt.Sprintf("tensor<%dx%dx%dx%dxf32>", images, in, paddedHeight, paddedWidth)
	result := fmt.Sprintf("tensor<%dx%dx%dx%dxf32>", images, out, outHeight, outWidth)
	var b strings.Builder
	fmt.Fprintf(&b, `func.func @conv(%%x: %s, %%w: tensor<%dx%dx3x3xf32> {nestling.weight}, %%b: tensor<%dxf32> {nestling.weight}, %%y: %s) -> %s {
%%zero = arith.constant 0.0 : f32
%%e = tensor.empty() : %s
`, image, out, in, out, result, result, result)
	x := "%x"
	if pads != [4]int{} {
		x = "%p"
		fmt.Fprintf(&b, "%%p = tensor.pad %%x low[0, 0, %d, %d] high[0, 0, %d, %d] {\n^bb0(%%n: index, %%c: index, %%h: index, %%v: index):\n  tensor.yield %%zero : f32\n} : %s to %s\n",
			pads[0], pads[2], pads[1], pads[3], image, padded)
	}
	switch rapid.SampledFrom([]string{"zeros", "bias", "tensor"}).Draw(t, "start") {
	case "zeros":
		fmt.Fprintf(&b, "%%i = linalg.fill ins(%%zero : f32) outs(%%e : %s) -> %s\n", result, result)
	case "bias":
		fmt.Fprintf(&b, "%%i = linalg.broadcast ins(%%b : tensor<%dxf32>) outs(%%e : %s) dimensions = [0, 2, 3]\n", out, result)
	case "tensor":
		fmt.Fprintf(&b, "%%i = linalg.add ins(%%y, %%y : %s, %s) outs(%%e : %s) -> %s\n", result, result, result, result)
	}
	fmt.Fprintf(&b, "%%c = linalg.conv_2d_nchw_fchw ins(%s, %%w : %s, tensor<%dx%dx3x3xf32>) outs(%%i : %s) -> %s\n", x, padded, out, in, result, result)
	last := "%c"
	if rapid.Bool().Draw(t, "residual") {
		fmt.Fprintf(&b, "%%r = linalg.add ins(%%y, %s : %s, %s) outs(%%e : %s) -> %s\n", last, result, result, result, result)
		last = "%r"
	}
	if rapid.Bool().Draw(t, "relu") {
		fmt.Fprintf(&b, `%%m = linalg.generic {indexing_maps = [affine_map<(n,f,h,w)->(n,f,h,w)>, affine_map<(n,f,h,w)->(n,f,h,w)>],
  iterator_types = ["parallel","parallel","parallel","parallel"]} ins(%s : %s) outs(%%e : %s) {
^bb0(%%a: f32, %%o: f32):
  %%q = arith.maximumf %%a, %%zero : f32
  linalg.yield %%q : f32 } -> %s
`, last, result, result, result)
		last = "%m"
	}
	fmt.Fprintf(&b, "return %s : %s\n}\n", last, result)
	return b.String(), images, outHeight, outWidth
}

// Winograd's convolutions are right whatever the shape.
func TestWinogradIsRight(t *testing.T) {
	c := New()
	defer c.Close()
	rapid.Check(t, func(rt *rapid.T) {
		module, images, height, _ := convolutionProgram(rt)
		m := rapid.SampledFrom([]int{2, 4}).Draw(rt, "m")
		rows := rapid.IntRange(1, (height+m-1)/m).Draw(rt, "rows")
		group := rapid.SampledFrom(divisors(images)).Draw(rt, "group")
		threads := rapid.IntRange(1, 3).Draw(rt, "threads")
		text := fmt.Sprintf("conv0: W(%d,%d,%d,%d)\n", m, rows, group, rapid.IntRange(0, 3).Draw(rt, "prefetch"))
		if rapid.Bool().Draw(rt, "vectors") {
			text += "conv0.gemm: T(1,1,0,1,4) V\nconv0.fill: T(1,1,8) V\n"
		}
		rt.Logf("%s\n%s", module, text)
		checkSchedule(t, c, module, text, threads)
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
func checkSchedule(t testing.TB, c *Compiler, module, text string, threads int) {
	t.Helper()
	p, err := c.Analyse([]byte(module), "test.mlir")
	if err != nil {
		t.Fatal(err)
	}
	s, err := schedule.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	written, err := schedule.Write(p, s, schedule.Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Compile(codegen.Request{Module: written.Module, Script: written.Script, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	inputs := reference.Inputs(p, 1)
	want, err := reference.Compute(p, inputs)
	if err != nil {
		t.Fatal(err)
	}
	k := load(t, p, r, inputs)
	k.checkWithin(t, want, winogradTolerance)
}
