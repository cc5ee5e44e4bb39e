package figures

import (
	"path/filepath"
	"testing"

	"nestling/ppo"
	"nestling/results"
	"nestling/training"
)

// A command names all that a training was set up by and that is not the default.
func TestCommandIsWhole(t *testing.T) {
	changed := func(c ppo.Config, change func(*ppo.Config)) ppo.Config {
		change(&c)
		return c
	}
	here, err := filepath.Abs("results/lstm/run_3")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		setup training.Setup
		want  string
	}{
		{training.Setup{Programs: 64, Threads: 2, Config: ppo.Defaults()},
			"`nestling train --model gpt-2 --seed 1 --threads 2 --programs 64`"},
		{training.Setup{Programs: 64, Threads: 2, Size: "full", Weights: "/w/gpt2.safetensors", Teacher: here, Replay: true, Time: "15m0s",
			Config: changed(ppo.Defaults(), func(c *ppo.Config) { c.Seed, c.Rehearsals, c.Averaging, c.CostModel = 3, 20, 0.97, false })},
			"`nestling train --model gpt-2 --size full --weights /w/gpt2.safetensors --teacher results/lstm/run_3 --seed 3 --threads 2 --time 15m0s --programs 64 --replay --config FILE`" +
				" (FILE: cost_model=false, rehearsals=20, averaging=0.97)"},
		{training.Setup{Programs: 64, Data: "/p", Threads: 1, Preset: "paper", Exact: true,
			Config: changed(ppo.Paper(), func(c *ppo.Config) { c.Iterations, c.Epochs = 50, 2 })},
			"`nestling train --model gpt-2 --preset paper --data /p --seed 1 --threads 1 --iterations 50 --config FILE --tolerance T`" +
				" (FILE: epochs=2; T: too small for Winograd's algorithm)"},
	} {
		if got := (stage{run: &results.Run{Model: "gpt-2"}, setup: c.setup}).command(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
