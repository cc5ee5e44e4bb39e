package wire

import (
	"time"

	"nestling/codegen"
	"nestling/program"
)

// Ready is a worker's first frame: libraries are loaded, requests are welcome.
// Starting up does not count against a request's time limit.
type Ready struct {
	PID int
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
	Offset   int64 // bytes from the start, a multiple of 64
	Elements int
}

// Output is a result with what it is compared with, all in the shared memory.
// Element Index[i] of the result must be Want[i] within tolerance × Scale[i].
type Output struct {
	Elements int
	Shape    []int
	// Samples is the number of elements compared. Want holds their float64
	// values, Scale their float64 magnitudes Σ|terms|, Index their int64
	// positions; all are byte offsets into the shared memory.
	Samples            int
	Want, Scale, Index int64
}

// RunRequest asks a runner to load one object, check it, and time it.
type RunRequest struct {
	Object  []byte
	Symbol  string
	Threads int

	Inputs         []Tensor // arguments known at run time, in order
	Weights        []Tensor // arguments known ahead of time, in order
	Outputs        []Output
	SharedBytes    int64 // size of the shared memory
	PreparedBytes  int64
	WorkspaceBytes int64

	Tolerance float64
	Timing    Timing
}

// Timing says how a runner takes its times.
type Timing struct {
	Warmup   int           // untimed runs before the first block, the check included
	Blocks   int           // samples wanted
	MinBlock time.Duration // shortest block; a block repeats the kernel to fill it
	Budget   time.Duration // stop after this long with the blocks there are
	// SlowerThan, in nanoseconds a run, ends timing after the first block that
	// is slower; 0 never does.
	SlowerThan float64
	// Flush empties the caches before each run; a block is then one run.
	Flush bool
}

// Verdict is how a run ended when the process survived it.
type Verdict string

const (
	Correct Verdict = "correct"
	Wrong   Verdict = "wrong"   // results, inputs or memory around them are not as they must be
	Refused Verdict = "refused" // the object could not be loaded or memory not be had
)

// RunResponse is what a runner found.
type RunResponse struct {
	Verdict Verdict
	Error   string // with Wrong and Refused

	MaxError float64 // largest |got - want| / scale, of both checks

	Samples            []float64 // nanoseconds per run, one per block
	RunsPerBlock       int
	Probe              []float64 // GFLOP/s of the peak loop beside each block
	ProbeISA           string    // "avx512", "avx2+fma", "avx+…" as chosen at run time
	PrepareNanoseconds float64
	// BusyThreads is CPU time over wall time while the kernel alone ran, before
	// anything else had started threads.
	BusyThreads     float64
	LoadNanoseconds float64
}
