package costmodel

import (
	"math/rand/v2"
	"testing"

	"nestling/env"
	"nestling/env/envtest"
	"nestling/schedule"
)

// schedules are made-up ones of one program: some actions each, whose worth adds up, with
// what all schedules of the program have in common.
func schedules(rng *rand.Rand) []Measured {
	common := rng.NormFloat64()
	out := make([]Measured, 8)
	for i := range out {
		out[i].Features.Nests = make([]float32, 1+NestSize)
		for range 1 + rng.IntN(6) {
			action := make([]float32, Size)
			for j := range 10 {
				action[j] = float32(rng.NormFloat64())
			}
			out[i].Features.Actions = append(out[i].Features.Actions, action...)
			out[i].Reward += 0.3 * float64(action[0]*action[1]+action[2])
		}
		out[i].Reward += common
	}
	return out
}

// ordered is the share of pairs that scores order as rewards do.
func ordered(m *Model, groups [][]Measured) float64 {
	right, total := 0.0, 0.0
	for _, g := range groups {
		of := make([]Features, len(g))
		for i, s := range g {
			of[i] = s.Features
		}
		scores := m.Scores(of)
		for i := range g {
			for j := range i {
				total++
				if (scores[i] > scores[j]) == (g[i].Reward > g[j].Reward) {
					right++
				}
			}
		}
	}
	return right / total
}

func TestRanksWhatItHasNotSeen(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var known, unknown [][]Measured
	for range 400 {
		known, unknown = append(known, schedules(rng)), append(unknown, schedules(rng))
	}
	m := New(rng)
	if before := ordered(m, unknown); before < 0.3 || before > 0.7 {
		t.Errorf("before it learns, %.2f of the pairs are in order, want about half", before)
	}
	first, last := 0.0, 0.0
	for i := range 600 {
		batch := make([][]Measured, 16)
		for j := range batch {
			batch[j] = known[rng.IntN(len(known))]
		}
		loss, err := m.Learn(batch, rng)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = loss
		}
		last = loss
	}
	if last > first/2 {
		t.Errorf("the loss went from %.3f to %.3f", first, last)
	}
	if after := ordered(m, unknown); after < 0.85 {
		t.Errorf("%.2f of the pairs of unknown programs are in order, want 0.85", after)
	}
	checkSaved(t, m, unknown[0])
}

// checkSaved compares a model with what its files make of another.
func checkSaved(t *testing.T, m *Model, g []Measured) {
	t.Helper()
	dir := t.TempDir()
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	again := New(rand.New(rand.NewPCG(2, 2)))
	if err := again.Load(dir); err != nil {
		t.Fatal(err)
	}
	if err := again.LoadLearner(dir); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for i, s := range g {
			of := []Features{s.Features}
			if a, b := m.Scores(of)[0], again.Scores(of)[0]; a != b {
				t.Fatalf("schedule %d: %g, and %g from the files", i, a, b)
			}
		}
		for _, model := range []*Model{m, again} { // the same step, too
			if _, err := model.Learn([][]Measured{g}, rand.New(rand.NewPCG(3, 3))); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestEqualRewardsTeachNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	g := schedules(rng)
	for i := range g {
		g[i].Reward = 0.5
	}
	m := New(rng)
	before := m.Scores([]Features{g[0].Features})[0]
	if loss, err := m.Learn([][]Measured{g, nil}, rng); loss != 0 || err != nil {
		t.Errorf("loss %g, error %v; want neither", loss, err)
	}
	if after := m.Scores([]Features{g[0].Features})[0]; after != before {
		t.Errorf("the score went from %g to %g", before, after)
	}
}

// An action is described by the operation, its loops on average, and all that was answered.
//
// The first features of an option are a one-hot of the question.
func TestDescribe(t *testing.T) {
	const askedSize = 6
	m := env.NewSpace(envtest.Matmul(32, 48, 64), schedule.Machine{Threads: 2, VectorLanes: 16}, env.Rules{}).NewEpisode()
	rng := rand.New(rand.NewPCG(3, 3))
	var steps []env.Step
	for !m.Done() {
		steps = append(steps, m.DrawAction(rng))
	}
	f := Describe(steps, m).Actions
	if len(f) != len(steps)*Size {
		t.Fatalf("%d numbers describe %d actions, want %d each", len(f), len(steps), Size)
	}
	for i, s := range steps {
		answers := float32(0)
		for _, v := range f[i*Size+env.OpSize+env.LoopSize:][:askedSize] {
			answers += v
		}
		if int(answers) != len(s.Answers) {
			t.Errorf("action %d: %g questions are counted, want %d", i, answers, len(s.Answers))
		}
	}
}
