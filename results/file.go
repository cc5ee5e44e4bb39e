// Package results is where results live: the folders of training runs, and the
// files that hold what benchmarks took.
//
//	results/MODEL/run_N/models/checkpoint_NNNNNN/  checkpoints
//	results/MODEL/run_N/logs/                      JSON lines, TensorBoard event files
//	results/MODEL/run_N/benchmarks/                one file per method, the comparison
package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// File is the content of a results file: one method's entries by benchmark.
type File map[string]Entry

// Write writes a results file. Readers see the old content or the new, never
// half of it; the folder is made where it is missing.
func Write(path string, f File) error {
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if err := f[name].check(name); err != nil {
			return fmt.Errorf("cannot write %s: %w", path, err)
		}
	}
	return WriteJSON(path, f)
}

// WriteJSON writes a value as indented JSON, as WriteFile does.
func WriteJSON(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return WriteFile(path, append(text, '\n'))
}

// WriteFile writes a file by way of another name in the same folder, which it
// makes where it is missing: what stood at path stays until all of the new
// content is on the disk.
func WriteFile(path string, content []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	temp, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, reason(err))
	}
	if err := fill(temp, content); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, errors.Join(reason(err), os.Remove(temp.Name())))
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return errors.Join(fmt.Errorf("cannot write %s: %w", path, err), os.Remove(temp.Name()))
	}
	return syncPath(dir)
}

// fill writes, syncs and closes.
func fill(f *os.File, content []byte) error {
	_, err := f.Write(content)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Read reads a results file. Its errors are one line each: the file, what is
// wrong with it, and the command that makes it.
func Read(path string) (File, error) {
	f, err := read(path)
	if err == nil {
		return f, nil
	}
	if m, known := methodOfFile(path); known {
		return nil, fmt.Errorf("%s: %w; `%s` makes it", path, err, m.Command)
	}
	return nil, fmt.Errorf("%s: %w", path, err)
}

func read(path string) (File, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("no such file")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", reason(err))
	}
	f, err := parse(text)
	if err != nil {
		return nil, err
	}
	return f, f.check(path)
}

func parse(text []byte) (File, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, errors.New("is empty")
	}
	var entries map[string]json.RawMessage
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&entries); err != nil {
		return nil, explain(err, text)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("has more text after the results, in line %d", line(text, decoder.InputOffset()))
	}
	if len(entries) == 0 {
		return nil, errors.New("holds no benchmark")
	}
	return parseEntries(entries)
}

func parseEntries(entries map[string]json.RawMessage) (File, error) {
	f := File{}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		var e Entry
		err := json.Unmarshal(entries[name], &e)
		var wrong *json.UnmarshalTypeError
		switch {
		case errors.As(err, &wrong) && wrong.Field == "":
			return nil, fmt.Errorf("is not a results file: %s is a JSON %s where an object belongs", name, wrong.Value)
		case errors.As(err, &wrong):
			return nil, fmt.Errorf("is not a results file: %s of %s is a JSON %s", wrong.Field, name, wrong.Value)
		case err != nil:
			return nil, fmt.Errorf("is not a results file: %s: %w", name, err)
		}
		f[name] = e
	}
	return f, nil
}

// check makes sure that all entries are sound and of the file's own method.
func (f File) check(path string) error {
	method, known := methodOfFile(path)
	for _, name := range slices.Sorted(maps.Keys(f)) {
		e := f[name]
		if err := e.check(name); err != nil {
			return fmt.Errorf("is not a results file: %w", err)
		}
		if known && e.Method != method.Name {
			return fmt.Errorf("holds results of %s (%s) where those of %s belong", e.Method, name, method.Name)
		}
	}
	return nil
}

// explain says why text is not one JSON object.
func explain(err error, text []byte) error {
	var wrong *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("is cut short: it ends in line %d, inside the results", line(text, int64(len(text))))
	case errors.As(err, &syntax):
		return fmt.Errorf("is not JSON: line %d: %w", line(text, syntax.Offset), err)
	case errors.As(err, &wrong):
		return fmt.Errorf("is not a results file: it holds a JSON %s where an object by benchmark name belongs", wrong.Value)
	}
	return fmt.Errorf("is not a results file: %w", err)
}

// line is the number of the line that the byte at offset is in.
func line(text []byte, offset int64) int {
	offset = min(offset, int64(len(text)))
	return 1 + bytes.Count(bytes.TrimRight(text[:offset], "\n"), []byte("\n"))
}
