package baseline

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// memory is a file without a name, shared with the process: tensors pass
// through it as raw float32 of this machine's byte order.
type memory struct{ file *os.File }

func newMemory(name string) (*memory, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("shared memory: %w", err)
	}
	return &memory{os.NewFile(uintptr(fd), name)}, nil
}

// write stores tensors one after the other.
func (m *memory) write(tensors [][]float32) error {
	if err := m.clear(); err != nil {
		return err
	}
	offset := int64(0)
	for _, t := range tensors {
		n, err := m.file.WriteAt(bytesOf(t), offset)
		if err != nil {
			return fmt.Errorf("shared memory: %w", err)
		}
		offset += int64(n)
	}
	return nil
}

// clear gives the memory back.
func (m *memory) clear() error { return m.file.Truncate(0) }

// read returns the first n elements.
func (m *memory) read(n int) ([]float32, error) {
	out := make([]float32, n)
	if _, err := m.file.ReadAt(bytesOf(out), 0); err != nil {
		return nil, fmt.Errorf("shared memory: %w", err)
	}
	return out, nil
}

func bytesOf(t []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(t))), 4*len(t))
}
