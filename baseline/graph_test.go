package baseline_test

import (
	"cmp"
	"context"
	"slices"
	"testing"

	"nestling/baseline"
	"nestling/codegen/compiler"
	"nestling/measure/reference"
	"nestling/suite"
)

// ofEach is how many programs of a family are run: enough to meet its variants.
const ofEach = 24

// TestGraphsMeanTheSame runs the least of many generated programs of every family in
// PyTorch, and compares each with what its MLIR text says, computed by the interpreter.
func TestGraphsMeanTheSame(t *testing.T) {
	p := start(t, baseline.Eager)
	c := compiler.New()
	defer c.Close()
	for _, family := range suite.GeneratedFamilies() {
		for _, g := range small(t, family) {
			if g.Graph == nil {
				t.Errorf("%s has no graph\n%s", g.Name, g.Module)
				continue
			}
			inputs, want := interpreted(t, c, g.Module, g.Name)
			if err := twice(t.Context(), p, g.Benchmark(), inputs, want); err != nil {
				t.Errorf("%s: %v\n%s%v", g.Name, err, g.Module, g.Graph.Layers)
			}
		}
	}
}

// small are the programs of a family with the least work.
func small(t *testing.T, family string) []suite.Program {
	t.Helper()
	programs, err := suite.GenerateFamilies(suite.Train, 3, 80, []string{family})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(programs, func(a, b suite.Program) int { return cmp.Compare(a.Flops, b.Flops) })
	return programs[:ofEach]
}

// twice checks a program's result, which loading it and calling it again must not change:
// its layers may write over what they made, and never over what they were given.
func twice(ctx context.Context, p *baseline.Process, b suite.Benchmark, inputs [][]float32, want *reference.Reference) error {
	if _, err := p.Load(ctx, b, inputs); err != nil {
		return err
	}
	for range 2 {
		got, err := p.Outputs(ctx)
		if err != nil {
			return err
		}
		if _, err := want.Check([][]float32{got}, 1e-5); err != nil {
			return err
		}
	}
	return nil
}
