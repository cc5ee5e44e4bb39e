package suite_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"nestling/codegen/compiler"
	"nestling/measure"
	"nestling/program"
	"nestling/schedule"
	"nestling/suite"
)

// worker is the compiler process, with the runner beside it.
var worker string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "nestling-suite")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		worker = filepath.Join(dir, "nestling-worker")
		build := exec.Command("go", "build", "-buildvcs=false", "-o", dir+"/", "nestling/cmd/nestling-worker", "nestling/cmd/nestling-runner")
		if text, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building the workers: %v\n%s", err, text)
			return 1
		}
		return m.Run()
	}())
}

// TestModulesAreRead has MLIR read the nine.
func TestModulesAreRead(t *testing.T) {
	c := compiler.New()
	defer c.Close()
	for _, b := range suite.Nine() {
		p, err := c.Analyse([]byte(b.Module), b.Name)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := analysed(p), recorded(b.Operations); !slices.Equal(got, want) {
			t.Errorf("%s: MLIR sees %v\nrecorded are %v", b.Name, got, want)
		}
		if p.Name != b.Name || len(p.Args) != len(b.Args) {
			t.Errorf("%s: got function %s with %d arguments, want %d", b.Name, p.Name, len(p.Args), len(b.Args))
		}
		for i, a := range b.Args {
			v := p.Values[p.Args[i]]
			if !slices.Equal(v.Shape, a.Shape) || v.Weight != a.Weight {
				t.Errorf("%s: argument %s is %v, weight %v", b.Name, a.Name, v.Shape, v.Weight)
			}
		}
	}
}

// TestGeneratedAreRead has MLIR read generated programs of every family, and
// holds what is known of them to what it sees.
func TestGeneratedAreRead(t *testing.T) {
	c := compiler.New()
	defer c.Close()
	for _, g := range suite.Generate(suite.Train, 5, 400) {
		p, err := c.Analyse([]byte(g.Module), g.Name)
		if err != nil {
			t.Fatalf("%v\n%s", err, g.Module)
		}
		var seen []suite.Operation
		for i := range p.Ops {
			seen = append(seen, suite.Operation{Family: p.Ops[i].Family, Bounds: bounds(&p.Ops[i])})
		}
		if suite.NearBenchmark(seen) {
			t.Errorf("%s is near a benchmark: %v", g.Name, seen)
		}
		if p.Flops() != g.Flops {
			t.Errorf("%s: MLIR sees %g floating-point operations, %g are recorded", g.Name, p.Flops(), g.Flops)
		}
	}
}

// TestGeneratedRun runs programs of every family by their default schedules and
// checks the results.
func TestGeneratedRun(t *testing.T) {
	lab, err := measure.Open(measure.Options{Worker: worker, Threads: 1, FailureDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lab.Close() }()
	var batch []measure.Candidate
	for _, family := range suite.GeneratedFamilies() {
		programs, err := suite.GenerateFamilies(suite.Validation, 6, 2, []string{family})
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range programs {
			p, err := lab.Analyse(t.Context(), []byte(g.Module), g.Name)
			if err != nil {
				t.Fatal(err)
			}
			batch = append(batch, measure.Candidate{Program: p, Schedule: schedule.Default(p, lab.Machine())})
		}
	}
	outcomes, err := lab.Evaluate(t.Context(), batch, measure.Plan{Samples: 1, Budget: 10 * time.Millisecond, Limit: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range outcomes {
		if o.Status != measure.OK {
			t.Errorf("%s\n%s%s: %s", batch[i].Program.Name, batch[i].Schedule, o.Status, o.Error)
		}
	}
}

func analysed(p *program.Program) []string {
	var out []string
	for i := range p.Ops {
		out = append(out, fmt.Sprint(p.Ops[i].Family, bounds(&p.Ops[i])))
	}
	slices.Sort(out)
	return out
}

func recorded(operations []suite.Operation) []string {
	var out []string
	for _, o := range operations {
		out = append(out, fmt.Sprint(o.Family, o.Bounds))
	}
	slices.Sort(out)
	return out
}

func bounds(o *program.Op) []int {
	var out []int
	for _, l := range o.Loops {
		out = append(out, l.Bound)
	}
	return out
}
