package runner

/*
#include "crash.h"
#include <stdlib.h>
*/
import "C"

import (
	"fmt"
	"hash/maphash"
	"math"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// guardBytes on either side of a buffer cannot be touched. Wide, because a
	// wrong stride leads far.
	guardBytes = 1 << 20
	// alignment of every buffer, as the C interface promises.
	alignment = 64
	// canary fills what page and alignment leave over around a buffer.
	canary = 0xA5
	// poison is a NaN that no computation produces: what still holds it was
	// never written.
	poison = 0x7FD5A5A5
)

// buffer is memory between guard pages. It ends as near to the trailing guard
// as alignment allows, so that reading or writing past the end faults.
type buffer struct {
	name    string
	mapping []byte // guards included
	body    []byte // whole pages between the guards
	start   int    // of data in body
	data    []byte
}

// newBuffer maps a buffer filled with poison.
func newBuffer(name string, size int64) (*buffer, error) {
	if size < 0 {
		return nil, fmt.Errorf("%s: a size of %d bytes", name, size)
	}
	page := int64(unix.Getpagesize())
	room := (size + alignment + page - 1) / page * page
	mapping, err := unix.Mmap(-1, 0, int(room+2*guardBytes), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("%s: no memory for %d bytes: %w", name, size, err)
	}
	body := mapping[guardBytes : guardBytes+room]
	if err := unix.Mprotect(body, unix.PROT_READ|unix.PROT_WRITE); err != nil {
		return nil, fmt.Errorf("%s: no memory for %d bytes: %w", name, size, err)
	}
	start := int(room-size) &^ (alignment - 1)
	b := &buffer{name: name, mapping: mapping, body: body, start: start, data: body[start : start+int(size)]}
	b.watch()
	fill(body[:start], canary)
	fill(body[start+int(size):], canary)
	b.poison()
	return b, nil
}

func (b *buffer) watch() {
	name := C.CString(b.name)
	defer C.free(unsafe.Pointer(name))
	low := unsafe.Pointer(unsafe.SliceData(b.mapping))
	C.nestlingWatch(name, low, b.pointer(), unsafe.Add(b.pointer(), len(b.data)), unsafe.Add(low, len(b.mapping)))
}

func (b *buffer) pointer() unsafe.Pointer {
	return unsafe.Pointer(unsafe.SliceData(b.body[b.start:]))
}

func (b *buffer) free() error { return unix.Munmap(b.mapping) }

func (b *buffer) floats() []float32 {
	return unsafe.Slice((*float32)(b.pointer()), len(b.data)/4)
}

func fill(b []byte, value byte) {
	for i := range b {
		b[i] = value
	}
}

func (b *buffer) poison() {
	floats := b.floats()
	for i := range floats {
		floats[i] = math.Float32frombits(poison)
	}
}

// unwritten counts the elements that are still poisoned and finds the first.
func (b *buffer) unwritten() (count, first int) {
	for i, f := range b.floats() {
		if math.Float32bits(f) == poison {
			if count == 0 {
				first = i
			}
			count++
		}
	}
	return count, first
}

// overrun tells whether something was written between the buffer and its guards.
func (b *buffer) overrun() error {
	for i, x := range b.body[:b.start] {
		if x != canary {
			return fmt.Errorf("memory %d bytes before the start of %s was written", b.start-i, b.name)
		}
	}
	for i, x := range b.body[b.start+len(b.data):] {
		if x != canary {
			return fmt.Errorf("memory %d bytes past the end of %s was written", i, b.name)
		}
	}
	return nil
}

// constant is a buffer that the kernel may only read.
type constant struct {
	*buffer
	sum uint64
}

var seed = maphash.MakeSeed()

// freeze takes the buffer's content as it has to stay.
func freeze(b *buffer) constant { return constant{b, maphash.Bytes(seed, b.data)} }

func (c constant) changed() error {
	if maphash.Bytes(seed, c.data) != c.sum {
		return fmt.Errorf("%s was changed", c.name)
	}
	return nil
}
