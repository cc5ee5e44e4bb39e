package ppo

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"nestling/results"
	"nestling/results/tensorboard"
	"nestling/schedule"
	"nestling/stats"
)

// Metrics are an iteration in numbers: a line of logs/train.jsonl.
type Metrics struct {
	Iteration int     `json:"iteration"`
	Elapsed   float64 `json:"elapsed_s"` // training time so far, that before a resume included
	Seconds   float64 `json:"seconds"`   // of this iteration

	Reward        float64 `json:"reward"`         // mean over episodes that are no branches
	RewardStdDev  float64 `json:"reward_stddev"`  //
	RewardAverage float64 `json:"reward_average"` // mean over the last iterations
	// Uncertainty is the standard error of a reward, median over the schedules measured.
	Uncertainty float64 `json:"reward_uncertainty"`
	// Speedup over what rewards compare with, the default schedule by default: geometric mean over the schedules that
	// were measured, and the largest. Failures are counted, not averaged.
	Speedup     float64 `json:"speedup"`
	BestSpeedup float64 `json:"best_speedup"`
	// Validation is the mean reward of the first choices for the validation programs, of
	// iterations that looked at them.
	Validation *float64 `json:"reward_validation,omitempty"`
	// Known is the mean, over the programs met so far, of the best reward met on each.
	Known float64 `json:"reward_known"`

	Episodes int `json:"episodes"`
	Steps    int `json:"steps"`   // actions
	Answers  int `json:"answers"` // that made them
	New      int `json:"schedules_new"`
	Cached   int `json:"schedules_cached"`
	Failed   int `json:"schedules_failed"`
	Excluded int `json:"schedules_excluded"` // the default schedule could not be measured
	// Failures counts what failed by how it failed ("crash", "wrong", …).
	Failures map[string]int `json:"failures,omitempty"`
	// Tried counts new schedules, and Found those that have become the best known of their
	// programs, by the way in which their episodes began (ppo/explore.go).
	Tried           map[string]int `json:"tried"`
	Found           map[string]int `json:"found"`
	NewPerSecond    float64        `json:"schedules_new_per_s"`
	CachedPerSecond float64        `json:"schedules_cached_per_s"`
	NetworkShare    float64        `json:"network_share"` // of the time

	Entropy            float64 `json:"entropy"`         // mean over answers, nats
	EntropyAverage     float64 `json:"entropy_average"` // running mean over iterations
	EntropyCoefficient float64 `json:"entropy_coefficient"`
	Collapsing         bool    `json:"collapsing"` // that mean is below its floor
	// Kinds is how often each kind was chosen, as a share of the decisions for one.
	Kinds map[schedule.Kind]float64 `json:"kinds"`

	CostLoss          float64 `json:"cost_loss"` // of the cost model, a pair of schedules, nats: ln 2 for guesses
	Epochs            int     `json:"epochs"`
	Updates           int     `json:"updates"`
	KL                float64 `json:"kl"` // from the policy that acted, mean over updates, nats
	ClipFraction      float64 `json:"clip_fraction"`
	PolicyLoss        float64 `json:"policy_loss"`
	ValueLoss         float64 `json:"value_loss"`
	ExplainedVariance float64 `json:"explained_variance"` // 1: the value foresees every return
	GradientNorm      float64 `json:"gradient_norm"`      // before clipping
}

// summarize measures what was played and judged. Rewards, speedups and decisions are
// those of whole episodes; a branch shows more of what was met before than of the policy.
func summarize(episodes []*episode) Metrics {
	m := Metrics{Episodes: len(episodes), Tried: map[string]int{}, Found: map[string]int{}}
	var whole []*episode
	var rewards, speedups, uncertainties []float64
	for _, e := range episodes {
		f := e.feedback
		switch {
		case !e.judged():
			m.Excluded++
			continue
		case f.Failed:
			m.Failed++
			how, _, _ := strings.Cut(f.Reason, ":")
			if m.Failures == nil {
				m.Failures = map[string]int{}
			}
			m.Failures[how]++
		}
		if f.Cached {
			m.Cached++
		} else {
			m.New++
			m.Tried[e.way]++
		}
		if e.found {
			m.Found[e.way]++
		}
		if f.Measured() {
			m.BestSpeedup = max(m.BestSpeedup, math.Exp(f.LogSpeedup))
			uncertainties = append(uncertainties, f.RewardUncertainty())
		}
		if e.prefix != nil {
			continue
		}
		whole = append(whole, e)
		rewards = append(rewards, f.Reward())
		if f.Measured() {
			speedups = append(speedups, math.Exp(f.LogSpeedup))
		}
	}
	if len(rewards) > 0 {
		m.Reward, m.RewardStdDev = stats.Mean(rewards), stats.StdDev(rewards)
	}
	if len(speedups) > 0 {
		m.Speedup = stats.GeometricMean(speedups)
	}
	if len(uncertainties) > 0 {
		m.Uncertainty = stats.Median(uncertainties)
	}
	m.decisions(whole)
	return m
}

// decisions sums up how the policy decided.
func (m *Metrics) decisions(episodes []*episode) {
	answers, kinds := 0, 0
	m.Kinds = map[schedule.Kind]float64{}
	for _, e := range episodes {
		m.Steps += len(e.steps)
		for _, s := range e.steps {
			m.Entropy += s.entropy
			answers += len(s.Answers)
			if kind := s.Kind(); kind != "" {
				m.Kinds[kind]++
				kinds++
			}
		}
	}
	m.Answers = answers
	m.Entropy /= float64(max(1, answers))
	for k := range m.Kinds {
		m.Kinds[k] /= float64(kinds)
	}
}

// explainedVariance is 1 - Var(return - value) / Var(return).
func explainedVariance(steps []*step) float64 {
	returns, errors := make([]float64, len(steps)), make([]float64, len(steps))
	for i, s := range steps {
		returns[i], errors[i] = s.returned, s.returned-s.value
	}
	spread := stats.StdDev(returns)
	if spread == 0 {
		return 0
	}
	left := stats.StdDev(errors) / spread
	return 1 - left*left
}

// curves are the numbers that TensorBoard draws.
func (m *Metrics) curves() map[string]float64 {
	collapsing := 0.0
	if m.Collapsing {
		collapsing = 1
	}
	out := map[string]float64{
		"reward/mean": m.Reward, "reward/known": m.Known, "reward/average": m.RewardAverage, "reward/stddev": m.RewardStdDev, "reward/uncertainty": m.Uncertainty,
		"speedup/geometric_mean": m.Speedup, "speedup/best": m.BestSpeedup,
		"entropy/answer":      m.Entropy,
		"entropy/average":     m.EntropyAverage,
		"entropy/coefficient": m.EntropyCoefficient,
		"entropy/collapsing":  collapsing,
		"update/kl":           m.KL, "update/clip_fraction": m.ClipFraction, "update/policy_loss": m.PolicyLoss,
		"update/value_loss": m.ValueLoss, "update/explained_variance": m.ExplainedVariance,
		"update/gradient_norm":       m.GradientNorm,
		"time/schedules_new_per_s":   m.NewPerSecond,
		"time/network_share":         m.NetworkShare,
		"schedules/failed_share":     float64(m.Failed) / float64(m.Episodes),
		"schedules/cached_share":     float64(m.Cached) / float64(m.Episodes),
		"schedules/steps_per_sample": float64(m.Steps) / float64(m.Episodes),
	}
	if m.Validation != nil {
		out["reward/validation"] = *m.Validation
	}
	for kind, share := range m.Kinds {
		out["kinds/"+string(kind)] = share
	}
	for way, n := range m.Tried {
		out["found_share/"+way] = float64(m.Found[way]) / float64(n)
	}
	return out
}

// journal writes metrics down, for people and for TensorBoard.
type journal struct {
	lines  *results.Log
	events *tensorboard.Writer
}

// LogFile is the name of the JSON lines in a run's logs.
const LogFile = "train.jsonl"

// openJournal goes on after an iteration: lines of later ones, whose checkpoint
// a kill forestalled, are taken away, for they will be written again.
func openJournal(run *results.Run, after int) (*journal, error) {
	path := filepath.Join(run.Logs(), LogFile)
	if err := cutLog(path, after); err != nil {
		return nil, err
	}
	lines, err := results.OpenLog(path)
	if err != nil {
		return nil, err
	}
	first := 0
	if after > 0 {
		first = after + 1
	}
	events, err := tensorboard.Create(run.Logs(), int64(first))
	if err != nil {
		return nil, errors.Join(err, lines.Close())
	}
	return &journal{lines, events}, nil
}

// cutLog removes the lines after an iteration, if there are any.
func cutLog(path string, after int) error {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot go on writing the log: %w", err)
	}
	all, err := results.ReadLog[Metrics](path)
	if err != nil {
		return err
	}
	kept := 0
	for range slices.IndexFunc(append(all, Metrics{Iteration: after + 1}), func(m Metrics) bool { return m.Iteration > after }) {
		kept += bytes.IndexByte(content[kept:], '\n') + 1
	}
	if kept == len(content) {
		return nil
	}
	if err := os.Truncate(path, int64(kept)); err != nil {
		return fmt.Errorf("cannot go on writing the log: %w", err)
	}
	return nil
}

func (j *journal) write(m Metrics) error {
	if err := j.lines.Append(m); err != nil {
		return err
	}
	return j.events.Scalars(int64(m.Iteration), m.curves())
}

func (j *journal) close() error { return errors.Join(j.lines.Close(), j.events.Close()) }
