package report

import (
	"math/rand/v2"
	"testing"

	"nestling/results"
)

func TestOptimizedGolden(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	entry := func(name string, median, gflops float64) results.Entry {
		e := results.NewEntry(name, "model", processes(rng, median, 0.02))
		e.GFLOPS, e.PeakShare, e.MaxError = gflops, gflops/160, 4e-7
		return e
	}
	plain, rule, agent := entry("unscheduled", 210, 1.02), entry("default", 3.1, 69.3), entry("agent", 2.2, 97.6)
	agent.PrepareMS = 0.31
	golden(t, "optimized.ansi", tableText(t, Optimized("model.mlir", plain, rule, agent), true))
	golden(t, "optimized.txt", tableText(t, Optimized("model.mlir", plain, rule, agent), false))
	golden(t, "optimized_failed.txt", tableText(t, Optimized("model.mlir",
		failure("unscheduled", "model", "timed out after 10 s"), rule, failure("agent", "model", "wrong result")), false))
}
