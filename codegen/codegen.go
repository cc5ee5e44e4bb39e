// Package codegen says what is asked of a compilation and what comes out of it,
// as plain data. The work itself is done in codegen/compiler, which needs MLIR
// and lives in the compiler process alone.
package codegen

// Target names the machine that code is made for.
type Target struct {
	CPU      string `json:"cpu"`                // LLVM's name, "" for the host
	Features string `json:"features,omitempty"` // LLVM's spelling, "+avx2,-avx512f"
}

// Request asks for one program with one schedule to become object code.
type Request struct {
	Module  string // normalised module (program.Program.Module)
	Script  string // transform script (schedule.Script)
	Target  Target
	Threads int // 1: no OpenMP in the code; more: scf.forall becomes parallel regions
	// What else to return, for people.
	Assembly bool
	IR       bool
}

// TensorStage is the name of the stage after which a module has its schedule
// and still works on tensors.
const TensorStage = "transform tensors"

// Stage is the module after one stage of compilation.
type Stage struct {
	Name string
	IR   string
}

// Timing is how long a stage took.
type Timing struct {
	Stage        string
	Milliseconds float64
}

// Result is object code with what is needed to call it. The C interface of a
// program NAME, all tensors row-major float32, pointers 64-byte aligned:
//
//	void NAME_sizes(int64_t *prepared_bytes, int64_t *workspace_bytes);
//	void NAME_prepare(const float *weight..., void *prepared);
//	void NAME_run(const float *input..., const void *prepared, void *workspace, float *output...);
//	void NAME_prepare_packed(void **args); // the same arguments, as an array
//	void NAME_run_packed(void **args);
//
// Inputs are the function's arguments without `nestling.weight`, in order;
// weights those with it. Constants are in the object itself.
type Result struct {
	Object         []byte
	Symbol         string // NAME
	PreparedBytes  int64
	WorkspaceBytes int64
	Header         string // C header text
	Assembly       string
	Stages         []Stage
	Timings        []Timing
	LLVMVersion    string
}

// Version names the code generator in the tuning database. It changes whenever
// the same schedule may become different code.
const Version = "23"
