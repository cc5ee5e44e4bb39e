package loader

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unsafe"

	"golang.org/x/sys/unix"
)

// image is an object on its way into memory, in three groups of pages:
//
//	code, and a stub for each symbol, which jumps to where its entry in the table says
//	constants, and the table of all symbols' addresses
//	variables
//
// Libraries may lie farther from code than its calls reach, stubs do not.
type image struct {
	file    *elf.File
	symbols []elf.Symbol // of index 1 and on, as relocations count
	memory  []byte
	groups  [3]group
	at      map[elf.SectionIndex]int // where sections lie in memory
	stubs   int
	table   int
}

// group is a range of memory whose pages have the same protection.
type group struct{ from, to, protection int }

const (
	code = iota
	constants
	variables
)

var protections = [...]int{code: unix.PROT_READ | unix.PROT_EXEC, constants: unix.PROT_READ, variables: unix.PROT_READ | unix.PROT_WRITE}

const (
	stubBytes  = 8
	entryBytes = 8
	pageBytes  = 4096
)

// newImage reads an object and copies its sections to where they will stay.
func newImage(object []byte) (*image, error) {
	file, err := elf.NewFile(bytes.NewReader(object))
	if err != nil {
		return nil, err
	}
	if file.Type != elf.ET_REL || file.Machine != elf.EM_X86_64 || file.Class != elf.ELFCLASS64 || file.Data != elf.ELFDATA2LSB {
		return nil, fmt.Errorf("it is %v for %v (%v, %v), not a relocatable object for x86-64", file.Type, file.Machine, file.Class, file.Data)
	}
	m := &image{file: file, at: map[elf.SectionIndex]int{}}
	if m.symbols, err = file.Symbols(); err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return nil, err
	}
	total, err := m.layOut()
	if err != nil {
		return nil, err
	}
	if m.memory, err = unix.Mmap(-1, 0, max(total, 1), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON); err != nil {
		return nil, fmt.Errorf("%d bytes of memory for it: %w", total, err)
	}
	return m, m.copySections()
}

// largest is how far 32 bits reach, and so how large an image may be.
const largest = 1 << 31

// layOut finds a place for everything and returns how many bytes that takes.
func (m *image) layOut() (int, error) {
	end := 0
	for g := range m.groups {
		end = aligned(end, pageBytes)
		m.groups[g] = group{from: end, protection: protections[g]}
		for i, s := range m.file.Sections {
			of, loaded := groupOf(s)
			if !loaded || of != g {
				continue
			}
			if s.Addralign > pageBytes || s.Size >= largest || end+int(s.Size) >= largest {
				return 0, fmt.Errorf("section %s: %d bytes at multiples of %d are more than is possible here", s.Name, s.Size, s.Addralign)
			}
			end = aligned(end, int(max(s.Addralign, 1)))
			m.at[elf.SectionIndex(i)] = end
			end += int(s.Size)
		}
		switch g {
		case code:
			m.stubs = aligned(end, stubBytes)
			end = m.stubs + stubBytes*(len(m.symbols)+1)
		case constants:
			m.table = aligned(end, entryBytes)
			end = m.table + entryBytes*(len(m.symbols)+1)
		}
		m.groups[g].to = end
	}
	return end, nil
}

func aligned(n, to int) int { return (n + to - 1) / to * to }

// groupOf tells where a section belongs; what serves to unwind stacks is left out, for
// kernels throw nothing.
func groupOf(s *elf.Section) (group int, loaded bool) {
	switch {
	case s.Flags&elf.SHF_ALLOC == 0 || s.Name == ".eh_frame":
		return 0, false
	case s.Flags&elf.SHF_EXECINSTR != 0:
		return code, true
	case s.Flags&elf.SHF_WRITE != 0:
		return variables, true
	}
	return constants, true
}

func (m *image) copySections() error {
	for i, at := range m.at {
		s := m.file.Sections[i]
		if s.Type == elf.SHT_NOBITS {
			continue
		}
		content, err := s.Data()
		if err != nil {
			return fmt.Errorf("section %s: %w", s.Name, err)
		}
		copy(m.memory[at:], content)
	}
	return nil
}

// address is where a place of the image is for who runs it.
func (m *image) address(at int) uintptr { return uintptr(unsafe.Pointer(&m.memory[0])) + uintptr(at) }

// link fills in all addresses and protects the pages.
func (m *image) link() error {
	for _, s := range m.file.Sections {
		target, loaded := m.at[elf.SectionIndex(s.Info)]
		if s.Type == elf.SHT_REL && loaded {
			return fmt.Errorf("section %s: relocations without addends, which x86-64 has none of", s.Name)
		}
		if s.Type != elf.SHT_RELA || !loaded {
			continue
		}
		content, err := s.Data()
		if err != nil {
			return fmt.Errorf("section %s: %w", s.Name, err)
		}
		relocations := make([]elf.Rela64, len(content)/24)
		if err := binary.Read(bytes.NewReader(content), binary.LittleEndian, relocations); err != nil {
			return fmt.Errorf("section %s: %w", s.Name, err)
		}
		size := m.file.Sections[s.Info].Size
		for _, r := range relocations {
			if r.Off > size || size-r.Off < width(r) {
				return fmt.Errorf("section %s: a relocation beyond the end of %s", s.Name, m.file.Sections[s.Info].Name)
			}
			if err := m.relocate(target+int(r.Off), r); err != nil {
				return err
			}
		}
	}
	for _, g := range m.groups {
		if g.to == g.from {
			continue
		}
		if err := unix.Mprotect(m.memory[g.from:g.to], g.protection); err != nil {
			return fmt.Errorf("protecting memory: %w", err)
		}
	}
	return nil
}

// width is how many bytes a relocation fills in.
func width(r elf.Rela64) uint64 {
	switch elf.R_X86_64(r.Info & math.MaxUint32) {
	case elf.R_X86_64_64, elf.R_X86_64_PC64:
		return 8
	}
	return 4
}

// relocate fills in one address; names and formulas are those of the System V
// application binary interface for x86-64.
func (m *image) relocate(at int, r elf.Rela64) error {
	index := int(r.Info >> 32)
	symbol, err := m.resolve(index)
	if err != nil {
		return err
	}
	kind, place := elf.R_X86_64(r.Info&math.MaxUint32), m.address(at)
	relative := func(to uintptr) int64 { return int64(to) + r.Addend - int64(place) }
	switch kind {
	case elf.R_X86_64_64:
		binary.LittleEndian.PutUint64(m.memory[at:], uint64(int64(symbol)+r.Addend))
		return nil
	case elf.R_X86_64_PC64:
		binary.LittleEndian.PutUint64(m.memory[at:], uint64(relative(symbol)))
		return nil
	case elf.R_X86_64_PC32:
		return m.put32(at, relative(symbol), index)
	case elf.R_X86_64_PLT32:
		if !m.foreign(index) {
			return m.put32(at, relative(symbol), index)
		}
		return m.put32(at, relative(m.stub(index, symbol)), index)
	case elf.R_X86_64_GOTPCREL, elf.R_X86_64_GOTPCRELX, elf.R_X86_64_REX_GOTPCRELX:
		return m.put32(at, relative(m.entry(index, symbol)), index)
	}
	return fmt.Errorf("%s: a relocation of kind %v, which is not known here", m.name(index), kind)
}

func (m *image) put32(at int, value int64, index int) error {
	if value != int64(int32(value)) {
		return fmt.Errorf("%s is farther away than 32 bits reach", m.name(index))
	}
	binary.LittleEndian.PutUint32(m.memory[at:], uint32(value))
	return nil
}

// name is what to call a symbol by; sections have none of their own.
func (m *image) name(index int) string {
	if index == 0 || index > len(m.symbols) {
		return "no symbol"
	}
	s := m.symbols[index-1]
	if s.Name == "" && int(s.Section) < len(m.file.Sections) {
		return m.file.Sections[s.Section].Name
	}
	return s.Name
}

// foreign reports whether a symbol is another's.
func (m *image) foreign(index int) bool {
	return index > 0 && m.symbols[index-1].Section == elf.SHN_UNDEF
}

// resolve is the address of a symbol. A weak one that nobody defines is at 0.
func (m *image) resolve(index int) (uintptr, error) {
	if index == 0 {
		return 0, nil
	}
	if index > len(m.symbols) {
		return 0, fmt.Errorf("a relocation by symbol %d of %d", index, len(m.symbols))
	}
	s := m.symbols[index-1]
	switch s.Section {
	case elf.SHN_UNDEF:
		address, found := inProcess(s.Name)
		if !found && elf.ST_BIND(s.Info) != elf.STB_WEAK {
			return 0, fmt.Errorf("symbol %s is not defined", s.Name)
		}
		return address, nil
	case elf.SHN_ABS:
		return uintptr(s.Value), nil
	case elf.SHN_COMMON:
		return 0, fmt.Errorf("symbol %s is common to several objects; here is one", s.Name)
	}
	at, loaded := m.at[s.Section]
	if !loaded {
		return 0, fmt.Errorf("%s lies in section %d, which is not loaded", m.name(index), s.Section)
	}
	return m.address(at + int(s.Value)), nil
}

// entry is where the table has a symbol's address.
func (m *image) entry(index int, symbol uintptr) uintptr {
	at := m.table + entryBytes*index
	binary.LittleEndian.PutUint64(m.memory[at:], uint64(symbol))
	return m.address(at)
}

// stub is where code calls a symbol that may be far away.
func (m *image) stub(index int, symbol uintptr) uintptr {
	at := m.stubs + stubBytes*index
	const instruction = 6
	copy(m.memory[at:], []byte{0xff, 0x25}) // jmp *offset(%rip)
	offset := m.entry(index, symbol) - m.address(at+instruction)
	binary.LittleEndian.PutUint32(m.memory[at+2:], uint32(offset))
	return m.address(at)
}

// defined are the addresses of the symbols that the object defines for others.
func (m *image) defined() map[string]uintptr {
	symbols := map[string]uintptr{}
	for _, s := range m.symbols {
		if at, loaded := m.at[s.Section]; loaded && elf.ST_BIND(s.Info) != elf.STB_LOCAL {
			symbols[s.Name] = m.address(at + int(s.Value))
		}
	}
	return symbols
}
