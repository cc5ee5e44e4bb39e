package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nestling/baseline"
)

// find picks one check's finding, made with the present environment.
func find(t *testing.T, name, python string) Finding {
	t.Helper()
	for _, c := range append(software(python), hardware()...) {
		if c.name == name {
			return c.run(t.Context())
		}
	}
	t.Fatalf("nothing checks %q", name)
	return Finding{}
}

// wants checks one finding.
func wants(t *testing.T, f Finding, status Status, detail, remedy string) {
	t.Helper()
	if f.Status != status || !strings.Contains(f.Detail, detail) || !strings.Contains(f.Remedy, remedy) {
		t.Errorf("%+v\nwant %s, %q in its detail, %q in its remedy", f, status, detail, remedy)
	}
}

// command puts a program of this name, a shell script, into an otherwise empty
// PATH.
func command(t *testing.T, name, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
}

// The machine that runs the tests has everything: set-up saw to it.
func TestThisMachine(t *testing.T) {
	findings := Check(t.Context(), "")
	if !Healthy(findings) {
		t.Error("not healthy")
	}
	for _, f := range findings {
		if f.Status == Missing || f.Detail == "" {
			t.Errorf("%+v", f)
		}
	}
	i := slices.IndexFunc(findings, func(f Finding) bool { return f.Name == "LLVM 22" })
	wants(t, findings[i], OK, "22.", "")
}

func TestGo(t *testing.T) {
	command(t, "go", "echo go1.25.9")
	wants(t, find(t, "Go", ""), Missing, "go1.25.9 is too old; go1.26 or newer is needed", "https://go.dev/dl")
	command(t, "go", "echo go1.26.0")
	wants(t, find(t, "Go", ""), OK, "go1.26.0", "")
	t.Setenv("PATH", t.TempDir())
	wants(t, find(t, "Go", ""), Missing, "executable file not found", "https://go.dev/dl")
}

func TestCompilerMissing(t *testing.T) {
	t.Setenv("CC", "/no/such/cc")
	wants(t, find(t, "C compiler", ""), Missing, "/no/such/cc", "apt-get install --no-install-recommends gcc g++")
	wants(t, find(t, "OpenBLAS", ""), Missing, "cannot be tried without a C compiler", "libopenblas-dev")
	t.Setenv("CXX", "/no/such/c++")
	wants(t, find(t, "C++ compiler", ""), Missing, "/no/such/c++", "named by CXX")
}

func TestLibraries(t *testing.T) {
	for _, test := range []struct {
		name, source, library, detail string
	}{
		{"header", "#include <no/such/header.h>\nint main(void) { return 0; }", "-lm", "no/such/header.h"},
		{"library", "int main(void) { return 0; }", "-lnosuchlibrary", "cannot find -lnosuchlibrary"},
		{"symbol", "int no_such_symbol(void);\nint main(void) { return no_such_symbol(); }", "-lm", "undefined reference"},
		{"wrong answer", "#include <stdio.h>\nint main(void) { puts(\"21.1.0\"); return 1; }", "-lm", "does not run: 21.1.0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := check{look: calls(test.source, test.library)}
			wants(t, c.run(t.Context()), Missing, test.detail, "")
		})
	}
}

// The variables that cgo obeys lead the doctor too.
func TestLibraryElsewhere(t *testing.T) {
	dir := t.TempDir()
	header := "extern void openblas_from_elsewhere(void);\n#error from elsewhere\n"
	if err := os.WriteFile(filepath.Join(dir, "cblas.h"), []byte(header), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CGO_CFLAGS", "-O2 -I"+dir)
	wants(t, find(t, "OpenBLAS", ""), Missing, "from elsewhere", "CGO_CFLAGS")
}

func TestNoPyTorch(t *testing.T) {
	wants(t, find(t, "PyTorch", "/no/such/python"), Missing, "/no/such/python: not found", "python3-torch")
}

func TestNoSlurm(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	f := find(t, "Slurm", "")
	wants(t, f, Missing, "sbatch, scontrol, scancel", "slurm-wlm munge")
	if !Healthy([]Finding{f}) {
		t.Error("a machine without Slurm is not healthy")
	}
}

func TestScarce(t *testing.T) {
	c := check{name: "disk", required: true, remedy: "make room"}
	c.look = func(context.Context) (string, error) { return enough(1<<30, 2<<30, "free") }
	f := c.run(t.Context())
	wants(t, f, Low, "1.0 GiB free; 2 GiB are wanted", "make room")
	if !Healthy([]Finding{f}) {
		t.Error("low is not missing")
	}
}

func TestMemory(t *testing.T) {
	got, err := meminfo("MemTotal:  24 kB\nMemAvailable:   16 kB\n", "MemAvailable")
	if got != 16<<10 || err != nil {
		t.Errorf("%d, %v; want 16 KiB", got, err)
	}
	if _, err := meminfo("MemTotal:  24 kB\n", "MemAvailable"); err == nil {
		t.Error("no error for a value that is not there")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"memory.max": "4096\n", "memory.current": "1024\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if room, limited := containerRoom(dir); room != 3072 || !limited {
		t.Errorf("%d, %t; want a limit that leaves 3072", room, limited)
	}
	if _, limited := containerRoom(t.TempDir()); limited {
		t.Error("a limit where there is none")
	}
}

var findings = []Finding{
	{Name: "Go", Status: OK, Detail: "go1.26.8", Required: true},
	{Name: "LLVM 22", Status: Missing, Detail: "cannot find -lLLVM-22", Remedy: "Debian 12: this\nelsewhere: that", Required: true},
	{Name: "Slurm", Status: Missing, Detail: "not found: sbatch", Remedy: "Debian 12: this"},
	{Name: "memory", Status: Low, Detail: "1.0 GiB available", Remedy: "close other programs"},
}

func TestWrite(t *testing.T) {
	var text bytes.Buffer
	if err := Write(&text, findings, false); err != nil {
		t.Fatal(err)
	}
	want := `ok       Go       go1.26.8
missing  LLVM 22  cannot find -lLLVM-22
                  → Debian 12: this
                  → elsewhere: that
missing  Slurm    not found: sbatch (not needed by everyone)
                  → Debian 12: this
low      memory   1.0 GiB available
                  → close other programs
`
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Error(diff)
	}
	if Healthy(findings) {
		t.Error("healthy without LLVM")
	}
}

func TestWriteJSON(t *testing.T) {
	var text bytes.Buffer
	if err := Write(&text, findings, true); err != nil {
		t.Fatal(err)
	}
	var back []Finding
	if err := json.Unmarshal(text.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(findings, back); diff != "" {
		t.Error(diff)
	}
	if want := `"status": "missing"`; !strings.Contains(text.String(), want) {
		t.Errorf("no %s in %s", want, text.String())
	}
}

// What is installed, what is recommended and what is linked are the same.
func TestPackages(t *testing.T) {
	for _, c := range software("") {
		if strings.Contains(c.remedy, "--no-install-recommends \n") {
			t.Errorf("packages.txt has nothing for %s", c.name)
		}
	}
	for _, name := range strings.Fields(baseline.Packages) {
		if !slices.Contains(strings.Fields(packages), name) {
			t.Errorf("packages.txt lacks %s, which the benchmarks recommend", name)
		}
	}
}

func TestLinkedAsPackageMLIR(t *testing.T) {
	source, err := os.ReadFile("../mlir/context.go")
	if err != nil {
		t.Fatal(err)
	}
	linked := regexp.MustCompile(`-l[\w+-]+`).FindAllString(string(source), -1)
	if diff := cmp.Diff(linked, mlirLibraries); diff != "" {
		t.Error(diff)
	}
}
