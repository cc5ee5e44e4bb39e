package baseline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Packages are the Debian packages that bring PyTorch and a BLAS worth
// comparing with.
const Packages = "python3-torch libopenblas0-pthread"

const install = "install it with: apt install " + Packages

// findTimeout limits one attempt at importing PyTorch, which takes seconds on
// a cold disk.
const findTimeout = 2 * time.Minute

// FindPython returns the path of a Python that can import torch: the one asked
// for, or, when python is empty, the first of python3 and /usr/bin/python3.
// The error says what was tried and what to install.
func FindPython(ctx context.Context, python string) (string, error) {
	candidates := []string{"python3", "/usr/bin/python3"}
	if python != "" {
		candidates = []string{python}
	}
	var tried []string
	for _, c := range candidates {
		path, err := importsTorch(ctx, c)
		if err == nil {
			return path, nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		tried = append(tried, fmt.Sprintf("%s: %v", c, err))
	}
	return "", fmt.Errorf("no Python with PyTorch (%s); %s, or name a Python that has it with --python",
		strings.Join(tried, "; "), install)
}

// importsTorch returns the absolute path of a Python that can import torch.
func importsTorch(ctx context.Context, python string) (string, error) {
	path, err := absolutePython(python)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "-c", "import torch")
	cmd.Dir = "/" // a torch.py of the current folder is not PyTorch
	cmd.WaitDelay = time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err = cmd.Run()
	switch {
	case err == nil:
		return path, nil
	case ctx.Err() != nil:
		return "", fmt.Errorf("no answer to `import torch` within %v", findTimeout)
	}
	if words := lastLine(stderr.Bytes()); words != "" {
		return "", errors.New(words)
	}
	return "", err
}

// FindPyTorch2 returns the Python of the PyTorch 2 that scripts/pytorch2.sh
// installs, "" where it is not there.
func FindPyTorch2() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	path, err := absolutePython(filepath.Join(cache, "nestling", "pytorch2", "bin", "python"))
	if err != nil {
		return ""
	}
	return path
}

// Version asks a Python which PyTorch it has: "1.13", "2.15".
func Version(ctx context.Context, python string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-c", "import torch; print('torch', *torch.__version__.split('.')[:2])")
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("the PyTorch of %s: %w", python, err)
	}
	words := strings.Fields(lastLine(out))
	if len(words) != 3 || words[0] != "torch" {
		return "", fmt.Errorf("the PyTorch of %s: its version is %q", python, lastLine(out))
	}
	return words[1] + "." + words[2], nil
}

// absolutePython finds an executable as a shell would. Links are kept: a
// virtual environment is known by the path of its Python.
func absolutePython(python string) (string, error) {
	path, err := exec.LookPath(python)
	if err != nil {
		return "", errors.New("not found")
	}
	return filepath.Abs(path)
}

// lastLine returns the last line that is not blank: where a traceback, and
// most programs, say what happened.
func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
