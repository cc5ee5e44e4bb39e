package ppo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nestling/env"
	"nestling/env/envtest"
	"nestling/policy"
	"nestling/program"
	"nestling/results"
	"nestling/schedule"
	"nestling/stats"
)

var machine = schedule.Machine{Threads: 2, VectorLanes: 16}

// worth is the made-up truth of the tests: tiles of 4 in the innermost loop that
// are then vectorized are fastest, every action costs a little.
func worth(s schedule.Schedule) float64 {
	total := 0.0
	for _, op := range s {
		inner := 0
		for _, a := range op.Actions {
			total -= 0.1
			if n := len(a.Sizes); n > 0 && a.Sizes[n-1] > 0 {
				inner = a.Sizes[n-1]
			}
			if a.Kind == schedule.Vectorize && inner == 4 {
				total += 2
			}
			if a.Kind == schedule.TileParallel {
				total -= 0.5
			}
		}
	}
	return total
}

// trainIn makes this test binary train in a folder instead, for a test that
// kills it.
const trainIn = "NESTLING_TEST_TRAIN_IN"

// killedIterations take several times as long as a child is let live.
const killedIterations = 80

func TestMain(m *testing.M) {
	if dir := os.Getenv(trainIn); dir != "" {
		if err := childTrains(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func childTrains(dir string) error {
	run, err := results.OpenRun(dir)
	if err != nil {
		return err
	}
	return Train(context.Background(), whole(small(run, envtest.Truth(worth), killedIterations, nil)))
}

func TestKillsAtAnyMomentLoseNothing(t *testing.T) {
	var curve []Metrics
	one, killed := whole(training(t, t.TempDir(), killedIterations, &curve)), training(t, t.TempDir(), killedIterations, &curve)
	train(t, one)
	rng := newRand(uint64(time.Now().UnixNano()))
	kills := 0
	for ; kills < 200; kills++ {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), trainIn+"="+killed.Run.Dir)
		var said bytes.Buffer
		child.Stderr = &said
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		ended := time.AfterFunc(time.Duration(40+10*kills+rng.IntN(200))*time.Millisecond, func() { _ = child.Process.Kill() })
		err := child.Wait()
		ended.Stop()
		if err == nil {
			break
		}
		if child.ProcessState.Exited() {
			t.Fatalf("after %d kills training fails: %s", kills, &said)
		}
	}
	if kills == 0 || kills == 200 {
		t.Fatalf("%d kills: the test wants some, and an end", kills)
	}
	sameCheckpoint(t, one.Run, killed.Run)
	lines, err := results.ReadLog[Metrics](filepath.Join(killed.Run.Logs(), LogFile))
	if err != nil {
		t.Fatal(err)
	}
	for i := range lines {
		lines[i] = timeless(lines[i])
	}
	if d := cmp.Diff(curve, lines); d != "" {
		t.Errorf("the log is not the curve:\n%s", d)
	}
}

func programs() []*program.Program {
	return []*program.Program{envtest.Add(8), envtest.Add(16), envtest.Add(4, 8), envtest.Add(2, 16)}
}

// training is a small training in a new run; its metrics end up in curve, without
// what the clock says.
func training(t testing.TB, root string, iterations int, curve *[]Metrics) TrainOptions {
	t.Helper()
	run, err := results.NewRun(root, "lstm")
	if err != nil {
		t.Fatal(err)
	}
	return small(run, envtest.Truth(worth), iterations, func(m Metrics) error {
		*curve = append(*curve, timeless(m))
		return nil
	})
}

func small(run *results.Run, evaluator env.Evaluator, iterations int, report func(Metrics) error) TrainOptions {
	c := Defaults()
	c.Iterations, c.Programs, c.Repeats, c.Branches, c.Minibatch, c.LearningRate, c.SmallFirst = iterations, 4, 4, 2, 32, 3e-3, 0
	return TrainOptions{
		Config: c, Model: "lstm", Policy: policy.Config{Width: 24, Layers: 1, Trunk: 24, TrunkLayers: 2, Option: 16},
		Programs: programs(), Machine: machine, Evaluator: evaluator, Run: run, Report: report,
	}
}

// whole is a training with all that one can have: every way to explore, small programs
// first, validation.
func whole(o TrainOptions) TrainOptions {
	c := &o.Config
	c.Programs, c.Repeats, c.Branches, c.SmallFirst, c.ValidateEvery = 3, 6, 5, 3, 2
	c.CostSchedules = 5 // so that some are forgotten
	o.Validation = []*program.Program{envtest.Add(32)}
	return o
}

func timeless(m Metrics) Metrics {
	m.Elapsed, m.Seconds, m.NewPerSecond, m.CachedPerSecond, m.NetworkShare = 0, 0, 0, 0, 0
	return m
}

func train(t testing.TB, o TrainOptions) {
	t.Helper()
	if err := Train(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

// sameCheckpoint compares the newest checkpoints of two runs bit for bit, but for the time
// they took.
func sameCheckpoint(t *testing.T, a, b *results.Run) {
	t.Helper()
	for _, file := range append([]string{results.PolicyFile, results.LearnerFile, results.OptimizerFile}, costFiles...) {
		if content(t, a, file) != content(t, b, file) {
			t.Errorf("%s differs", file)
		}
	}
	if d := cmp.Diff(timelessState(t, a), timelessState(t, b)); d != "" {
		t.Errorf("the state differs:\n%s", d)
	}
}

func timelessState(t *testing.T, run *results.Run) (s State) {
	t.Helper()
	if err := json.Unmarshal([]byte(content(t, run, results.StateFile)), &s); err != nil {
		t.Fatal(err)
	}
	s.Elapsed = 0
	return s
}

func content(t *testing.T, run *results.Run, file string) string {
	t.Helper()
	dir, err := run.LatestCheckpoint()
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestSameSeedSameCurve(t *testing.T) {
	var a, b, c []Metrics
	first, second, third := whole(training(t, t.TempDir(), 4, &a)), whole(training(t, t.TempDir(), 4, &b)), whole(training(t, t.TempDir(), 4, &c))
	third.Config.Seed++
	train(t, first)
	train(t, second)
	train(t, third)
	if len(a) != 4 {
		t.Fatalf("%d iterations were reported, want 4", len(a))
	}
	if d := cmp.Diff(a, b); d != "" {
		t.Errorf("the same seed gives another curve:\n%s", d)
	}
	sameCheckpoint(t, first.Run, second.Run)
	if cmp.Equal(a, c) {
		t.Error("another seed gives the same curve")
	}
}

// Learning finds what is rare and makes a habit of it, with nearly every seed: what it has not
// met by chance while it was unsure it may never meet.
func TestLearningBeatsTheRandomPolicy(t *testing.T) {
	const seeds, lucky = 5, 4
	better := 0
	for seed := range uint64(seeds) {
		var learned, random []Metrics
		o := training(t, t.TempDir(), 80, &learned)
		o.Config.Seed, o.Config.Programs, o.Config.Repeats, o.Config.Minibatch = seed, 8, 4, 64
		train(t, o)
		o.Report = func(m Metrics) error {
			random = append(random, m)
			return nil
		}
		if err := Random(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		before, after, chance := meanReward(learned[:3]), meanReward(learned[len(learned)-3:]), meanReward(random)
		t.Logf("seed %d: first %.2f, last %.2f, random %.2f", seed, before, after, chance)
		if after >= chance+0.4 && after >= before+0.4 {
			better++
		}
	}
	if better < lucky {
		t.Errorf("learning has clearly paid with %d of %d seeds, want %d", better, seeds, lucky)
	}
}

func meanReward(ms []Metrics) float64 {
	total := 0.0
	for _, m := range ms {
		total += m.Reward / float64(len(ms))
	}
	return total
}

// dying is an evaluator that is interrupted when asked for the n-th time.
type dying struct {
	env.Evaluator
	interrupt context.CancelFunc
	left      int
}

func (d *dying) Evaluate(ctx context.Context, tasks []env.Task) ([]env.Feedback, error) {
	if d.left--; d.left == 0 {
		d.interrupt()
	}
	return d.Evaluator.Evaluate(ctx, tasks)
}

func TestResumeGoesOnBitForBit(t *testing.T) {
	var straight, pieces []Metrics
	whole := training(t, t.TempDir(), 6, &straight)
	train(t, whole)

	o := training(t, t.TempDir(), 6, &pieces)
	evaluator := o.Evaluator
	for _, n := range []int{3, 2} { // dies in iteration 3, then in iteration 4
		ctx, cancel := context.WithCancel(t.Context())
		o.Evaluator = &dying{evaluator, cancel, n}
		if err := Train(ctx, o); err != nil {
			t.Fatalf("an interrupted training fails: %v", err)
		}
		addLateLine(t, o.Run, len(pieces)+1)
	}
	o.Evaluator = evaluator
	train(t, o)
	if d := cmp.Diff(straight, pieces); d != "" {
		t.Errorf("resuming changed the curve:\n%s", d)
	}
	sameCheckpoint(t, whole.Run, o.Run)
	lines, err := results.ReadLog[Metrics](filepath.Join(o.Run.Logs(), LogFile))
	if err != nil {
		t.Fatal(err)
	}
	for i := range lines {
		lines[i] = timeless(lines[i])
	}
	if d := cmp.Diff(straight, lines); d != "" {
		t.Errorf("the log is not the curve:\n%s", d)
	}
}

// addLateLine leaves the traces of a kill between log and checkpoint: a line of
// an iteration without checkpoint, and one cut short.
func addLateLine(t *testing.T, run *results.Run, iteration int) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(run.Logs(), LogFile), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(f, "{\"iteration\":%d}\n{\"iterat", iteration); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestKeepsTheNewestCheckpointsAndTheBest(t *testing.T) {
	var curve []Metrics
	o := training(t, t.TempDir(), 8, &curve)
	o.Config.AveragedIterations = 1
	o.Evaluator = &fading{Evaluator: o.Evaluator}
	train(t, o)
	names, err := results.Checkpoints(o.Run.Models())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"checkpoint_000002", "checkpoint_000006", "checkpoint_000007", "checkpoint_000008"}
	if d := cmp.Diff(want, names); d != "" {
		t.Error(d)
	}
}

// With validation programs, the best checkpoint is that whose first choices and those of
// the two looks before do best on them, the newest before there are three looks; they are
// never learned from.
func TestValidationChoosesTheBestCheckpoint(t *testing.T) {
	var curve []Metrics
	o := training(t, t.TempDir(), 40, &curve)
	o.Validation = []*program.Program{envtest.Add(32), envtest.Add(8, 4)}
	o.Config.ValidateEvery = 4
	train(t, o)
	best, at := math.Inf(-1), 0
	var looks []float64
	for _, m := range curve {
		if (m.Validation != nil) != (m.Iteration%4 == 0) {
			t.Fatalf("iteration %d: validation %v", m.Iteration, m.Validation)
		}
		if m.Validation == nil {
			continue
		}
		looks = append(looks, *m.Validation)
		if mean := stats.Mean(looks[max(0, len(looks)-3):]); len(looks) <= 3 || mean > best {
			best, at = mean, m.Iteration
		}
	}
	c, err := LoadLatest(o.Run)
	if err != nil {
		t.Fatal(err)
	}
	if c.State.BestIteration != at || c.State.Best != best {
		t.Errorf("best is iteration %d with %g, want %d with %g", c.State.BestIteration, c.State.Best, at, best)
	}
	if _, err := Load(filepath.Join(o.Run.Models(), results.CheckpointName(at))); err != nil {
		t.Errorf("the best checkpoint is not kept: %v", err)
	}
	for _, p := range o.Validation {
		if _, learned := c.State.Memories[p.Hash]; learned {
			t.Errorf("%s is remembered", p.Name)
		}
	}
}

// fading finds iteration 2 best.
type fading struct {
	env.Evaluator
	n int
}

func (f *fading) Evaluate(_ context.Context, tasks []env.Task) ([]env.Feedback, error) {
	f.n++
	out := make([]env.Feedback, len(tasks))
	for i := range out {
		out[i].LogSpeedup = -math.Abs(float64(f.n-2)) / 10
	}
	return out, nil
}

func TestBrokenCheckpointsAreRefused(t *testing.T) {
	for _, c := range []struct {
		name, file string
		spoil      func(content []byte) []byte
		want       string
	}{
		{"cut weights", results.PolicyFile, func(b []byte) []byte { return b[:len(b)/2] }, "policy.safetensors is not what training wrote"},
		{"a flipped bit", results.PolicyFile, func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, "policy.safetensors is not what training wrote"},
		{"cut moments", results.OptimizerFile, func(b []byte) []byte { return b[:9] }, "optimizer.safetensors is not what training wrote"},
		{"cut state", results.StateFile, func(b []byte) []byte { return b[:20] }, "state.json is not a training's state"},
		{"another model", results.StateFile, func(b []byte) []byte {
			return []byte(strings.Replace(string(b), `"lstm"`, `"mamba"`, 1))
		}, `no model "mamba"`},
		{"other sizes", results.StateFile, func(b []byte) []byte {
			return []byte(strings.Replace(string(b), `"trunk": 24`, `"trunk": 48`, 1))
		}, "of another architecture"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var curve []Metrics
			o := training(t, t.TempDir(), 2, &curve)
			train(t, o)
			newest := filepath.Join(o.Run.Models(), "checkpoint_000002")
			path := filepath.Join(newest, c.file)
			if err := os.WriteFile(path, c.spoil([]byte(content(t, o.Run, c.file))), 0o644); err != nil {
				t.Fatal(err)
			}
			o.Config.Iterations = 3
			err := Train(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "remove it to go on from checkpoint_000001") || strings.Contains(err.Error(), "\n") {
				t.Fatalf("error %v; want one line with %q and the checkpoint before it", err, c.want)
			}
			if err := os.RemoveAll(newest); err != nil {
				t.Fatal(err)
			}
			train(t, o)
			if last := curve[len(curve)-1].Iteration; last != 3 {
				t.Errorf("after removing it, training ended at iteration %d, want 3", last)
			}
		})
	}
}

func TestLoadGivesThePolicyThatWasTrained(t *testing.T) {
	var curve []Metrics
	o := training(t, t.TempDir(), 2, &curve)
	train(t, o)
	dir, err := o.Run.LatestCheckpoint()
	if err != nil {
		t.Fatal(err)
	}
	// An agent that is only to be used needs no optimizer.
	if err := os.Remove(filepath.Join(dir, results.OptimizerFile)); err != nil {
		t.Fatal(err)
	}
	c, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	episodes := []*env.Episode{env.NewSpace(programs()[0], machine, env.Rules{}).NewEpisode()}
	if d := c.Policy.Act(episodes, nil, true); len(d) != 1 || c.State.Iteration != 2 || c.Policy.Name() != "lstm" {
		t.Errorf("decisions %v of %s, iteration %d", d, c.Policy.Name(), c.State.Iteration)
	}
	if d := cmp.Diff(o.Policy, c.Policy.Config()); d != "" {
		t.Error(d)
	}
}

func TestAdvantagesAreThoseOfTheFormula(t *testing.T) {
	e := episode{feedback: env.Feedback{LogSpeedup: 2 * math.Ln10}, steps: []step{{value: 0.5}, {value: 1}, {value: -1}}}
	e.advantages(0.9, 0.5)
	// The reward is 2, δ = (0.9·1-0.5, 0.9·(-1)-1, 2-(-1)), A = δ + 0.45·A of the next step.
	want := []float64{0.4 + 0.45*(-1.9+0.45*3), -1.9 + 0.45*3, 3}
	for i, s := range e.steps {
		if math.Abs(s.advantage-want[i]) > 1e-12 || math.Abs(s.returned-want[i]-s.value) > 1e-12 {
			t.Errorf("step %d: advantage %g, return %g; want advantage %g", i, s.advantage, s.returned, want[i])
		}
	}
}

func TestCollapseGuardRaisesTheEntropyCoefficient(t *testing.T) {
	tr := trainer{TrainOptions: TrainOptions{Config: Defaults()}}
	tr.state.EntropyCoefficient, tr.state.FirstEntropy = tr.Config.EntropyCoefficient, 4
	floor := 4 * tr.Config.EntropyFloor
	for range 20 {
		m := Metrics{Entropy: 0.75 * floor}
		tr.guardEntropy(&m)
		if !m.Collapsing {
			t.Fatalf("an entropy of %g with a floor of %g is not reported", m.Entropy, floor)
		}
	}
	if c := tr.state.EntropyCoefficient; c != tr.Config.MaximumCoefficient {
		t.Errorf("coefficient %g, want the maximum", c)
	}
	for range 50 {
		tr.guardEntropy(&Metrics{Entropy: 3})
	}
	if c := tr.state.EntropyCoefficient; c != tr.Config.EntropyCoefficient {
		t.Errorf("coefficient %g after recovery, want the least", c)
	}
	brief := Metrics{Entropy: 0.5 * floor}
	if tr.guardEntropy(&brief); brief.Collapsing {
		t.Errorf("an entropy of %g in one iteration, 3 in all before, is taken for a collapse", brief.Entropy)
	}
	for range 10 {
		tr.guardEntropy(&Metrics{Entropy: 3})
	}
	near := Metrics{Entropy: 1.2 * floor}
	tr.guardEntropy(&near)
	if c := tr.state.EntropyCoefficient; c <= tr.Config.EntropyCoefficient || near.Collapsing {
		t.Errorf("coefficient %g for an entropy of %g with a floor of %g, collapsing: %t; want more than the least, and no collapse yet", c, near.Entropy, floor, near.Collapsing)
	}
}

// A policy that became certain without a guard is revived by one.
func TestTheEntropyBonusRevivesACollapsedPolicy(t *testing.T) {
	var curve []Metrics
	o := training(t, t.TempDir(), 60, &curve)
	o.Config.EntropyFloor = 0
	train(t, o)
	unguarded := len(curve)
	o.Config.Iterations, o.Config.MaximumCoefficient = 150, 1
	o.Config.EntropyFloor = 2 * curve[unguarded-1].Entropy / curve[0].Entropy
	train(t, o)
	fell, rose := false, false
	for _, m := range curve[unguarded:] {
		fell = fell || m.Collapsing
		rose = rose || fell && !m.Collapsing
	}
	if !fell || !rose {
		t.Errorf("entropy fell below the floor: %t; came back: %t", fell, rose)
	}
}

// constant gives every schedule the same feedback.
type constant struct {
	env.Evaluator
	feedback env.Feedback
	err      error
}

func (c constant) Evaluate(_ context.Context, tasks []env.Task) ([]env.Feedback, error) {
	out := make([]env.Feedback, len(tasks))
	for i := range out {
		out[i] = c.feedback
	}
	return out, c.err
}

func TestTrainFailsClearly(t *testing.T) {
	broken := errors.New("the machine is on fire")
	for _, c := range []struct {
		name  string
		spoil func(o *TrainOptions)
		want  string
	}{
		{"settings", func(o *TrainOptions) { o.Config.Clip = 2 }, "setting clip is 2; it must be between 0 and 1"},
		{"no programs", func(o *TrainOptions) { o.Programs = nil }, "no programs"},
		{"model", func(o *TrainOptions) { o.Model = "gpt-5" }, "gpt-5"},
		{"evaluator", func(o *TrainOptions) { o.Evaluator = constant{o.Evaluator, env.Feedback{}, broken} }, "iteration 1: the machine is on fire"},
		{"not a number", func(o *TrainOptions) {
			o.Evaluator = constant{o.Evaluator, env.Feedback{LogSpeedup: math.NaN()}, nil}
		}, "iteration 1: the update is not finite"},
		{"nothing to compare with", func(o *TrainOptions) {
			o.Evaluator = constant{o.Evaluator, env.Feedback{Reason: "the default schedule cannot be measured: crash"}, nil}
		}, "iteration 1: none of the 16 schedules"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var curve []Metrics
			o := training(t, t.TempDir(), 2, &curve)
			c.spoil(&o)
			if err := Train(t.Context(), o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if _, err := o.Run.LatestCheckpoint(); !errors.Is(err, results.ErrNoModel) {
				t.Errorf("a failed first iteration left a checkpoint (%v)", err)
			}
		})
	}
}

func TestFailuresAreCountedByKind(t *testing.T) {
	var curve []Metrics
	o := training(t, t.TempDir(), 1, &curve)
	o.Evaluator = constant{o.Evaluator, env.Feedback{Failed: true, Reason: "crash: SIGSEGV in the kernel"}, nil}
	train(t, o)
	m := curve[0]
	if m.Failed != 16 || m.Failures["crash"] != 16 || m.Reward != -env.RewardLimit || m.Speedup != 0 {
		t.Errorf("%+v", m)
	}
}

func TestPatienceEndsTraining(t *testing.T) {
	var curve []Metrics
	o := training(t, t.TempDir(), 100, &curve)
	o.Evaluator = &fading{Evaluator: o.Evaluator}
	o.Config.AveragedIterations, o.Config.PatienceIterations = 1, 3
	train(t, o)
	if len(curve) != 5 {
		t.Errorf("%d iterations, want 2 to the best and 3 more", len(curve))
	}
}

// BenchmarkIteration is an iteration at the default settings without the time
// that compiling and measuring take.
func BenchmarkIteration(b *testing.B) {
	var curve []Metrics
	o := training(b, b.TempDir(), b.N, &curve)
	o.Config = Defaults()
	o.Config.Iterations = b.N
	o.Policy = policy.DefaultConfig("lstm")
	b.ResetTimer()
	train(b, o)
}

// The weights that are used follow the learner's: exactly without averaging, and else as a
// mean of all iterations so far, until that is longer than the average asked for.
func TestWeightsAreAveraged(t *testing.T) {
	var curve []Metrics
	o := training(t, t.TempDir(), 3, &curve)
	for _, keep := range []float64{0, 0.6} {
		o.Config.Averaging = keep
		trainer, err := newTrainer(o)
		if err != nil {
			t.Fatal(err)
		}
		learner, mean := trainer.agent.Parameters()[0].Data, trainer.mean.Parameters()[0].Data
		var got []float32
		for i, w := range []float32{1, 2, 6, 4} {
			learner[0] = w
			trainer.state.Iteration = i
			trainer.averaging()
			got = append(got, mean[0])
		}
		want := []float32{1, 2, 6, 4}
		if keep > 0 {
			want = []float32{1, 1.5, 3.3, 3.58} // weights 1/2, 2/5, 2/5
		}
		for i := range want {
			if math.Abs(float64(got[i]-want[i])) > 1e-5 {
				t.Errorf("averaging %g: %v, want %v", keep, got, want)
				break
			}
		}
		if err := trainer.journal.close(); err != nil {
			t.Fatal(err)
		}
	}
}

// What another training has found is known from the first iteration on, on programs of both.
func TestATeacherIsImitated(t *testing.T) {
	var taught, untaught []Metrics
	teacher := training(t, t.TempDir(), 40, &untaught)
	train(t, teacher)
	c, err := LoadLatest(teacher.Run)
	if err != nil {
		t.Fatal(err)
	}
	o := training(t, t.TempDir(), 1, &taught)
	o.Programs = append(programs()[:3:3], envtest.Add(3, 5))
	if o.Teacher, err = TeacherOf(c); err != nil {
		t.Fatal(err)
	}
	train(t, o)
	if trainer := opened(t, o); len(trainer.judged) < 3 {
		t.Errorf("schedules of %d programs are handed on, want 3 at least", len(trainer.judged))
	}
	known := 0.0
	for _, p := range o.Programs[:3] {
		known += c.State.Memories[p.Hash].Reward
	}
	if least := known/4 + worstReward/4; taught[0].Known < least || untaught[0].Known >= taught[0].Known {
		t.Errorf("%.2f is known after the first iteration with a teacher, want at least %.2f; %.2f without", taught[0].Known, least, untaught[0].Known)
	}
}

// worstReward is what a failure earns.
const worstReward = -2

// What was measured elsewhere is measured anew; what was learned stays.
func TestMeasurementsStayWhereTheyWereMade(t *testing.T) {
	var curve []Metrics
	o := training(t, t.TempDir(), 2, &curve)
	o.Conditions = "a fast machine"
	train(t, o)
	learned := content(t, o.Run, results.LearnerFile)
	elsewhere := 7.0
	dir, err := o.Run.LatestCheckpoint()
	if err != nil {
		t.Fatal(err)
	}
	s := timelessState(t, o.Run)
	for hash, m := range s.Memories {
		m.Reward = elsewhere
		s.Memories[hash] = m
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, results.StateFile), text, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, conditions := range []string{o.Conditions, "a slow machine"} {
		o.Conditions = conditions
		resumed, err := newTrainer(o)
		if err != nil {
			t.Fatal(err)
		}
		kept := resumed.known() == elsewhere
		if kept != (conditions == s.Conditions) {
			t.Errorf("on %s the best rewards known are %.2f on average", conditions, resumed.known())
		}
		if resumed.state.Iteration != 2 {
			t.Errorf("on %s it goes on from iteration %d", conditions, resumed.state.Iteration)
		}
		out := t.TempDir()
		if err := resumed.saveLearner(out); err != nil {
			t.Fatal(err)
		}
		if now, err := os.ReadFile(filepath.Join(out, results.LearnerFile)); err != nil || string(now) != learned {
			t.Errorf("on %s it goes on with other weights (%v)", conditions, err)
		}
		if err := resumed.journal.close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Nobody has to listen.
func TestWithoutAReport(t *testing.T) {
	var curve []Metrics
	o := training(t, t.TempDir(), 1, &curve)
	o.Report = nil
	train(t, o)
	if err := Random(t.Context(), o); err != nil {
		t.Error(err)
	}
}
