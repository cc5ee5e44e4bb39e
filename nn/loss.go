package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Choice is one categorical draw: Index counts from column From, among the
// logits of columns From … To-1 of a row.
type Choice struct{ Row, From, To, Index int }

// Categorical computes, for logits [rows, columns], the log-probability of all
// choices of a row together and the sum of their entropies, both [rows]. Only
// the elements that mask [rows·columns] allows take part, as if the logits of the
// others were -∞. It panics when a choice is not allowed.
func (t *Tape) Categorical(logits *Tensor, mask []bool, choices []Choice) (logProb, entropy *Tensor) {
	rows, columns := logits.Rows(), logits.Columns()
	if len(mask) != rows*columns {
		panic(fmt.Sprintf("nn: Categorical of %v with %d mask elements", logits.Shape, len(mask)))
	}
	logProb, entropy = t.output([]int{rows}, logits), t.output([]int{rows}, logits)
	clear(logProb.Data)
	clear(entropy.Data)
	draws := make([]categorical, len(choices))
	for i, c := range choices {
		from, to := c.Row*columns+c.From, c.Row*columns+c.To
		draws[i] = newCategorical(logits.Data[from:to], mask[from:to])
		if c.Index < 0 || c.Index >= c.To-c.From || !mask[from+c.Index] {
			panic(fmt.Sprintf("nn: choice %d of columns %d … %d in row %d is not allowed", c.Index, c.From, c.To-1, c.Row))
		}
		logProb.Data[c.Row] += float32(draws[i].logProb(c.Index))
		entropy.Data[c.Row] += float32(draws[i].entropy)
	}
	t.record(logProb, func() {
		for i, c := range choices {
			from, to := c.Row*columns+c.From, c.Row*columns+c.To
			draws[i].backward(c.Index, float64(logProb.Grad[c.Row]), float64(entropy.Grad[c.Row]), logits.Grad[from:to])
		}
	})
	return logProb, entropy
}

// categorical is a distribution over the allowed ones of a few logits.
type categorical struct {
	logits  []float32
	mask    []bool
	logSum  float64 // log Σ e^logit
	entropy float64
}

func newCategorical(logits []float32, mask []bool) categorical {
	top := math.Inf(-1)
	for i, l := range logits {
		if mask[i] {
			top = math.Max(top, float64(l))
		}
	}
	sum, weighted := 0.0, 0.0
	for i, l := range logits {
		if mask[i] {
			e := math.Exp(float64(l) - top)
			sum += e
			weighted += e * (float64(l) - top)
		}
	}
	return categorical{logits, mask, top + math.Log(sum), math.Log(sum) - weighted/sum}
}

func (c *categorical) logProb(i int) float64 { return float64(c.logits[i]) - c.logSum }

// backward adds the gradient of dlogProb·logProb(index) + dentropy·entropy.
func (c *categorical) backward(index int, dlogProb, dentropy float64, grad []float32) {
	for i := range c.logits {
		if !c.mask[i] {
			continue
		}
		log := c.logProb(i)
		p := math.Exp(log)
		g := -dlogProb*p - dentropy*p*(log+c.entropy)
		if i == index {
			g += dlogProb
		}
		grad[i] += float32(g)
	}
}

// Sample draws an index with the probabilities of softmax(logits) among those
// that mask allows. At least one must be allowed.
func Sample(logits []float32, mask []bool, rng *rand.Rand) int {
	c := newCategorical(logits, mask)
	u, last := rng.Float64(), -1
	for i := range logits {
		if mask[i] {
			last = i
			if u -= math.Exp(c.logProb(i)); u < 0 {
				return i
			}
		}
	}
	return allowed(last, mask)
}

// Argmax is the index of the largest of the logits that mask allows, the first
// of equals. At least one must be allowed.
func Argmax(logits []float32, mask []bool) int {
	best := -1
	for i, l := range logits {
		if mask[i] && (best < 0 || l > logits[best]) {
			best = i
		}
	}
	return allowed(best, mask)
}

func allowed(i int, mask []bool) int {
	if i < 0 {
		panic(fmt.Sprintf("nn: a mask of %d allows nothing", len(mask)))
	}
	return i
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
