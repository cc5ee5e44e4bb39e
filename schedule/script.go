package schedule

import (
	_ "embed"
	"fmt"
	"strings"

	"nestling/program"
)

// Options say what the script is for.
type Options struct {
	Threads int // that the code will use; 1 or more
}

// fold.mlir drops loops of one iteration, without which windows and strides are
// none. It must not clean up as well, or copies would be taken for nothing and
// left as a scalar memref.copy.
//
//go:embed fold.mlir
var fold string

// cleanup.mlir brings slices of slices together, so that vectors are read and
// written directly and can stay in registers.
//
//go:embed cleanup.mlir
var cleanup string

// contract.mlir recognises multiply-and-add reductions as contractions.
//
//go:embed contract.mlir
var contract string

// buffer.mlir is @buffer_seq, the same for every schedule: it unrolls vectors of
// higher rank into machine vectors.
//
//go:embed buffer.mlir
var bufferSequence string

// Script is the transform-dialect module that a legal schedule becomes: the
// named sequence @tensor_seq for the program's module as it is, and @buffer_seq
// for the module after bufferization, when what was not vectorized has become
// loops. Its sequences, put into the program's module, are accepted by mlir-opt.
//
// The loops of TP and TF are scf.forall whatever the number of threads: code
// generation makes them serial or parallel.
//
// Errors are Check's, and a number of threads below 1.
func Script(p *program.Program, s Schedule, o Options) (string, error) {
	if o.Threads < 1 {
		return "", fmt.Errorf("a script for %d threads; the least is 1", o.Threads)
	}
	w := &writer{program: p, handles: make([]string, len(p.Ops)), innermost: make([]string, len(p.Ops))}
	if err := replay(p, s, w.action); err != nil {
		return "", err
	}
	return "module attributes {transform.with_named_sequence} {\n" + w.tensorSequence() + bufferSequence + "}\n", nil
}

// anyOp is the type of every handle in the script.
const anyOp = "!transform.any_op"

// writer collects the parts of @tensor_seq. All loop actions come first, then
// all vectorization: the patterns in between drop the tags of operations, while
// handles outlive them.
type writer struct {
	program   *program.Program
	text      strings.Builder
	handles   []string // of each operation, "" before it is needed
	vectors   []string // handles of operations to vectorize
	loops     []string // handles of reduction loops, the inner before the outer
	innermost []string // handle of the innermost loop of each operation's last T
	unrolled  []unrolling
	fetched   []prefetching
	next      int  // number of the next handle
	fused     bool // producers were fused
}

func (w *writer) line(format string, arguments ...any) {
	fmt.Fprintf(&w.text, "  "+format+"\n", arguments...)
}

// fresh names a new handle.
func (w *writer) fresh() string {
	w.next++
	return fmt.Sprintf("%%h%d", w.next)
}

// handle is the current handle of an operation, matched by its tag at first.
func (w *writer) handle(op int) string {
	if w.handles[op] == "" {
		w.handles[op] = w.fresh()
		w.line("%s = transform.structured.match attributes{nestling.op = %q} in %%module : (%s) -> %s",
			w.handles[op], w.program.Ops[op].Name, anyOp, anyOp)
	}
	return w.handles[op]
}

// action writes one action; before is the state that it meets.
func (w *writer) action(before *State, op int, a Action) {
	switch a.Kind {
	case Interchange:
		w.interchange(op, a.Order)
	case Tile:
		w.tile(before, op, before.effectiveSizes(op, a.Sizes))
	case TileParallel:
		w.tileParallel(before, op, a.Sizes)
	case TileFuse:
		w.tileFuse(before, op, a.Sizes)
	case Pack:
		w.pack(op, a.Args[0])
	case Prefetch:
		w.fetched = append(w.fetched, prefetching{loop: w.innermost[op], parameter: parameter(w.program, w.program.Ops[op].Operands[a.Args[0]].Value)})
	case Unroll:
		w.unrolled = append(w.unrolled, unrolling{loop: w.innermost[op], factor: a.Args[0]})
	case Vectorize:
		w.vector(before, op)
	}
}

// vector notes an operation for vectorization.
func (w *writer) vector(before *State, op int) {
	if order := before.vectorOrder(op); order != nil {
		w.interchange(op, order)
	}
	w.vectors = append(w.vectors, w.handle(op))
}

func (w *writer) interchange(op int, order []int) {
	from := w.handle(op)
	w.handles[op] = w.fresh()
	w.line("%s = transform.structured.interchange %s iterator_interchange = [%s] : (%s) -> %s",
		w.handles[op], from, join(order, ", "), anyOp, anyOp)
}

// tile makes serial loops, and remembers those over reductions: results that do
// not move with them can stay in registers.
func (w *writer) tile(before *State, op int, sizes []int) {
	from := w.handle(op)
	w.handles[op] = w.fresh()
	var loops, types, reductions []string
	for l, size := range sizes {
		if size == 0 {
			continue
		}
		loop := w.fresh()
		loops = append(loops, loop)
		types = append(types, anyOp)
		if before.iterator(op, l) == program.Reduction {
			reductions = append([]string{loop}, reductions...)
		}
	}
	w.loops = append(reductions, w.loops...)
	w.innermost[op] = loops[len(loops)-1]
	w.line("%s, %s = transform.structured.tile_using_for %s tile_sizes [%s] : (%s) -> (%s, %s)",
		w.handles[op], strings.Join(loops, ", "), from, join(sizes, ", "), anyOp, anyOp, strings.Join(types, ", "))
}

// tileParallel makes one parallel loop over tiles and returns its handle.
func (w *writer) tileParallel(before *State, op int, sizes []int) string {
	from, loop := w.handle(op), w.fresh()
	w.handles[op] = w.fresh()
	w.line("%s, %s = transform.structured.tile_using_forall %s tile_sizes [%s] : (%s) -> (%s, %s)",
		w.handles[op], loop, from, join(before.effectiveSizes(op, sizes), ", "), anyOp, anyOp, anyOp)
	return loop
}

func (w *writer) tileFuse(before *State, op int, sizes []int) {
	producers := before.fusions(op, before.tiledLoops(op, sizes))
	loop := w.tileParallel(before, op, sizes)
	for _, f := range producers {
		w.fused = true
		from := w.handle(f.op)
		into := loop
		w.handles[f.op], loop = w.fresh(), w.fresh()
		w.line("%s, %s = transform.structured.fuse_into_containing_op %s into %s : (%s, %s) -> (%s, %s)",
			w.handles[f.op], loop, from, into, anyOp, anyOp, anyOp, anyOp)
		if f.readers > 1 {
			w.mergeCopies(f.op, loop)
		}
	}
}

// mergeCopies makes one of the copies of a producer, one for each reader, that fusing
// it has left in a loop, and removes the original. Tensors outside the loop are not
// merged: two results that are written to one could not be told apart later.
func (w *writer) mergeCopies(op int, loop string) {
	w.line("transform.apply_cse to %s : %s", loop, anyOp)
	w.line("transform.apply_dce to %%func : %s", anyOp)
	w.handles[op] = w.fresh()
	w.line("%s = transform.structured.match attributes{nestling.op = %q} in %s : (%s) -> %s",
		w.handles[op], w.program.Ops[op].Name, loop, anyOp, anyOp)
}

// tensorSequence is the whole sequence: the actions, then what vectorizes.
func (w *writer) tensorSequence() string {
	if len(w.vectors) > 0 {
		w.vectorize()
	}
	if w.fused {
		w.line("transform.apply_dce to %%func : %s", anyOp) // the originals
	}
	w.prefetch()
	w.unroll()
	return "transform.named_sequence @tensor_seq(%module: !transform.any_op {transform.readonly}) {\n" +
		"  %func = transform.structured.match ops{[\"func.func\"]} in %module : (!transform.any_op) -> !transform.any_op\n" +
		w.text.String() + "  transform.yield\n}\n"
}

// vectorize comes before common subexpressions are merged: two equal operations
// must stay two while there are handles to both.
func (w *writer) vectorize() {
	w.text.WriteString(fold)
	for _, h := range w.vectors {
		w.line("transform.structured.vectorize %s : %s", h, anyOp)
	}
	w.text.WriteString(cleanup)
	w.text.WriteString(contract)
	for _, loop := range w.loops {
		w.line("transform.apply_licm to %s : %s", loop, anyOp)
		w.line("transform.loop.hoist_loop_invariant_subsets %s : %s", loop, anyOp)
	}
	w.text.WriteString(cleanup)
	w.line("transform.apply_cse to %%func : %s", anyOp)
}
