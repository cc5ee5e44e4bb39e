package baseline

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"nestling/suite"
)

// Process is a PyTorch process. It holds at most one benchmark, and is used by
// one goroutine at a time.
type Process struct {
	options  Options
	info     Info
	loaded   suite.Benchmark
	pid      int
	requests *os.File
	answers  *os.File
	reader   *bufio.Reader
	inputs   *memory
	outputs  *memory
	words    *tail         // what the process prints
	exited   chan struct{} // closed when the process is gone
	end      error         // how it ended; set before exited is closed
}

// String names the process in messages.
func (p *Process) String() string { return fmt.Sprintf("PyTorch (%s)", p.options.Method) }

// request is one line to the process. Fields that a request has no use for are
// left out.
type request struct {
	Request string     `json:"request"`
	Method  Method     `json:"method"`
	Threads int        `json:"threads,omitempty"`
	Kind    suite.Kind `json:"kind,omitempty"`
	Args    []argument `json:"args,omitempty"`
	Warmup  int        `json:"warmup"`
	Runs    int        `json:"runs"`
	// What follows is of suite.KindGraph.
	Layers []suite.Layer `json:"layers,omitempty"`
	Output string        `json:"output,omitempty"`
	Order  []int         `json:"order,omitempty"`
}

type argument struct {
	Name   string      `json:"name"`
	Shape  []int       `json:"shape"`
	Weight bool        `json:"weight"`
	Held   *suite.Held `json:"held,omitempty"`
}

func loadRequest(b suite.Benchmark) request {
	r := request{Request: "load", Kind: b.Kind}
	for _, a := range b.Args {
		r.Args = append(r.Args, argument{Name: a.Name, Shape: a.Shape, Weight: a.Weight})
	}
	if g := b.Graph; g != nil {
		r.Layers, r.Output, r.Order = g.Layers, g.Output, g.Order
		for i := range r.Args {
			if h, ok := g.Held[r.Args[i].Name]; ok {
				r.Args[i].Held = &h
			}
		}
	}
	return r
}

// launch starts the process and waits for nothing.
func launch(ctx context.Context, o Options) (*Process, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	path, err := absolutePython(o.Python)
	if err != nil {
		return nil, fmt.Errorf("cannot run the Python %q: %w", o.Python, err)
	}
	p := &Process{options: o, words: &tail{}, exited: make(chan struct{})}
	theirs, err := p.open()
	defer closeAll(theirs)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot start PyTorch: %w", err), p.release())
	}
	cmd := exec.Command(path, "-u", "-c", server)
	cmd.Dir = "/"
	cmd.Env = environment(o.Threads)
	cmd.Stdout, cmd.Stderr = p.words, p.words
	cmd.ExtraFiles = append(theirs, p.inputs.file, p.outputs.file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second
	if err := p.supervise(cmd); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot start %s: %w", path, err), p.release())
	}
	return p, nil
}

// open makes the pipes and the shared memory, and returns the process's ends
// of the pipes.
func (p *Process) open() (theirs []*os.File, err error) {
	var in, out *os.File
	if in, p.requests, err = os.Pipe(); err != nil {
		return nil, err
	}
	if p.answers, out, err = os.Pipe(); err != nil {
		return []*os.File{in}, err
	}
	theirs = []*os.File{in, out}
	p.reader = bufio.NewReader(p.answers)
	if p.inputs, err = newMemory("nestling-inputs"); err != nil {
		return theirs, err
	}
	p.outputs, err = newMemory("nestling-outputs")
	return theirs, err
}

// supervise starts cmd and watches for its end. The kernel ties the death
// signal to the thread that started the process, so that thread is kept.
func (p *Process) supervise(cmd *exec.Cmd) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		p.pid = cmd.Process.Pid
		started <- nil
		p.end = cmd.Wait()
		close(p.exited)
	}()
	return <-started
}

// environment is ours with the thread counts of every library that PyTorch may
// run on. They are read when the library loads, and only then.
func environment(threads int) []string {
	env := os.Environ()
	for _, name := range []string{"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"} {
		env = append(env, fmt.Sprintf("%s=%d", name, threads))
	}
	return env
}

// request sends one request and waits for its answer, with the process running
// only meanwhile. what completes "PyTorch (eager) died while …".
func (p *Process) request(ctx context.Context, what string, r request, answer any) error {
	if p.gone() {
		return p.death(what)
	}
	r.Method = p.options.Method
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("%v: request for %s: %w", p, what, err)
	}
	stop := context.AfterFunc(ctx, p.kill)
	defer stop()
	p.signal(syscall.SIGCONT)
	defer p.signal(syscall.SIGSTOP)
	reply, err := p.exchange(line)
	switch {
	case err == nil:
		return p.decode(reply, answer)
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		p.kill()
		return fmt.Errorf("%v gave no answer within %v while %s; it was ended", p, p.options.Timeout, what)
	}
	return p.death(what)
}

// exchange writes a line and reads one, within the time limit.
func (p *Process) exchange(line []byte) ([]byte, error) {
	deadline := time.Now().Add(p.options.Timeout)
	if err := errors.Join(p.requests.SetWriteDeadline(deadline), p.answers.SetReadDeadline(deadline)); err != nil {
		return nil, err
	}
	if _, err := p.requests.Write(append(line, '\n')); err != nil {
		return nil, err
	}
	return p.reader.ReadBytes('\n')
}

// decode reads an answer; one that carries an error becomes that error, with
// what to do about it.
func (p *Process) decode(reply []byte, answer any) error {
	var refusal struct{ Error, Refused string }
	if err := json.Unmarshal(reply, &refusal); err != nil {
		return fmt.Errorf("%v: answer %.80q is not JSON: %w", p, reply, err)
	}
	switch {
	case refusal.Refused == "torch":
		return fmt.Errorf("%s cannot import torch (%s); %s", p.options.Python, refusal.Error, install)
	case refusal.Refused == "blas":
		return fmt.Errorf("PyTorch of %s is no opponent: %s; install OpenBLAS with: apt install libopenblas0-pthread", p.options.Python, refusal.Error)
	case refusal.Refused == "unavailable":
		return fmt.Errorf("%w: %s", ErrUnavailable, refusal.Error)
	case refusal.Error != "":
		return fmt.Errorf("%v: %s", p, refusal.Error)
	}
	if err := json.Unmarshal(reply, answer); err != nil {
		return fmt.Errorf("%v: answer %.80q: %w", p, reply, err)
	}
	return nil
}

// death describes the end of a process that should be alive.
func (p *Process) death(what string) error {
	select {
	case <-p.exited:
	case <-time.After(5 * time.Second):
		p.kill()
		<-p.exited
	}
	reason := "exit status 0"
	if p.end != nil {
		reason = p.end.Error()
	}
	if words := p.words.last(); words != "" {
		reason += ": " + words
	}
	return fmt.Errorf("%v died while %s (%s)", p, what, reason)
}

func (p *Process) gone() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// signal reaches the process and whatever it started. A process that is gone
// needs none.
func (p *Process) signal(s syscall.Signal) {
	if !p.gone() {
		_ = syscall.Kill(-p.pid, s)
	}
}

func (p *Process) kill() { p.signal(syscall.SIGKILL) }

// Close ends the process and frees what it holds.
func (p *Process) Close() error {
	p.kill()
	<-p.exited
	return p.release()
}

// release closes our ends of the pipes and the shared memory.
func (p *Process) release() error {
	var files []*os.File
	for _, f := range []*os.File{p.requests, p.answers} {
		if f != nil {
			files = append(files, f)
		}
	}
	for _, m := range []*memory{p.inputs, p.outputs} {
		if m != nil {
			files = append(files, m.file)
		}
	}
	return closeAll(files)
}

func closeAll(files []*os.File) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailBytes = 4096

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if n := len(t.text); n > tailBytes {
		t.text = append(t.text[:0], t.text[n-tailBytes:]...)
	}
	return len(b), nil
}

func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(lastLine(t.text), "?")
}
