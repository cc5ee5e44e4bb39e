package costmodel

import (
	"testing"

	"nestling/env/envtest"
)

// Threads are started for what takes long enough, once for each trip of the loops outside of the
// parallel ones.
func TestThreadsAreStartedWhereItPays(t *testing.T) {
	for _, c := range []struct {
		size          int
		text          string
		speed, starts float64
	}{
		{64, "matmul1: TF(8,32,0) T(0,0,4) V\nfill0: V\n", 1, 0},
		{512, "matmul1: TF(8,32,0) T(0,0,4) V\nfill0: V\n", 2, 1},
		{512, "matmul1: T(64,0,0) TP(8,32,0) T(0,0,4) V\nfill0: T(1,32) V\n", 2, 8},
		{256, "matmul1: T(8,0,0) TP(1,32,0) T(0,0,4) V\nfill0: T(1,32) V\n", 1, 0}, // 32 that are short
		{512, "matmul1: T(8,32,0) T(0,0,4) V\nfill0: T(1,32) V\n", 1, 0},
	} {
		v := newView(over(t, envtest.Matmul(c.size, c.size, c.size), c.text))
		if n := v.newNest(&v.nests[1]); n.speed != c.speed || n.starts != c.starts {
			t.Errorf("%d: %sis %g times as fast as one thread, with %g starts; want %g and %g", c.size, c.text, n.speed, n.starts, c.speed, c.starts)
		}
	}
}
