// Package ppo trains a policy to schedule programs by proximal policy
// optimization (Schulman et al. 2017, arXiv:1707.06347). Read it from top to
// bottom: settings, the loop, rollouts, advantages, the update.
package ppo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"time"

	"nestling/blas"
	"nestling/costmodel"
	"nestling/env"
	"nestling/nn"
	"nestling/policy"
	"nestling/program"
	"nestling/results"
	"nestling/schedule"
	"nestling/stats"
)

// Config are the settings of a training. Defaults suits two cores and a few
// minutes.
type Config struct {
	Seed               uint64  `json:"seed"`                // of weights, programs, actions and minibatches
	Iterations         int     `json:"iterations"`          // ends after so many; 0: no limit
	Programs           int     `json:"programs"`            // drawn at random for an iteration
	SmallFirst         int     `json:"small_first"`         // iterations until the largest programs are drawn, too
	Repeats            int     `json:"repeats"`             // episodes on each of them; a reward counts by what it is above the others'
	Branches           int     `json:"branches"`            // how many of those start from the best episode met on the program or one like it, in the ways of explore in turn
	Proposals          int     `json:"proposals"`           // ways to begin a branch, of which the most promising is mostly taken
	Lenders            int     `json:"lenders"`             // programs drawn to borrow a branch from the one most like its own
	CostModel          bool    `json:"cost_model"`          // a model of what schedules cost says which is promising, beside the policy
	CostSchedules      int     `json:"cost_schedules"`      // schedules of each program that it learns from, at most
	CostUpdates        int     `json:"cost_updates"`        // its steps in an iteration
	CostBatch          int     `json:"cost_batch"`          // programs of each of those
	LearningRate       float64 `json:"learning_rate"`       // of Adam
	RateDecay          int     `json:"rate_decay"`          // iterations after which it is half; 0: it stays
	Epochs             int     `json:"epochs"`              // passes over the steps of an iteration, at most
	Minibatch          int     `json:"minibatch"`           // steps of an update
	WeightDecay        float64 `json:"weight_decay"`        // of matrices in an update, as a share of the rate: weights that nothing needs fade
	Clip               float64 `json:"clip"`                // change of a probability ratio beyond which nothing is gained
	ValueCoefficient   float64 `json:"value_coefficient"`   // weight of the value loss
	ValueClip          float64 `json:"value_clip"`          // change of a value in an iteration beyond which nothing is gained; 0: none
	Discount           float64 `json:"discount"`            // γ: worth of a reward one step later
	Lambda             float64 `json:"lambda"`              // λ of the advantage estimate: 0 trusts the value, 1 the reward
	TargetKL           float64 `json:"target_kl"`           // epochs end when the policy has moved so far, in nats; 0: never
	GradientClip       float64 `json:"gradient_clip"`       // largest global norm of a gradient
	Imitation          float64 `json:"imitation"`           // weight of imitating the best episode met on each program; 0: none
	Demonstrations     bool    `json:"demonstrations"`      // the default schedules are the first episodes to imitate
	Confirm            bool    `json:"confirm"`             // what would be imitated is measured a second time before
	ClearlyBetter      float64 `json:"clearly_better"`      // by how much its reward must exceed that of the best one known; of equals the first is kept, which is the plainest
	PlainShare         float64 `json:"plain_share"`         // what imitating a step of an episode weighs that is as fast as the default schedule, beside the reward of others
	Rehearsals         int     `json:"rehearsals"`          // minibatches of an iteration that do nothing but imitate
	Averaging          float64 `json:"averaging"`           // share that the running mean of the weights keeps of itself in an iteration; 0: no mean
	EntropyCoefficient float64 `json:"entropy_coefficient"` // least weight of the entropy bonus
	MaximumCoefficient float64 `json:"maximum_coefficient"` // largest weight that the collapse guard gives it
	EntropyFloor       float64 `json:"entropy_floor"`       // of the running mean of entropy, as a share of the first iteration's: below, the policy collapses
	GuardMargin        float64 `json:"guard_margin"`        // times its floor, from where on the entropy of an iteration is guarded
	PatienceIterations int     `json:"patience_iterations"` // ends after so many without a better mean reward; 0: never
	AveragedIterations int     `json:"averaged_iterations"` // the mean reward is over so many iterations
	ValidateEvery      int     `json:"validate_every"`      // iterations from one look at the validation programs to the next
	Validations        int     `json:"validations"`         // looks, one after the other, that judge a checkpoint: the luck of one is as large as what it is to tell
}

// Defaults are the settings that `nestling train` starts from.
func Defaults() Config {
	return Config{
		Seed: 1, Programs: 6, SmallFirst: 60, Repeats: 8, Branches: 5, Proposals: 4, Lenders: 3,
		CostModel: true, CostSchedules: 40, CostUpdates: 12, CostBatch: 16, LearningRate: 7e-4, RateDecay: 300, Epochs: 4, Minibatch: 64, WeightDecay: 0.1,
		Clip: 0.2, ValueCoefficient: 0.5, Discount: 1, Lambda: 0.95,
		TargetKL: 0.04, GradientClip: 0.5, Imitation: 0.3, Demonstrations: true, Confirm: true, ClearlyBetter: 0.01, PlainShare: 0.1, Rehearsals: 6, Averaging: 0.95,
		EntropyCoefficient: 0.04, MaximumCoefficient: 0.3, EntropyFloor: 0.12, GuardMargin: 1.28,
		AveragedIterations: 5, ValidateEvery: 15, Validations: 3,
	}
}

// Paper are the settings of MLIR RL (arXiv:2409.11068): no imitation, no branches, no
// floor under the entropy, epochs to the end.
func Paper() Config {
	return Config{
		Seed: 1, Programs: 64, Repeats: 1, Proposals: 1, LearningRate: 1e-3, Epochs: 4, Minibatch: 32,
		Clip: 0.2, ValueCoefficient: 0.5, Discount: 1, Lambda: 0.95, GradientClip: 0.5,
		EntropyCoefficient: 0.01, MaximumCoefficient: 0.01, ClearlyBetter: 0.01, GuardMargin: 1.9, AveragedIterations: 5, ValidateEvery: 15, Validations: 3,
	}
}

// Check reports the first setting that makes no sense.
func (c Config) Check() error {
	for _, s := range []struct {
		name string
		ok   bool
		want string
	}{
		{"programs", c.Programs >= 1, "1 or more"},
		{"small_first", c.SmallFirst >= 0, "0 or more"},
		{"repeats", c.Repeats >= 1, "1 or more"},
		{"branches", c.Branches >= 0 && c.Branches < c.Repeats, "0 or more, and fewer than repeats"},
		{"proposals", c.Proposals >= 1, "1 or more"},
		{"lenders", c.Lenders >= 0, "0 or more"},
		{"cost_schedules", c.CostSchedules >= 1 || !c.CostModel, "1 or more"},
		{"cost_updates", c.CostUpdates >= 1 || !c.CostModel, "1 or more"},
		{"cost_batch", c.CostBatch >= 1 || !c.CostModel, "1 or more"},
		{"clearly_better", c.ClearlyBetter >= 0, "0 or more"},
		{"plain_share", c.PlainShare >= 0, "0 or more"},
		{"guard_margin", c.GuardMargin >= 1, "1 or more"},
		{"validations", c.Validations >= 1, "1 or more"},
		{"learning_rate", c.LearningRate > 0 && c.LearningRate < 1, "between 0 and 1"},
		{"rate_decay", c.RateDecay >= 0, "0 or more"},
		{"epochs", c.Epochs >= 1, "1 or more"},
		{"minibatch", c.Minibatch >= 2, "2 or more"},
		{"weight_decay", c.WeightDecay >= 0 && c.WeightDecay < 1, "0 or more, below 1"},
		{"clip", c.Clip > 0 && c.Clip < 1, "between 0 and 1"},
		{"discount", c.Discount > 0 && c.Discount <= 1, "above 0, at most 1"},
		{"lambda", c.Lambda >= 0 && c.Lambda <= 1, "from 0 to 1"},
		{"imitation", c.Imitation >= 0, "0 or more"},
		{"rehearsals", c.Rehearsals >= 0, "0 or more"},
		{"averaging", c.Averaging >= 0 && c.Averaging < 1, "0 or more, below 1"},
		{"gradient_clip", c.GradientClip > 0, "above 0"},
		{"entropy_coefficient", c.EntropyCoefficient > 0, "above 0, or the guard could not raise it"},
		{"maximum_coefficient", c.MaximumCoefficient >= c.EntropyCoefficient, "at least entropy_coefficient"},
		{"averaged_iterations", c.AveragedIterations >= 1, "1 or more"},
		{"validate_every", c.ValidateEvery >= 1, "1 or more"},
		{"patience_iterations", c.PatienceIterations >= 0, "0 for no end, or more"},
		{"iterations", c.Iterations >= 0, "0 for no end, or more"},
		{"value_coefficient", c.ValueCoefficient >= 0, "0 or more"},
		{"value_clip", c.ValueClip >= 0, "0 for none, or more"},
		{"target_kl", c.TargetKL >= 0, "0 for no stop, or more"},
		{"entropy_floor", c.EntropyFloor >= 0, "0 or more"},
	} {
		if !s.ok {
			return fmt.Errorf("setting %s is %v; it must be %s", s.name, c.setting(s.name), s.want)
		}
	}
	return nil
}

// setting is the value of a setting by its name in files.
func (c Config) setting(name string) any {
	for i, v := 0, reflect.ValueOf(c); i < v.NumField(); i++ {
		if v.Type().Field(i).Tag.Get("json") == name {
			return v.Field(i).Interface()
		}
	}
	return nil
}

// TrainOptions say what to train, on what, and where.
type TrainOptions struct {
	Config Config
	Model  string        // name of the encoder, as for policy.New
	Policy policy.Config // its sizes
	// Pretrained is a safetensors file of the model's namesake to start from, "" for none.
	Pretrained string
	Programs   []*program.Program
	// Teacher is what another training met.
	Teacher Teacher
	// Lessons are schedules that are known from elsewhere, by program hash: imitated from
	// the beginning, as far as they can be reached. nil for none.
	Lessons map[string]Lesson
	// Validation are programs that are never learned from: the checkpoint whose first
	// choices and those of the two before it do best on them is the run's best. Without any
	// it is the one of the largest mean reward.
	Validation []*program.Program
	Machine    schedule.Machine
	Rules      env.Rules
	Evaluator  env.Evaluator
	// Conditions are what the evaluator's rewards depend on beside programs and schedules: the
	// machine, for one. Under others than those of its checkpoint, a run that is gone on with
	// keeps what it has learned, and measures anew.
	Conditions string
	Run        *results.Run
	// Budget ends the training after the iteration that uses it up, the time
	// before a resume included; 0: no limit.
	Budget time.Duration
	// Report is given every iteration's metrics once its checkpoint is there; nil: nobody is.
	Report func(Metrics) error
}

// report tells the metrics of an iteration to whoever wants them.
func (o TrainOptions) report(m Metrics) error {
	if o.Report == nil {
		return nil
	}
	return o.Report(m)
}

// Train trains until the settings, the budget or ctx end it, which is no error.
// Every iteration ends with a checkpoint, and a run that has one goes on from
// the newest. An iteration that ctx cuts short leaves nothing behind but what
// the evaluator remembers; it is done again by the next Train, exactly.
func Train(ctx context.Context, o TrainOptions) error {
	// Products on several threads sum in an order of their own each time: the
	// same seed would not give the same bits.
	blas.SetThreads(1)
	t, err := newTrainer(o)
	if err != nil {
		return err
	}
	return errors.Join(t.run(ctx), t.journal.close())
}

func (t *trainer) run(ctx context.Context) error {
	for !t.finished() && ctx.Err() == nil {
		number := t.state.Iteration + 1
		err := t.iterate(ctx)
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("iteration %d: %w", number, err)
		}
	}
	return nil
}

// trainer is a training under way.
type trainer struct {
	TrainOptions
	state  State                 // what a checkpoint holds besides weights
	agent  *policy.Policy        // learns
	mean   *policy.Policy        // of its weights; see averaging
	spaces map[string]*env.Space // of the programs, by hash
	// certain tells that the entropy of the iteration is below its floor, or near it.
	certain bool
	adam    *nn.Adam
	halves  [2]half
	source  *rand.PCG // behind rng, for the checkpoint
	rng     *rand.Rand
	journal *journal
	// remembered are the episodes of state.Memories with what was seen, by program hash.
	remembered map[string]remembered
	alike      map[string][]*program.Program // programs, by their structure
	cost       *costmodel.Model              // nil where the settings want none
	judged     []*judgedProgram              // what the cost model learns from
	usuals     map[string]usualSchedule      // by program hash
}

func (t *trainer) finished() bool {
	s, c, budget := &t.state, &t.Config, t.Budget
	return c.Iterations > 0 && s.Iteration >= c.Iterations ||
		budget > 0 && s.Elapsed >= budget.Seconds() ||
		c.PatienceIterations > 0 && s.BestIteration > 0 && s.Iteration-s.BestIteration >= c.PatienceIterations
}

// iterate is one turn of the loop: play, judge, learn, keep.
func (t *trainer) iterate(ctx context.Context) error {
	start := time.Now()
	episodes := t.play()
	played := time.Since(start)
	if err := judge(ctx, t.Evaluator, episodes); err != nil {
		return err
	}
	if err := t.remember(ctx, episodes); err != nil {
		return err
	}
	judged := time.Since(start) - played
	m := summarize(episodes)
	if m.Excluded == m.Episodes {
		return fmt.Errorf("none of the %d schedules can be learned from: %s", m.Episodes, episodes[0].feedback.Reason)
	}
	if m.Entropy > 0 && t.state.FirstEntropy == 0 {
		t.state.FirstEntropy = m.Entropy
	}
	t.guardEntropy(&m)
	m.Known = t.known()
	if err := t.learn(episodes, &m); err != nil {
		return err
	}
	if err := t.learnCosts(episodes, &m); err != nil {
		return err
	}
	t.averaging()
	validated, err := t.validate(ctx, &m)
	if err != nil {
		return err
	}
	t.count(&m, time.Since(start), judged+validated)
	return t.keep(m)
}

// count brings the state's counters and the metrics' times up to date. Of the total, judged
// is what schedules were measured for.
func (t *trainer) count(m *Metrics, total, judged time.Duration) {
	s := &t.state
	s.Iteration++
	s.Elapsed += total.Seconds()
	s.Schedules += m.Episodes
	m.Iteration, m.Elapsed, m.Seconds = s.Iteration, s.Elapsed, total.Seconds()
	m.NewPerSecond = float64(m.New) / total.Seconds()
	m.CachedPerSecond = float64(m.Cached) / total.Seconds()
	m.NetworkShare = 1 - judged.Seconds()/total.Seconds()
	s.Recent = append(s.Recent, m.Reward)
	s.Recent = s.Recent[max(0, len(s.Recent)-t.Config.AveragedIterations):]
	m.RewardAverage = stats.Mean(s.Recent)
	merit, comparable := m.RewardAverage, s.BestIteration > 0
	if len(t.Validation) > 0 {
		if m.Validation == nil {
			return
		}
		// Fewer looks than that are no measure for those to come: the newest is the best.
		comparable = len(s.Validated) == t.Config.Validations
		s.Validated = append(s.Validated, *m.Validation)
		s.Validated = s.Validated[max(0, len(s.Validated)-t.Config.Validations):]
		merit = stats.Mean(s.Validated)
	}
	if !comparable || merit > s.Best {
		s.Best, s.BestIteration = merit, s.Iteration
	}
}

// validate has the first choices for the validation programs measured, every so often, and
// returns how long that took.
func (t *trainer) validate(ctx context.Context, m *Metrics) (took time.Duration, err error) {
	if len(t.Validation) == 0 || (t.state.Iteration+1)%t.Config.ValidateEvery != 0 {
		return 0, nil
	}
	var tasks []env.Task
	for _, p := range t.Validation {
		tasks = append(tasks, env.Task{Program: p, Schedule: costmodel.Glance(t.mean, t.cost, t.spaces[p.Hash]).Schedule()})
	}
	start := time.Now()
	feedback, err := t.Evaluator.Evaluate(ctx, tasks)
	if err != nil {
		return 0, err
	}
	took = time.Since(start)
	var rewards []float64
	for _, f := range feedback {
		if f.Judged() {
			rewards = append(rewards, f.Reward())
		}
	}
	if len(rewards) > 0 {
		mean := stats.Mean(rewards)
		m.Validation = &mean
	}
	return took, nil
}

// keep writes the iteration down: the log first, so that a kill between the two
// leaves a line too many, which a resume removes, and never one too few.
func (t *trainer) keep(m Metrics) error {
	if err := t.journal.write(m); err != nil {
		return err
	}
	if err := t.save(); err != nil {
		return err
	}
	return t.report(m)
}

// step is one decision with what it was worth.
type step struct {
	env.Step
	logProb   float32
	value     float64
	entropy   float64
	advantage float64
	returned  float64 // what the value should have been
}

// episode is one program, scheduled and judged.
type episode struct {
	task     env.Task
	playing  *env.Episode
	way      string  // in which it began; see propose
	prefix   []step  // of a branch: not the policy's doing, and nothing to learn from
	promise  float64 // by which it is chosen among proposals; see score
	steps    []step
	feedback env.Feedback
	found    bool    // it has become the best known of its program
	others   float64 // mean reward of the other episodes on the same program
}

// episode is a new one on a program.
func (t *trainer) episode(p *program.Program) *episode {
	return &episode{task: env.Task{Program: p}, playing: t.spaces[p.Hash].NewEpisode(), way: wayPolicy}
}

// play schedules a batch of programs with the policy, all in lock-step.
func (t *trainer) play() []*episode {
	var episodes []*episode
	var slots []slot
	var branches []int // where they go
	for i, p := range draw(smallest(t.Programs, t.Config, t.state.Iteration), t.Config, t.state.Visits, t.rng) {
		if turn := i % t.Config.Repeats; turn < t.Config.Branches {
			slots, branches = append(slots, slot{p, turn}), append(branches, i)
		}
		episodes = append(episodes, t.episode(p))
	}
	for i, e := range t.explore(slots) {
		episodes[branches[i]] = e
	}
	t.roll(episodes)
	return episodes
}

// roll lets the policy play episodes to their end.
func (t *trainer) roll(episodes []*episode) {
	rollout(episodes, func(unfinished []*env.Episode) []policy.Decision {
		return t.agent.Act(unfinished, t.rng, false)
	})
}

// smallest are the programs that an iteration draws from, counted from 0: at first the
// third that has least to compute, then more and more. Nothing is learned faster from a
// large program, while bad schedules of it take longest.
func smallest(programs []*program.Program, c Config, iteration int) []*program.Program {
	if c.SmallFirst == 0 || iteration >= c.SmallFirst {
		return programs
	}
	sorted := slices.Clone(programs)
	slices.SortStableFunc(sorted, func(a, b *program.Program) int { return cmp.Compare(a.Flops(), b.Flops()) })
	n, share := float64(len(sorted)), float64(iteration)/float64(c.SmallFirst)
	return sorted[:max(1, int(n*(1+2*share)/3))]
}

// spaces prepares for episodes on programs.
func spaces(programs []*program.Program, m schedule.Machine, r env.Rules) map[string]*env.Space {
	out := map[string]*env.Space{}
	for _, p := range programs {
		out[p.Hash] = env.NewSpace(p, m, r)
	}
	return out
}

// draw picks the programs of an iteration, each as often as it is repeated: of two that are
// drawn the one that was visited less, or some would wait very long for their turn.
func draw(programs []*program.Program, c Config, visits map[string]int, rng *rand.Rand) []*program.Program {
	var out []*program.Program
	for range c.Programs {
		p, other := programs[rng.IntN(len(programs))], programs[rng.IntN(len(programs))]
		if visits[other.Hash] < visits[p.Hash] {
			p = other
		}
		for range c.Repeats {
			out = append(out, p)
		}
	}
	return out
}

// rollout plays episodes to their end; act takes one action in each of those that are
// not over.
func rollout(episodes []*episode, act func([]*env.Episode) []policy.Decision) {
	playing := make([]*env.Episode, len(episodes))
	for i, e := range episodes {
		playing[i] = e.playing
	}
	for i, taken := range policy.Rollout(playing, act) {
		e := episodes[i]
		for _, d := range taken {
			e.steps = append(e.steps, step{Step: d.Step, logProb: d.LogProb, value: float64(d.Value), entropy: float64(d.Entropy)})
		}
		e.task.Schedule = e.playing.Schedule()
	}
}

func tasksOf(episodes []*episode) []env.Task {
	tasks := make([]env.Task, len(episodes))
	for i, e := range episodes {
		tasks[i] = e.task
	}
	return tasks
}

// judge has all schedules of a batch measured.
func judge(ctx context.Context, evaluator env.Evaluator, episodes []*episode) error {
	feedback, err := evaluator.Evaluate(ctx, tasksOf(episodes))
	if err != nil {
		return err
	}
	for i, e := range episodes {
		e.feedback = feedback[i]
	}
	return nil
}

// judged tells whether there is something to learn from the episode.
func (e *episode) judged() bool { return e.feedback.Judged() }

// centre gives every episode the mean reward of the other episodes on its
// program, to be held against: how fast a program can become differs far more
// between programs than between schedules, and the value has to learn only what
// is left (leave-one-out baseline: Kool et al. 2019, "Buy 4 REINFORCE samples,
// get a baseline for free!").
//
// Branches are held against each other, for they begin better than others; one that is
// alone, against the rest.
func centre(episodes []*episode) {
	type group struct {
		program string
		branch  bool
	}
	of := func(e *episode) group { return group{e.task.Program.Hash, e.prefix != nil} }
	sums, counts := map[group]float64{}, map[group]int{}
	for _, e := range episodes {
		if e.judged() && len(e.steps) > 0 {
			sums[of(e)] += e.feedback.Reward()
			counts[of(e)]++
		}
	}
	for _, e := range episodes {
		if !e.judged() || len(e.steps) == 0 {
			continue
		}
		g := of(e)
		rest := group{g.program, false}
		switch {
		case counts[g] > 1:
			e.others = (sums[g] - e.feedback.Reward()) / float64(counts[g]-1)
		case g.branch && counts[rest] > 0:
			e.others = sums[rest] / float64(counts[rest])
		}
	}
}

// advantages spreads the reward of the last step over all steps: generalized
// advantage estimation (Schulman et al. 2016, arXiv:1506.02438, equation 16).
func (e *episode) advantages(discount, lambda float64) {
	reward, next, advantage := e.feedback.Reward()-e.others, 0.0, 0.0
	for i := len(e.steps) - 1; i >= 0; i-- {
		s := &e.steps[i]
		advantage = reward + discount*next - s.value + discount*lambda*advantage
		s.advantage, s.returned = advantage, advantage+s.value
		reward, next = 0, s.value
	}
}

// entropyIterations is over about how many iterations the running mean of entropy is: each has
// programs of its own, and the entropy of one may be a third of the next one's.
const entropyIterations = 5

// guardEntropy raises the weight of the entropy bonus while the policy's entropy
// is near its floor or below, and lets it fall back above: a policy that has become
// certain of everything never learns again.
func (t *trainer) guardEntropy(m *Metrics) {
	floor, average := t.Config.EntropyFloor*t.state.FirstEntropy, &t.state.EntropyAverage
	if *average == 0 {
		*average = m.Entropy
	}
	*average += (m.Entropy - *average) / entropyIterations
	m.EntropyAverage, m.Collapsing = *average, *average < floor
	t.certain = m.Entropy < t.Config.GuardMargin*floor
	c := &t.state.EntropyCoefficient
	if t.certain {
		*c = min(*c*1.2, t.Config.MaximumCoefficient)
	} else {
		*c = max(*c/1.2, t.Config.EntropyCoefficient)
	}
	m.EntropyCoefficient = *c
}

// learn improves the policy on an iteration's steps, epoch by epoch, until it
// has moved far enough.
func (t *trainer) learn(episodes []*episode, m *Metrics) error {
	centre(episodes)
	var steps []*step
	for _, e := range episodes {
		if !e.judged() {
			continue
		}
		e.advantages(t.Config.Discount, t.Config.Lambda)
		for i := range e.steps {
			steps = append(steps, &e.steps[i])
		}
	}
	m.ExplainedVariance = explainedVariance(steps)
	t.adam.Rate, t.adam.Decay = t.rate(), t.Config.WeightDecay
	var total update
	for range t.Config.Epochs {
		var epoch update
		for _, batch := range t.minibatches(steps) {
			u, err := t.update(batch)
			if err != nil {
				return err
			}
			epoch.add(u)
		}
		total.add(epoch)
		m.Epochs++
		if t.Config.TargetKL > 0 && epoch.mean(epoch.kl) > t.Config.TargetKL {
			break
		}
	}
	rehearsals := t.Config.Rehearsals
	if t.certain { // imitation only makes it surer of itself
		rehearsals = 0
	}
	for range rehearsals {
		if err := t.rehearse(); err != nil {
			return err
		}
	}
	m.Updates = total.count
	m.KL, m.ClipFraction = total.mean(total.kl), total.mean(total.clipped)
	m.PolicyLoss, m.ValueLoss = total.mean(total.policyLoss), total.mean(total.valueLoss)
	m.GradientNorm = total.mean(total.norm)
	return nil
}

// rate is the learning rate of the iteration: by iterations and not by the clock, so that
// the same seed learns the same.
func (t *trainer) rate() float64 {
	if t.Config.RateDecay == 0 {
		return t.Config.LearningRate
	}
	return t.Config.LearningRate / (1 + float64(t.state.Iteration)/float64(t.Config.RateDecay))
}

// minibatches deals the steps out at random; the last takes what is left over.
func (t *trainer) minibatches(steps []*step) [][]*step {
	size := t.Config.Minibatch
	order := t.rng.Perm(len(steps))
	var out [][]*step
	for len(order) > 0 {
		n := size
		if len(order) < 2*size {
			n = len(order)
		}
		batch := make([]*step, n)
		for i, j := range order[:n] {
			batch[i] = steps[j]
		}
		out, order = append(out, batch), order[n:]
	}
	return out
}

// update is what one minibatch did, or several summed up.
type update struct {
	count                                    int
	kl, clipped, policyLoss, valueLoss, norm float64
}

func (u *update) add(v update) {
	u.count += v.count
	u.kl += v.kl
	u.clipped += v.clipped
	u.policyLoss += v.policyLoss
	u.valueLoss += v.valueLoss
	u.norm += v.norm
}

func (u *update) mean(sum float64) float64 { return sum / float64(max(1, u.count)) }

// update takes one step down the gradient of the clipped surrogate loss, plus
// the value's squared error, plus the loss of imitation, minus a bonus for entropy.
func (t *trainer) update(batch []*step) (update, error) {
	c := &t.Config
	advantages := normalised(batch)
	var recalled []*step
	if c.Imitation > 0 && !t.certain {
		recalled = t.recall(len(batch) / 2)
	}
	var parts [2]update
	loss := t.descend(len(batch), func(i int, h half, from, to int) *nn.Tensor {
		loss, u := t.surrogate(h, batch[from:to], advantages[from:to], float64(to-from)/float64(len(batch)))
		parts[i] = u
		if from, to := split(len(recalled), i); from < to {
			share := float64(to-from) / float64(len(recalled))
			imitation, _ := h.imitation(recalled[from:to])
			loss = h.tape.Add(loss, h.tape.Scale(imitation, float32(share*c.Imitation)))
		}
		return loss
	})
	var u update
	u.add(parts[0])
	u.add(parts[1])
	u.count, u.norm = 1, t.adam.ClipGradients(c.GradientClip)
	if x := u.norm + loss; math.IsNaN(x) || math.IsInf(x, 0) {
		return u, fmt.Errorf("the update is not finite (policy loss %g, value loss %g, gradient norm %g); the checkpoint before it is sound: go on from there with a learning rate below %g",
			u.policyLoss, u.valueLoss, u.norm, c.LearningRate)
	}
	t.adam.Step()
	return u, nil
}

// surrogate is the loss of some of a minibatch's steps, weighed by their share of it.
func (t *trainer) surrogate(h half, batch []*step, advantages []float32, share float64) (*nn.Tensor, update) {
	c, tape := &t.Config, h.tape
	old, values, returns := make([]float32, len(batch)), make([]float32, len(batch)), make([]float32, len(batch))
	for i, s := range batch {
		old[i], values[i], returns[i] = s.logProb, float32(s.value), float32(s.returned)
	}
	logProb, entropy, value := h.agent.Evaluate(tape, seen(batch))
	policyLoss, stats := tape.PPOLoss(logProb, old, advantages, c.Clip)
	valueLoss := tape.MSE(value, returns)
	if c.ValueClip > 0 {
		valueLoss = tape.ClippedMSE(value, values, returns, c.ValueClip)
	}
	loss := tape.Add(policyLoss, tape.Scale(valueLoss, float32(c.ValueCoefficient)))
	loss = tape.Add(loss, tape.Scale(tape.Mean(entropy), float32(-t.state.EntropyCoefficient)))
	return tape.Scale(loss, float32(share)), update{
		kl: share * stats.KL, clipped: share * stats.ClipFraction,
		policyLoss: share * float64(policyLoss.Data[0]), valueLoss: share * float64(valueLoss.Data[0]),
	}
}

// rehearse takes one step towards the best episodes alone, with the bonus for entropy:
// what was found once, by chance or by going back, is to become a habit (expert iteration:
// Anthony et al. 2017, with the best of many episodes as the expert).
func (t *trainer) rehearse() error {
	recalled := t.recall(t.Config.Minibatch)
	if len(recalled) == 0 {
		return nil
	}
	loss := t.descend(len(recalled), func(_ int, h half, from, to int) *nn.Tensor {
		loss, entropy := h.imitation(recalled[from:to])
		loss = h.tape.Add(loss, h.tape.Scale(h.tape.Mean(entropy), float32(-t.state.EntropyCoefficient)))
		return h.tape.Scale(loss, float32(to-from)/float32(len(recalled)))
	})
	if x := t.adam.ClipGradients(t.Config.GradientClip) + loss; math.IsNaN(x) || math.IsInf(x, 0) {
		return fmt.Errorf("a rehearsal is not finite (loss %g); the checkpoint before it is sound", loss)
	}
	t.adam.Step()
	return nil
}

// normalised are a minibatch's advantages, brought to mean 0 and deviation 1.
func normalised(batch []*step) []float32 {
	advantages := make([]float64, len(batch))
	for i, s := range batch {
		advantages[i] = s.advantage
	}
	mean, deviation := stats.Mean(advantages), stats.StdDev(advantages)
	out := make([]float32, len(batch))
	for i, a := range advantages {
		out[i] = float32((a - mean) / (deviation + 1e-8))
	}
	return out
}
