package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Choice is one categorical draw: Index counts from From, among the logits From … To-1.
// Those of one Row are drawn together.
type Choice struct{ Row, From, To, Index int }

// Categorical computes, for logits in any shape, the log-probability of all choices of a
// row together and the sum of their entropies, both [rows].
func (t *Tape) Categorical(logits *Tensor, rows int, choices []Choice) (logProb, entropy *Tensor) {
	logProb, entropy = t.output([]int{rows}, logits), t.output([]int{rows}, logits)
	clear(logProb.Data)
	clear(entropy.Data)
	draws := make([]categorical, len(choices))
	for i, c := range choices {
		if c.Index < 0 || c.Index >= c.To-c.From {
			panic(fmt.Sprintf("nn: choice %d of logits %d … %d in row %d is none", c.Index, c.From, c.To-1, c.Row))
		}
		draws[i] = newCategorical(logits.Data[c.From:c.To])
		logProb.Data[c.Row] += float32(draws[i].logProb(c.Index))
		entropy.Data[c.Row] += float32(draws[i].entropy)
	}
	t.record(logProb, func() {
		for i, c := range choices {
			draws[i].backward(c.Index, float64(logProb.Grad[c.Row]), float64(entropy.Grad[c.Row]), logits.Grad[c.From:c.To])
		}
	})
	return logProb, entropy
}

// categorical is a distribution over a few logits.
type categorical struct {
	logits  []float32
	logSum  float64 // log Σ e^logit
	entropy float64
}

func newCategorical(logits []float32) categorical {
	top := math.Inf(-1)
	for _, l := range logits {
		top = math.Max(top, float64(l))
	}
	sum, weighted := 0.0, 0.0
	for _, l := range logits {
		e := math.Exp(float64(l) - top)
		sum += e
		weighted += e * (float64(l) - top)
	}
	return categorical{logits, top + math.Log(sum), math.Log(sum) - weighted/sum}
}

func (c *categorical) logProb(i int) float64 { return float64(c.logits[i]) - c.logSum }

// backward adds the gradient of dlogProb·logProb(index) + dentropy·entropy.
func (c *categorical) backward(index int, dlogProb, dentropy float64, grad []float32) {
	for i := range c.logits {
		log := c.logProb(i)
		p := math.Exp(log)
		g := -dlogProb*p - dentropy*p*(log+c.entropy)
		if i == index {
			g += dlogProb
		}
		grad[i] += float32(g)
	}
}

// Sample draws an index with the probabilities of softmax(logits).
func Sample(logits []float32, rng *rand.Rand) int {
	c := newCategorical(logits)
	u := rng.Float64()
	for i := range logits {
		if u -= math.Exp(c.logProb(i)); u < 0 {
			return i
		}
	}
	return len(logits) - 1
}

// Softmax is the probability of each of some logits.
func Softmax(logits []float32) []float64 {
	c := newCategorical(logits)
	out := make([]float64, len(logits))
	for i := range out {
		out[i] = math.Exp(c.logProb(i))
	}
	return out
}

// Argmax is the index of the largest logit, the first of equals.
func Argmax(logits []float32) int {
	best := 0
	for i, l := range logits {
		if l > logits[best] {
			best = i
		}
	}
	return best
}

// PPOStats tell how far a policy has moved from the one that acted.
type PPOStats struct {
	ClipFraction float64 // of samples whose ratio left [1-clip, 1+clip]
	KL           float64 // mean of (ratio-1) - log ratio, an estimate of the divergence, nats
}

// PPOLoss is the clipped surrogate loss (Schulman et al. 2017, equation 7), to be
// minimised: -mean(min(ratio·advantage, clip(ratio, 1±clip)·advantage)) with
// ratio = e^(logProb-old). All are [batch].
func (t *Tape) PPOLoss(logProb *Tensor, old, advantage []float32, clip float64) (*Tensor, PPOStats) {
	n := len(logProb.Data)
	if len(old) != n || len(advantage) != n {
		panic(fmt.Sprintf("nn: PPOLoss of %d, %d old log-probabilities and %d advantages", n, len(old), len(advantage)))
	}
	loss := t.output([]int{1}, logProb)
	slope := t.arena.zeros(n)
	sum, stats := 0.0, PPOStats{}
	for i := range n {
		log, a := float64(logProb.Data[i])-float64(old[i]), float64(advantage[i])
		ratio := math.Exp(log)
		clipped := min(max(ratio, 1-clip), 1+clip)
		sum -= min(ratio*a, clipped*a) / float64(n)
		if ratio*a <= clipped*a {
			slope[i] = float32(-ratio * a / float64(n))
		}
		if ratio != clipped {
			stats.ClipFraction += 1 / float64(n)
		}
		stats.KL += (ratio - 1 - log) / float64(n)
	}
	loss.Data[0] = float32(sum)
	return t.record(loss, func() {
		for i := range logProb.Grad {
			logProb.Grad[i] += loss.Grad[0] * slope[i]
		}
	}), stats
}

// MSE is the mean squared difference from target, [1]: the value function's loss.
func (t *Tape) MSE(x *Tensor, target []float32) *Tensor {
	if len(target) != len(x.Data) {
		panic(fmt.Sprintf("nn: MSE of %v with %d targets", x.Shape, len(target)))
	}
	loss := t.output([]int{1}, x)
	n, sum := float64(len(target)), 0.0
	for i, v := range x.Data {
		d := float64(v) - float64(target[i])
		sum += d * d
	}
	loss.Data[0] = float32(sum / n)
	return t.record(loss, func() {
		for i := range x.Grad {
			x.Grad[i] += loss.Grad[0] * 2 * (x.Data[i] - target[i]) / float32(n)
		}
	})
}

// ClippedMSE is the value function's loss where it may not move far at once, [1]: the mean
// of max((x-target)², (old+clip(x-old, ±limit)-target)²) (the PPO2 of OpenAI's baselines).
// All are [batch].
func (t *Tape) ClippedMSE(x *Tensor, old, target []float32, limit float64) *Tensor {
	n := len(x.Data)
	if len(old) != n || len(target) != n {
		panic(fmt.Sprintf("nn: ClippedMSE of %d, %d old values and %d targets", n, len(old), len(target)))
	}
	loss := t.output([]int{1}, x)
	slope := t.arena.zeros(n)
	sum := 0.0
	for i, v := range x.Data {
		before, want := float64(old[i]), float64(target[i])
		free := float64(v) - want
		held := before + min(max(float64(v)-before, -limit), limit) - want
		sum += max(free*free, held*held) / float64(n)
		if free*free >= held*held {
			slope[i] = float32(2 * free / float64(n))
		}
	}
	loss.Data[0] = float32(sum)
	return t.record(loss, func() {
		for i := range x.Grad {
			x.Grad[i] += loss.Grad[0] * slope[i]
		}
	})
}
