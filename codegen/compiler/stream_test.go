package compiler

import (
	"fmt"
	"strings"
	"testing"

	"nestling/measure/reference"
)

// Results that exceed the caches are stored past them, where they are nothing but stored
// and every store is of whole lines; and they stay right.
func TestStoresPastTheCaches(t *testing.T) {
	c := New()
	defer c.Close()
	for name, k := range map[string]struct {
		module, schedule string
		streams          bool
	}{
		"a transposition":                {transposition([][]int{{4096, 2048}}, [][]int{{1, 0}}), "copy0: TP(64,32) T(16,16) V", true},
		"of results that are not large":  {transposition([][]int{{4096, 1024}, {4096, 1024}}, [][]int{{1, 0}, {1, 0}}), "copy0: TP(64,32) T(16,16) V\ncopy1: TP(64,32) T(16,16) V", false},
		"of rows that begin within one":  {transposition([][]int{{4104, 2048}}, [][]int{{1, 0}}), "copy0: TP(64,24) T(16,8) V", false},
		"of parts of lines":              {transposition([][]int{{4096, 2048}}, [][]int{{1, 0}}), "copy0: TP(64,32) T(8,8) V", false},
		"element by element":             {doubled(2048, 4096), "add0: TP(2,0) T(1,64) V", true},
		"of a program that leaves room":  {filled(3072, 4096), "fill0: TP(2,0) T(1,64) V", false},
		"of one that does not":           {filled(4096, 4096), "fill0: TP(2,0) T(1,64) V", true},
		"in scalars":                     {doubled(2048, 4096), "add0: TP(2,0) NT", false},
		"of what is added up in a place": {columnSums(), "reduce0: TF(0,64) T(1,16) V\nfill0: V", false},
	} {
		t.Run(name, func(t *testing.T) {
			p := analyse(t, c, k.module)
			if got := strings.Contains(assembly(t, c, p, k.schedule, 2), "vmovnt"); got != k.streams {
				t.Errorf("stores past the caches: %v, want %v", got, k.streams)
			}
			inputs := reference.Inputs(p, 1)
			want, err := reference.Compute(p, inputs)
			if err != nil {
				t.Fatal(err)
			}
			load(t, p, compile(t, c, p, k.schedule), inputs).check(t, want)
		})
	}
}

// doubled adds a matrix to itself.
func doubled(rows, columns int) string {
	m := tensorType([]int{rows, columns})
	return fmt.Sprintf(`func.func @d(%%x: %[1]s) -> %[1]s {
		%%e = tensor.empty() : %[1]s
		%%y = linalg.add ins(%%x, %%x : %[1]s, %[1]s) outs(%%e : %[1]s) -> %[1]s
		return %%y : %[1]s
	}`, m)
}

// filled is a matrix of ones.
func filled(rows, columns int) string {
	return fmt.Sprintf(`func.func @f() -> %[1]s {
		%%c = arith.constant 1.0 : f32
		%%e = tensor.empty() : %[1]s
		%%y = linalg.fill ins(%%c : f32) outs(%%e : %[1]s) -> %[1]s
		return %%y : %[1]s
	}`, tensorType([]int{rows, columns}))
}

// columnSums adds two matrices up in one result.
func columnSums() string {
	return `#all = affine_map<(k, i) -> (k, i)>
	#one = affine_map<(k, i) -> (i)>
	func.func @s(%x: tensor<2x8388608xf32>) -> tensor<8388608xf32> {
		%c = arith.constant 0.0 : f32
		%e = tensor.empty() : tensor<8388608xf32>
		%z = linalg.fill ins(%c : f32) outs(%e : tensor<8388608xf32>) -> tensor<8388608xf32>
		%y = linalg.generic {indexing_maps = [#all, #one], iterator_types = ["reduction", "parallel"]} ins(%x : tensor<2x8388608xf32>) outs(%z : tensor<8388608xf32>) {
		^bb0(%a: f32, %b: f32):
			%s = arith.addf %a, %b : f32
			linalg.yield %s : f32
		} -> tensor<8388608xf32>
		return %y : tensor<8388608xf32>
	}`
}
