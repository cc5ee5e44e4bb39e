package training

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nestling/env"
	"nestling/measure"
	"nestling/policy"
	"nestling/ppo"
	"nestling/program"
	"nestling/results"
	"nestling/schedule"
	"nestling/stats"
	"nestling/suite"
)

// update makes the recording anew, on this machine, with real measurements.
var update = flag.Bool("update", false, "record real measurements into testdata")

const (
	recordingFile = "testdata/recording.jsonl"
	programsFile  = "testdata/programs.json"
)

// recordedMachine is the one that agents are told of, wherever the test runs.
var recordedMachine = schedule.Machine{Threads: 1, VectorLanes: 16}

// recorder writes down what another evaluator measures.
type recorder struct {
	env.Evaluator
	out bytes.Buffer
}

func (r *recorder) Evaluate(ctx context.Context, tasks []env.Task) ([]env.Feedback, error) {
	feedback, err := r.Evaluator.Evaluate(ctx, tasks)
	if err != nil {
		return nil, err
	}
	for i, t := range tasks {
		if err := env.WriteRecord(&r.out, t, feedback[i]); err != nil {
			return nil, err
		}
	}
	return feedback, nil
}

func recordedOptions(t *testing.T, programs []*program.Program, evaluator env.Evaluator) (ppo.TrainOptions, *[]float64) {
	t.Helper()
	run, err := results.NewRun(t.TempDir(), "lstm")
	if err != nil {
		t.Fatal(err)
	}
	s := Setup{Model: "lstm", Config: ppo.Defaults()}
	s.Config.Iterations, s.Config.Programs, s.Config.Repeats = 40, 2, 8
	curve := new([]float64)
	o := ppo.TrainOptions{
		Config: s.Config, Model: s.Model, Programs: programs, Machine: recordedMachine, Run: run, Evaluator: evaluator,
		Report: func(m ppo.Metrics) error {
			*curve = append(*curve, m.Reward)
			return nil
		},
	}
	o.Policy = policy.Config{Width: 64, Layers: 1, Trunk: 64, TrunkLayers: 2, Option: 64}
	return o, curve
}

// record trains live, with the settings of the test, and keeps what was measured.
func record(t *testing.T) {
	t.Helper()
	lab, err := measure.Open(measure.Options{Worker: worker, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lab.Close() }()
	var sources []suite.Program
	for _, b := range []suite.Benchmark{suite.Matmul("product", 64, 96, 32), suite.Linear("linear", 32, 48, 64)} {
		sources = append(sources, suite.Program{Name: b.Name, Module: b.Module})
	}
	programs, err := Analyse(t.Context(), lab, sources, func(int, int) {})
	if err != nil {
		t.Fatal(err)
	}
	live := &recorder{Evaluator: env.NewLive(lab, plan, recordedMachine)}
	o, _ := recordedOptions(t, programs, live)
	if err := ppo.Train(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(programs, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(programsFile), 0o755); err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string][]byte{programsFile: text, recordingFile: live.out.Bytes()} {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// On recorded measurements the same seed gives the same curve, bit for bit, also in two
// parts, and the curve rises.
func TestLearningOnRecordedMeasurements(t *testing.T) {
	if *update {
		record(t)
	}
	text, err := os.ReadFile(programsFile)
	if err != nil {
		t.Fatal(err)
	}
	var programs []*program.Program
	if err := json.Unmarshal(text, &programs); err != nil {
		t.Fatal(err)
	}
	recording, err := os.ReadFile(recordingFile)
	if err != nil {
		t.Fatal(err)
	}
	var curves [2][]float64
	for i := range curves {
		evaluator, err := env.ReadRecording(bytes.NewReader(recording))
		if err != nil {
			t.Fatal(err)
		}
		o, curve := recordedOptions(t, programs, evaluator)
		whole := o.Config.Iterations
		for _, o.Config.Iterations = range [2][]int{{whole}, {whole / 2, whole}}[i] {
			if err := ppo.Train(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		}
		curves[i] = *curve
	}
	if diff := cmp.Diff(curves[0], curves[1]); diff != "" {
		t.Errorf("the same seed gave another curve: %s", diff)
	}
	first, last := stats.Mean(curves[0][:10]), stats.Mean(curves[0][30:])
	t.Logf("mean reward %.3f in the first ten iterations, %.3f in the last ten", first, last)
	if last < first+0.1 {
		t.Errorf("mean reward %.3f in the first ten iterations, %.3f in the last ten: nothing was learned", first, last)
	}
}
