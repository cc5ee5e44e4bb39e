package training

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"nestling/env"
	"nestling/measure"
	"nestling/program"
	"nestling/schedule"
	"nestling/suite"
)

// draws is how many random schedules TestEveryLegalScheduleIsRight tries;
// `go test ./training -draws 100000` for a long night.
var draws = flag.Int("draws", 150, "random schedules to compile, run and check")

var worker string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "nestling-training")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		worker = filepath.Join(dir, "nestling-worker")
		if text, err := exec.Command("go", "build", "-buildvcs=false", "-o", dir+"/", "nestling/cmd/nestling-worker", "nestling/cmd/nestling-runner").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building the workers: %v\n%s", err, text)
			return 1
		}
		return m.Run()
	}())
}

// Whatever a mask allows must compile and be right; too slow is all it may be.
// Failures leave a reproducer in $TMPDIR/nestling-legal.
func TestEveryLegalScheduleIsRight(t *testing.T) {
	failures := filepath.Join(os.TempDir(), "nestling-legal")
	lab, err := measure.Open(measure.Options{Worker: worker, Threads: 2, FailureDir: failures})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lab.Close() }()
	programs := legalPrograms(t, lab)
	rng := rand.New(rand.NewPCG(uint64(*draws), 1))
	slow := 0
	for done := 0; done < *draws; {
		var batch []measure.Candidate
		for range min(50, *draws-done) {
			p := programs[rng.IntN(len(programs))]
			batch = append(batch, measure.Candidate{Program: p, Schedule: randomSchedule(p, lab.Machine(), rng), Baseline: 1e6})
		}
		done += len(batch)
		outcomes, err := lab.Evaluate(context.Background(), batch, measure.Plan{Samples: 1, Budget: 10 * time.Millisecond, Limit: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range outcomes {
			switch o.Status {
			case measure.OK:
			case measure.Timeout:
				slow++
			default:
				t.Errorf("%s\n%s%s: %s\nin %s", batch[i].Program.Name, batch[i].Schedule, o.Status, o.Error, o.Reproducer)
			}
		}
	}
	if slow > *draws/10 {
		t.Errorf("%d of %d schedules ran out of time", slow, *draws)
	}
}

// legalPrograms are generated ones and small relatives of the nine.
func legalPrograms(t *testing.T, lab *measure.Lab) []*program.Program {
	t.Helper()
	sources := suite.Generate(suite.Validation, 7, 30)
	for _, b := range []suite.Benchmark{
		suite.Matmul("matmul", 32, 48, 24),
		suite.Matmul("primes", 13, 17, 11),
		suite.Conv2D("conv", suite.Conv{Batch: 2, In: 4, Height: 14, Width: 14, Out: 8, Kernel: 3}),
		suite.Linear("linear", 16, 64, 32),
		suite.ResNetBlock("block", 2, 8, 14, 14),
	} {
		sources = append(sources, suite.Program{Name: b.Name, Module: b.Module})
	}
	programs, err := Analyse(context.Background(), lab, sources, func(int, int) {})
	if err != nil {
		t.Fatal(err)
	}
	return programs
}

func randomSchedule(p *program.Program, m schedule.Machine, rng *rand.Rand) schedule.Schedule {
	e := env.NewSpace(p, m, env.Rules{}).NewEpisode()
	e.Draw(rng)
	return e.Schedule()
}
