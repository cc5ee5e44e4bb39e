package costmodel

import (
	"testing"

	"nestling/env/envtest"
)

// What a vector operation computes for another one stays in registers, unless that goes through it
// in parts.
func TestHandedOver(t *testing.T) {
	var b envtest.Builder
	sum := b.Add(b.Argument(64, 64), b.Argument(64, 64))
	p := b.Program("sums", b.Add(sum, b.Argument(64, 64)))
	for text, want := range map[string]bool{
		"elementwise1: TF(4,32) V\nelementwise0: V\n":         true,
		"elementwise1: TF(4,32) T(1,0) V\nelementwise0: V\n":  false,
		"elementwise1: TF(4,32) NT\nelementwise0: V\n":        false,
		"elementwise1: TF(4,32) V\nelementwise0: NT\n":        false,
		"elementwise1: TP(4,32) V\nelementwise0: T(1,32) V\n": false,
	} {
		v := newView(over(t, p, text))
		if v.handedOver(0) != want || v.handedOver(1) {
			t.Errorf("%sthe first stays in registers: %v, the second %v; want %v and false", text, v.handedOver(0), v.handedOver(1), want)
		}
	}
	v := newView(over(t, envtest.Matmul(64, 64, 64), "matmul1: TF(8,32,0) T(0,0,4) V\nfill0: V\n"))
	if !v.handedOver(0) {
		t.Error("zeros do not stay in registers while a product adds to them")
	}
}

func TestPiecesOfRows(t *testing.T) {
	for row, want := range map[int]float64{1: 1, 3: 2, 16: 1, 17: 2, 28: 3, 31: 5, 32: 2} {
		if got := inRow(row, 16) * float64(row); got != want {
			t.Errorf("%d elements are in %g vectors and parts of vectors, want %g", row, got, want)
		}
	}
	for _, c := range []struct{ rows, columns, want float64 }{{3, 4, 8}, {8, 8, 24}, {16, 16, 64}, {16, 32, 128}} {
		if got := shuffled(c.rows, c.columns); got != c.want {
			t.Errorf("%g×%g elements take %g shuffles, want %g", c.rows, c.columns, got, c.want)
		}
	}
}
