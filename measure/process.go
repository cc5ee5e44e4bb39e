package measure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"nestling/measure/wire"
)

const (
	// startLimit is for loading libraries, on a busy machine.
	startLimit = 60 * time.Second
	// watchInterval is how often a busy worker's resident size is looked at.
	watchInterval = 10 * time.Millisecond
	// lastLines of a dead worker's output go into its obituary.
	lastLines = 12
)

// limits of one exchange with a worker.
type limits struct {
	time      time.Duration // wall clock
	processor time.Duration // of processor time, which others' work does not use up; 0: any
	memory    int64         // resident bytes
}

// death is how a worker ended, or was ended, before it answered.
type death struct {
	status Status // Crash, Timeout or Memory
	reason string // "killed by SIGSEGV", "no answer within 5s"
	words  string // its last lines of output
	// itself is set when the worker brought it about; a signal from outside
	// says nothing about the candidate.
	itself bool
}

func (d *death) Error() string {
	if d.words == "" {
		return d.reason
	}
	return d.reason + ":\n" + d.words
}

// process is a worker: a child in a process group of its own that dies with us.
type process struct {
	role      string
	cmd       *exec.Cmd
	requests  *os.File
	responses *os.File
	output    tail
	exited    chan struct{} // closed when it has been waited for
	ready     wire.Ready
	served    int // requests
}

// launches runs functions on one OS thread that lives as long as this process:
// the kernel sends the parent-death signal when the thread that started the
// child ends, not when the process does.
var launches = sync.OnceValue(func() chan<- func() {
	queue := make(chan func())
	go func() {
		runtime.LockOSThread()
		for launch := range queue {
			launch()
		}
	}()
	return queue
})

// startProcess starts a worker and waits until it is ready. extra becomes
// descriptor 5. One that something kills on its way up is started again.
func startProcess(ctx context.Context, o Options, role string, extra *os.File) (*process, error) {
	const attempts = 3
	var err error
	for range attempts {
		var p *process
		if p, err = tryStart(ctx, o, role, extra); err == nil {
			return p, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if d := asDeath(err); d == nil || d.itself {
			break
		}
	}
	// Not wrapped: this death is no candidate's fault.
	return nil, fmt.Errorf("worker %s did not come up: %v", o.program(role), err)
}

func tryStart(ctx context.Context, o Options, role string, extra *os.File) (*process, error) {
	requestEnd, requests, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	responses, responseEnd, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, requestEnd.Close(), requests.Close())
	}
	p := &process{role: role, requests: requests, responses: responses, exited: make(chan struct{})}
	p.cmd = exec.Command(o.program(role))
	p.cmd.Env = workerEnvironment(o)
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.ExtraFiles = []*os.File{requestEnd, responseEnd}
	if extra != nil {
		p.cmd.ExtraFiles = append(p.cmd.ExtraFiles, extra)
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	launches() <- func() { started <- p.cmd.Start() }
	err = <-started
	// With our copies of its ends open, the worker's end would go unnoticed.
	err = errors.Join(err, requestEnd.Close(), responseEnd.Close())
	if err != nil {
		return nil, errors.Join(err, requests.Close(), responses.Close())
	}
	go p.await()
	if err := p.exchange(ctx, nil, &p.ready, limits{time: startLimit, memory: o.MemoryLimit}); err != nil {
		return nil, err
	}
	return p, nil
}

// workerEnvironment is ours with the number of threads set before any library
// reads it.
func workerEnvironment(o Options) []string {
	n := strconv.Itoa(o.Threads)
	env := append(os.Environ(), "OMP_NUM_THREADS="+n, "OMP_THREAD_LIMIT="+n, "OMP_DYNAMIC=false", "OPENBLAS_NUM_THREADS=1")
	// With cores to spare the system finds free ones, and two processes that bind their
	// threads would choose the same.
	if o.Bind && o.Threads > 1 && o.Threads == runtime.NumCPU() {
		env = append(env, "OMP_PROC_BIND=true", "OMP_PLACES=threads")
	}
	return env
}

func (p *process) await() {
	// What it returns is in cmd.ProcessState.
	_ = p.cmd.Wait()
	close(p.exited)
}

func (p *process) alive() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// kill ends the worker with all it may have started, and waits until it is gone.
func (p *process) kill() {
	// Waited for or not, the group id is still ours: no error matters.
	if p.alive() {
		_ = unix.Kill(-p.cmd.Process.Pid, unix.SIGKILL)
	}
	<-p.exited
	p.requests.Close()
	p.responses.Close()
}

// exchange sends a request, unless it is nil, and waits for the response. If the
// worker breaks a limit, or ctx ends, it is killed. The error is ctx's, or the
// *death of the worker.
func (p *process) exchange(ctx context.Context, request, response any, l limits) error {
	answered := make(chan struct{})
	watched := make(chan *death, 1)
	go func() { watched <- p.watch(ctx, l, answered) }()
	var err error
	if request != nil {
		p.served++
		err = wire.Write(p.requests, request)
	}
	if err == nil {
		err = wire.Read(p.responses, response)
	}
	close(answered)
	breach := <-watched
	if breach == nil && err == nil {
		return nil
	}
	if breach != nil {
		p.kill()
		if breach.status == Cancelled {
			return context.Cause(ctx)
		}
		breach.words = p.output.lines(lastLines)
		return breach
	}
	return p.obituary(err)
}

// watch kills the worker when it must not go on, and tells why.
func (p *process) watch(ctx context.Context, l limits, answered <-chan struct{}) *death {
	timeout := time.NewTimer(l.time)
	defer timeout.Stop()
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	before := p.processorTime()
	for {
		var d *death
		select {
		case <-answered:
			return nil
		case <-ctx.Done():
			d = &death{status: Cancelled}
		case <-timeout.C:
			d = &death{status: Timeout, itself: true, reason: fmt.Sprintf("no answer within %v; killed", l.time.Round(time.Millisecond))}
		case <-tick.C:
			held := p.resident()
			switch {
			case held > l.memory:
				d = &death{status: Memory, itself: true, reason: fmt.Sprintf("held %d MiB of memory, allowed are %d; killed", held>>20, l.memory>>20)}
			case l.processor > 0 && p.processorTime()-before > l.processor:
				d = &death{status: Timeout, itself: true, reason: fmt.Sprintf("no answer within %v of processor time; killed", l.processor.Round(time.Millisecond))}
			}
		}
		if d != nil {
			p.kill() // ends the exchange
			return d
		}
	}
}

// resident is the worker's resident size in bytes, 0 when it is gone.
func (p *process) resident() int64 {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(statm)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// processorTime is what all of the worker's threads have had of processors so far, 0 when
// it is gone.
func (p *process) processorTime() time.Duration {
	// What clock_getcpuclockid gives for a process (linux/include/linux/posix-timers.h,
	// CPUCLOCK_SCHED).
	clock := int32(^p.cmd.Process.Pid<<3 | 2)
	var t unix.Timespec
	if err := unix.ClockGettime(clock, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// exitGrace is how long a worker that closed its pipe may take to be gone.
const exitGrace = 5 * time.Second

// obituary says how a worker ended that no one here has killed.
func (p *process) obituary(problem error) *death {
	select {
	case <-p.exited:
	case <-time.After(exitGrace):
		p.kill()
		return &death{status: Crash, itself: true, reason: "broke off the conversation: " + problem.Error(), words: p.output.lines(lastLines)}
	}
	p.kill()
	d := &death{status: Crash, itself: true, words: p.output.lines(lastLines)}
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case ok && status.Signaled():
		d.reason = "killed by " + unix.SignalName(status.Signal())
		d.itself = status.Signal() != syscall.SIGKILL && status.Signal() != syscall.SIGTERM
	default:
		d.reason = fmt.Sprintf("ended with exit code %d", p.cmd.ProcessState.ExitCode())
	}
	return d
}

// asDeath finds out whether an error is a worker's death.
func asDeath(err error) *death {
	var d *death
	errors.As(err, &d)
	return d
}
