package suite

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"nestling/program"
)

// Program is one program to train or evaluate on.
type Program struct {
	Name   string // a generated program's symbol, or the path of a user's file
	Module string // MLIR text
	// Family is what kind of program it is ("conv", "attention", …), for reports by
	// family; empty where nobody told.
	Family string
	Flops  float64 // floating-point operations of one run of a generated program
	// Graph is the program in PyTorch's terms; nil where nobody told, as of a user's file.
	Graph *Graph
}

// Benchmark is a program that has a Graph as what runs benchmarks takes it.
func (p Program) Benchmark() Benchmark {
	return Benchmark{Name: p.Name, Kind: KindGraph, Module: p.Module, Args: p.Graph.Args, Result: p.Graph.Result, Flops: p.Flops, Graph: p.Graph}
}

// Split is a part of the generated programs.
type Split string

const (
	Train      Split = "train"
	Validation Split = "validation"
	Test       Split = "test"
)

var splits = []Split{Train, Validation, Test}

// Known tells the splits that there are from other names.
func (s Split) Known() bool { return slices.Contains(splits, s) }

// work is from how much to how much a program does: floating-point operations,
// or elements moved where those are more.
type work struct{ least, most float64 }

// Limits on the work of a generated program. Below, a run is over before a
// clock shows it; above, bad schedules (about 1 GFLOP/s) keep training
// waiting, so that not many are large, but enough to tell what pays there.
var (
	usualWork = work{20e3, 60e6}
	largeWork = work{60e6, 600e6}
)

const (
	largeOneIn = 4        // products, convolutions and residual blocks
	maxBytes   = 24 << 20 // of all tensors together
	// maxDraws without a new program tell that a family has no more of them.
	maxDraws = 10000
)

// Generate returns n different small programs of a split: matrix products,
// convolutions, pooling, element-wise chains, normalisations, and small graphs
// of them (see GeneratedFamilies).
//
// The same split and seed give the same programs, and fewer of them are a
// prefix of more. Splits are disjoint whatever the seeds, because the program's
// own text decides the split that it belongs to. No operation comes near one of
// the nine benchmarks (see NearBenchmark).
func Generate(split Split, seed uint64, n int) []Program {
	return programs(generate(split, seed, n, recipes))
}

// GenerateFamilies is Generate of some families alone, all for none. An error
// names a split or a family that there is not, or tells that there are not n
// different programs.
func GenerateFamilies(split Split, seed uint64, n int, families []string) ([]Program, error) {
	if !split.Known() {
		return nil, fmt.Errorf("no split %q; there are train, validation, test", split)
	}
	chosen := recipes
	if len(families) > 0 {
		chosen = slices.DeleteFunc(slices.Clone(recipes), func(r recipe) bool { return !slices.Contains(families, r.family) })
	}
	for _, name := range families {
		if !slices.Contains(GeneratedFamilies(), name) {
			return nil, fmt.Errorf("no family %q; there are %s", name, strings.Join(GeneratedFamilies(), ", "))
		}
	}
	generated := generate(split, seed, n, chosen)
	if len(generated) < n {
		return nil, fmt.Errorf("only %d different programs found, %d asked for", len(generated), n)
	}
	return programs(generated), nil
}

// GeneratedFamilies lists the families of generated programs.
func GeneratedFamilies() []string {
	var names []string
	for _, r := range recipes {
		names = append(names, r.family)
	}
	return names
}

func programs(generated []member) []Program {
	var all []Program
	for _, m := range generated {
		all = append(all, Program{Name: m.name, Module: m.module(), Family: m.family, Flops: m.flops, Graph: m.graph()})
	}
	return all
}

// generate draws n programs, or as many as there are.
func generate(split Split, seed uint64, n int, from []recipe) []member {
	d := drawer{split, rand.New(rand.NewPCG(seed, 0x6e6573746c696e67)), map[[sha256.Size]byte]bool{}}
	var all []member
	for len(all) < n {
		m, ok := d.next(pickRecipe(d.rng, from))
		if !ok {
			break
		}
		m.name = fmt.Sprintf("%s_%s_%d", split, m.family, len(all))
		all = append(all, m)
	}
	return all
}

// drawer draws the programs of a split.
type drawer struct {
	split Split
	rng   *rand.Rand
	seen  map[[sha256.Size]byte]bool
}

// next draws of one family until there is a new program of the split, so that
// what is refused does not change the shares of the families.
func (d *drawer) next(r recipe) (member, bool) {
	limits := usualWork
	if r.large && d.rng.IntN(largeOneIn) == 0 {
		limits = largeWork
	}
	for range maxDraws {
		w := newWriter("")
		if r.draw(d.rng, w); !w.trainable(limits) {
			continue
		}
		// Nameless: it is what the program computes that decides.
		hash := sha256.Sum256([]byte(w.module()))
		if d.seen[hash] || splitOf(hash) != d.split {
			continue
		}
		d.seen[hash] = true
		return member{r.family, w}, true
	}
	return member{}, false
}

// splitOf deals programs to the splits eight to one to one.
func splitOf(hash [sha256.Size]byte) Split {
	switch hash[0] % 10 {
	case 0:
		return Validation
	case 1:
		return Test
	default:
		return Train
	}
}

// trainable tells whether a program is of a size to train on and far enough
// from the benchmarks.
func (w *writer) trainable(limits work) bool {
	moved := w.elements()
	amount := max(w.flops, float64(moved))
	return amount >= limits.least && amount <= limits.most && 4*moved <= maxBytes && !NearBenchmark(w.operations)
}

// elements counts those of all tensors: arguments, and what operations write.
// Contractions and pooling write over what filled their result.
func (w *writer) elements() int {
	n := 0
	for _, a := range w.args {
		n += a.Elements()
	}
	for _, o := range w.operations {
		if o.Family != program.Matmul && o.Family != program.Conv && o.Family != program.Pooling {
			n += elements(o.Bounds)
		}
	}
	return n
}

// NearBenchmark tells whether one of the operations has the family of an
// operation of the nine benchmarks and every bound within 25 % of it, in
// whatever order the bounds come; loops that run once do not count. Filling, copying and element-wise work count
// as one family.
func NearBenchmark(operations []Operation) bool {
	for _, o := range operations {
		if slices.ContainsFunc(benchmarkOperations, func(b Operation) bool { return near(o, b) }) {
			return true
		}
	}
	return false
}

var benchmarkOperations = func() []Operation {
	var all []Operation
	for _, b := range Nine() {
		all = append(all, b.Operations...)
	}
	return all
}()

func near(o, benchmark Operation) bool {
	// Sorted bounds pair up within a ratio if any order of them does.
	a, b := sortedBounds(o), sortedBounds(benchmark)
	if pointwiseAsOne(o.Family) != pointwiseAsOne(benchmark.Family) || len(a) != len(b) {
		return false
	}
	for i := range a {
		if 4*a[i] < 3*b[i] || 4*a[i] > 5*b[i] {
			return false
		}
	}
	return true
}

func sortedBounds(o Operation) []int {
	bounds := slices.DeleteFunc(slices.Clone(o.Bounds), func(n int) bool { return n == 1 })
	slices.Sort(bounds)
	return bounds
}

func pointwiseAsOne(f program.Family) program.Family {
	if f == program.Fill || f == program.Copy {
		return program.Elementwise
	}
	return f
}
