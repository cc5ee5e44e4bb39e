package baseline

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// wrapper writes a shell script that is passed off as a Python.
func wrapper(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "python")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// without is a real Python that has no PyTorch.
func without(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	text := "raise ModuleNotFoundError(\"No module named 'torch'\")\n"
	if err := os.WriteFile(filepath.Join(folder, "torch.py"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return wrapper(t, `PYTHONPATH=`+folder+` exec `+python(t)+` "$@"`)
}

func TestFindPython(t *testing.T) {
	if path := python(t); !filepath.IsAbs(path) {
		t.Errorf("%s is not absolute", path)
	}
	_, err := FindPython(t.Context(), without(t))
	wants(t, err, "ModuleNotFoundError: No module named 'torch'")
	wants(t, err, "apt install python3-torch libopenblas0-pthread")
	_, err = FindPython(t.Context(), "/no/such/python")
	wants(t, err, "no Python with PyTorch (/no/such/python: not found)")
	_, err = FindPython(t.Context(), wrapper(t, "exit 7"))
	wants(t, err, "exit status 7")
}

func TestStartWithoutTorch(t *testing.T) {
	startFails(t, Options{Python: without(t), Method: Eager, Threads: 1},
		"cannot import torch (ModuleNotFoundError: No module named 'torch'); install it with: apt install python3-torch libopenblas0-pthread")
	startFails(t, Options{Python: "/no/such/python", Method: Eager, Threads: 1},
		`cannot run the Python "/no/such/python": not found`)
}

// slowBLAS is what the reference BLAS is to PyTorch: a library of that name
// whose matrix product is three plain loops.
const slowBLAS = `
void sgemm_(const char *ta, const char *tb, const int *m, const int *n, const int *k, const float *alpha,
            const float *a, const int *lda, const float *b, const int *ldb, const float *beta, float *c, const int *ldc) {
	int at = *ta == 't' || *ta == 'T', bt = *tb == 't' || *tb == 'T';
	for (int j = 0; j < *n; j++)
		for (int i = 0; i < *m; i++) {
			float s = 0;
			for (int l = 0; l < *k; l++)
				s += (at ? a[l + i * *lda] : a[i + l * *lda]) * (bt ? b[j + l * *ldb] : b[l + j * *ldb]);
			c[i + j * *ldc] = *alpha * s + (*beta == 0 ? 0 : *beta * c[i + j * *ldc]);
		}
}
`

func TestReferenceBLASIsRefused(t *testing.T) {
	folder := t.TempDir()
	source, library := filepath.Join(folder, "slow.c"), filepath.Join(folder, "libblas.so.3")
	if err := os.WriteFile(source, []byte(slowBLAS), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cc", "-shared", "-fPIC", "-O1", "-o", library, source).CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
	slow := wrapper(t, `LD_PRELOAD=`+library+` exec `+python(t)+` "$@"`)
	startFails(t, Options{Python: slow, Method: Eager, Threads: 1}, "is no opponent: its matrix products run on the reference BLAS")
	startFails(t, Options{Python: slow, Method: Eager, Threads: 1}, "apt install libopenblas0-pthread")
}
