package measure

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/klauspost/cpuid/v2"
	"golang.org/x/sys/unix"

	"nestling/measure/reference"
)

// WorkerVariable is the environment variable that says where nestling-worker is.
const WorkerVariable = "NESTLING_WORKER"

// The executables of the two roles; a runner lies beside its worker.
const (
	workerName = "nestling-worker"
	runnerName = "nestling-runner"
)

// program is the executable of a role, "compile" or "run".
func (o Options) program(role string) string {
	if role == "run" {
		return filepath.Join(filepath.Dir(o.Worker), runnerName)
	}
	return o.Worker
}

// FindWorker looks for the nestling-worker executable: $NESTLING_WORKER, then
// beside the running executable, then in bin/ under the working directory.
func FindWorker() (string, error) {
	if path := os.Getenv(WorkerVariable); path != "" {
		return executable(path)
	}
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("where is this program? %w", err)
	}
	beside := filepath.Join(filepath.Dir(self), workerName)
	for _, path := range []string{beside, filepath.Join("bin", workerName)} {
		if found, err := executable(path); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("no %s at %s or in bin/; build it (make build), or name it in $%s", workerName, beside, WorkerVariable)
}

func executable(path string) (string, error) {
	found, err := exec.LookPath(path)
	if err != nil {
		return "", fmt.Errorf("worker %s: %w; build it (make build)", path, err)
	}
	return filepath.Abs(found)
}

func (o Options) withDefaults() (Options, error) {
	var err error
	if o.Worker == "" {
		o.Worker, err = FindWorker()
	} else {
		o.Worker, err = executable(o.Worker)
	}
	if err == nil {
		_, err = executable(o.program("run"))
	}
	if err != nil {
		return o, err
	}
	cores := runtime.NumCPU()
	share := min(cores, runtime.GOMAXPROCS(0)) // a container may be given less time than cores
	setDefault(&o.Threads, share)
	if o.Threads < 0 || o.Threads > cores {
		return o, fmt.Errorf("%d threads asked for; this process may use 1 to %d", o.Threads, cores)
	}
	setDefault(&o.Compilers, share)
	if o.Compilers < 0 {
		return o, fmt.Errorf("%d compiler processes asked for; at least 1 is needed", o.Compilers)
	}
	setDefault(&o.Tolerance, reference.DefaultTolerance)
	setDefault(&o.CompileLimit, time.Minute)
	setDefault(&o.RecycleAfter, 500)
	setDefault(&o.RecycleBytes, 1<<30)
	if o.MemoryLimit == 0 {
		o.MemoryLimit, err = quarterOfMemory()
	}
	return o, err
}

func quarterOfMemory() (int64, error) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0, fmt.Errorf("size of the memory: %w", err)
	}
	return int64(info.Totalram) * int64(info.Unit) / 4, nil
}

// machine names what code was made for and runs on, for the tuning database.
func (o Options) machine() string {
	c := cpuid.CPU
	name := fmt.Sprintf("%s (family %d model %d stepping %d, x86-64-v%d, %d cores)",
		c.BrandName, c.Family, c.Model, c.Stepping, c.X64Level(), runtime.NumCPU())
	if o.Target.CPU != "" || o.Target.Features != "" {
		name += " as " + o.Target.CPU + o.Target.Features
	}
	return name
}

// flushBytes is what to walk over to empty the caches: twice the last level.
func flushBytes() int64 {
	const atLeast = 64 << 20
	return max(atLeast, 2*int64(cpuid.CPU.Cache.L3))
}
