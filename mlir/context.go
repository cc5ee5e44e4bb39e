// Package mlir is the binding to MLIR and LLVM 22: contexts, modules, the
// transform interpreter, pass pipelines, LLVM IR, object code and its loading.
// It is the only package that includes MLIR's C headers, and it is meant for
// worker processes: MLIR aborts on some inputs and a context never gives memory
// back, so whoever uses it must be ready to be killed and started again.
package mlir

/*
#cgo CFLAGS: -I/usr/lib/llvm-22/include
#cgo LDFLAGS: -L/usr/lib/llvm-22/lib -Wl,-rpath,/usr/lib/llvm-22/lib
#cgo LDFLAGS: -Wl,--start-group -lMLIRCAPIRegisterEverything -lMLIRCAPITransformDialectTransforms -lMLIRCAPITransformDialect -lMLIRCAPITarget -lMLIRCAPILinalg -lMLIRCAPIIR -Wl,--end-group
#cgo LDFLAGS: -lMLIR -lLLVM-22 -lstdc++
#include "bridge.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"unsafe"
)

// registerPasses registers MLIR's passes, which is process-wide, once.
var registerPasses = sync.OnceFunc(func() { C.mlirRegisterAllPasses() })

// Context owns everything that is parsed and built in it. It is not safe for
// use by several goroutines at once.
type Context struct {
	raw         C.MlirContext
	diagnostics *C.NestlingText // what MLIR complained about since last asked
	pipelines   map[string]C.MlirPassManager
}

// NewContext makes a context that knows every upstream dialect, and loads each when it
// is first met: passes gather the patterns of all that are loaded. It works on the
// calling thread alone: parallelism is between processes.
func NewContext() *Context {
	registerPasses()
	registry := C.mlirDialectRegistryCreate()
	defer C.mlirDialectRegistryDestroy(registry)
	C.mlirRegisterAllDialects(registry)
	raw := C.mlirContextCreateWithRegistry(registry, C.bool(false))
	C.mlirRegisterAllLLVMTranslations(raw)
	c := &Context{
		raw: raw, diagnostics: (*C.NestlingText)(C.calloc(1, C.sizeof_NestlingText)),
		pipelines: map[string]C.MlirPassManager{},
	}
	C.nestlingCollectDiagnostics(raw, c.diagnostics)
	return c
}

// Close frees the context. No module of it may be used afterwards.
func (c *Context) Close() {
	for _, pm := range c.pipelines {
		C.mlirPassManagerDestroy(pm)
	}
	C.mlirContextDestroy(c.raw)
	C.nestlingTextFree(c.diagnostics)
	C.free(unsafe.Pointer(c.diagnostics))
}

// passes are a pipeline's, made once: to gather the patterns of all operations takes
// longer than to apply them to a small module.
func (c *Context) passes(pipeline string) (C.MlirPassManager, error) {
	if pm, made := c.pipelines[pipeline]; made {
		return pm, nil
	}
	pm := C.mlirPassManagerCreate(c.raw)
	C.mlirPassManagerEnableVerifier(pm, C.bool(false))
	problems := text(func(t *C.NestlingText) {
		if failed(C.nestlingParsePipeline(C.mlirPassManagerGetAsOpPassManager(pm), view(pipeline), t)) && t.length == 0 {
			C.nestlingTextAppend(t, view("unknown pass"))
		}
	})
	if problems != "" {
		C.mlirPassManagerDestroy(pm)
		return pm, fmt.Errorf("pass pipeline %q: %s", pipeline, problems)
	}
	c.pipelines[pipeline] = pm
	return pm, nil
}

// complaint returns and forgets what MLIR reported, as an error about `doing`.
func (c *Context) complaint(doing string) error {
	said := strings.TrimSpace(take(c.diagnostics))
	if said == "" {
		said = "MLIR gave no reason"
	}
	if doing == "" {
		return errors.New(said)
	}
	return fmt.Errorf("%s: %s", doing, said)
}

// take returns the text and empties it.
func take(t *C.NestlingText) string {
	s := C.GoStringN(t.data, C.int(t.length))
	C.nestlingTextFree(t)
	return s
}

// text runs print on an empty text and returns what it wrote.
func text(print func(*C.NestlingText)) string {
	t := (*C.NestlingText)(C.calloc(1, C.sizeof_NestlingText))
	defer C.free(unsafe.Pointer(t))
	print(t)
	return take(t)
}

// view lends a Go string to C for the length of one call.
func view(s string) C.MlirStringRef {
	return C.MlirStringRef{data: (*C.char)(unsafe.Pointer(unsafe.StringData(s))), length: C.size_t(len(s))}
}

func goString(s C.MlirStringRef) string { return C.GoStringN(s.data, C.int(s.length)) }
