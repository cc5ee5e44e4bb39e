package wire

import (
	"time"

	"nestling/codegen"
	"nestling/program"
)

// Ready is a worker's first frame: libraries are loaded, requests are welcome.
// Starting up does not count against a request's time limit.
type Ready struct {
	LLVM string // version of LLVM, from compilers
}

// CompileRequest asks a compiler for one of its two services: exactly one
// field is set.
type CompileRequest struct {
	Analyse *AnalyseRequest
	Compile *codegen.Request
}

// AnalyseRequest asks for a module as plain data.
type AnalyseRequest struct {
	Source   []byte
	Filename string // for messages
}

// CompileResponse answers a CompileRequest. Error is set when the compiler
// refused; it is fit to be shown.
type CompileResponse struct {
	Program *program.Program
	Result  *codegen.Result
	Error   string
}

// Tensor is a row-major float32 array in the shared memory.
type Tensor struct {
	Offset   int64 // bytes from the start
	Elements int
}

// A conversation with a runner: RunRequest, answered by FirstRun; the main
// process checks the outputs it finds in the shared memory and, if they are
// right, sends TimeRequest, answered by TimeResponse with fresh outputs to
// check. The runner knows no reference, so nothing it runs can spoil one.

// RunRequest asks a runner to load one object and run it once.
type RunRequest struct {
	Object  []byte
	Symbol  string
	Threads int

	Inputs         []Tensor // arguments known at run time, in order
	Weights        []Tensor // arguments known ahead of time, in order
	Outputs        []Tensor // where results are to be written
	PreparedBytes  int64
	WorkspaceBytes int64
	// FirstLimit ends a runner whose first run takes longer; 0 lets it.
	FirstLimit time.Duration
}

// Verdict is what a runner itself found wrong, if anything.
type Verdict string

const (
	// Sound: as far as can be seen without a reference.
	Sound Verdict = "sound"
	// Wrong: outputs not written, or something else than outputs written.
	Wrong Verdict = "wrong"
	// Refused: the object could not be loaded, or memory not be had.
	Refused Verdict = "refused"
	// Slow: the first run passed its limit.
	Slow Verdict = "slow"
)

// FirstRun tells how the one run before any timing went. If it was sound, the
// outputs are in the shared memory.
type FirstRun struct {
	Verdict            Verdict
	Error              string // unless Sound
	LoadNanoseconds    float64
	PrepareNanoseconds float64
}

// TimeRequest says how a runner takes its times.
type TimeRequest struct {
	Warmup   int           // untimed runs before the first block
	Blocks   int           // samples wanted
	MinBlock time.Duration // shortest block; a block repeats the kernel to fill it
	Budget   time.Duration // stop after this long with the blocks there are, at least one
	// SlowerThan, in nanoseconds a run, ends timing after the first block if
	// that is slower; 0 never does.
	SlowerThan float64
	// Peak, in GFLOP/s, is what the peak loop is to reach beside a block, waited for and
	// the block timed anew up to an eighth of the budget; 0 takes any.
	Peak float64
	// FlushBytes of other memory are walked over before each run, to empty the
	// caches; a block is then one run. 0 leaves the caches hot.
	FlushBytes int64
	// Stream asks for the streaming loop's rate beside each block.
	Stream bool
}

// TimeResponse is what the runs took. If Sound, the outputs of the last run are
// in the shared memory.
type TimeResponse struct {
	Verdict      Verdict
	Error        string
	Samples      []float64 // nanoseconds per run, one per block
	Probe        []float64 // GFLOP/s of the peak loop beside each block
	Stream       []float64 // GB/s of the streaming loop beside each block, zeros unless asked for
	RunsPerBlock int
	// BusyThreads is CPU time over wall time while the kernel alone ran, before
	// the peak loop had started threads of its own.
	BusyThreads float64
}
