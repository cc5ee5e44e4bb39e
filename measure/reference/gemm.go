package reference

import (
	"nestling/blas"
)

// gemm computes a contraction (matrix product, batched or not, convolution of
// any layout, stride and dilation) as matrix products. Every loop plays one
// part: it moves the result and a (a row of the product), the result and b (a
// column), a and b (summed over), or all three (a product of its own for each
// iteration). Operands are gathered into matrices first, which for a
// convolution is im2col.
type gemm struct {
	k     *kernel
	a, b  int   // operands
	outer []int // loops with a product for each iteration

	// Distances from the start of each tensor, per row, column and summand.
	aRows, aSums, bColumns, bSums, resultRows, resultColumns []int
}

const (
	// gathered is the most elements a gathered matrix has, if it can be had
	// with fewer by taking loops (such as that over images) out of it: 16 MiB.
	gathered = 1 << 22
	// leastExtent is what a product needs in every direction to be worth it.
	leastExtent = 4
)

// newGemm tells by false that a kernel is not such a contraction, or too thin.
func newGemm(k *kernel) (*gemm, bool) {
	a, b, ok := k.contraction()
	if !ok {
		return nil, false
	}
	g := &gemm{k: k, a: a, b: b}
	var rows, columns, sums []int
	for l, bound := range k.bounds {
		inA, inB, inResult := k.operands[a].strides[l] != 0, k.operands[b].strides[l] != 0, k.result().strides[l] != 0
		switch {
		case bound == 1:
		case inA && inB && inResult:
			g.outer = append(g.outer, l)
		case inA && inResult:
			rows = append(rows, l)
		case inB && inResult:
			columns = append(columns, l)
		case inA && inB:
			sums = append(sums, l)
		default:
			return nil, false
		}
	}
	if min(k.extent(rows), k.extent(columns), k.extent(sums)) < leastExtent {
		return nil, false
	}
	rows = g.limit(rows, k.extent(sums))
	columns = g.limit(columns, k.extent(sums))
	g.aRows, g.aSums = k.distances(k.operands[a], rows), k.distances(k.operands[a], sums)
	g.bColumns, g.bSums = k.distances(k.operands[b], columns), k.distances(k.operands[b], sums)
	g.resultRows, g.resultColumns = k.distances(k.result(), rows), k.distances(k.result(), columns)
	return g, true
}

// limit moves loops out of a matrix until it is small enough to gather.
func (g *gemm) limit(loops []int, width int) []int {
	for len(loops) > 1 && g.k.extent(loops)*width > gathered {
		g.outer = append(g.outer, loops[0])
		loops = loops[1:]
	}
	return loops
}

// distances lists how far each point of some loops is from the first.
func (k *kernel) distances(a access, loops []int) []int {
	at := make([]int, len(k.bounds))
	out := make([]int, k.extent(loops))
	for i := range out {
		out[i] = a.address(at) - a.start
		k.advance(loops, at)
	}
	return out
}

// run adds the products to the result, for values and for scales: those of
// sums of products are sums of the scales' products.
func (g *gemm) run(operands []tensor[float32], result tensor[float32]) {
	g.sum(operands[g.a].values, operands[g.b].values, result.values)
	g.sum(operands[g.a].scales, operands[g.b].scales, result.scales)
}

func (g *gemm) sum(a, b, result []float32) {
	m, n, sums := len(g.aRows), len(g.bColumns), len(g.aSums)
	// Matrices are gathered, and the product written, in the order that reads
	// and writes memory with the smaller steps.
	aTransposed, bTransposed := step(g.aRows) < step(g.aSums), step(g.bSums) < step(g.bColumns)
	matrixA, matrixB, out := make([]float32, m*sums), make([]float32, sums*n), make([]float32, m*n)
	at := make([]int, len(g.k.bounds))
	for range g.k.extent(g.outer) {
		gather(matrixA, a, g.k.operands[g.a].address(at), g.aRows, g.aSums, aTransposed)
		gather(matrixB, b, g.k.operands[g.b].address(at), g.bSums, g.bColumns, bTransposed)
		if step(g.resultRows) < step(g.resultColumns) {
			blas.Gemm(!bTransposed, !aTransposed, n, m, sums, 1, matrixB, width(n, sums, bTransposed), matrixA, width(sums, m, aTransposed), 0, out, m)
			scatter(result, g.k.result().address(at), out, g.resultColumns, g.resultRows)
		} else {
			blas.Gemm(aTransposed, bTransposed, m, n, sums, 1, matrixA, width(sums, m, aTransposed), matrixB, width(n, sums, bTransposed), 0, out, n)
			scatter(result, g.k.result().address(at), out, g.resultRows, g.resultColumns)
		}
		g.k.advance(g.outer, at)
	}
}

// step is the distance of the second point from the first.
func step(distances []int) int { return max(distances[1]-distances[0], distances[0]-distances[1]) }

func width(columns, rows int, transposed bool) int {
	if transposed {
		return rows
	}
	return columns
}

// rowsPerTask is how many rows one goroutine moves at a time.
const rowsPerTask = 16

func gather(matrix, from []float32, start int, rows, columns []int, transposed bool) {
	if transposed {
		rows, columns = columns, rows
	}
	eachRowOf(rows, func(r int) {
		part, base := matrix[r*len(columns):(r+1)*len(columns)], start+rows[r]
		for c, distance := range columns {
			part[c] = from[base+distance]
		}
	})
}

func scatter(to []float32, start int, matrix []float32, rows, columns []int) {
	eachRowOf(rows, func(r int) {
		part, base := matrix[r*len(columns):(r+1)*len(columns)], start+rows[r]
		for c, distance := range columns {
			to[base+distance] += part[c]
		}
	})
}

func eachRowOf(rows []int, move func(r int)) {
	parallel((len(rows)+rowsPerTask-1)/rowsPerTask, func(tasks func() (int, bool)) {
		for {
			task, more := tasks()
			if !more {
				return
			}
			for r := task * rowsPerTask; r < min((task+1)*rowsPerTask, len(rows)); r++ {
				move(r)
			}
		}
	})
}
