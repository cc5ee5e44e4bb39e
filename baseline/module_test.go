package baseline_test

import (
	"testing"

	"nestling/baseline"
	"nestling/codegen/compiler"
	"nestling/measure/reference"
	"nestling/suite"
)

// TestModulesMeanTheSame compares PyTorch with what the MLIR text of each kind
// of benchmark says, computed by the interpreter.
func TestModulesMeanTheSame(t *testing.T) {
	p := start(t, baseline.JIT)
	c := compiler.New()
	defer c.Close()
	for _, b := range []suite.Benchmark{
		suite.Matmul("matmul", 6, 10, 14),
		suite.Linear("linear", 6, 10, 14),
		suite.Conv2D("conv", suite.Conv{Batch: 2, In: 3, Height: 7, Width: 8, Out: 4, Kernel: 3}),
		suite.ResNetBlock("block", 2, 4, 7, 8),
	} {
		inputs, want := interpreted(t, c, b.Module, b.Name)
		if _, err := p.Load(t.Context(), b, inputs); err != nil {
			t.Fatal(err)
		}
		got, err := p.Outputs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := want.Check([][]float32{got}, 1e-5); err != nil {
			t.Errorf("%s: %v", b.Name, err)
		}
	}
}

// start starts a PyTorch that ends with the test.
func start(t *testing.T, m baseline.Method) *baseline.Process {
	t.Helper()
	python, err := baseline.FindPython(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	p, err := baseline.Start(t.Context(), baseline.Options{Python: python, Method: m, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// interpreted are inputs of a module and what it makes of them, by the interpreter.
func interpreted(t *testing.T, c *compiler.Compiler, module, name string) ([][]float32, *reference.Reference) {
	t.Helper()
	analysed, err := c.Analyse([]byte(module), name)
	if err != nil {
		t.Fatal(err)
	}
	inputs := reference.Inputs(analysed, 1)
	want, err := reference.Compute(analysed, inputs)
	if err != nil {
		t.Fatal(err)
	}
	return inputs, want
}
