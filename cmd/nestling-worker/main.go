// Nestling-worker is the process that touches MLIR, so that nothing else has to:
// it serves modules as plain data, and object code. It is started by nestling,
// never by hand. Requests come on descriptor 3 and are answered on descriptor 4
// (see measure/wire).
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"nestling/codegen/compiler"
	"nestling/measure/runner"
	"nestling/measure/wire"
	"nestling/mlir"
)

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "nestling-worker:", err)
		os.Exit(1)
	}
}

func serve() error {
	requests, responses, err := wire.Ends()
	if err != nil {
		return err
	}
	runner.CrashPlainly()
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
