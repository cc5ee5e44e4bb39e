package compiler

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"nestling/measure/reference"
	"nestling/schedule"
)

// transposition is a program that transposes each input of a shape by an order.
func transposition(shapes, orders [][]int) string {
	var arguments, results, types, body []string
	for i, shape := range shapes {
		from, to := tensorType(shape), tensorType(reordered(shape, orders[i]))
		arguments = append(arguments, fmt.Sprintf("%%x%d: %s", i, from))
		types = append(types, to)
		results = append(results, fmt.Sprintf("%%y%d", i))
		body = append(body, fmt.Sprintf("%%e%d = tensor.empty() : %s\n%%y%d = linalg.transpose ins(%%x%d : %s) outs(%%e%d : %s) permutation = [%s]",
			i, to, i, i, from, i, to, strings.Trim(strings.Join(strings.Fields(fmt.Sprint(orders[i])), ", "), "[]")))
	}
	return fmt.Sprintf("func.func @t(%s) -> (%s) {\n%s\nreturn %s : %s\n}", strings.Join(arguments, ", "),
		strings.Join(types, ", "), strings.Join(body, "\n"), strings.Join(results, ", "), strings.Join(types, ", "))
}

func tensorType(shape []int) string {
	return "tensor<" + strings.ReplaceAll(dimensions(shape), " ", "") + "xf32>"
}

func reordered(shape, order []int) []int {
	out := make([]int, len(order))
	for i, d := range order {
		out[i] = shape[d]
	}
	return out
}

// checkTransposition compiles a program with V on every operation that may have
// it, and checks every element.
func checkTransposition(t testing.TB, c *Compiler, shapes, orders [][]int) {
	p := analyse(t, c, transposition(shapes, orders))
	var text strings.Builder
	for _, o := range p.Ops {
		line := o.Name + ": V\n"
		s, err := schedule.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		if schedule.Check(p, s) == nil {
			text.WriteString(line)
		}
	}
	inputs := reference.Inputs(p, 1)
	want, err := reference.Compute(p, inputs)
	if err != nil {
		t.Fatal(err)
	}
	load(t, p, compile(t, c, p, text.String()), inputs).check(t, want)
}

// Every matrix of these heights and widths, transposed in registers: below, at
// and above the blocks of 4, 8 and 16.
func TestTransposesOfMatrices(t *testing.T) {
	c := New()
	defer c.Close()
	sizes := []int{1, 2, 3, 4, 5, 7, 8, 9, 14, 16, 17, 28, 32, 33, 48}
	for _, rows := range sizes {
		var shapes, orders [][]int
		for _, columns := range sizes {
			shapes = append(shapes, []int{rows, columns})
			orders = append(orders, []int{1, 0})
		}
		checkTransposition(t, c, shapes, orders)
	}
}

// Any order of the dimensions of small vectors.
func TestTransposesOfAnyOrder(t *testing.T) {
	c := New()
	defer c.Close()
	rapid.Check(t, func(r *rapid.T) {
		shape := rapid.SliceOfN(rapid.IntRange(1, 9), 2, 4).Draw(r, "shape")
		order := make([]int, len(shape))
		for i := range order {
			order[i] = i
		}
		checkTransposition(t, c, [][]int{shape}, [][]int{rapid.Permutation(order).Draw(r, "order")})
	})
}
