package env

import (
	"math"

	"nestling/schedule"
)

// strip is what a convolution by Winograd's algorithm has at hand at a time.
type strip struct {
	tiles  float64 // of m×m results
	strips float64 // of that size, in all
	image  float64 // bytes of the transformed image
	sums   float64 // bytes of the products, before they are transformed back
	filter float64 // bytes of the transformed weights, of all strips
	wasted float64 // share of the results that lie outside, or in rows that do not fill a strip
}

// describesStrip tells whether an option is one of the numbers of W or WC that say what a
// strip is.
func (e *Episode) describesStrip() bool {
	return e.open.kind == schedule.Winograd || e.open.kind == schedule.WinogradChain
}

// stripWith is the strip once an option is chosen, with single rows and images where that
// has not been asked for yet.
func (e *Episode) stripWith(o option) strip {
	next, _ := e.open.with(o)
	words := next.words
	m, rows, images := words[0], 1, 1
	if len(words) > 1 {
		rows = words[1]
	}
	if e.open.kind == schedule.Winograd && len(words) > 2 {
		images = words[2]
	}
	loops := e.self().Loops // n, f, h, w, c, kh, kw
	n, f, h, w, c := loops[0].Bound, loops[1].Bound, loops[2].Bound, loops[3].Bound, loops[4].Bound
	high, wide := (h+m-1)/m, (w+m-1)/m
	down, frequencies := (high+rows-1)/rows, float64((m+2)*(m+2)*4)
	s := strip{tiles: float64(rows * wide * images), strips: float64(down) * float64(n) / float64(images)}
	s.image, s.sums = frequencies*float64(c)*s.tiles, frequencies*float64(f)*s.tiles
	s.filter = frequencies * float64(c) * float64(f)
	s.wasted = 1 - float64(h)*float64(w)/float64(down*rows*m*wide*m)
	return s
}

// strip describes what an answer about a strip would make of it, in the place of a tile, but
// for its registers, which Prior weighs.
func (w *writer) strip(e *Episode, o option) {
	s, m := e.stripWith(o), e.space.machine
	threads := float64(max(1, m.Threads))
	before, after := writer{w.rest[:registersInSize]}, writer{w.rest[registersInSize+1 : sizes]}
	w.rest = w.rest[sizes:]
	before.put(
		log2(s.tiles, 8), float32(math.Min(s.tiles/32, 2)), log2(s.strips, 8), log2(s.image+s.sums, 24),
		ratio(s.image, m.L1()), ratio(s.image, m.L2()), ratio(s.sums, m.L2()), ratio(s.image+s.sums, m.L2()),
		log2(s.filter, 24), ratio(s.filter, m.L2()), float32(s.wasted),
	)
	after.put(
		log2(s.strips/threads, 8), float32(math.Ceil(s.strips/threads)*threads/s.strips-1),
		flag(s.strips >= threads), flag(s.strips >= 4*threads),
	)
}
