package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"image/png"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nestling/results"
	"nestling/suite"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file under testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// medians of the nine, in milliseconds, as a plausible machine has them.
var medians = map[string][9]float64{
	results.Agent:          {0.21, 1.71, 14.2, 1.62, 21.4, 171, 92.1, 0.0049, 1.71},
	results.PyTorchDefault: {0.32, 1.98, 14.1, 2.23, 28.9, 214, 131, 0.0131, 1.93},
	results.PyTorchJIT:     {0.31, 1.97, 14.1, 2.11, 28.2, 211, 122, 0.0108, 1.91},
	results.PyTorchCompile: {0.33, 1.99, 14.2, 2.01, 27.0, 208, 118, 0.0142, 1.92},
}

// processes scatter around a median, ten runs in each of ten.
func processes(rng *rand.Rand, median, spread float64) [][]float64 {
	out := make([][]float64, 10)
	for i := range out {
		level := median * (1 + spread*rng.NormFloat64())
		for range 10 {
			out[i] = append(out[i], level*(1+0.3*spread*rng.ExpFloat64()))
		}
	}
	return out
}

// ninefold is the outcome of a whole run: four methods on nine benchmarks.
func ninefold() map[string]results.File {
	files := maps.Clone(measuredOnce())
	for method, file := range files {
		files[method] = maps.Clone(file)
	}
	return files
}

var measuredOnce = sync.OnceValue(func() map[string]results.File {
	rng := rand.New(rand.NewPCG(3, 4))
	files := map[string]results.File{}
	for _, m := range results.Methods {
		if _, ran := medians[m.Name]; !ran {
			continue
		}
		files[m.Name] = results.File{}
		for i, name := range suite.Names() {
			e := results.NewEntry(m.Name, name, processes(rng, medians[m.Name][i], 0.02))
			e.Threads, e.MaxError, e.GFLOPS, e.PeakGFLOPS = 2, 3.2e-7, 100, 160
			e.PeakShare = e.GFLOPS / e.PeakGFLOPS
			if m.Name == results.Agent {
				e.PrepareMS, e.Schedule, e.ChosenBy = 0.8, "matmul0: V\n", "greedy"
			}
			if m.Name != results.PyTorchDefault {
				e.Agreement = map[string]results.Agreement{results.PyTorchDefault: results.NewAgreement(2e-7, 1e-4)}
			}
			files[m.Name][name] = onOneMachine(e)
		}
	}
	return files
})

// onOneMachine replaces what depends on where and when the test runs.
func onOneMachine(e results.Entry) results.Entry {
	e.Machine = results.MachineInfo{CPU: "Intel Xeon Platinum 8488C", Features: []string{"avx2", "avx512f"}, Cores: 2, OS: "Debian"}
	e.Versions = results.Versions{Nestling: "0123abc", Go: "go1.26"}
	e.Created = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	return e
}

func failure(method, benchmark, text string) results.Entry {
	return onOneMachine(results.NewFailure(method, benchmark, errors.New(text)))
}

// troubled is a run in which everything that can go wrong did.
func troubled() map[string]results.File {
	files := ninefold()
	delete(files, results.PyTorchCompile)
	agent, eager, jit := files[results.Agent], files[results.PyTorchDefault], files[results.PyTorchJIT]

	agent["matmul_small"] = failure(results.Agent, "matmul_small", "wrong result: element 17 is 3.5, want 2.25\nreproducer: .nestling/failures/1")
	eager["matmul_medium"] = failure(results.PyTorchDefault, "matmul_medium", "out of memory")
	delete(jit, "matmul_large")

	differs := agent["conv2d_small"]
	differs.Agreement = map[string]results.Agreement{results.PyTorchDefault: results.NewAgreement(0.031, 1e-4)}
	agent["conv2d_small"] = differs

	noisy := onOneMachine(results.NewEntry(results.PyTorchJIT, "conv2d_medium", processes(rand.New(rand.NewPCG(1, 1)), 28, 0.3)))
	noisy.Threads, noisy.Machine = 1, results.MachineInfo{CPU: "AMD EPYC 9654"}
	jit["conv2d_medium"] = noisy

	// A file of the first system has no samples.
	old := eager["linear_small"]
	old.SamplesMS, old.ProcessRuns, old.CI95MS = nil, nil, nil
	eager["linear_small"] = old

	agent["extra"] = failure(results.Agent, "extra", "timed out")
	return files
}

func tableText(t *testing.T, table *Table, colour bool) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := table.Write(&b, colour); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGolden(t *testing.T) {
	for name, files := range map[string]map[string]results.File{"ninefold": ninefold(), "troubled": troubled()} {
		t.Run(name, func(t *testing.T) {
			c := NewComparison(files)
			text, err := c.CSV()
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".csv", text)
			golden(t, name+".txt", tableText(t, c.Table(), false))
			golden(t, name+".ansi", tableText(t, c.Table(), true))
		})
	}
}

// inFolder writes the methods' files as the commands do.
func inFolder(t *testing.T, files map[string]results.File) string {
	t.Helper()
	dir := t.TempDir()
	for _, m := range results.Methods {
		if file, ran := files[m.Name]; ran {
			if err := results.Write(filepath.Join(dir, m.File), file); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

func TestCompareWritesAllFour(t *testing.T) {
	for name, files := range map[string]map[string]results.File{"ninefold": ninefold(), "troubled": troubled()} {
		t.Run(name, func(t *testing.T) {
			dir := inFolder(t, files)
			c, err := Compare(dir)
			if err != nil {
				t.Fatal(err)
			}
			if want := map[string]int{"ninefold": 9, "troubled": 10}[name]; len(c.Rows) != want {
				t.Errorf("%d rows, want %d: none is dropped", len(c.Rows), want)
			}
			checkCombined(t, filepath.Join(dir, JSONFile), files)
			for _, plot := range []string{BarPlotFile, SpeedupPlotFile} {
				checkPlot(t, filepath.Join(dir, plot))
			}
			summary, err := os.ReadFile(filepath.Join(dir, CSVFile))
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".csv", summary)
			if again, err := Compare(dir); err != nil || !cmp.Equal(c, again) {
				t.Errorf("compared again, it differs (%v)", err)
			}
		})
	}
}

// checkCombined makes sure that nothing of the methods' files got lost.
func checkCombined(t *testing.T, path string, files map[string]results.File) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var combined map[string]results.File
	if err := json.Unmarshal(text, &combined); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(files, combined); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func checkPlot(t *testing.T, path string) {
	t.Helper()
	colours := pixels(t, path)
	for name, c := range map[string][3]uint32{"agent's": {0, 0x72, 0xb2}, "JIT's": {0, 0x9e, 0x73}} {
		if colours[c] < 1000 {
			t.Errorf("%s shows %d pixels of the %s colour", path, colours[c], name)
		}
	}
}

// pixels counts a picture's by colour.
func pixels(t *testing.T, path string) map[[3]uint32]int {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	colours := map[[3]uint32]int{}
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			r, g, b, _ := img.At(x, y).RGBA()
			colours[[3]uint32{r >> 8, g >> 8, b >> 8}]++
		}
	}
	return colours
}

func TestCompareBadInput(t *testing.T) {
	for _, m := range results.Methods[:3] {
		t.Run("without "+m.File, func(t *testing.T) {
			dir := inFolder(t, ninefold())
			path := filepath.Join(dir, m.File)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			wantError(t, dir, path+": no such file; `"+m.Command+"` makes it")
			if err := os.WriteFile(path, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			wantError(t, dir, path+": is empty; `"+m.Command+"` makes it")
		})
	}
	// One that may be missing may still not be damaged.
	dir := inFolder(t, ninefold())
	path := filepath.Join(dir, "pytorch_compile_output.json")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content[:len(content)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Compare(dir); err == nil || !strings.HasPrefix(err.Error(), path+": is cut short: it ends in line ") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, CSVFile)); err == nil {
		t.Error("a comparison was written of damaged files")
	}
	wantError(t, path, path+" is not a folder of benchmark results; they lie in a run's, such as results/lstm/run_0/benchmarks")
}

func wantError(t *testing.T, dir, want string) {
	t.Helper()
	if _, err := Compare(dir); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestGeometricMeanLeavesNothingOut(t *testing.T) {
	one := func(method string, ms float64) results.Entry {
		return results.NewEntry(method, "b", [][]float64{{ms}})
	}
	differs := one(results.Agent, 1)
	differs.Agreement = map[string]results.Agreement{results.PyTorchDefault: {MaxError: 1, Tolerance: 0.1}}
	said := one(results.PyTorchDefault, 4)
	said.Agreement = map[string]results.Agreement{results.Agent: {MaxError: 1, Tolerance: 0.1}}
	for name, test := range map[string]struct {
		agent, eager *results.Entry
		want         float64
	}{
		"both ran":              {new(one(results.Agent, 1)), new(one(results.PyTorchDefault, 4)), 4},
		"agent failed":          {new(failure(results.Agent, "b", "no")), new(one(results.PyTorchDefault, 4)), 0.01},
		"agent not run":         {nil, new(one(results.PyTorchDefault, 4)), 0.01},
		"PyTorch failed":        {new(one(results.Agent, 1)), new(failure(results.PyTorchDefault, "b", "no")), 1},
		"PyTorch not run":       {new(one(results.Agent, 1)), nil, 1},
		"both failed":           {new(failure(results.Agent, "b", "no")), new(failure(results.PyTorchDefault, "b", "no")), 0.01},
		"outputs differ":        {&differs, new(one(results.PyTorchDefault, 4)), 0.01},
		"PyTorch says they do":  {new(one(results.Agent, 1)), &said, 0.01},
		"worse of two opinions": {&differs, &said, 0.01},
	} {
		files := map[string]results.File{results.Agent: {}, results.PyTorchDefault: {}, results.PyTorchJIT: {"b": one(results.PyTorchJIT, 1)}}
		if test.agent != nil {
			files[results.Agent]["b"] = *test.agent
		}
		if test.eager != nil {
			files[results.PyTorchDefault]["b"] = *test.eager
		}
		if got := NewComparison(files).GeometricMean(results.Agent); got < test.want*0.999999 || got > test.want*1.000001 {
			t.Errorf("%s: %g, want %g", name, got, test.want)
		}
	}
}

func TestSignificance(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	at := func(method string, median float64) results.File {
		return results.File{"b": results.NewEntry(method, "b", processes(rng, median, 0.05))}
	}
	for name, test := range map[string]struct {
		agent float64
		want  string
	}{"equal": {10, "~"}, "half": {5, ""}, "twice": {20, ""}} {
		c := NewComparison(map[string]results.File{
			results.Agent: at(results.Agent, test.agent), results.PyTorchDefault: at(results.PyTorchDefault, 10),
		})
		if got := mark(c.Rows[0].Speedups[results.Agent]); got != test.want {
			t.Errorf("%s: mark %q, want %q: %+v", name, got, test.want, c.Rows[0].Speedups)
		}
	}
}
