package mlir

/*
#include "bridge.h"
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// Module is a parsed module. It belongs to its context.
type Module struct {
	context *Context
	raw     C.MlirModule
}

// Parse reads a module. filename is how diagnostics name the text; the error of
// a bad text is MLIR's own: "filename:line:column: message".
func (c *Context) Parse(source, filename string) (*Module, error) {
	// MLIR's lexer wants a terminating zero behind the text it is given.
	text := C.CString(source)
	defer C.free(unsafe.Pointer(text))
	op := C.mlirOperationCreateParse(c.raw, C.MlirStringRef{data: text, length: C.size_t(len(source))}, view(filename))
	if C.mlirOperationIsNull(op) {
		return nil, c.complaint("")
	}
	module := C.mlirModuleFromOperation(op)
	if C.mlirModuleIsNull(module) {
		// A text may leave the module around its one function out.
		module = C.mlirModuleCreateEmpty(C.mlirOperationGetLocation(op))
		C.mlirBlockAppendOwnedOperation(C.mlirModuleGetBody(module), op)
	}
	return &Module{context: c, raw: module}, nil
}

// Close frees the module.
func (m *Module) Close() { C.mlirModuleDestroy(m.raw) }

// Operation is the module itself as an operation.
func (m *Module) Operation() Operation { return Operation{C.mlirModuleGetOperation(m.raw)} }

// String prints the module.
func (m *Module) String() string { return m.Operation().String() }

// Symbol finds an operation of the module's body by its symbol name.
func (m *Module) Symbol(name string) (Operation, bool) {
	op := Operation{C.nestlingFindSymbol(m.raw, view(name))}
	return op, !op.IsNull()
}

// Verify checks the module's invariants.
func (m *Module) Verify() error {
	if !bool(C.mlirOperationVerify(C.mlirModuleGetOperation(m.raw))) {
		return m.context.complaint("verification")
	}
	return nil
}

// Run runs a pass pipeline, in MLIR's textual form with its anchor
// ("builtin.module(canonicalize,cse)").
func (m *Module) Run(pipeline string) error {
	pm, err := m.context.passes(pipeline)
	if err != nil {
		return err
	}
	if failed(C.mlirPassManagerRunOnOp(pm, C.mlirModuleGetOperation(m.raw))) {
		return m.context.complaint("passes")
	}
	return nil
}

// Apply interprets the named sequence of a transform script on the module.
func (m *Module) Apply(script *Module, sequence string) error {
	root, ok := script.Symbol(sequence)
	if !ok {
		return fmt.Errorf("transform script: no named sequence @%s", sequence)
	}
	options := C.mlirTransformOptionsCreate()
	defer C.mlirTransformOptionsDestroy(options)
	C.mlirTransformOptionsEnableExpensiveChecks(options, C.bool(false))
	status := C.mlirTransformApplyNamedSequence(m.Operation().raw, root.raw, script.Operation().raw, options)
	if failed(status) {
		return m.context.complaint("transform @" + sequence)
	}
	return nil
}

func failed(r C.MlirLogicalResult) bool { return r.value == 0 }
