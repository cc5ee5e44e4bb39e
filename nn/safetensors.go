package nn

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
)

// Array is a named tensor in a file.
type Array struct {
	Name  string
	Shape []int
	Data  []float32
}

// Arrays are the values of parameters; they share memory with them.
func Arrays(parameters []*Parameter) []Array {
	out := make([]Array, len(parameters))
	for i, p := range parameters {
		out[i] = Array{p.Name, p.Shape, p.Data}
	}
	return out
}

// SaveParameters writes parameters into a file, as WriteSafetensors does.
func SaveParameters(path string, parameters []*Parameter) error {
	return WriteSafetensors(path, Arrays(parameters), nil)
}

// LoadParameters gives parameters what a file holds of those names and shapes. On an error
// nothing has changed.
func LoadParameters(path string, parameters []*Parameter) error {
	file, err := ReadSafetensors(path)
	if err != nil {
		return err
	}
	return file.CopyTo(Arrays(parameters))
}

// Safetensors is the content of a file in the safetensors format.
type Safetensors struct {
	Path     string
	Arrays   map[string]Array
	Metadata map[string]string
}

type header struct {
	Type    string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
}

const (
	metadataKey = "__metadata__"
	maxHeader   = 100 << 20 // the limit of the format's own library
)

// WriteSafetensors writes F32 tensors and string metadata in the safetensors
// format. The file appears whole or not at all: it is written beside path, synced
// and renamed.
func WriteSafetensors(path string, arrays []Array, metadata map[string]string) error {
	head, err := encodeHeader(arrays, metadata)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	size := 8 + len(head)
	for _, a := range arrays {
		size += 4 * len(a.Data)
	}
	content := binary.LittleEndian.AppendUint64(make([]byte, 0, size), uint64(len(head)))
	content = append(content, head...)
	for _, a := range arrays {
		for _, v := range a.Data {
			content = binary.LittleEndian.AppendUint32(content, math.Float32bits(v))
		}
	}
	return replaceFile(path, content)
}

func encodeHeader(arrays []Array, metadata map[string]string) ([]byte, error) {
	entries := map[string]any{}
	if len(metadata) > 0 {
		entries[metadataKey] = metadata
	}
	at := 0
	for _, a := range arrays {
		if _, twice := entries[a.Name]; twice || len(a.Data) != product(a.Shape) {
			return nil, fmt.Errorf("tensor %q is named twice or has %d elements for shape %v", a.Name, len(a.Data), a.Shape)
		}
		entries[a.Name] = header{"F32", a.Shape, [2]int{at, at + 4*len(a.Data)}}
		at += 4 * len(a.Data)
	}
	head, err := json.Marshal(entries)
	// Spaces at the end align the data to 8 bytes.
	return append(head, bytes.Repeat([]byte{' '}, -len(head)&7)...), err
}

func replaceFile(path string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(content)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// ReadSafetensors reads a whole file. Anything but complete F32 tensors is an
// error that says what is wrong with it.
func ReadSafetensors(path string) (*Safetensors, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	file, err := decode(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	file.Path = path
	return file, nil
}

func decode(content []byte) (*Safetensors, error) {
	if len(content) < 8 {
		return nil, fmt.Errorf("not a safetensors file: %d bytes are too few", len(content))
	}
	n := binary.LittleEndian.Uint64(content)
	if n > maxHeader || len(content) > 8 && content[8] != '{' {
		return nil, errors.New("not a safetensors file: it does not begin with a header's length and a JSON object")
	}
	if uint64(len(content)-8) < n {
		return nil, fmt.Errorf("cut short: a header of %d bytes, but only %d are there", n, len(content)-8)
	}
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(content[8:8+n], &entries); err != nil {
		return nil, fmt.Errorf("not a safetensors file: header: %w", err)
	}
	return decodeEntries(entries, content[8+n:])
}

func decodeEntries(entries map[string]json.RawMessage, data []byte) (*Safetensors, error) {
	file := &Safetensors{Arrays: map[string]Array{}}
	if raw, ok := entries[metadataKey]; ok {
		if err := json.Unmarshal(raw, &file.Metadata); err != nil {
			return nil, fmt.Errorf("not a safetensors file: metadata: %w", err)
		}
		delete(entries, metadataKey)
	}
	used := 0
	for name, raw := range entries {
		var h header
		if err := json.Unmarshal(raw, &h); err != nil {
			return nil, fmt.Errorf("not a safetensors file: tensor %q: %w", name, err)
		}
		values, err := h.values(data)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		file.Arrays[name] = Array{name, h.Shape, values}
		used += 4 * len(values)
	}
	if used != len(data) {
		return nil, fmt.Errorf("%d bytes of data, but its tensors have %d", len(data), used)
	}
	return file, nil
}

func (h *header) values(data []byte) ([]float32, error) {
	from, to := h.Offsets[0], h.Offsets[1]
	switch {
	case h.Type != "F32":
		return nil, fmt.Errorf("type %s; only F32 can be read", h.Type)
	case from < 0 || to < from || h.elements() < 0 || to-from != 4*h.elements():
		return nil, fmt.Errorf("bytes %d … %d do not hold shape %v", from, to, h.Shape)
	case to > len(data):
		return nil, fmt.Errorf("cut short: data ends at byte %d of %d", len(data), to)
	}
	out := make([]float32, (to-from)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[from+4*i:]))
	}
	return out, nil
}

// elements is the number of elements of the shape, or -1 if it makes no sense.
func (h *header) elements() int {
	n := 1
	for _, d := range h.Shape {
		if d < 0 || d > 0 && n > math.MaxInt32/d {
			return -1
		}
		n *= d
	}
	return n
}

// ErrOtherNetwork is what CopyTo's errors are.
var ErrOtherNetwork = errors.New("it belongs to another network")

// CopyTo copies the file's tensors into arrays of the same names and shapes. The
// file must hold exactly those; otherwise nothing is copied.
func (s *Safetensors) CopyTo(arrays []Array) error {
	for _, a := range arrays {
		got, ok := s.Arrays[a.Name]
		if !ok {
			return fmt.Errorf("%s: no tensor %q of shape %v; it holds %d others: %w", s.Path, a.Name, a.Shape, len(s.Arrays), ErrOtherNetwork)
		}
		if !slices.Equal(got.Shape, a.Shape) {
			return fmt.Errorf("%s: tensor %q has shape %v, want %v: %w", s.Path, a.Name, got.Shape, a.Shape, ErrOtherNetwork)
		}
	}
	if len(s.Arrays) != len(arrays) {
		return fmt.Errorf("%s: %d tensors, want %d: %w", s.Path, len(s.Arrays), len(arrays), ErrOtherNetwork)
	}
	for _, a := range arrays {
		copy(a.Data, s.Arrays[a.Name].Data)
	}
	return nil
}
