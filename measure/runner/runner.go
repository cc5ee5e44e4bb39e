// Package runner is the body of a runner process: it loads one object, runs it
// between guard pages, hands its outputs over to be checked, and times it. The
// object may do anything to the process; a runner serves one candidate and
// ends.
package runner

/*
#cgo CFLAGS: -O2
#cgo LDFLAGS: -L/usr/lib/llvm-22/lib -Wl,-rpath,/usr/lib/llvm-22/lib -lomp
#include "crash.h"
#include "probe.h"
#include "stream.h"
#include "timing.h"
#include <stdlib.h>
*/
import "C"

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"
	"unsafe"

	"nestling/loader"
	"nestling/measure/wire"
)

// CrashPlainly makes a crash end this process by its signal, after a line on
// standard error that says where, instead of Go's traceback and exit status 2.
func CrashPlainly() { C.nestlingCrashPlainly() }

// Serve holds the one conversation of a runner: see wire.RunRequest. Tensors are
// read from and written to the shared memory by the kernel's own read and write
// calls; it is not mapped, so that no stray pointer can reach it.
func Serve(requests io.Reader, responses io.Writer, shared *os.File) error {
	// OpenMP keeps one set of threads for each thread that starts parallel
	// regions: all calls must come from this one.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	debug.SetGCPercent(-1) // no collector beside a timing; the process is short-lived
	if err := wire.Write(responses, wire.Ready{}); err != nil {
		return err
	}
	var request wire.RunRequest
	if err := wire.Read(requests, &request); err != nil {
		return endOfConversation(err)
	}
	k, err := load(&request, shared)
	if err != nil {
		return wire.Write(responses, wire.FirstRun{Verdict: verdict(err), Error: err.Error()})
	}
	watch := giveUpAfter(request.FirstLimit, responses)
	first := k.firstRun()
	watch.stop()
	if err := wire.Write(responses, first); err != nil {
		return err
	}
	var timing wire.TimeRequest
	if err := wire.Read(requests, &timing); err != nil {
		return endOfConversation(err)
	}
	return wire.Write(responses, k.time(&timing))
}

// watch ends the process when a first run passes its limit.
type watch struct{ timer *time.Timer }

// giveUpAfter starts a watch; without a limit it never ends anything.
func giveUpAfter(limit time.Duration, responses io.Writer) watch {
	if limit <= 0 {
		return watch{}
	}
	return watch{time.AfterFunc(limit, func() {
		// Whether the answer arrives or not, the process is of no more use.
		_ = wire.Write(responses, wire.FirstRun{Verdict: wire.Slow, Error: fmt.Sprintf("its first run takes more than %v", limit)})
		os.Exit(0)
	})}
}

// stop ends a watch, or waits for the end of the process that it has begun.
func (w watch) stop() {
	if w.timer != nil && !w.timer.Stop() {
		select {}
	}
}

// misbehaviour is an error that is the kernel's fault.
type misbehaviour struct{ error }

func verdict(err error) wire.Verdict {
	switch {
	case err == nil:
		return wire.Sound
	case errors.As(err, &misbehaviour{}):
		return wire.Wrong
	}
	return wire.Refused
}

// endOfConversation: closing the pipe is how a runner is sent home.
func endOfConversation(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// kernel is a loaded object with the memory it works on.
type kernel struct {
	shared  *os.File
	threads int
	run     C.nestlingKernel
	args    *unsafe.Pointer // inputs…, prepared, workspace, outputs…

	inputs    []constant
	prepared  constant
	workspace *buffer
	outputs   []*buffer
	places    []wire.Tensor // of the outputs

	loadNanoseconds, prepareNanoseconds float64
}

func load(r *wire.RunRequest, shared *os.File) (*kernel, error) {
	C.nestlingSetThreads(C.int(r.Threads))
	begin := C.nestlingNow()
	object, err := loader.Load(r.Object)
	if err != nil {
		return nil, err
	}
	run, err := object.Symbol(r.Symbol + "_run_packed")
	if err != nil {
		return nil, err
	}
	k := &kernel{shared: shared, threads: r.Threads, run: C.nestlingKernel(run), places: r.Outputs}
	k.loadNanoseconds = float64(C.nestlingNow() - begin)
	if err := k.allocate(r); err != nil {
		return nil, err
	}
	return k, k.prepare(r, object)
}

func (k *kernel) allocate(r *wire.RunRequest) error {
	var err error
	for i, t := range r.Inputs {
		b, err := k.receive(fmt.Sprintf("input %d", i), t)
		if err != nil {
			return err
		}
		k.inputs = append(k.inputs, freeze(b))
	}
	if k.workspace, err = newBuffer("the workspace", r.WorkspaceBytes); err != nil {
		return err
	}
	for i, t := range r.Outputs {
		b, err := newBuffer(fmt.Sprintf("output %d", i), 4*int64(t.Elements))
		if err != nil {
			return err
		}
		k.outputs = append(k.outputs, b)
	}
	return nil
}

func (k *kernel) receive(name string, t wire.Tensor) (*buffer, error) {
	b, err := newBuffer(name, 4*int64(t.Elements))
	if err != nil {
		return nil, err
	}
	if _, err := k.shared.ReadAt(b.data, t.Offset); err != nil {
		return nil, fmt.Errorf("%s: reading shared memory: %w", name, err)
	}
	return b, nil
}

// prepare does the work on weights. They are gone afterwards: a kernel that
// still looks at them when it runs will crash.
func (k *kernel) prepare(r *wire.RunRequest, object *loader.Loaded) error {
	prepared, err := newBuffer("the prepared weights", r.PreparedBytes)
	if err != nil {
		return err
	}
	if len(r.Weights) > 0 || r.PreparedBytes > 0 {
		if err := k.callPrepare(r, object, prepared); err != nil {
			return err
		}
	}
	k.prepared = freeze(prepared)
	var pointers []unsafe.Pointer
	for _, b := range k.inputs {
		pointers = append(pointers, b.pointer())
	}
	pointers = append(pointers, prepared.pointer(), k.workspace.pointer())
	for _, b := range k.outputs {
		pointers = append(pointers, b.pointer())
	}
	k.args = packed(pointers)
	return nil
}

func (k *kernel) callPrepare(r *wire.RunRequest, object *loader.Loaded, prepared *buffer) error {
	symbol, err := object.Symbol(r.Symbol + "_prepare_packed")
	if err != nil {
		return err
	}
	var weights []constant
	var pointers []unsafe.Pointer
	for i, t := range r.Weights {
		b, err := k.receive(fmt.Sprintf("weight %d", i), t)
		if err != nil {
			return err
		}
		weights = append(weights, freeze(b))
		pointers = append(pointers, b.pointer())
	}
	args := packed(append(pointers, prepared.pointer()))
	defer C.free(unsafe.Pointer(args))
	k.prepareNanoseconds = float64(C.nestlingCall(C.nestlingKernel(symbol), args))
	for _, w := range weights {
		if err := errors.Join(w.changed(), w.overrun()); err != nil {
			return misbehaviour{fmt.Errorf("prepare: %w", err)}
		}
		if err := w.free(); err != nil {
			return err
		}
	}
	if err := prepared.overrun(); err != nil {
		return misbehaviour{fmt.Errorf("prepare: %w", err)}
	}
	return nil
}

// packed is the array of pointers that packed calls take, in C's memory.
func packed(pointers []unsafe.Pointer) *unsafe.Pointer {
	size := C.size_t(len(pointers)) * C.size_t(unsafe.Sizeof(unsafe.Pointer(nil)))
	array := (*unsafe.Pointer)(C.malloc(size))
	copy(unsafe.Slice(array, len(pointers)), pointers)
	return array
}

func (k *kernel) firstRun() wire.FirstRun {
	first := wire.FirstRun{
		Verdict:            wire.Sound,
		LoadNanoseconds:    k.loadNanoseconds,
		PrepareNanoseconds: k.prepareNanoseconds,
	}
	C.nestlingCall(k.run, k.args)
	if err := k.deliver(); err != nil {
		first.Verdict, first.Error = wire.Wrong, err.Error()
	}
	return first
}

// deliver looks for what is wrong without any reference, and copies the
// outputs into the shared memory.
func (k *kernel) deliver() error {
	for i, b := range k.outputs {
		if count, first := b.unwritten(); count > 0 {
			return fmt.Errorf("%s: %d of %d elements were never written, the first is element %d", b.name, count, k.places[i].Elements, first)
		}
		if err := b.overrun(); err != nil {
			return err
		}
	}
	for _, c := range append([]constant{k.prepared}, k.inputs...) {
		if err := errors.Join(c.changed(), c.overrun()); err != nil {
			return err
		}
	}
	if err := k.workspace.overrun(); err != nil {
		return err
	}
	for i, b := range k.outputs {
		if _, err := k.shared.WriteAt(b.data, k.places[i].Offset); err != nil {
			return fmt.Errorf("%s: writing shared memory: %w", b.name, err)
		}
	}
	return nil
}

func (k *kernel) time(r *wire.TimeRequest) wire.TimeResponse {
	for _, b := range k.outputs {
		b.poison() // what is checked afterwards was written by the timed runs
	}
	blocks := max(r.Blocks, 1)
	plan := C.nestlingPlan{
		run: k.run, args: k.args, threads: C.int(k.threads),
		warmup: C.int(r.Warmup), blocks: C.int(blocks),
		minBlock: C.int64_t(r.MinBlock), budget: C.int64_t(r.Budget),
		slowerThan: C.double(r.SlowerThan), peak: C.double(r.Peak),
	}
	if r.FlushBytes > 0 {
		plan.flushBytes = C.size_t(r.FlushBytes)
		plan.flush = (*C.char)(C.calloc(1, plan.flushBytes))
		defer C.free(unsafe.Pointer(plan.flush))
	}
	samples, probe, stream := make([]float64, blocks), make([]float64, blocks), make([]float64, blocks)
	var streamTo *C.double
	if r.Stream {
		if err := k.openStream(); err != nil {
			return wire.TimeResponse{Verdict: wire.Refused, Error: err.Error()}
		}
		defer C.nestlingStreamClose()
		streamTo = (*C.double)(&stream[0])
	}
	times := C.nestlingTime(&plan, (*C.double)(&samples[0]), (*C.double)(&probe[0]), streamTo)
	response := wire.TimeResponse{
		Verdict:      wire.Sound,
		Samples:      samples[:times.blocks],
		Probe:        probe[:times.blocks],
		Stream:       stream[:times.blocks],
		RunsPerBlock: int(times.runsPerBlock),
		BusyThreads:  float64(times.busyThreads),
	}
	if err := k.deliver(); err != nil {
		response.Verdict, response.Error = wire.Wrong, err.Error()
	}
	return response
}

// openStream makes buffers for the streaming loop as large as what the kernel reads
// and writes.
func (k *kernel) openStream() error {
	read, written := len(k.prepared.data), 0
	for _, b := range k.inputs {
		read += len(b.data)
	}
	for _, b := range k.outputs {
		written += len(b.data)
	}
	if C.nestlingStreamOpen(C.size_t(read), C.size_t(written)) == 0 {
		return fmt.Errorf("the streaming loop: no memory for %d bytes, or less than a vector", read+written)
	}
	return nil
}
