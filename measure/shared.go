package measure

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"nestling/measure/wire"
)

// shared is memory that passes tensors to and from runners: a file without a
// name, mapped here, read and written through its descriptor there. It holds
// the tensors of one program at a time.
type shared struct {
	file   *os.File
	memory []byte
	holds  *problem // whose inputs are there
	places places
}

// places says where the tensors of a program lie.
type places struct {
	inputs, weights, outputs []wire.Tensor
}

const tensorAlignment = 64

func newShared() (*shared, error) {
	fd, err := unix.MemfdCreate("nestling-tensors", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("shared memory: %w", err)
	}
	return &shared{file: os.NewFile(uintptr(fd), "nestling-tensors")}, nil
}

// load puts a problem's arguments into the memory, unless they are there.
func (s *shared) load(p *problem) error {
	if s.holds == p {
		return nil
	}
	s.holds = nil
	var size int64
	place := func(elements int) wire.Tensor {
		t := wire.Tensor{Offset: size, Elements: elements}
		size += (4*int64(elements) + tensorAlignment - 1) &^ (tensorAlignment - 1)
		return t
	}
	var arguments []wire.Tensor
	s.places = places{}
	for i, input := range p.inputs {
		t := place(len(input))
		arguments = append(arguments, t)
		if p.program.Values[p.program.Args[i]].Weight {
			s.places.weights = append(s.places.weights, t)
		} else {
			s.places.inputs = append(s.places.inputs, t)
		}
	}
	for _, r := range p.reference.Results {
		s.places.outputs = append(s.places.outputs, place(len(r.Values)))
	}
	if err := s.resize(size); err != nil {
		return err
	}
	for i, input := range p.inputs {
		copy(s.floats(arguments[i]), input)
	}
	s.holds = p
	return nil
}

func (s *shared) resize(size int64) error {
	if s.memory != nil {
		if err := unix.Munmap(s.memory); err != nil {
			return fmt.Errorf("shared memory: %w", err)
		}
		s.memory = nil
	}
	if size == 0 {
		return nil
	}
	if err := s.file.Truncate(size); err != nil {
		return fmt.Errorf("shared memory of %d bytes: %w", size, err)
	}
	memory, err := unix.Mmap(int(s.file.Fd()), 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("shared memory of %d bytes: %w", size, err)
	}
	s.memory = memory
	return nil
}

func (s *shared) floats(t wire.Tensor) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(s.memory[t.Offset:]))), t.Elements)
}

// outputs are what the last runner delivered, valid until the next load.
func (s *shared) outputs() [][]float32 {
	out := make([][]float32, len(s.places.outputs))
	for i, t := range s.places.outputs {
		out[i] = s.floats(t)
	}
	return out
}

func (s *shared) close() error {
	if err := s.resize(0); err != nil {
		return err
	}
	return s.file.Close()
}
