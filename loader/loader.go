// Package loader links relocatable objects into this process: ELF for x86-64, as the
// compiler makes it. LLVM's linker for just-in-time code could do it, too, but a process
// that loads libLLVM and what that needs takes ten times as long to start, and a process
// serves one candidate.
package loader

/*
#cgo LDFLAGS: -lm
#define _GNU_SOURCE
#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>

// Code may call the functions of libm: something here has to, or it is not loaded.
double (*volatile nestlingKeepsLibm)(double, double) = fmod;

static void *nestlingFind(const char *name) { return dlsym(RTLD_DEFAULT, name); }

static void nestlingCall(void *entry, void **arguments) {
  ((void (*)(void **))entry)(arguments);
}
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// Loaded is object code linked into this process. It stays until the process ends.
type Loaded struct{ symbols map[string]uintptr }

// Load links a relocatable object file against this process. Symbols that the process
// does not have are an error.
func Load(object []byte) (*Loaded, error) {
	m, err := newImage(object)
	if err != nil {
		return nil, fmt.Errorf("loading object code: %w", err)
	}
	if err := m.link(); err != nil {
		return nil, fmt.Errorf("linking object code: %w", err)
	}
	return &Loaded{symbols: m.defined()}, nil
}

// inProcess finds a symbol of this process and its libraries.
func inProcess(name string) (uintptr, bool) {
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	address := uintptr(C.nestlingFind(cname))
	return address, address != 0
}

// Symbol finds the address of a symbol of the object.
func (l *Loaded) Symbol(name string) (unsafe.Pointer, error) {
	address, found := l.symbols[name]
	if !found {
		return nil, fmt.Errorf("symbol %s: the object does not define it", name)
	}
	return *(*unsafe.Pointer)(unsafe.Pointer(&address)), nil // an address outside of Go's memory
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
