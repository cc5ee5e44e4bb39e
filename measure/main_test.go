package measure

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"nestling/codegen"
	"nestling/measure/reference"
	"nestling/program"
)

// worker is the real executable, built once for all tests.
var worker string

// orphanVariable makes the test binary play a main process that is killed.
const orphanVariable = "NESTLING_TEST_ORPHANS"

func TestMain(m *testing.M) {
	if path := os.Getenv(orphanVariable); path != "" {
		becomeDoomedParent(path)
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "nestling-measure")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		worker = filepath.Join(dir, workerName)
		build := exec.Command("go", "build", "-buildvcs=false", "-o", dir+"/", "nestling/cmd/nestling-worker", "nestling/cmd/nestling-runner")
		if text, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building the worker: %v\n%s", err, text)
			return 1
		}
		return m.Run()
	}())
}

// openLab opens a laboratory that is closed with the test.
func openLab(t *testing.T, change func(*Options)) *Lab {
	t.Helper()
	o := Options{Worker: worker, Threads: 1, Compilers: 1, FailureDir: filepath.Join(t.TempDir(), "failures")}
	if change != nil {
		change(&o)
	}
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// quick is a plan for tests: correctness of the machinery, not of the times.
var quick = Plan{Samples: 2, Budget: 100 * time.Millisecond}

const sumModule = `
func.func @sum(%a: tensor<37xf32>, %b: tensor<37xf32>) -> tensor<37xf32> {
  %empty = tensor.empty() : tensor<37xf32>
  %sum = linalg.add ins(%a, %b : tensor<37xf32>, tensor<37xf32>) outs(%empty : tensor<37xf32>) -> tensor<37xf32>
  return %sum : tensor<37xf32>
}
`

const productModule = `
func.func @product(%a: tensor<64x48xf32>, %b: tensor<48x32xf32> {nestling.weight}) -> tensor<64x32xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<64x32xf32>
  %start = linalg.fill ins(%zero : f32) outs(%empty : tensor<64x32xf32>) -> tensor<64x32xf32>
  %c = linalg.matmul ins(%a, %b : tensor<64x48xf32>, tensor<48x32xf32>) outs(%start : tensor<64x32xf32>) -> tensor<64x32xf32>
  return %c : tensor<64x32xf32>
}
`

func analyse(t *testing.T, l *Lab, source string) *program.Program {
	t.Helper()
	p, err := l.Analyse(context.Background(), []byte(source), "test.mlir")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// sumElements of each tensor: no multiple of the alignment, so that there is
// memory between the end of a buffer and its guard.
const sumElements = 37

// addition is the problem of adding two tensors, for objects written in C. Its
// weight is there to be prepared; the result is a + b + weight.
func addition() *problem {
	value := func(arg int, weight bool) program.Value {
		return program.Value{Kind: program.ValueArgument, Shape: []int{sumElements}, Arg: arg, Weight: weight}
	}
	p := &program.Program{
		Name:   "sum",
		Values: []program.Value{value(0, false), value(1, false), value(2, true), {Kind: program.ValueResult, Shape: []int{sumElements}}},
		Args:   []int{0, 1, 2}, Results: []int{3},
		Module: "// addition, written in C", Hash: "addition",
	}
	q := &problem{program: p, done: make(chan struct{})}
	result := reference.Result{Shape: []int{sumElements}}
	for range 3 {
		q.inputs = append(q.inputs, make([]float32, sumElements))
	}
	for i := range sumElements {
		a, b, w := float32(i), float32(math.Sin(float64(i))), float32(i%5)
		q.inputs[0][i], q.inputs[1][i], q.inputs[2][i] = a, b, w
		result.Values = append(result.Values, a+b+w)
		result.Scales = append(result.Scales, a+float32(math.Abs(float64(b)))+w)
	}
	q.reference = &reference.Reference{Results: []reference.Result{result}}
	close(q.done)
	return q
}

// goodC is a right addition; each fault replaces part of it.
const goodC = `
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
enum { N = 37 };
static int calls;
void sum_prepare_packed(void **args) {
  const float *weight = args[0];
  float *prepared = args[1];
  PREPARE
  memcpy(prepared, weight, N * sizeof(float));
}
void sum_run_packed(void **args) {
  float *a = args[0], *b = args[1], *prepared = args[2], *workspace = args[3], *out = args[4];
  calls++;
  BEFORE
  for (int i = 0; i < N; i++) {
    workspace[i] = a[i] + b[i];
    out[i] = workspace[i] + prepared[i];
  }
  AFTER
}
`

// compileC makes an object of goodC with the named places replaced.
func compileC(t *testing.T, flags []string, defines map[string]string) []byte {
	t.Helper()
	for _, place := range []string{"PREPARE", "BEFORE", "AFTER"} {
		flags = append(flags, "-D"+place+"="+defines[place])
	}
	object := filepath.Join(t.TempDir(), "sum.o")
	// Without -fno-builtin GCC sees through the faults.
	args := append([]string{"-O1", "-fno-builtin", "-fPIC", "-x", "c", "-c", "-", "-o", object}, flags...)
	gcc := exec.Command("gcc", args...)
	gcc.Stdin = bytes.NewReader([]byte(goodC))
	if text, err := gcc.CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, text)
	}
	code, err := os.ReadFile(object)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// additionJob is a compiled job around an object.
func additionJob(object []byte, plan Plan) *job {
	q := addition()
	j := newJob(Candidate{Program: q.program}, plan)
	j.problem = q
	j.object = &codegen.Result{Object: object, Symbol: "sum", PreparedBytes: 4 * sumElements, WorkspaceBytes: 4 * sumElements}
	return j
}

// timeOne takes a job through a runner.
func timeOne(t *testing.T, l *Lab, j *job) Outcome {
	t.Helper()
	if err := l.timeAll(context.Background(), []*job{j}); err != nil {
		t.Fatal(err)
	}
	return *j.outcome
}
