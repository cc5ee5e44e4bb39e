package compiler

import (
	"testing"

	"pgregory.net/rapid"
)

// Buffers that are used at the same time never overlap, and together they need
// no more than one after the other.
func TestPlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var buffers []*allocation
		sum := int64(0)
		for range rapid.IntRange(1, 12).Draw(t, "buffers") {
			first := rapid.IntRange(0, 20).Draw(t, "first")
			b := &allocation{size: 64 * rapid.Int64Range(1, 9).Draw(t, "size"), first: first, last: first + rapid.IntRange(0, 8).Draw(t, "length")}
			sum += b.size
			buffers = append(buffers, b)
		}
		total := place(buffers)
		if total > sum {
			t.Fatalf("%d bytes for buffers of %d", total, sum)
		}
		for i, a := range buffers {
			if a.offset < 0 || a.offset+a.size > total {
				t.Fatalf("buffer %d lies outside the workspace", i)
			}
			for _, b := range buffers[:i] {
				together := a.first <= b.last && b.first <= a.last
				if together && a.offset < b.offset+b.size && b.offset < a.offset+a.size {
					t.Fatalf("%+v and %+v overlap", *a, *b)
				}
			}
		}
	})
}
