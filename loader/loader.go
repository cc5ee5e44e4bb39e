// Package loader links relocatable objects into this process, with LLVM's linker
// for just-in-time code. It needs LLVM but not MLIR: a process that only runs
// code starts in half the time without it.
package loader

/*
#cgo CFLAGS: -I/usr/lib/llvm-22/include
#cgo LDFLAGS: -L/usr/lib/llvm-22/lib -Wl,-rpath,/usr/lib/llvm-22/lib -lLLVM-22
#include <llvm-c/Core.h>
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Orc.h>
#include <llvm-c/Target.h>
#include <stdlib.h>
#include <string.h>

// The message of an error as a malloc'ed string, NULL when all is well.
static char *nestlingErrorMessage(LLVMErrorRef error) {
  if (!error)
    return NULL;
  char *message = LLVMGetErrorMessage(error);
  char *copy = strdup(message);
  LLVMDisposeErrorMessage(message);
  return copy;
}

// Makes a JIT that does nothing but link objects against this process.
static char *nestlingNewLinker(LLVMOrcLLJITRef *jit) {
  char *problem = nestlingErrorMessage(LLVMOrcCreateLLJIT(jit, NULL));
  if (problem)
    return problem;
  LLVMOrcDefinitionGeneratorRef process;
  problem = nestlingErrorMessage(LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(
      &process, LLVMOrcLLJITGetGlobalPrefix(*jit), NULL, NULL));
  if (!problem)
    LLVMOrcJITDylibAddGenerator(LLVMOrcLLJITGetMainJITDylib(*jit), process);
  return problem;
}

static char *nestlingAddObject(LLVMOrcLLJITRef jit, const char *object, size_t size) {
  return nestlingErrorMessage(LLVMOrcLLJITAddObjectFile(
      jit, LLVMOrcLLJITGetMainJITDylib(jit),
      LLVMCreateMemoryBufferWithMemoryRangeCopy(object, size, "kernel.o")));
}

static char *nestlingLookup(LLVMOrcLLJITRef jit, const char *name, void **address) {
  LLVMOrcExecutorAddress found = 0;
  char *problem = nestlingErrorMessage(LLVMOrcLLJITLookup(jit, &found, name));
  *address = (void *)found;
  return problem;
}

static void nestlingCall(void *entry, void **arguments) {
  ((void (*)(void **))entry)(arguments);
}

static void nestlingInitializeHost(void) {
  LLVMInitializeNativeTarget();
  LLVMInitializeNativeAsmPrinter();
}
*/
import "C"

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"
)

var initializeHost = sync.OnceFunc(func() { C.nestlingInitializeHost() })

// Loaded is object code linked into this process. It stays until the process ends.
type Loaded struct{ jit C.LLVMOrcLLJITRef }

// Load links a relocatable object file against this process. Symbols that
// cannot be resolved are reported when the first symbol is looked up.
func Load(object []byte) (*Loaded, error) {
	if len(object) == 0 {
		return nil, errors.New("loading object code: it is empty")
	}
	initializeHost()
	l := &Loaded{}
	if err := said(C.nestlingNewLinker(&l.jit)); err != nil {
		return nil, fmt.Errorf("making a linker: %w", err)
	}
	if err := said(C.nestlingAddObject(l.jit, (*C.char)(unsafe.Pointer(&object[0])), C.size_t(len(object)))); err != nil {
		return nil, fmt.Errorf("loading object code: %w", err)
	}
	return l, nil
}

// Symbol finds the address of a symbol of the object.
func (l *Loaded) Symbol(name string) (unsafe.Pointer, error) {
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	var address unsafe.Pointer
	if err := said(C.nestlingLookup(l.jit, cname, &address)); err != nil {
		return nil, fmt.Errorf("symbol %s: %w", name, err)
	}
	return address, nil
}

// said turns a malloc'ed message into an error and frees it.
func said(problem *C.char) error {
	if problem == nil {
		return nil
	}
	defer C.free(unsafe.Pointer(problem))
	return errors.New(C.GoString(problem))
}

// Call calls a packed entry point, void (*)(void **), with its pointers. The
// buffers must not be Go memory: code may keep or cross them as it likes.
func (l *Loaded) Call(symbol string, arguments ...unsafe.Pointer) error {
	address, err := l.Symbol(symbol)
	if err != nil {
		return err
	}
	size := C.size_t(len(arguments)) * C.size_t(unsafe.Sizeof(uintptr(0)))
	packed := (*unsafe.Pointer)(C.malloc(size + 1))
	defer C.free(unsafe.Pointer(packed))
	copy(unsafe.Slice(packed, len(arguments)), arguments)
	C.nestlingCall(address, packed)
	return nil
}
