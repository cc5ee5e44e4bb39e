package loader

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Memory is room for numbers that is not Go's.
func Memory(n int) []float64 {
	memory, err := unix.Mmap(-1, 0, 8*n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		panic(err)
	}
	return unsafe.Slice((*float64)(unsafe.Pointer(&memory[0])), n)
}
