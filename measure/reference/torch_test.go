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

	for _, c := range []struct {
		name, torch string
		p           *program.Program
	}{
		{"convolution", "torch.nn.functional.conv2d(x[0], x[1], x[2], stride=2, padding=1, dilation=2)",
			convolution{images: 3, channels: 16, height: 19, width: 23, filters: 8, kernel: 3, stride: 2, dilation: 2, pad: 1}.program()},
		{"pooling", "torch.nn.functional.max_pool2d(x[0], 3, 2)", maxpool(2, 5, 21, 16, 2)},
		{"batch normalisation", "torch.relu(torch.nn.functional.batch_norm(x[0], x[1], x[2], x[3], x[4], False, 0.1, 1e-5))", batchNorm(30, 11)},
		{"attention", "torch.softmax(x[0] @ x[1], 1)", &attention.Program},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := Inputs(c.p, 11)
			r, err := Compute(c.p, in)
			if err != nil {
				t.Fatal(err)
			}
			if e, err := r.Check([][]float32{runTorch(t, python, c.torch, c.p, in)}, 1e-6); err != nil || e == 0 && c.name != "pooling" {
				t.Errorf("error %v: %v", e, err)
			}
		})
	}
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

// runTorch evaluates an expression over the inputs x.
func runTorch(t *testing.T, python, expression string, p *program.Program, inputs [][]float32) []float32 {
	dir := t.TempDir()
	var script strings.Builder
	script.WriteString("import numpy, torch\ntorch.set_num_threads(1)\nx = []\n")
	for i, data := range inputs {
		path := filepath.Join(dir, fmt.Sprint("input", i))
		if err := os.WriteFile(path, encodeFloats(data), 0o600); err != nil {
			t.Fatal(err)
		}
		shape := strings.Join(strings.Fields(fmt.Sprint(p.Values[p.Args[i]].Shape)), ", ")
		fmt.Fprintf(&script, "x.append(torch.from_numpy(numpy.fromfile(%q, '<f4')).reshape(%s))\n", path, shape)
	}
	output := filepath.Join(dir, "output")
	fmt.Fprintf(&script, "(%s).contiguous().numpy().astype('<f4').tofile(%q)\n", expression, output)
	if out, err := exec.Command(python, "-c", script.String()).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	return constantData(&program.Value{Shape: []int{len(data) / 4}, Data: data})
}

func encodeFloats(data []float32) []byte {
	var out []byte
	for _, x := range data {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(x))
	}
	return out
}
