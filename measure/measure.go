// Package measure compiles candidates, proves their results right, and times
// them. It supervises two kinds of worker processes (see cmd/nestling-worker and cmd/nestling-runner):
// compilers, which turn a scheduled program into object code, and runners,
// which load one object, check it and time it. Whatever a candidate does to
// its worker (abort, hang, write where it must not, eat memory), it costs that
// candidate alone.
package measure

import (
	"fmt"
	"slices"
	"time"

	"nestling/codegen"
	"nestling/program"
	"nestling/schedule"
	"nestling/stats"
)

// Candidate is one way to run a program.
type Candidate struct {
	Program  *program.Program
	Schedule schedule.Schedule
	// Baseline is the time of one run, in nanoseconds, of what the candidate
	// is compared with (the default schedule, say); 0 if not known. Time limits
	// and Plan.SlowerThan are relative to it.
	Baseline float64
}

// Status is how a candidate ended.
type Status string

const (
	OK        Status = "ok"
	Wrong     Status = "wrong"   // wrong results, inputs changed, or memory written outside of the outputs
	Crash     Status = "crash"   // the runner died
	Timeout   Status = "timeout" // the compile or the run passed its time limit
	Memory    Status = "memory"  // the compile or the run passed its memory limit
	Compile   Status = "compile" // the schedule is illegal, MLIR refused it, or the compiler died
	Cancelled Status = "cancelled"
)

// Outcome is what was found out about a candidate.
type Outcome struct {
	Status     Status
	Error      string // why Status is not OK, in words
	Reproducer string // folder with what repeats the failure, when there is one

	Nanoseconds float64 // median time of a run
	// Ratio is the median, over blocks, of the time of a run over the time in
	// which the peak loop, run beside the block on the same threads, does a
	// million floating-point operations. The clock's drift cancels in it; it is
	// what rewards use. Program.Flops()/1e6/Ratio is the share of the peak.
	Ratio        float64
	Samples      []float64 // nanoseconds per run, one per block
	Probe        []float64 // peak loop beside each block, GFLOP/s
	Stream       []float64 // streaming loop beside each block, GB/s; zeros unless the plan asks for it
	RunsPerBlock int

	MaxError            float64 // largest |got - want| / Σ|terms|
	PrepareNanoseconds  float64 // time of the one `prepare` call
	CompileMilliseconds float64
	PreparedBytes       int64   // what prepare leaves in memory; 0 where Cached
	WorkspaceBytes      int64   // what a run needs besides inputs and outputs; 0 where Cached
	BusyThreads         float64 // CPU time over wall time of the kernel alone; 0 when that was too short to tell
	Cached              bool    // remembered by the tuning database, not measured now
	// Accident: the worker was ended from outside, which says nothing about the candidate
	// and is not remembered.
	Accident bool
}

// Uncertainty is the standard error of Ratio, as a share of it, within the one process that
// it comes from; 0 where too few blocks were timed to tell.
func (o Outcome) Uncertainty() float64 {
	ratios := slices.Clone(o.Samples)
	for i := range ratios {
		if len(o.Probe) == len(ratios) { // a remembered outcome has no probe
			ratios[i] *= o.Probe[i]
		}
	}
	return stats.MedianError(ratios)
}

// Err is why there is no measurement, and where to find what repeats that; nil if
// there is one.
func (o Outcome) Err() error {
	switch {
	case o.Status == OK:
		return nil
	case o.Reproducer == "":
		return fmt.Errorf("%s: %s", o.Status, o.Error)
	}
	return fmt.Errorf("%s: %s; %s holds what repeats it", o.Status, o.Error, o.Reproducer)
}

// failed is an outcome without a measurement.
func failed(s Status, reason string) Outcome { return Outcome{Status: s, Error: reason} }

// Plan says how carefully to time.
type Plan struct {
	Warmup   int           // untimed runs beside the one that is checked; default 1
	Samples  int           // blocks per process; default 5
	MinBlock time.Duration // shortest block; default 1 ms
	// Budget ends a process's timing with the samples it has; default 2 s.
	// At least one block is always timed.
	Budget time.Duration
	// Limit kills a runner that has not answered; default 60 s. Where a baseline
	// is known, a multiple of it ends hopeless candidates sooner.
	Limit time.Duration
	// SlowerThan stops timing after the first block when it is this many times
	// slower than the candidate's baseline; 0 never stops early.
	SlowerThan float64
	// GiveUp ends a candidate in its first run when that takes this many times the
	// baseline, and firstAllowance; it has timed out then. 0 lets it run up to Limit.
	GiveUp float64
	Seed   uint64 // of the inputs
	Flush  bool   // cold caches: emptied before every run
	Fresh  bool   // measure even what the tuning database knows
	// Settled waits, up to an eighth of the budget, while the machine has clearly less to give
	// than this laboratory has seen it give: two virtual cores can share one of the host's for
	// tens of milliseconds, and a kernel suffers from that more than the peak loop, or less.
	// It is for what is compared with other candidates, never with what does not wait.
	Settled bool
	// Processes is how many a candidate is timed in, one after the other; its outcome is that
	// of the median ratio, or the first failure. Default 1.
	Processes int
	// Stream times a plain loop over as much memory as the program reads and writes
	// beside every block.
	Stream bool
}

// Options configure a Lab. The zero value of a field means its default.
type Options struct {
	Worker  string // path of nestling-worker, with nestling-runner beside it; default: FindWorker
	Threads int    // threads a kernel uses; default: the cores this process may use
	// Bind keeps each thread of a kernel on a core of its own, where they need all cores
	// there are. Otherwise the first tens of milliseconds of a process can have two of
	// them on one core, and what is timed briefly takes twice as long.
	Bind      bool
	Compilers int            // compiler processes; default: the cores this process may use
	Tolerance float64        // largest |got - want| / Σ|terms|; default 1e-4
	Target    codegen.Target // default: the host
	Database  string         // folder of the tuning database; "" for none
	// FailureDir collects one folder per candidate that died or was wrong;
	// "" for none.
	FailureDir string
	// CompileLimit is the processor time of one compilation, so that a busy machine fails
	// none; by the clock it may take five times as long. Default 60 s.
	CompileLimit time.Duration
	MemoryLimit  int64 // resident bytes of one worker; default a quarter of the machine's
	// RecycleAfter requests, or at RecycleBytes resident, a compiler is
	// replaced: MLIR contexts never give memory back. Defaults 500 and 1 GiB.
	RecycleAfter int
	RecycleBytes int64
}

const (
	baselineFactor = 200             // times slower than the baseline is hopeless
	loadAllowance  = 5 * time.Second // to load, prepare and be checked
)

// firstAllowance is what a first run may take whatever the baseline: pages are touched and
// threads are started in it.
const firstAllowance = 20 * time.Millisecond

// firstLimit is how long a first run may take, 0 for as long as it wants.
func (p Plan) firstLimit(baseline float64) time.Duration {
	if p.GiveUp <= 0 || baseline <= 0 {
		return 0
	}
	return firstAllowance + time.Duration(p.GiveUp*baseline)
}

// runLimit is how long a runner may take for everything.
func (p Plan) runLimit(baseline float64) time.Duration {
	if baseline <= 0 {
		return p.Limit
	}
	return min(p.Limit, loadAllowance+p.Budget+time.Duration(baselineFactor*baseline))
}

func (p Plan) withDefaults() Plan {
	setDefault(&p.Warmup, 1)
	setDefault(&p.Samples, 5)
	setDefault(&p.MinBlock, time.Millisecond)
	setDefault(&p.Budget, 2*time.Second)
	setDefault(&p.Limit, time.Minute)
	setDefault(&p.Processes, 1)
	return p
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
