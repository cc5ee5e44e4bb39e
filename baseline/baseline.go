// Package baseline runs the benchmarks in PyTorch, in the user's own Python:
// an embedded program in a long-lived process per method, driven over its own
// pipes so that methods can take turns.
package baseline

import (
	"time"
)

// Method is a way to run a model in PyTorch.
type Method string

const (
	Eager   Method = "eager"   // as it comes
	JIT     Method = "jit"     // traced, frozen, optimize_for_inference
	Compile Method = "compile" // torch.compile, where it exists (PyTorch 2)
)

// Options say how to start a process.
type Options struct {
	Python  string // path of a Python that has torch; see FindPython
	Method  Method
	Threads int
	Timeout time.Duration // limit of one request; 0: two minutes
}

// Info is what a process says about itself.
type Info struct {
	Python  string `json:"python"`  // version
	Torch   string `json:"torch"`   // version
	Threads int    `json:"threads"` // torch.get_num_threads
	BLAS    string `json:"blas"`    // library in use
	MKLDNN  bool   `json:"mkldnn"`  // oneDNN is there and enabled
	Config  string `json:"config"`  // torch.__config__.show and parallel_info
}

// Measurement is what Run returns.
type Measurement struct {
	Nanoseconds []float64 // per run, one per sample; a sample is the mean of a block
	Block       int       // calls per block
	CPUOverWall float64   // CPU time of the process over wall time during the runs
}

// Process is a PyTorch process with at most one benchmark loaded.
type Process struct{ info Info }
