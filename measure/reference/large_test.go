package reference

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"nestling/program"
)

// TestLargeConvolution is the largest of the benchmarks: 14.8 GFLOP.
func TestLargeConvolution(t *testing.T) {
	c := convolution{images: 32, channels: 128, height: 56, width: 56, filters: 128, kernel: 3, stride: 1, dilation: 1, pad: 1}
	p := c.program()
	start := time.Now()
	in := Inputs(p, 1)
	drawn := time.Now()
	r, err := Compute(p, in)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("inputs %v, reference %v, most memory %d MB", drawn.Sub(start), time.Since(drawn), peakMemory(t))
	values, scale := c.naiveElement(in[0], in[1], 31, 127, 55, 0)
	last := ((31*128+127)*56 + 55) * 56
	near(t, "value", float64(r.Results[0].Values[last]), values+float64(in[2][127]), 1e-4)
	near(t, "scale", float64(r.Results[0].Scales[last]), scale+max(float64(in[2][127]), -float64(in[2][127])), 1e-4)
	if m := peakMemory(t); m > 2000 {
		t.Errorf("took %d MB of memory, must stay under 2000", m)
	}
}

func peakMemory(t *testing.T) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	kilobytes, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kilobytes / 1000
}

func BenchmarkMatmul256(b *testing.B) { benchmark(b, matmul(256, 256, 256)) }

func BenchmarkLinearLarge(b *testing.B) { benchmark(b, matmul(256, 512, 1024)) }

func BenchmarkConvolution(b *testing.B) {
	benchmark(b, convolution{images: 8, channels: 32, height: 28, width: 28, filters: 32, kernel: 3, stride: 1, dilation: 1, pad: 1}.program())
}

func BenchmarkMaxPool(b *testing.B) { benchmark(b, maxpool(8, 32, 56, 56, 2)) }

func BenchmarkSoftmax(b *testing.B) { benchmark(b, softmax(512, 512)) }

func benchmark(b *testing.B, p *program.Program) {
	in := Inputs(p, 1)
	for b.Loop() {
		if _, err := Compute(p, in); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRowSums reduces long rows, few at a time.
func BenchmarkRowSums(b *testing.B) {
	p := &builder{}
	x := p.argument(4, 1_000_000)
	p.Results = []int{p.op("sum0", "i:4 j:1000000r", []use{at(x, "i", "j"), at(p.fill("fill0", 0, 4), "i")}, instruction1("arith.addf", 0, 1))}
	benchmark(b, &p.Program)
}
