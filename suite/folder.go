package suite

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// MaxModuleBytes is the size above which a module is refused: beyond what a
// model with its weights written out takes, and before memory runs out.
const MaxModuleBytes = 1 << 30

// ReadModule reads a module of a user. The error names the file and says what
// is wrong with it: absent, a folder, empty, too large, or not text at all.
// Whether it is a program of linalg operations is for the compiler to say.
func ReadModule(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: no such file", path)
	case err != nil:
		return nil, fmt.Errorf("cannot read the module: %w", err)
	case info.IsDir():
		return nil, fmt.Errorf("%s is a folder, not a module", path)
	case info.Size() > MaxModuleBytes:
		return nil, fmt.Errorf("%s holds %d bytes; a module may hold at most %d", path, info.Size(), MaxModuleBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the module: %w", err)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, fmt.Errorf("%s is empty; it must hold an MLIR module", path)
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return nil, fmt.Errorf("%s is not MLIR text (it holds zero bytes)", path)
	}
	return text, nil
}

// FromFolder reads every .mlir file of a folder (not of folders inside it), in
// the order of their names. Name is the file's path.
func FromFolder(dir string) ([]Program, error) {
	if info, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("cannot read the folder of programs: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a folder; a training set is a folder of .mlir files", dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot list the folder of programs: %w", err)
	}
	var paths []string
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".mlir" {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no .mlir files in %s", dir)
	}
	var programs []Program
	for _, path := range paths {
		text, err := ReadModule(path)
		if err != nil {
			return nil, err
		}
		programs = append(programs, Program{Name: path, Module: string(text)})
	}
	return programs, nil
}
