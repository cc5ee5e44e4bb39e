package suite_test

import (
	"fmt"
	"slices"
	"testing"

	"nestling/codegen/compiler"
	"nestling/program"
	"nestling/suite"
)

// TestModulesAreRead has MLIR read the nine and many generated programs.
func TestModulesAreRead(t *testing.T) {
	c := compiler.New()
	defer c.Close()
	for _, b := range suite.Nine() {
		p, err := c.Analyse([]byte(b.Module), b.Name)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := analysed(p), recorded(b.Operations); !slices.Equal(got, want) {
			t.Errorf("%s: MLIR sees %v\nrecorded are %v", b.Name, got, want)
		}
		if p.Name != b.Name || len(p.Args) != len(b.Args) {
			t.Errorf("%s: got function %s with %d arguments, want %d", b.Name, p.Name, len(p.Args), len(b.Args))
		}
		for i, a := range b.Args {
			v := p.Values[p.Args[i]]
			if !slices.Equal(v.Shape, a.Shape) || v.Weight != a.Weight {
				t.Errorf("%s: argument %s is %v, weight %v", b.Name, a.Name, v.Shape, v.Weight)
			}
		}
	}
	for _, g := range suite.Generate(suite.Train, 5, 200) {
		p, err := c.Analyse([]byte(g.Module), g.Name)
		if err != nil {
			t.Fatalf("%v\n%s", err, g.Module)
		}
		var seen []suite.Operation
		for i := range p.Ops {
			seen = append(seen, suite.Operation{Family: p.Ops[i].Family, Bounds: bounds(&p.Ops[i])})
		}
		if suite.NearBenchmark(seen) {
			t.Errorf("%s is near a benchmark: %v", g.Name, seen)
		}
	}
}

func analysed(p *program.Program) []string {
	var out []string
	for i := range p.Ops {
		out = append(out, fmt.Sprint(p.Ops[i].Family, bounds(&p.Ops[i])))
	}
	slices.Sort(out)
	return out
}

func recorded(operations []suite.Operation) []string {
	var out []string
	for _, o := range operations {
		out = append(out, fmt.Sprint(o.Family, o.Bounds))
	}
	slices.Sort(out)
	return out
}

func bounds(o *program.Op) []int {
	var out []int
	for _, l := range o.Loops {
		out = append(out, l.Bound)
	}
	return out
}
