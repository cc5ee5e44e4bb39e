package blas

import (
	"math"
	"testing"
)

// TestGemm compares every transposition with a plain triple loop, on matrices
// that are parts of wider ones.
func TestGemm(t *testing.T) {
	const m, n, k, pad = 5, 7, 9, 3
	for _, transA := range []bool{false, true} {
		for _, transB := range []bool{false, true} {
			a, lda := matrix(m, k, pad, transA)
			b, ldb := matrix(k, n, pad, transB)
			c, ldc := matrix(m, n, pad, false)
			want := append([]float32(nil), c...)
			for i := range m {
				for j := range n {
					sum := 0.0
					for l := range k {
						sum += float64(at(a, lda, transA, i, l)) * float64(at(b, ldb, transB, l, j))
					}
					want[i*ldc+j] = float32(2*sum + 0.5*float64(want[i*ldc+j]))
				}
			}
			Gemm(transA, transB, m, n, k, 2, a, lda, b, ldb, 0.5, c, ldc)
			for i := range c {
				if d := math.Abs(float64(c[i] - want[i])); !(d < 1e-5) {
					t.Errorf("transposed %v, %v: element %d is %v, want %v", transA, transB, i, c[i], want[i])
				}
			}
		}
	}
}

func matrix(rows, columns, pad int, trans bool) (x []float32, ld int) {
	if trans {
		rows, columns = columns, rows
	}
	ld = columns + pad
	x = make([]float32, (rows-1)*ld+columns)
	for i := range x {
		x[i] = float32(math.Sin(float64(3*i + rows)))
	}
	return x, ld
}

func at(x []float32, ld int, trans bool, i, j int) float32 {
	if trans {
		i, j = j, i
	}
	return x[i*ld+j]
}

func TestGemmWithoutTerms(t *testing.T) {
	c := []float32{4, 6}
	Gemm(false, false, 1, 2, 0, 1, nil, 0, nil, 2, 0.5, c, 2)
	if c[0] != 2 || c[1] != 3 {
		t.Errorf("0.5·C = %v", c)
	}
}

func TestGemmRefusesMatricesThatDoNotFit(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("C would have read past the end")
		}
	}()
	Gemm(false, false, 2, 2, 2, 1, make([]float32, 3), 2, make([]float32, 4), 2, 0, make([]float32, 4), 2)
}
