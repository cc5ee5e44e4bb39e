package env

import (
	"fmt"
	"slices"

	"nestling/schedule"
)

// action is an action that is being put together, answer by answer.
type action struct {
	kind    schedule.Kind // "" until it is known
	words   []int         // answered so far
	offers  []offer       // those that begin so, of a kind whose actions are listed
	sizes   [][]int       // of a tiling: what each loop can be tiled to, 0 for not
	loops   int
	options []option // to the next question
}

// option is one answer. It carries on what the rest of the action needs.
type option struct {
	kind   schedule.Kind
	word   int
	offers []offer
}

// is tells whether two options are the same answer to a question.
func (o option) is(p option) bool { return o.kind == p.kind && o.word == p.word }

func tiles(k schedule.Kind) bool {
	return k == schedule.Tile || k == schedule.TileParallel || k == schedule.TileFuse
}

// with is the action after one more answer, and whether that completes it.
func (a action) with(o option) (next action, complete bool) {
	next = action{kind: o.kind, offers: o.offers, sizes: a.sizes, loops: a.loops}
	if a.kind != "" {
		next.words = append(slices.Clone(a.words), o.word)
	}
	switch {
	case next.kind == schedule.Interchange:
		return next, len(next.words) == a.loops-1 && a.loops > 0
	case tiles(next.kind):
		return next, len(next.words) == a.loops && a.loops > 0
	case next.kind == goOn:
		return next, true
	}
	return next, len(next.offers) == 1 && len(next.offers[0].words) == len(next.words)
}

// action is the complete action.
func (a action) action() schedule.Action {
	switch {
	case a.kind == schedule.Interchange:
		return schedule.Action{Kind: a.kind, Order: append(slices.Clone(a.words), missing(a.words, a.loops)...)}
	case tiles(a.kind):
		sizes := slices.Clone(a.words)
		slices.Reverse(sizes)
		return schedule.Action{Kind: a.kind, Sizes: sizes}
	}
	return a.offers[0].action
}

// missing lists the loops that are not among some, in order.
func missing(some []int, loops int) []int {
	var out []int
	for l := range loops {
		if !slices.Contains(some, l) {
			out = append(out, l)
		}
	}
	return out
}

// options lists the answers to the question that comes next.
func (e *Episode) options() []option {
	a := &e.open
	switch {
	case a.kind == "":
		return e.kinds()
	case a.kind == schedule.Interchange:
		return e.nextLoops()
	case tiles(a.kind):
		return e.tileSizes()
	}
	var out []option
	for _, o := range a.offers {
		word := o.words[len(a.words)]
		at := slices.IndexFunc(out, func(known option) bool { return known.word == word })
		if at < 0 {
			at = len(out)
			out = append(out, option{kind: a.kind, word: word})
		}
		out[at].offers = append(out[at].offers, o)
	}
	return out
}

// kinds lists the actions that are legal now.
func (e *Episode) kinds() []option {
	if e.Rewriting() {
		return append(byKind(e.space.rewrites(e.stage, e.current)), option{kind: goOn})
	}
	op := e.op()
	out := byKind(e.loopOffers(op))
	for _, k := range []schedule.Kind{schedule.Interchange, schedule.Tile, schedule.TileParallel, schedule.TileFuse} {
		if len(e.state.Loops(op)) <= MaxLoops && e.state.Legal(op, k) {
			out = append(out, option{kind: k})
		}
	}
	return out
}

// byKind groups listed actions.
func byKind(offers []offer) []option {
	var out []option
	for _, o := range offers {
		at := slices.IndexFunc(out, func(known option) bool { return known.kind == o.action.Kind })
		if at < 0 {
			at = len(out)
			out = append(out, option{kind: o.action.Kind})
		}
		out[at].offers = append(out[at].offers, o)
	}
	return out
}

// unrolls are the factors that U is offered with.
var unrolls = []int{2, 4, 8}

// loopOffers lists the loop actions whose numbers are few.
func (e *Episode) loopOffers(op int) []offer {
	candidates := []schedule.Action{{Kind: schedule.Vectorize}, {Kind: schedule.NoTransform}}
	for i := range len(e.self().Operands) - 1 {
		candidates = append(candidates,
			schedule.Action{Kind: schedule.Pack, Args: []int{i}}, schedule.Action{Kind: schedule.Prefetch, Args: []int{i}})
	}
	for _, factor := range unrolls {
		candidates = append(candidates, schedule.Action{Kind: schedule.Unroll, Args: []int{factor}})
	}
	var out []offer
	for _, a := range candidates {
		if e.space.rules.kind(a.Kind, volume(e.tile(op))) && e.state.Check(op, a) == nil {
			out = append(out, offer{action: a, words: a.Args})
		}
	}
	return out
}

// nextLoops lists the loops that may come next in a permutation. One that moves nothing
// is none.
func (e *Episode) nextLoops() []option {
	a := &e.open
	a.loops = len(e.state.Loops(e.op()))
	left := missing(a.words, a.loops)
	if len(left) == 2 && slices.IsSorted(append(slices.Clone(a.words), left...)) {
		left = left[1:]
	}
	var out []option
	for _, l := range left {
		out = append(out, option{kind: a.kind, word: l})
	}
	return out
}

// tileSizes lists the sizes of the loop that comes next: from the innermost outwards,
// for what is asked last can be weighed by what was answered before.
func (e *Episode) tileSizes() []option {
	a := &e.open
	if a.sizes == nil {
		a.loops = len(e.state.Loops(e.op()))
		for l := range a.loops {
			sizes := slices.DeleteFunc(e.state.TileSizes(e.op(), l, a.kind), func(n int) bool { return !e.space.rules.size(n) })
			a.sizes = append(a.sizes, append([]int{0}, usual(sizes)...))
		}
	}
	loop := e.tiledLoop()
	sizes := a.sizes[loop]
	tiled := slices.ContainsFunc(a.words, func(size int) bool { return size > 0 })
	last := !slices.ContainsFunc(a.sizes[:loop], func(s []int) bool { return len(s) > 1 })
	if !tiled && last && len(sizes) > 1 {
		sizes = sizes[1:]
	}
	var out []option
	for _, size := range sizes {
		out = append(out, option{kind: a.kind, word: size})
	}
	return out
}

// tiledLoop is the loop whose tile size is asked for.
func (e *Episode) tiledLoop() int { return e.open.loops - 1 - len(e.open.words) }

const (
	largestTile = 512 // a size beyond is as good as none
	mostSizes   = 14  // of one loop
)

// usual picks, of many divisors, those that vectors and caches like best: the ones with
// the largest power of two in them.
func usual(divisors []int) []int {
	divisors = slices.DeleteFunc(divisors, func(d int) bool { return d > largestTile })
	for len(divisors) > mostSizes {
		odd := 1 // 1 itself stays
		for i, d := range divisors {
			if i > 0 && d&-d <= divisors[odd]&-divisors[odd] {
				odd = i
			}
		}
		divisors = slices.Delete(divisors, odd, odd+1)
	}
	return divisors
}

// Asked says what the open question is, for people: "conv0: T, size of loop 3 (of 56)".
func (e *Episode) Asked() string {
	text := e.self().Name + ": "
	a := &e.open
	if a.kind == "" {
		return text + "which action"
	}
	asked, loop, _ := e.asked(a.options[0])
	switch asked {
	case askSize:
		bound := e.state.Loops(e.op())[loop].Bound
		return fmt.Sprintf("%s%s, size in loop %d (of %d)", text, a.kind, loop, bound)
	case askLoop:
		return fmt.Sprintf("%s%s, which loop", text, a.kind)
	case askOperand:
		return fmt.Sprintf("%s%s, which operand", text, a.kind)
	case askDimension:
		return fmt.Sprintf("%s%s, which dimension of operand %d", text, a.kind, a.words[0])
	}
	return fmt.Sprintf("%s%s, number %d", text, a.kind, len(a.words))
}

// Labels spell the options of the open question.
func (e *Episode) Labels() []string {
	var out []string
	for _, o := range e.open.options {
		switch asked, _, _ := e.asked(o); {
		case asked == askKind:
			out = append(out, string(o.kind))
		case asked == askDimension && o.word%2 == 0:
			out = append(out, fmt.Sprintf("%d last", o.word/2))
		case asked == askDimension:
			out = append(out, fmt.Sprintf("%d first", o.word/2))
		case asked == askSize && o.word == 0 && tiles(o.kind):
			out = append(out, "whole")
		default:
			out = append(out, fmt.Sprint(o.word))
		}
	}
	return out
}
