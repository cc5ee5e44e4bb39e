package winograd

// The transforms of Lavin and Gray, "Fast Algorithms for Convolutional Neural
// Networks" (2016), section 4: Y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A, one dimension at a
// time, on vectors of 16 channels.

// MatrixG transforms a row of three weights, for tiles of m outputs.
func MatrixG(m int) [][3]float64 {
	if m == 2 {
		return [][3]float64{{1, 0, 0}, {.5, .5, .5}, {.5, -.5, .5}, {0, 0, 1}}
	}
	return [][3]float64{
		{1. / 4, 0, 0},
		{-1. / 6, -1. / 6, -1. / 6}, {-1. / 6, 1. / 6, -1. / 6},
		{1. / 24, 1. / 12, 1. / 6}, {1. / 24, -1. / 12, 1. / 6},
		{0, 0, 1},
	}
}

// inputTransform is Bᵀ times a column d of m+2 vectors.
func (e *emitter) inputTransform(m int, d []string) []string {
	if m == 2 {
		return []string{e.sub(d[0], d[2]), e.add(d[1], d[2]), e.sub(d[2], d[1]), e.sub(d[1], d[3])}
	}
	even := e.scaleAdd(d[2], -4, d[4])
	odd := e.scaleAdd(d[1], -4, d[3])
	evens, odds := e.sub(d[4], d[2]), e.sub(d[3], d[1])
	return []string{
		e.scaleAdd(d[0], 4, e.scaleAdd(d[2], -5, d[4])),
		e.add(even, odd), e.sub(even, odd),
		e.scaleAdd(odds, 2, evens), e.scaleAdd(odds, -2, evens),
		e.scaleAdd(d[1], 4, e.scaleAdd(d[3], -5, d[5])),
	}
}

// outputTransform is Aᵀ times a column of m+2 vectors.
func (e *emitter) outputTransform(m int, v []string) []string {
	plus, minus := e.add(v[1], v[2]), e.sub(v[1], v[2])
	if m == 2 {
		return []string{e.add(v[0], plus), e.sub(minus, v[3])}
	}
	plus2, minus2 := e.add(v[3], v[4]), e.sub(v[3], v[4])
	return []string{
		e.add(e.add(v[0], plus), plus2),
		e.scaleAdd(minus2, 2, minus),
		e.scaleAdd(plus2, 4, plus),
		e.add(e.scaleAdd(minus2, 8, minus), v[5]),
	}
}

// Lanes that the stages of a transpose pick from two vectors, numbered 0 to 31.
var (
	unpackLow, unpackHigh = pick(0, 16, 1, 17), pick(2, 18, 3, 19)
	pairsLow, pairsHigh   = pick(0, 1, 16, 17), pick(2, 3, 18, 19)
	halvesEven            = []int{0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27}
	halvesOdd             = []int{4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31}
)

// pick repeats a choice within each 128-bit quarter of the vectors.
func pick(quarter ...int) []int {
	var all []int
	for q := range 4 {
		for _, lane := range quarter {
			all = append(all, lane+4*q)
		}
	}
	return all
}

func (e *emitter) shuffle(a, b string, lanes []int) string {
	return e.value("vector.shuffle %s, %s [%s] : %s, %s", a, b, dimensions(lanes, ","), vectorType, vectorType)
}

// transpose turns 16 vectors, rows of a square, into its columns, with the
// shuffles that processors have: interleave words, interleave pairs, then move
// quarters in two stages.
func (e *emitter) transpose(rows []string) []string {
	var words, pairs [lanes]string
	for i := 0; i < lanes; i += 2 {
		words[i], words[i+1] = e.shuffle(rows[i], rows[i+1], unpackLow), e.shuffle(rows[i], rows[i+1], unpackHigh)
	}
	for g := 0; g < lanes; g += 4 {
		a, b, c, d := words[g], words[g+1], words[g+2], words[g+3]
		pairs[g], pairs[g+1] = e.shuffle(a, c, pairsLow), e.shuffle(a, c, pairsHigh)
		pairs[g+2], pairs[g+3] = e.shuffle(b, d, pairsLow), e.shuffle(b, d, pairsHigh)
	}
	columns := make([]string, lanes)
	for j := range 4 {
		a, b := e.shuffle(pairs[j], pairs[4+j], halvesEven), e.shuffle(pairs[j], pairs[4+j], halvesOdd)
		c, d := e.shuffle(pairs[8+j], pairs[12+j], halvesEven), e.shuffle(pairs[8+j], pairs[12+j], halvesOdd)
		columns[j], columns[8+j] = e.shuffle(a, c, halvesEven), e.shuffle(a, c, halvesOdd)
		columns[4+j], columns[12+j] = e.shuffle(b, d, halvesEven), e.shuffle(b, d, halvesOdd)
	}
	return columns
}
