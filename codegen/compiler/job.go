package compiler

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"nestling/codegen"
	"nestling/mlir"
	"nestling/program"
)

// Pass pipelines. The order of the OpenMP one matters: functions must have bare
// pointers before OpenMP regions are lowered, or they are handed descriptors.
const (
	bufferizePipeline = "builtin.module(" +
		"func.func(eliminate-empty-tensors)," +
		"one-shot-bufferize{bufferize-function-boundaries=1 function-boundary-type-conversion=identity-layout-map allow-return-allocs-from-loops=1 buffer-alignment=64}," +
		"canonicalize,cse)"
	outParametersPipeline = "builtin.module(buffer-results-to-out-params{hoist-static-allocs=1 modify-public-functions=1}," +
		"canonicalize,cse)"
	serialPipeline   = "builtin.module(func.func(scf-forall-to-for,convert-linalg-to-loops),canonicalize,cse)"
	parallelPipeline = "builtin.module(func.func(scf-forall-to-parallel,convert-linalg-to-loops),canonicalize,cse)"
	// Buffers leave the loops they serve, up to the iteration of a parallel one:
	// an allocation that stays inside would be made again every time round.
	hoistPipeline = "builtin.module(func.func(buffer-loop-hoisting))"
	// What a thread needs for itself goes to its stack if it is small.
	deallocPipeline = "builtin.module(func.func(promote-buffers-to-stack{max-alloc-size-in-bytes=%d}),buffer-deallocation-pipeline)"

	lowerVectors   = "func.func(lower-vector-multi-reduction),canonicalize,cse,convert-vector-to-scf{full-unroll=1},"
	lowerOpenMP    = "convert-scf-to-openmp,canonicalize,cse,"
	lowerToLLVM    = "expand-strided-metadata,lower-affine,convert-scf-to-cf,canonicalize,cse,convert-vector-to-llvm{reassociate-fp-reductions=1},convert-math-to-llvm,convert-math-to-libm,finalize-memref-to-llvm,convert-ub-to-llvm,convert-arith-to-llvm,convert-index-to-llvm,convert-cf-to-llvm,convert-func-to-llvm{use-bare-ptr-memref-call-conv=1},"
	lowerOpenMPEnd = "convert-openmp-to-llvm,"
	lowerEnd       = "canonicalize,cse,reconcile-unrealized-casts"
)

// job is one compilation under way.
type job struct {
	compiler *Compiler
	request  codegen.Request
	target   *mlir.TargetMachine
	module   *mlir.Module
	script   *mlir.Module
	llvm     *mlir.LLVMModule
	entry    entry
	streams  bool // stores past the caches are in the code
	clock    time.Time
	result   codegen.Result
}

func (j *job) close() {
	if j.module != nil {
		j.module.Close()
	}
	if j.script != nil {
		j.script.Close()
	}
	if j.llvm != nil {
		j.llvm.Close()
	}
}

// finish notes how long a stage took and, if wanted, what it left behind.
func (j *job) finish(stage string) {
	now := time.Now()
	j.result.Timings = append(j.result.Timings, codegen.Timing{Stage: stage, Milliseconds: now.Sub(j.clock).Seconds() * 1e3})
	if j.request.IR {
		ir := j.module.String()
		if j.llvm != nil {
			ir = j.llvm.String()
		}
		j.result.Stages = append(j.result.Stages, codegen.Stage{Name: stage, IR: ir})
	}
	j.clock = time.Now()
}

func (j *job) parse() (err error) {
	if j.module, err = j.compiler.context.Parse(j.request.Module, "module.mlir"); err != nil {
		return err
	}
	if j.script, err = j.compiler.context.Parse(j.request.Script, "script.mlir"); err != nil {
		return err
	}
	if err := j.readEntry(); err != nil {
		return err
	}
	j.result.Symbol = j.entry.run.symbol
	j.result.Header = j.entry.header()
	j.result.PreparedBytes = j.entry.preparedBytes()
	return nil
}

// readEntry reads the signatures of the module's functions.
func (j *job) readEntry() error {
	run, once, err := functions(j.module)
	if err != nil {
		return err
	}
	if j.entry.run, err = readSignature(run); err != nil || once.IsNull() {
		return err
	}
	prepare, err := readSignature(once)
	j.entry.once = &prepare
	return err
}

func (j *job) transformTensors() error { return j.module.Apply(j.script, "tensor_seq") }

// bufferize goes from tensors to memory: results become out parameters, and
// what buffers are left are laid out in one workspace.
func (j *job) bufferize() error {
	// Callers' inputs are theirs: nothing may be computed in place in them.
	if err := j.setArgumentAttributes("bufferization.writable = false"); err != nil {
		return err
	}
	if err := j.module.Run(bufferizePipeline); err != nil {
		return err
	}
	if err := j.returnAllocations(); err != nil {
		return err
	}
	if err := j.module.Run(outParametersPipeline); err != nil {
		return err
	}
	if err := j.copiesToLoops(); err != nil {
		return err
	}
	if err := j.makeLoops(); err != nil {
		return err
	}
	if err := j.module.Run(hoistPipeline); err != nil {
		return err
	}
	if err := j.placeWorkspace(); err != nil {
		return err
	}
	return j.module.Run(fmt.Sprintf(deallocPipeline, stackBytes))
}

// makeLoops turns loops over tiles, and operations that are not vectorized, into
// loops that OpenMP or one thread can run.
func (j *job) makeLoops() error {
	pipeline := parallelPipeline
	if j.request.Threads == 1 {
		pipeline = serialPipeline
	}
	if err := j.module.Run(pipeline); err != nil {
		return err
	}
	if err := j.reassociateSums(); err != nil {
		return err
	}
	if err := j.serialiseSmall(); err != nil {
		return err
	}
	return j.prefetchNext()
}

func (j *job) transformBuffers() error {
	if err := errors.Join(j.sumsToContractions(), j.transposesToShuffles()); err != nil {
		return err
	}
	if err := j.module.Apply(j.script, "buffer_seq"); err != nil {
		return err
	}
	return j.loadScalars()
}

func (j *job) lower() error {
	if err := errors.Join(j.expandMath(), j.keepLoops()); err != nil {
		return err
	}
	// Inputs, outputs and workspace never overlap: part of the C interface.
	if err := j.setArgumentAttributes("llvm.noalias, llvm.align = 64 : i64"); err != nil {
		return err
	}
	if err := j.storePastCaches(); err != nil {
		return err
	}
	pipeline := lowerVectors + lowerToLLVM + lowerEnd
	if j.request.Threads > 1 {
		pipeline = lowerVectors + lowerOpenMP + lowerToLLVM + lowerOpenMPEnd + lowerEnd
	}
	if err := j.module.Run("builtin.module(" + pipeline + ")"); err != nil {
		return err
	}
	j.keepLoopAnnotations()
	return j.shortenPrepare()
}

// shortenPrepare lets LLVM keep the code that runs once short: what it unrolls there
// takes longer to compile than it saves.
func (j *job) shortenPrepare() error {
	if j.entry.once == nil {
		return nil
	}
	short, err := j.compiler.context.ParseAttribute(`["optsize"]`)
	if err != nil {
		return err
	}
	for _, op := range j.module.Operation().Body().Operations() {
		if name, _ := op.Attribute("sym_name"); op.Name() == "llvm.func" {
			if symbol, _ := name.Text(); symbol == j.entry.once.symbol {
				op.SetAttribute("passthrough", short)
			}
		}
	}
	return nil
}

// keepLoopAnnotations hands to LLVM what loops say about unrolling: the lowering
// carries it along under a name that the translation does not know.
func (j *job) keepLoopAnnotations() {
	for _, op := range j.module.Operation().Nested() {
		if op.Name() != "llvm.br" && op.Name() != "llvm.cond_br" {
			continue
		}
		if annotation, ok := op.Attribute("llvm.loop_annotation"); ok {
			op.RemoveAttribute("llvm.loop_annotation")
			op.SetAttribute("loop_annotation", annotation)
		}
	}
}

func (j *job) optimize() (err error) {
	if j.llvm, err = j.module.ToLLVM(); err != nil {
		return err
	}
	if err := j.llvm.Rename(j.entry.run.symbol, j.entry.kernel()); err != nil {
		return err
	}
	if j.entry.once != nil {
		if err := j.llvm.Rename(j.entry.once.symbol, j.entry.prepareKernel()); err != nil {
			return err
		}
	}
	if err := j.llvm.Link(j.entry.llvm(j.result.WorkspaceBytes, j.streams)); err != nil {
		return err
	}
	for _, kernel := range []string{j.entry.kernel(), j.entry.prepareKernel()} {
		j.llvm.Seclude(kernel)
	}
	return j.llvm.Optimize(j.target, "default<O3>")
}

func (j *job) emit() (err error) {
	if j.request.Assembly {
		if j.result.Assembly, err = j.llvm.EmitAssembly(j.target); err != nil {
			return err
		}
	}
	j.result.Object, err = j.llvm.EmitObject(j.target)
	return err
}

// setArgumentAttributes gives every argument of the functions the same
// attributes, in MLIR's syntax, in place of those it had.
func (j *job) setArgumentAttributes(attributes string) error {
	run, once, err := functions(j.module)
	if err != nil {
		return err
	}
	for _, f := range []mlir.Operation{run, once} {
		if f.IsNull() {
			continue
		}
		list := make([]string, len(f.Body().Arguments()))
		for i := range list {
			list[i] = "{" + attributes + "}"
		}
		a, err := j.compiler.context.ParseAttribute("[" + strings.Join(list, ", ") + "]")
		if err != nil {
			return err
		}
		f.SetAttribute("arg_attrs", a)
	}
	return nil
}

// functions finds the function that runs, and the one that prepares, which is
// null if there is none.
func functions(m *mlir.Module) (run, once mlir.Operation, err error) {
	for _, op := range m.Operation().Body().Operations() {
		if op.Name() != "func.func" || op.Body().IsNull() {
			continue
		}
		if _, prepares := op.Attribute(program.AttributePrepare); prepares {
			once = op
			continue
		}
		if !run.IsNull() {
			return run, once, fmt.Errorf("module.mlir: two functions besides the one marked %s; expected one", program.AttributePrepare)
		}
		run = op
	}
	if run.IsNull() {
		return run, once, fmt.Errorf("module.mlir: no function with a body")
	}
	return run, once, nil
}

// function finds the one function with a body.
func function(m *mlir.Module, filename string) (mlir.Operation, error) {
	var found []mlir.Operation
	for _, op := range m.Operation().Body().Operations() {
		if op.Name() == "func.func" && !op.Body().IsNull() {
			found = append(found, op)
		}
	}
	if len(found) != 1 {
		return mlir.Operation{}, fmt.Errorf("%s: the module has %d functions with a body; expected one func.func on tensors", filename, len(found))
	}
	return found[0], nil
}
