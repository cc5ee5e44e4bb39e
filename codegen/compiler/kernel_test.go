package compiler

import (
	"syscall"
	"testing"
	"unsafe"

	"nestling/codegen"
	"nestling/loader"
	"nestling/measure/reference"
	"nestling/program"
	"nestling/schedule"
	"nestling/suite"
)

// buffer is memory outside of Go's, aligned, that ends at a page which must not be
// touched.
func buffer(t testing.TB, bytes int64) []float32 {
	t.Helper()
	page := int64(syscall.Getpagesize())
	size := (max(bytes, 1) + page - 1) / page * page
	memory, err := syscall.Mmap(-1, 0, int(size+page), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(memory) })
	if err := syscall.Mprotect(memory[size:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&memory[size-align(max(bytes, 1))])), bytes/4)
}

func pointer(b []float32) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }

// kernel is a compiled program with its buffers.
type kernel struct {
	loaded  *loader.Loaded
	symbol  string
	run     []unsafe.Pointer
	outputs [][]float32
}

// load links object code and prepares it on inputs.
func load(t testing.TB, p *program.Program, r codegen.Result, inputs [][]float32) *kernel {
	t.Helper()
	loaded, err := loader.Load(r.Object)
	if err != nil {
		t.Fatal(err)
	}
	k := &kernel{loaded: loaded, symbol: r.Symbol}
	prepared, workspace := buffer(t, r.PreparedBytes), buffer(t, r.WorkspaceBytes)
	var weights []unsafe.Pointer
	for i, v := range p.Args {
		in := buffer(t, 4*int64(len(inputs[i])))
		copy(in, inputs[i])
		if p.Values[v].Weight {
			weights = append(weights, pointer(in))
		} else {
			k.run = append(k.run, pointer(in))
		}
	}
	k.run = append(k.run, pointer(prepared), pointer(workspace))
	for _, v := range p.Results {
		out := buffer(t, 4*int64(p.Values[v].Elements()))
		k.outputs = append(k.outputs, out)
		k.run = append(k.run, pointer(out))
	}
	if err := loaded.Call(r.Symbol+"_prepare_packed", append(weights, pointer(prepared))...); err != nil {
		t.Fatal(err)
	}
	return k
}

// check runs the kernel twice and compares its outputs with the reference.
func (k *kernel) check(t testing.TB, want *reference.Reference) {
	t.Helper()
	k.checkWithin(t, want, reference.DefaultTolerance)
}

func (k *kernel) checkWithin(t testing.TB, want *reference.Reference, tolerance float64) {
	t.Helper()
	for range 2 {
		if err := k.loaded.Call(k.symbol+"_run_packed", k.run...); err != nil {
			t.Fatal(err)
		}
		if _, err := want.Check(k.outputs, tolerance); err != nil {
			t.Fatal(err)
		}
	}
}

func compile(t testing.TB, c *Compiler, p *program.Program, text string) codegen.Result {
	t.Helper()
	return compileAs(t, c, p, text, codegen.Request{Threads: 1})
}

// assembly is the code for a processor with AVX-512.
func assembly(t testing.TB, c *Compiler, p *program.Program, text string, threads int) string {
	t.Helper()
	return compileAs(t, c, p, text, codegen.Request{Threads: threads, Assembly: true, Target: codegen.Target{CPU: "x86-64-v4"}}).Assembly
}

func compileAs(t testing.TB, c *Compiler, p *program.Program, text string, r codegen.Request) codegen.Result {
	t.Helper()
	s, err := schedule.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	written, err := schedule.Write(p, s, schedule.Options{Threads: r.Threads})
	if err != nil {
		t.Fatal(err)
	}
	r.Module, r.Script = written.Module, written.Script
	result, err := c.Compile(r)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func analyse(t testing.TB, c *Compiler, source string) *program.Program {
	t.Helper()
	p, err := c.Analyse([]byte(source), "test.mlir")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Small programs of every kind of the suite: with weights and without, with a
// workspace and without.
func TestKernelsAreRight(t *testing.T) {
	c := New()
	defer c.Close()
	for _, test := range []struct {
		benchmark suite.Benchmark
		schedule  string
	}{
		{suite.Matmul("product", 24, 32, 20), ""},
		{suite.Matmul("product", 24, 32, 20), "matmul0: TF(8,32,0) T(0,0,4) V\nfill0: V\n"},
		{suite.Linear("linear", 16, 32, 12), "matmul0: T(8,16,0) T(0,0,4) V\n"},
		{suite.Matmul("product", 24, 64, 20), "matmul0: I(2,1,0) T(10,0,0) P(0) T(0,32,0) P(1) T(0,0,8) T(2,0,0) U(5) V\nfill0: NT\n"},
		{suite.Matmul("product", 24, 64, 20), "matmul0: I(1,0,2) TF(32,0,0) P(1) T(0,8,0) T(0,0,2) U(5) V\nfill0: T(8,0) V\n"},
		{suite.Matmul("product", 24, 64, 20), "matmul0: TP(12,0,0) P(0) P(1) T(4,16,0) U(4) T(0,0,5) P(0) U(2) V\n"},
		{suite.Conv2D("conv", suite.Conv{Batch: 2, In: 3, Height: 6, Width: 8, Out: 4, Kernel: 3}), ""},
		{suite.Conv2D("conv", suite.Conv{Batch: 2, In: 3, Height: 6, Width: 8, Out: 4, Kernel: 3}),
			"conv0: T(1,4,1,8,0,0,0) T(0,0,0,0,1,1,1) V\n"},
		{suite.ResNetBlock("block", 2, 4, 6, 6), ""},
	} {
		p := analyse(t, c, test.benchmark.Module)
		inputs := reference.Inputs(p, 1)
		want, err := reference.Compute(p, inputs)
		if err != nil {
			t.Fatal(err)
		}
		load(t, p, compile(t, c, p, test.schedule), inputs).check(t, want)
	}
}

// A padded convolution with weights needs both areas; a plain product neither.
func TestSizes(t *testing.T) {
	c := New()
	defer c.Close()
	// Large enough that the padded image is not put on the stack.
	r := compile(t, c, analyse(t, c, suite.Conv2D("conv", suite.Conv{Batch: 8, In: 3, Height: 30, Width: 40, Out: 4, Kernel: 3}).Module), "")
	if want := align(4*3*3*3*4) + align(4*4); r.PreparedBytes != want {
		t.Errorf("prepared %d bytes, want %d", r.PreparedBytes, want)
	}
	if want := int64(4 * 8 * 3 * 32 * 42); r.WorkspaceBytes < want {
		t.Errorf("workspace %d bytes, want at least the padded image's %d", r.WorkspaceBytes, want)
	}
	r = compile(t, c, analyse(t, c, suite.Matmul("product", 8, 8, 8).Module), "")
	if r.PreparedBytes != 0 || r.WorkspaceBytes != 0 {
		t.Errorf("a product was given %d and %d bytes, want none", r.PreparedBytes, r.WorkspaceBytes)
	}
}

// BenchmarkMatmulCandidate is one candidate of a product from text to object
// code, in a warm process.
func BenchmarkMatmulCandidate(b *testing.B) {
	c := New()
	defer c.Close()
	p := analyse(b, c, suite.Matmul("product", 256, 256, 256).Module)
	const text = "matmul0: TF(8,32,0) T(0,0,4) V\nfill0: V\n"
	compile(b, c, p, text)
	for b.Loop() {
		compile(b, c, p, text)
	}
}

// BenchmarkWinogradCandidate is the same for a convolution of 64 channels as
// F(4,3).
func BenchmarkWinogradCandidate(b *testing.B) {
	c := New()
	defer c.Close()
	p := analyse(b, c, suite.Conv2D("convolution", suite.Conv{Batch: 16, In: 64, Height: 56, Width: 56, Out: 64, Kernel: 3}).Module)
	const text = "conv0: W(4,1,1,2)\nconv0.gemm: TF(14,1,0,0,0) T(0,0,0,1,4) V\nconv0.fill: V\n"
	compile(b, c, p, text)
	for b.Loop() {
		compile(b, c, p, text)
	}
}
