package compiler

import (
	"fmt"
	"strings"
	"testing"

	"nestling/codegen"
)

// What the code generator tells LLVM reaches it: sums and extremes of rows in several
// accumulators unless much is left over, those of columns as they are, and what prepares
// for size.
func TestHints(t *testing.T) {
	c := New()
	defer c.Close()
	reduce := func(how string, columns int, dimension, size string) string {
		return fmt.Sprintf(`func.func @m(%%x: tensor<128x%[2]dxf32>) -> tensor<%[4]sxf32> {
			%%c = arith.constant -1.0e+30 : f32
			%%e = tensor.empty() : tensor<%[4]sxf32>
			%%z = linalg.fill ins(%%c : f32) outs(%%e : tensor<%[4]sxf32>) -> tensor<%[4]sxf32>
			%%y = linalg.reduce { arith.%[1]s } ins(%%x : tensor<128x%[2]dxf32>) outs(%%z : tensor<%[4]sxf32>) dimensions = [%[3]s]
			return %%y : tensor<%[4]sxf32>
		}`, how, columns, dimension, size)
	}
	const four = "loop_interleave<count = 4"
	for name, k := range map[string]struct {
		module, schedule, text string
		want                   bool
	}{
		"extremes of rows":    {reduce("maximumf", 256, "1", "128"), "", four, true},
		"extremes of columns": {reduce("maximumf", 256, "0", "256"), "", four, false},
		"sums of rows":        {reduce("addf", 509, "1", "128"), "", four, true},
		"sums of columns":     {reduce("addf", 256, "0", "256"), "", four, false},
		"sums of short rows":  {reduce("addf", 32, "1", "128"), "", four, false},
		"sums with a rest":    {reduce("addf", 100, "1", "128"), "", four, false},
		"prepare":             {product("{nestling.weight}"), "matmul0: L(1,1,0) NT", "optsize", true},
		"run":                 {product(""), "", "optsize", false},
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
