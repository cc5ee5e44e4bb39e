package suite

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// folder writes files into a new folder.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFromFolder(t *testing.T) {
	// Brackets in a folder's name are no pattern.
	dir := filepath.Join(folder(t, nil), "models [old]")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"b.mlir": "func b", "a.mlir": "func a", "notes.txt": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := FromFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []Program{{Name: filepath.Join(dir, "a.mlir"), Module: "func a"}, {Name: filepath.Join(dir, "b.mlir"), Module: "func b"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestFilesAreReadBack writes a folder of generated programs as the command does.
func TestFilesAreReadBack(t *testing.T) {
	want := Generate(Test, 3, 12)
	files, err := Files(want, Test, 3)
	if err != nil {
		t.Fatal(err)
	}
	contents := map[string]string{}
	for _, f := range files {
		contents[f.Name] = string(f.Content)
	}
	dir := folder(t, contents)
	got, err := FromFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		want[i].Name = filepath.Join(dir, want[i].Name+".mlir")
		want[i].Graph = nil // no file holds it
	}
	slices.SortFunc(want, func(a, b Program) int { return strings.Compare(a.Name, b.Name) })
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestFromFolderErrors(t *testing.T) {
	files := folder(t, map[string]string{"x.mlir": "func x"})
	nested := folder(t, nil)
	if err := os.Mkdir(filepath.Join(nested, "deep.mlir"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ dir, want string }{
		{filepath.Join(files, "absent"), "absent: no such file or directory"},
		{filepath.Join(files, "x.mlir"), "x.mlir is not a folder; a training set is a folder of .mlir files"},
		{folder(t, map[string]string{"notes.txt": "x"}), "no .mlir files in "},
		{folder(t, map[string]string{"a.mlir": "func a", "bad.mlir": " \n"}), "bad.mlir is empty"},
		{folder(t, map[string]string{"bad.mlir": "\x7fELF\x00\x01"}), "bad.mlir is not MLIR text"},
		{folder(t, map[string]string{"a.mlir": "func a", "programs.json": "{}"}), "programs.json is no list of programs as `nestling gen` writes it"},
		{nested, "deep.mlir is a folder, not a module"},
	} {
		if _, err := FromFolder(tc.dir); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("got %v, want %q", err, tc.want)
		}
	}
}

func TestReadModuleErrors(t *testing.T) {
	dir := folder(t, nil)
	large := filepath.Join(dir, "large.mlir")
	if err := os.WriteFile(large, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, MaxModuleBytes+1); err != nil { // sparse: takes no space
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "absent.mlir"): "absent.mlir: no such file",
		large:                             "large.mlir holds 1073741825 bytes; a module may hold at most 1073741824",
	} {
		if _, err := ReadModule(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
