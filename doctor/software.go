package doctor

import (
	"context"
	"errors"
	"fmt"
	"go/version"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"nestling/baseline"
)

// oldestGo is the version in go.mod, without which nothing is built.
const oldestGo = "go1.26"

// prefix is where a library is, unless the variables that cgo itself obeys say
// otherwise.
const prefix = "/usr/lib/llvm-22"

const llvmElsewhere = "install LLVM and MLIR 22 under some PREFIX, as shared libraries with their C interface, and set " +
	"CGO_CFLAGS=-IPREFIX/include CGO_CXXFLAGS=-IPREFIX/include CGO_LDFLAGS='-LPREFIX/lib -Wl,-rpath,PREFIX/lib'"

func software(python string) []check {
	return []check{
		{"Go", true, "https://go.dev/dl has it; put its bin folder in PATH", goCommand},
		{"C compiler", true, debian("compiler", "a C compiler, named by CC where it is not gcc"),
			compiler(cCompiler(), "c")},
		{"C++ compiler", true, debian("compiler", "a C++ compiler, named by CXX where it is not g++"),
			compiler(cxxCompiler(), "c++")},
		{"MLIR 22", true, debian("mlir", llvmElsewhere), calls(mlirProgram, mlirLibraries...)},
		{"LLVM 22", true, debian("llvm", llvmElsewhere), calls(llvmProgram, "-lLLVM-22")},
		{"OpenMP (libomp)", true, debian("openmp", llvmElsewhere), calls(openMPProgram, "-lomp")},
		{"OpenBLAS", true, debian("openblas", "install OpenBLAS with cblas.h; CGO_CFLAGS and CGO_LDFLAGS say where it is"),
			calls(openBLASProgram, "-lopenblas")},
		{"PyTorch", true, debian("pytorch", "pip install torch, and have that Python first in PATH or name it with --python"),
			pyTorch(python)},
		{"Slurm", false, debian("slurm", "needed to submit scripts/ to a cluster, and by `make test`; its commands belong in PATH"),
			commands("sbatch", "scontrol", "scancel", "slurmctld", "slurmd", "munged")},
	}
}

func goCommand(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOVERSION").Output()
	if err != nil {
		return "", err
	}
	found := strings.TrimSpace(string(out))
	if version.Compare(found, oldestGo) < 0 {
		return "", fmt.Errorf("%s is too old; %s or newer is needed", found, oldestGo)
	}
	return found, nil
}

func cCompiler() string   { return variable("CC", "gcc") }
func cxxCompiler() string { return variable("CXX", "g++") }

func variable(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// compiler tries whether a compiler makes programs of the language, "c" or
// "c++".
func compiler(command, language string) func(context.Context) (string, error) {
	source := map[string]string{
		"c":   "#include <stdio.h>\nint main(void) { puts(__VERSION__); }\n",
		"c++": "#include <iostream>\nint main() { std::cout << __VERSION__ << std::endl; }\n",
	}[language]
	return func(ctx context.Context) (string, error) {
		said, err := try(ctx, command, language, source)
		return command + " " + said, err
	}
}

// mlirLibraries are those that package mlir links.
var mlirLibraries = []string{
	"-lMLIRCAPIRegisterEverything", "-lMLIRCAPITransformDialectTransforms", "-lMLIRCAPITransformDialect",
	"-lMLIRCAPITarget", "-lMLIRCAPILinalg", "-lMLIRCAPIIR", "-lMLIR", "-lLLVM-22", "-lstdc++",
}

// The programs below call a library and print what it says of itself.
const (
	mlirProgram = `
#include <stdio.h>
#include <mlir-c/IR.h>
#include <mlir-c/Target/LLVMIR.h>
int main(void) {
	MlirContext context = mlirContextCreate();
	void *translate = (void *)mlirTranslateModuleToLLVMIR;
	puts(mlirContextIsNull(context) || !translate ? "no context" : "its C interface answers");
	mlirContextDestroy(context);
}`
	llvmProgram = `
#include <stdio.h>
#include <llvm-c/Core.h>
int main(void) {
	unsigned major, minor, patch;
	LLVMGetVersion(&major, &minor, &patch);
	printf("%u.%u.%u\n", major, minor, patch);
	return major != 22;
}`
	openMPProgram = `
#include <stdio.h>
extern int omp_get_max_threads(void);
extern int __kmpc_global_thread_num(void *);
int main(void) { __kmpc_global_thread_num(0); printf("%d threads\n", omp_get_max_threads()); }`
	openBLASProgram = `
#include <stdio.h>
#include <cblas.h>
extern char *openblas_get_config(void);
int main(void) {
	float a[4] = {1, 2, 3, 4}, c[4] = {0};
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, 2, 2, 2, 1, a, 2, a, 2, 0, c, 2);
	puts(openblas_get_config());
	return c[3] != 22;
}`
)

// calls tries whether a C program can be built on a library and runs, with the
// flags that Nestling itself is built with.
func calls(source string, libraries ...string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		if _, err := exec.LookPath(strings.Fields(cCompiler())[0]); err != nil {
			return "", errors.New("cannot be tried without a C compiler")
		}
		flags := strings.Fields(os.Getenv("CGO_CFLAGS"))
		flags = append(flags, "-I"+prefix+"/include")
		flags = append(flags, strings.Fields(os.Getenv("CGO_LDFLAGS"))...)
		flags = append(flags, "-L"+prefix+"/lib", "-Wl,-rpath,"+prefix+"/lib")
		return try(ctx, cCompiler(), "c", source, append(flags, libraries...)...)
	}
}

// try compiles, links and runs a program, and returns what it printed. The error
// is the compiler's first complaint, or the program's last words.
func try(ctx context.Context, compiler, language, source string, flags ...string) (string, error) {
	dir, err := os.MkdirTemp("", "nestling-doctor-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "try")
	words := strings.Fields(compiler) // CC may hold flags, as in "ccache gcc"
	args := append(slices.Clone(words[1:]), "-x", language, "-", "-x", "none", "-o", program)
	build := exec.CommandContext(ctx, words[0], append(args, flags...)...)
	build.Stdin = strings.NewReader(source)
	if out, err := build.CombinedOutput(); err != nil {
		return "", complaint(out, err)
	}
	out, err := exec.CommandContext(ctx, program).CombinedOutput()
	said := strings.TrimSpace(string(out))
	if err != nil {
		return "", fmt.Errorf("it was built on, but does not run: %s (%w)", said, err)
	}
	return said, nil
}

// complaint finds the line that says what a compiler is missing.
func complaint(out []byte, err error) error {
	for line := range strings.Lines(string(out)) {
		for _, mark := range []string{"error: ", "cannot find ", "undefined reference "} {
			if i := strings.Index(line, mark); i >= 0 {
				return errors.New(strings.TrimSpace(line[i:]))
			}
		}
	}
	return err
}

// pyTorch tries PyTorch just as a benchmark would start it.
func pyTorch(python string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		path, err := baseline.FindPython(ctx, python)
		if err != nil {
			return "", err
		}
		p, err := baseline.Start(ctx, baseline.Options{Python: path, Method: baseline.Eager, Threads: 1})
		if err != nil {
			return "", err
		}
		info := p.Info()
		return fmt.Sprintf("torch %s in %s (Python %s), products by %s", info.Torch, path, info.Python, info.BLAS), p.Close()
	}
}

// commands looks for programs; Debian keeps daemons in /usr/sbin, which is not
// in everyone's PATH.
func commands(names ...string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		var absent []string
		for _, name := range names {
			_, err := exec.LookPath(name)
			if _, errSbin := exec.LookPath("/usr/sbin/" + name); err != nil && errSbin != nil {
				absent = append(absent, name)
			}
		}
		if len(absent) > 0 {
			return "", errors.New("not found: " + strings.Join(absent, ", "))
		}
		return strings.Join(names, ", "), nil
	}
}
