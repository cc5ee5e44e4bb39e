package schedule

import (
	"slices"
	"strings"

	"nestling/program"
)

// What is offered of S, L, C and W is bounded, so that a choice is among tens.
var (
	splitVectors  = []int{1, 2, 4}                            // blocks of S, in vectors
	winogradTiles = []int{2, 4}                               // W's outputs of a tile
	winogradRows  = []int{1, 2, 4, 7, 14}                     // W's tile rows of a strip
	winogradGroup = []int{0, 1, 2, 4, 8}                      // W's images of a strip
	prefetches    = []int{0, 1, 2, 3}                         // what W fetches ahead
	mostRewrites  = map[Kind]int{Split: 2, Layout: 3, Cut: 2} // of one operation; any other: 1
)

// MaxRewrites is the largest number of rewrites of one operation that are offered.
const MaxRewrites = 5

// Offers lists the rewrites that are legal for an operation now and of a kind that can
// pay there, after those already made of it. Each is one decision:
//
//   - S into blocks of some vectors and C at whole vectors, of contractions; C of long
//     vectors too.
//   - L that moves one dimension of an operand, behind the others or before them.
//   - W and WC, and FN, of convolutions.
//   - G of what runs after something else.
//
// What is computed ahead of time, and what is written out, is offered none.
func Offers(p *program.Program, op int, m Machine, made []Action) []Action {
	o := &p.Ops[op]
	if len(made) >= MaxRewrites || fixed(o) || p.Values[o.Result].Weight || restOfRest(o.Name) {
		return nil
	}
	f := offering{p: p, op: op, machine: m, made: made}
	if isContraction(o) {
		f.splits()
		f.cuts()
	} else if len(o.Loops) == 1 {
		f.cuts()
	}
	if isContraction(o) || o.Family == program.Pooling {
		f.layouts()
	}
	if o.Family == program.Conv {
		f.offer(FoldNorm)
		f.winograds()
	}
	f.groups()
	return f.offers
}

// restOfRest tells what is left of a second cut: there is nothing to gain from taking it
// apart once more.
func restOfRest(name string) bool { return strings.Count(name, ".rest") > 1 }

// offering collects what is offered for one operation.
type offering struct {
	p       *program.Program
	op      int
	machine Machine
	made    []Action
	offers  []Action
}

func (f *offering) self() *program.Op { return &f.p.Ops[f.op] }

// offer adds a rewrite if it is legal and new.
func (f *offering) offer(k Kind, args ...int) {
	a := Action{Kind: k, Args: args}
	known := slices.ContainsFunc(f.offers, func(o Action) bool { return o.Kind == k && slices.Equal(o.Args, args) })
	if known || !f.room(k) || !f.legal(a) {
		return
	}
	f.offers = append(f.offers, a)
}

// room reports whether another rewrite of a kind is within what one operation is offered.
func (f *offering) room(k Kind) bool {
	made := 0
	for _, a := range f.made {
		if a.Kind == k {
			made++
		}
	}
	return made < max(1, mostRewrites[k])
}

func (f *offering) legal(a Action) bool {
	_, err := rewrite(f.p, f.self().Name, a, Options{Threads: f.machine.Threads})
	return err == nil
}

func (f *offering) splits() {
	for l, loop := range f.self().Loops {
		for _, vectors := range splitVectors {
			if size := vectors * f.machine.VectorLanes; size < loop.Bound && loop.Bound%size == 0 {
				f.offer(Split, l, size)
			}
		}
	}
}

// cuts offers to cut off what is left of whole vectors, or of whole register tiles; of
// the loop along the result's rows also with a rest that is a vector and overlaps.
func (f *offering) cuts() {
	o := f.self()
	units := []int{firstRows, f.machine.VectorLanes, 2 * f.machine.VectorLanes}
	if !isContraction(o) {
		units = []int{grainIterations}
	}
	for l, loop := range o.Loops {
		if loop.Iterator != program.Parallel {
			continue
		}
		for _, unit := range units {
			rest := loop.Bound % unit
			if rest == 0 || loop.Bound < unit {
				continue
			}
			f.offer(Cut, l, loop.Bound-rest)
			if l == lanesLoop(o) && isContraction(o) && rest%f.machine.VectorLanes != 0 {
				f.offer(Cut, l, loop.Bound-rest, roundUp(rest, f.machine.VectorLanes))
			}
		}
	}
}

// layouts offers to move each dimension of each operand that has no layout yet.
func (f *offering) layouts() {
	for i, operand := range f.self().Operands {
		if slices.ContainsFunc(f.made, func(a Action) bool { return a.Kind == Layout && a.Args[0] == i }) {
			continue
		}
		shape := f.p.Values[operand.Value].Shape
		for d := range operand.Map.Coefficients {
			for _, last := range []bool{true, false} {
				if shape[d] > 1 {
					f.offer(Layout, MoveDimension(i, d, len(shape), last)...)
				}
			}
		}
	}
}

// MoveDimension spells the numbers of the L that moves one of so many dimensions of an
// operand behind all others, or before them.
func MoveDimension(operand, dimension, dimensions int, last bool) []int {
	args := []int{operand}
	if !last {
		args = append(args, dimension)
	}
	for d := range dimensions {
		if d != dimension {
			args = append(args, d)
		}
	}
	if last {
		args = append(args, dimension)
	}
	return args
}

// winograds offers every combination of W's and WC's numbers; each of them is legal or
// not by itself.
func (f *offering) winograds() {
	for _, m := range winogradTiles {
		alone, chain := Action{Winograd, nil, nil, []int{m, 1, 1, 0}}, Action{WinogradChain, nil, nil, []int{m, 1, 0}}
		if f.legal(alone) {
			f.combine(alone, f.allowed(alone, 1, winogradRows), f.allowed(alone, 2, winogradGroup), prefetches)
		}
		if f.legal(chain) {
			f.combine(chain, f.allowed(chain, 1, winogradRows), prefetches)
		}
	}
}

// allowed lists the values that one number of a legal action can have.
func (f *offering) allowed(a Action, number int, values []int) []int {
	return slices.DeleteFunc(slices.Clone(values), func(value int) bool {
		args := slices.Clone(a.Args)
		args[number] = value
		return !f.legal(Action{Kind: a.Kind, Args: args})
	})
}

// combine offers an action with every combination of its numbers after the first.
func (f *offering) combine(a Action, values ...[]int) {
	all := [][]int{a.Args[:1]}
	for _, choices := range values {
		var longer [][]int
		for _, args := range all {
			for _, v := range choices {
				longer = append(longer, append(slices.Clone(args), v))
			}
		}
		all = longer
	}
	for _, args := range all {
		f.offers = append(f.offers, Action{Kind: a.Kind, Args: args})
	}
}

// groups offers to run what an operation needs with each iteration of one of its loops.
func (f *offering) groups() {
	o := f.self()
	if !slices.ContainsFunc(o.Producers, func(op int) bool { return !f.p.Values[f.p.Ops[op].Result].Weight }) {
		return
	}
	for l, loop := range o.Loops {
		if loop.Iterator == program.Parallel && loop.Bound > 1 {
			f.offer(Group, l)
		}
	}
}

// LoopTraits are what tiling and vectors look for in a loop.
type LoopTraits struct {
	Lanes    bool // along the last dimension of the result: what vectors run along
	Windowed bool // moves an operand together with another loop
	Strided  bool // moves an operand by more than one element of a dimension
	Steps    bool // the reduction that advances inside a register tile
}

// Traits are those of each loop of an operation, in their original order.
func Traits(o *program.Op) []LoopTraits {
	traits := make([]LoopTraits, len(o.Loops))
	lanes, step := lanesLoop(o), stepLoop(o)
	for l := range traits {
		traits[l] = LoopTraits{Lanes: l == lanes, Windowed: windowed(o, l), Strided: strided(o, l), Steps: l == step}
	}
	return traits
}

// Lanes is the loop along the last dimension of an operation's result, which vectors run
// along; -1 if there is none.
func Lanes(o *program.Op) int { return lanesLoop(o) }

// Registers is how many vectors of so many lanes hold the results of a tile, which has some
// iterations of each of the operation's loops.
func Registers(o *program.Op, tile []int, lanes int) float64 {
	along, n := lanesLoop(o), 1.0
	for l, size := range tile {
		switch {
		case o.Loops[l].Iterator != program.Parallel:
		case l == along:
			n *= float64((size + lanes - 1) / lanes)
		default:
			n *= float64(size)
		}
	}
	return n
}

// Contracts reports whether an operation is a sum of products: what V turns into
// multiply-adds of vectors.
func Contracts(o *program.Op) bool { return isContraction(o) }

// ApplyDefault ends an operation's loop actions as Default would have them.
func (s *State) ApplyDefault(op int, m Machine) {
	r := rule{state: s, op: op, machine: m}
	for _, candidate := range r.candidates() {
		next := s.Clone()
		if r.apply(next, candidate) {
			*s = *next
			return
		}
	}
}
