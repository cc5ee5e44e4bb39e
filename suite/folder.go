package suite

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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

// ListFile tells of each program of a folder of generated ones what its module
// does not.
const ListFile = "programs.json"

// Listed is what ListFile holds of a program. Its module is in NAME.mlir.
type Listed struct {
	Name   string  `json:"name"`
	Family string  `json:"family"`
	Flops  float64 `json:"flops"` // floating-point operations of one run
	Split  Split   `json:"split"`
	Seed   uint64  `json:"seed"`
}

// Files are the names and contents of a folder of programs that were generated
// for a split with a seed: a module each, and the list of them last.
func Files(programs []Program, split Split, seed uint64) ([]File, error) {
	var files []File
	list := []Listed{}
	for _, p := range programs {
		files = append(files, File{p.Name + moduleExtension, []byte(p.Module)})
		list = append(list, Listed{p.Name, p.Family, p.Flops, split, seed})
	}
	text, err := json.MarshalIndent(list, "", "  ")
	return append(files, File{ListFile, append(text, '\n')}), err
}

// File is one file of a folder.
type File struct {
	Name    string
	Content []byte
}

const moduleExtension = ".mlir"

// FromFolder reads every .mlir file of a folder (not of folders inside it), in
// the order of their names. Name is the file's path; what the folder's ListFile,
// if it has one, tells of a program is known of it, too.
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
		if filepath.Ext(e.Name()) == moduleExtension {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no .mlir files in %s", dir)
	}
	listed, err := readList(dir)
	if err != nil {
		return nil, err
	}
	var programs []Program
	for _, path := range paths {
		text, err := ReadModule(path)
		if err != nil {
			return nil, err
		}
		known := listed[strings.TrimSuffix(filepath.Base(path), moduleExtension)]
		programs = append(programs, Program{Name: path, Module: string(text), Family: known.Family, Flops: known.Flops})
	}
	return programs, nil
}

// readList reads a folder's ListFile, by the names of programs.
func readList(dir string) (map[string]Listed, error) {
	path := filepath.Join(dir, ListFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the list of programs: %w", err)
	}
	var list []Listed
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("%s is no list of programs as `nestling gen` writes it: %w", path, err)
	}
	listed := map[string]Listed{}
	for _, l := range list {
		listed[l.Name] = l
	}
	return listed, nil
}
