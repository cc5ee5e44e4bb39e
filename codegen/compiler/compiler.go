// Package compiler does the work of codegen with MLIR and LLVM in process:
// it analyses modules into plain data and turns a module with a transform
// script into object code. It belongs in the compiler process alone.
package compiler

import (
	"fmt"
	"time"

	"nestling/codegen"
	"nestling/mlir"
)

// Compiler analyses and compiles, one request at a time. Its MLIR context keeps
// the types and attributes of everything it ever saw, so it grows: whoever owns
// one replaces it now and then.
type Compiler struct {
	context *mlir.Context
	targets map[codegen.Target]*mlir.TargetMachine
}

// New makes a compiler. It takes some milliseconds: every dialect is registered.
func New() *Compiler {
	return &Compiler{context: mlir.NewContext(), targets: map[codegen.Target]*mlir.TargetMachine{}}
}

// Close frees the compiler.
func (c *Compiler) Close() {
	for _, t := range c.targets {
		t.Close()
	}
	c.context.Close()
}

// Version is the version of LLVM that generates the code.
func Version() string { return mlir.Version() }

// target returns the target machine for a target, made once.
func (c *Compiler) target(t codegen.Target) (*mlir.TargetMachine, error) {
	if machine, ok := c.targets[t]; ok {
		return machine, nil
	}
	// 512-bit vectors are used where the schedule asks for them: the heuristic
	// that prefers 256 bits was made for older cores.
	features := "-prefer-256-bit"
	if t.Features != "" {
		features = t.Features + "," + features
	}
	machine, err := mlir.NewTargetMachine(t.CPU, features)
	if err != nil {
		return nil, err
	}
	c.targets[t] = machine
	return machine, nil
}

// Compile turns a module with its script into object code. Errors carry the
// stage and MLIR's own words.
func (c *Compiler) Compile(request codegen.Request) (codegen.Result, error) {
	target, err := c.target(request.Target)
	if err != nil {
		return codegen.Result{}, err
	}
	job := &job{compiler: c, request: request, target: target, clock: time.Now()}
	defer job.close()
	for _, stage := range []struct {
		name string
		run  func() error
	}{
		{"parse", job.parse},
		{codegen.TensorStage, job.transformTensors},
		{"bufferize", job.bufferize},
		{"transform buffers", job.transformBuffers},
		{"lower", job.lower},
		{"optimize", job.optimize},
		{"emit", job.emit},
	} {
		if err := stage.run(); err != nil {
			return codegen.Result{}, fmt.Errorf("%s: %w", stage.name, err)
		}
		job.finish(stage.name)
	}
	job.result.LLVMVersion = Version()
	return job.result, nil
}
