package schedule

import (
	"slices"

	"nestling/program"
)

// A producer is fused into a tiled operation only if no element of it is then
// computed twice: each tiled loop must pick its own part of the producer's
// result. A bias that is read by every row, or a convolution's overlapping
// windows, are therefore left outside, and no operation is ever duplicated.

// fusion is a producer that a TF can take in, seen from the loops of that TF.
type fusion struct {
	op       int
	consumer int   // the first operation that reads it: the root or another fusion
	readers  int   // operands that read it
	loops    []int // for each original loop of the producer, the root's original loop it follows, or -1
}

// producerLoops matches the loops of producer with those of consumer through
// an operand that links them: the consumer's original loop that each of the
// producer's follows, -1 for none. False if a tile of the consumer does not
// correspond to a box of the producer's iterations.
func producerLoops(p *program.Program, link program.Operand, producer int) ([]int, bool) {
	read, ok := permutedLoops(link.Map)
	if !ok {
		return nil, false
	}
	written, ok := permutedLoops(p.Ops[producer].Init().Map)
	if !ok {
		return nil, false
	}
	loops := make([]int, len(p.Ops[producer].Loops))
	for l := range loops {
		loops[l] = -1
	}
	for dimension, l := range written {
		loops[l] = read[dimension]
	}
	return loops, true
}

// permutedLoops gives the loop that each dimension of a projected permutation
// is; false for any other map.
func permutedLoops(m program.AccessMap) ([]int, bool) {
	loops := make([]int, len(m.Coefficients))
	seen := map[int]bool{}
	for d, row := range m.Coefficients {
		l, ok := singleLoop(row)
		if !ok || m.Offsets[d] != 0 || seen[l] {
			return nil, false
		}
		seen[l] = true
		loops[d] = l
	}
	return loops, true
}

// singleLoop is the only loop of a row of an access map; false if the row has
// another number of loops, or a stride.
func singleLoop(row []int) (int, bool) {
	loop := -1
	for l, c := range row {
		switch {
		case c == 0:
		case c != 1 || loop >= 0:
			return 0, false
		default:
			loop = l
		}
	}
	return loop, loop >= 0
}

// fusions lists what a TF of op that tiles the given original loops takes in,
// consumers before producers.
func (s *State) fusions(op int, tiled []int) []fusion {
	identity := make([]int, len(s.program.Ops[op].Loops))
	for l := range identity {
		identity[l] = l
	}
	found := []fusion{{op: op, consumer: -1, loops: identity}}
	for producer := op - 1; producer >= 0; producer-- {
		if f, ok := s.fusion(found, producer); ok && f.follows(tiled) {
			found = append(found, f)
		}
	}
	return found[1:]
}

// fusion describes producer as a part of the loops that the nest is in: all who read
// its result must be in the nest and be computed at the same
// time, ahead or at run time. What is written out has no loops to tile.
func (s *State) fusion(nest []fusion, producer int) (fusion, bool) {
	var f fusion
	result := s.program.Ops[producer].Result
	value := s.program.Values[result]
	if value.Kind != program.ValueResult || s.program.Ops[producer].Code != "" {
		return fusion{}, false
	}
	for _, consumer := range nest {
		for _, operand := range s.program.Ops[consumer.op].Operands {
			if operand.Value != result {
				continue
			}
			loops, ok := producerLoops(s.program, operand, producer)
			sameTime := value.Weight == s.program.Values[s.program.Ops[consumer.op].Result].Weight
			if !ok || !sameTime {
				return fusion{}, false
			}
			for l, link := range loops {
				if link >= 0 {
					loops[l] = consumer.loops[link]
				}
			}
			if f.readers == 0 {
				f = fusion{op: producer, consumer: consumer.op, loops: loops}
			}
			for l := range loops {
				if f.loops[l] != loops[l] {
					f.loops[l] = -1 // wanted whole by some
				}
			}
			f.readers++
		}
	}
	return f, f.readers > 0 && f.readers == s.program.Uses(result)
}

// follows reports whether every one of the root's tiled loops picks its own part
// of the producer.
func (f fusion) follows(tiled []int) bool {
	for _, l := range tiled {
		if !slices.Contains(f.loops, l) {
			return false
		}
	}
	return true
}

// fusibleLoops reports, for each original loop of op, whether TF may tile it:
// the parallel loops that the best-matching producer follows. Any choice among
// them takes in at least that producer.
func (s *State) fusibleLoops(op int) []bool {
	loops := make([]bool, len(s.program.Ops[op].Loops))
	best := 0
	for _, f := range s.fusions(op, nil) {
		if f.consumer != op {
			continue
		}
		if n := f.parallelLoops(s.program.Ops[op].Loops, nil); n > best {
			best = n
			clear(loops)
			f.parallelLoops(s.program.Ops[op].Loops, loops)
		}
	}
	return loops
}

// parallelLoops counts the root's parallel loops that the producer follows, and
// marks them.
func (f fusion) parallelLoops(root []program.Loop, mark []bool) int {
	n := 0
	for _, l := range f.loops {
		if l >= 0 && root[l].Iterator == program.Parallel {
			n++
			if mark != nil {
				mark[l] = true
			}
		}
	}
	return n
}

// fuse takes op's fusible producers into the tile of the given sizes.
func (s *State) fuse(op int, sizes []int) {
	root := &s.ops[op]
	tile := make([]int, len(sizes)) // by original loop
	for l, original := range root.order {
		tile[original] = root.bounds[l]
		if sizes[l] > 0 {
			tile[original] = sizes[l]
		}
	}
	for _, f := range s.fusions(op, s.tiledLoops(op, sizes)) {
		producer := &s.ops[f.op]
		for l, follows := range f.loops {
			if follows >= 0 {
				producer.bounds[l] = tile[follows]
			}
		}
		producer.fusedInto = op
		producer.parallel = true
	}
}

// tiledLoops lists the original loops that the sizes really tile.
func (s *State) tiledLoops(op int, sizes []int) []int {
	var tiled []int
	for l, size := range s.effectiveSizes(op, sizes) {
		if size > 0 {
			tiled = append(tiled, s.ops[op].order[l])
		}
	}
	return tiled
}

// effectiveSizes puts 0 for sizes that leave their loop whole.
func (s *State) effectiveSizes(op int, sizes []int) []int {
	effective := slices.Clone(sizes)
	for l, bound := range s.ops[op].bounds {
		if effective[l] == bound {
			effective[l] = 0
		}
	}
	return effective
}
