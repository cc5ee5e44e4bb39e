package training

import (
	"math/rand/v2"
	"slices"
	"testing"

	"nestling/env"
	"nestling/measure"
	"nestling/ppo"
	"nestling/program"
	"nestling/suite"
)

// smallPrograms is how many programs schedules are tried on, smallFlops what the largest of
// them does: about as much as 128³.
const (
	smallPrograms = 8
	smallFlops    = 4e6
)

// BenchmarkSchedules tells how many different schedules of small programs a training can
// measure in a second, as it measures them: all are drawn at random, none is known.
func BenchmarkSchedules(b *testing.B) {
	lab, err := measure.Open(measure.Options{Worker: worker, Bind: true})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = lab.Close() }()
	sources := slices.DeleteFunc(suite.Generate(suite.Validation, 1, 60), func(p suite.Program) bool { return p.Flops > smallFlops })
	programs, err := Analyse(b.Context(), lab, sources[:smallPrograms], func(int, int) {})
	if err != nil {
		b.Fatal(err)
	}
	live := env.NewLive(lab, plan, lab.Machine())
	rng := rand.New(rand.NewPCG(1, 1))
	seen := map[string]bool{}
	if _, err := live.Evaluate(b.Context(), differentTasks(programs, lab, rng, seen)); err != nil { // with the default schedules
		b.Fatal(err)
	}
	tried := 0
	for b.Loop() {
		b.StopTimer()
		tasks := differentTasks(programs, lab, rng, seen)
		b.StartTimer()
		if _, err := live.Evaluate(b.Context(), tasks); err != nil {
			b.Fatal(err)
		}
		tried += len(tasks)
	}
	b.ReportMetric(float64(tried)/b.Elapsed().Seconds(), "schedules/s")
}

// differentTasks are as many as an iteration has, none of which was there before.
func differentTasks(programs []*program.Program, lab *measure.Lab, rng *rand.Rand, seen map[string]bool) []env.Task {
	var tasks []env.Task
	for c := ppo.Defaults(); len(tasks) < c.Programs*c.Repeats; {
		p := programs[rng.IntN(len(programs))]
		s := randomSchedule(p, lab.Machine(), rng)
		if key := p.Hash + s.String(); !seen[key] {
			seen[key] = true
			tasks = append(tasks, env.Task{Program: p, Schedule: s})
		}
	}
	return tasks
}
