// Nestling-worker is the process that touches MLIR, LLVM and compiled code, so
// that nothing else has to. It is started by nestling, never by hand, in one of
// two roles:
//
//	nestling-worker compile   serves modules as plain data and object code
//	nestling-worker run       loads one object, runs it, times it, and ends
//
// Requests come on descriptor 3 and are answered on descriptor 4 (see
// measure/wire); a runner has the shared memory on descriptor 5.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"nestling/codegen/compiler"
	"nestling/measure/runner"
	"nestling/measure/wire"
	"nestling/mlir"
)

func main() {
	if err := serve(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "nestling-worker:", err)
		os.Exit(1)
	}
}

func serve(args []string) error {
	if len(args) != 1 {
		return errors.New("want one argument, compile or run; nestling starts this program by itself")
	}
	if !isPipe(wire.RequestFD) || !isPipe(wire.ResponseFD) {
		return errors.New("descriptors 3 and 4 are no pipes; nestling starts this program by itself")
	}
	// A crash is expected here, its core is of no use to anyone.
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	runner.CrashPlainly()
	requests := os.NewFile(wire.RequestFD, "requests")
	responses := os.NewFile(wire.ResponseFD, "responses")
	switch args[0] {
	case "compile":
		return serveCompiles(requests, responses)
	case "run":
		return runner.Serve(requests, responses, os.NewFile(wire.TensorsFD, "tensors"))
	}
	return fmt.Errorf("no role %q; there are compile and run", args[0])
}

func isPipe(fd int) bool {
	var stat unix.Stat_t
	return unix.Fstat(fd, &stat) == nil && stat.Mode&unix.S_IFMT == unix.S_IFIFO
}

func serveCompiles(requests io.Reader, responses io.Writer) error {
	c := compiler.New()
	if err := wire.Write(responses, wire.Ready{LLVM: mlir.Version()}); err != nil {
		return err
	}
	for {
		var request wire.CompileRequest
		if err := wire.Read(requests, &request); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := wire.Write(responses, answer(c, request)); err != nil {
			return err
		}
	}
}

func answer(c *compiler.Compiler, request wire.CompileRequest) wire.CompileResponse {
	var response wire.CompileResponse
	var err error
	switch {
	case request.Analyse != nil:
		response.Program, err = c.Analyse(request.Analyse.Source, request.Analyse.Filename)
	case request.Compile != nil:
		result, problem := c.Compile(*request.Compile)
		response.Result, err = &result, problem
	default:
		err = errors.New("an empty request")
	}
	if err != nil {
		return wire.CompileResponse{Error: err.Error()}
	}
	return response
}
