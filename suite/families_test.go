package suite_test

import (
	"math/rand/v2"
	"testing"

	"nestling/codegen/compiler"
	"nestling/suite"
)

// TestFamiliesAreRead has MLIR read the programs of every family, fixed and drawn.
func TestFamiliesAreRead(t *testing.T) {
	c := compiler.New()
	defer c.Close()
	names := map[string]bool{}
	cases := append(suite.Families(), suite.DrawFamilies(rand.New(rand.NewPCG(1, 2)), 200)...)
	for _, k := range cases {
		if names[k.Name] {
			t.Errorf("two programs have the name %s", k.Name)
		}
		names[k.Name] = true
		p, err := c.Analyse([]byte(k.Module), k.Name)
		if err != nil {
			t.Fatalf("%v\n%s", err, k.Module)
		}
		if p.Name != k.Name || len(p.Results) != 1 {
			t.Errorf("%s: function %s with %d results", k.Name, p.Name, len(p.Results))
		}
	}
}
