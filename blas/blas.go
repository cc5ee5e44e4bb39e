// Package blas is the little of OpenBLAS that Nestling needs: single-precision
// matrix products on row-major matrices.
package blas

/*
#cgo LDFLAGS: -lopenblas
#include <cblas.h>
// Declared here because only OpenBLAS's own cblas.h has it.
extern void openblas_set_num_threads(int);
extern char *openblas_get_config(void);
*/
import "C"

import "fmt"

// SetThreads sets how many threads products may use, for the whole process.
func SetThreads(n int) { C.openblas_set_num_threads(C.int(n)) }

// Config is OpenBLAS's description of itself.
func Config() string { return C.GoString(C.openblas_get_config()) }

// Gemm computes C = alpha·op(A)·op(B) + beta·C, where op(A) is m×k, op(B) is
// k×n and C is m×n, all row-major with leading dimensions lda, ldb and ldc.
func Gemm(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	if m == 0 || n == 0 {
		return
	}
	check("A", a, transA, m, k, lda)
	check("B", b, transB, k, n, ldb)
	check("C", c, false, m, n, ldc)
	if k == 0 {
		for i := range m {
			for j := range n {
				c[i*ldc+j] *= beta
			}
		}
		return
	}
	C.cblas_sgemm(C.CblasRowMajor, transpose(transA), transpose(transB),
		C.int(m), C.int(n), C.int(k), C.float(alpha),
		(*C.float)(&a[0]), C.int(lda), (*C.float)(&b[0]), C.int(ldb),
		C.float(beta), (*C.float)(&c[0]), C.int(ldc))
}

func transpose(t bool) C.enum_CBLAS_TRANSPOSE {
	if t {
		return C.CblasTrans
	}
	return C.CblasNoTrans
}

// check panics when a matrix does not fit its slice: C would read past it.
func check(name string, x []float32, trans bool, rows, cols, ld int) {
	if trans {
		rows, cols = cols, rows
	}
	if rows > 0 && cols > 0 && (ld < cols || len(x) < (rows-1)*ld+cols) {
		panic(fmt.Sprintf("blas: %s is %d×%d with leading dimension %d, but holds %d elements", name, rows, cols, ld, len(x)))
	}
}
