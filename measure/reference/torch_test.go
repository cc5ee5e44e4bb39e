package reference

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"nestling/program"
)

// TestPyTorch compares the reference with PyTorch, which shares no code with it.
func TestPyTorch(t *testing.T) {
	python := pythonWithTorch(t)
	attention := &builder{}
	q, k := attention.argument(40, 24), attention.argument(24, 50)
	scores := attention.op("matmul0", "i:40 j:50 k:24r",
		[]use{at(q, "i", "k"), at(k, "k", "j"), at(attention.fill("fill2", 0, 40, 50), "i", "j")}, mulAdd()...)
	attention.Results = []int{attention.softmax(scores, 40, 50)}

	cases := []torchCase{
		{"convolution", "torch.nn.functional.conv2d(x[0], x[1], x[2], stride=2, padding=1, dilation=2)",
			convolution{images: 3, channels: 16, height: 19, width: 23, filters: 8, kernel: 3, stride: 2, dilation: 2, pad: 1}.program()},
		{"pooling", "torch.nn.functional.max_pool2d(x[0], 3, 2)", maxpool(2, 5, 21, 16, 2)},
		{"batch normalisation", "torch.relu(torch.nn.functional.batch_norm(x[0], x[1], x[2], x[3], x[4], False, 0.1, 1e-5))", batchNorm(30, 11)},
		{"attention", "torch.softmax(x[0] @ x[1], 1)", &attention.Program},
	}
	outputs := runTorch(t, python, cases)
	for i, c := range cases {
		r, err := Compute(c.p, Inputs(c.p, 11))
		if err != nil {
			t.Fatal(err)
		}
		if e, err := r.Check(outputs[i:i+1], 1e-6); err != nil || e == 0 && c.name != "pooling" {
			t.Errorf("%s: error %v: %v", c.name, e, err)
		}
	}
}

// torchCase is an expression over the inputs x, and the program that is the same.
type torchCase struct {
	name, expression string
	p                *program.Program
}

func pythonWithTorch(t *testing.T) string {
	var tried []string
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		out, err := exec.Command(python, "-c", "import torch, numpy").CombinedOutput()
		if err == nil {
			return python
		}
		tried = append(tried, fmt.Sprintf("%s: %v %s", python, err, out))
	}
	t.Fatalf("PyTorch is needed: apt-get install python3-torch libopenblas0-pthread\n%s", strings.Join(tried, "\n"))
	return ""
}

// runTorch evaluates the expressions, in one process.
func runTorch(t *testing.T, python string, cases []torchCase) [][]float32 {
	dir := t.TempDir()
	var script strings.Builder
	script.WriteString("import numpy, torch\ntorch.set_num_threads(1)\n")
	for n, c := range cases {
		script.WriteString("x = []\n")
		for i, data := range Inputs(c.p, 11) {
			path := filepath.Join(dir, fmt.Sprintf("input%d_%d", n, i))
			if err := os.WriteFile(path, encodeFloats(data), 0o600); err != nil {
				t.Fatal(err)
			}
			shape := strings.Join(strings.Fields(fmt.Sprint(c.p.Values[c.p.Args[i]].Shape)), ", ")
			fmt.Fprintf(&script, "x.append(torch.from_numpy(numpy.fromfile(%q, '<f4')).reshape(%s))\n", path, shape)
		}
		fmt.Fprintf(&script, "(%s).contiguous().numpy().astype('<f4').tofile(%q)\n", c.expression, filepath.Join(dir, fmt.Sprint("output", n)))
	}
	if out, err := exec.Command(python, "-c", script.String()).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	outputs := make([][]float32, len(cases))
	for n := range cases {
		data, err := os.ReadFile(filepath.Join(dir, fmt.Sprint("output", n)))
		if err != nil {
			t.Fatal(err)
		}
		outputs[n] = constantData(&program.Value{Shape: []int{len(data) / 4}, Data: data})
	}
	return outputs
}

func encodeFloats(data []float32) []byte {
	var out []byte
	for _, x := range data {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(x))
	}
	return out
}
