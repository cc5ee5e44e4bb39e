package training

import (
	"context"
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"nestling/codegen"
	"nestling/measure"
	"nestling/schedule"
	"nestling/suite"
)

// defaults is how many random programs TestDefaultIsRight tries for each target;
// `go test ./training -run TestDefaultIsRight -defaults 100000` for a long night.
var defaults = flag.Int("defaults", 80, "random programs to run by their default schedule, per target")

// The default schedule of whatever program is legal, compiles, and gives the right
// results, on processors with wide, with narrower, and with the narrowest vectors.
func TestDefaultIsRight(t *testing.T) {
	for _, target := range []codegen.Target{{}, {CPU: "x86-64-v3"}, {CPU: "x86-64"}} {
		name := target.CPU
		if name == "" {
			name = "host"
		}
		t.Run(name, func(t *testing.T) {
			lab, err := measure.Open(measure.Options{Worker: worker, Threads: 2, Target: target, FailureDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = lab.Close() }()
			rng := rand.New(rand.NewPCG(uint64(*defaults), uint64(len(target.CPU))))
			for done := 0; done < *defaults; done += 40 {
				checkDefaults(t, lab, suite.DrawFamilies(rng, min(40, *defaults-done)))
			}
		})
	}
}

func checkDefaults(t *testing.T, lab *measure.Lab, cases []suite.Case) {
	t.Helper()
	var batch []measure.Candidate
	for _, c := range cases {
		p, err := lab.Analyse(context.Background(), []byte(c.Module), c.Name+".mlir")
		if err != nil {
			t.Fatal(err)
		}
		s := schedule.Default(p, lab.Machine())
		if err := schedule.Check(p, s); err != nil {
			t.Errorf("%s\n%s%v", c.Module, s, err)
			continue
		}
		batch = append(batch, measure.Candidate{Program: p, Schedule: s})
	}
	outcomes, err := lab.Evaluate(context.Background(), batch, measure.Plan{Samples: 1, Budget: 10 * time.Millisecond, Limit: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range outcomes {
		if o.Status != measure.OK {
			t.Errorf("%s\n%s%s: %s", batch[i].Program.Name, batch[i].Schedule, o.Status, o.Error)
		}
	}
}
