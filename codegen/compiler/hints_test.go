package compiler

import (
	"strings"
	"testing"

	"nestling/codegen"
)

// What the code generator tells LLVM reaches it: extremes of rows in several
// accumulators, those of columns as they are, and what prepares for size.
func TestHints(t *testing.T) {
	c := New()
	defer c.Close()
	reduce := func(dimension, size string) string {
		return `func.func @m(%x: tensor<128x256xf32>) -> tensor<` + size + `xf32> {
			%c = arith.constant -1.0e+30 : f32
			%e = tensor.empty() : tensor<` + size + `xf32>
			%z = linalg.fill ins(%c : f32) outs(%e : tensor<` + size + `xf32>) -> tensor<` + size + `xf32>
			%y = linalg.reduce { arith.maximumf } ins(%x : tensor<128x256xf32>) outs(%z : tensor<` + size + `xf32>) dimensions = [` + dimension + `]
			return %y : tensor<` + size + `xf32>
		}`
	}
	for name, k := range map[string]struct {
		module, schedule, text string
		want                   bool
	}{
		"rows":    {reduce("1", "128"), "", "loop_interleave<count = 4", true},
		"columns": {reduce("0", "256"), "", "loop_interleave<count = 4", false},
		"prepare": {product("{nestling.weight}"), "matmul0: L(1,1,0) NT", "optsize", true},
		"run":     {product(""), "", "optsize", false},
	} {
		r := compileAs(t, c, analyse(t, c, k.module), k.schedule, codegen.Request{Threads: 1, IR: true})
		found := false
		for _, stage := range r.Stages {
			found = found || strings.Contains(stage.IR, k.text)
		}
		if found != k.want {
			t.Errorf("%s: %s in LLVM's module: %t", name, k.text, found)
		}
	}
}
