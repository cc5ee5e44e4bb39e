// Package stats holds the statistics that measured times are reported with:
// medians, intervals that know which samples came from one process, ratios and
// geometric means. Pure functions; the same input gives the same output, also
// where numbers are drawn at random.
package stats

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// Mean is the arithmetic mean; NaN of nothing.
func Mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// StdDev is the standard deviation with denominator n−1; 0 for fewer than two
// values.
func StdDev(x []float64) float64 {
	if len(x) < 2 {
		return 0
	}
	mean, sum := Mean(x), 0.0
	for _, v := range x {
		sum += (v - mean) * (v - mean)
	}
	return math.Sqrt(sum / float64(len(x)-1))
}

// Quantile is the q-quantile (0 ≤ q ≤ 1), linear between neighbouring values
// (definition 7 of Hyndman and Fan, numpy's default); NaN of nothing.
func Quantile(x []float64, q float64) float64 {
	return sortedQuantile(slices.Sorted(slices.Values(x)), q)
}

func sortedQuantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	position := q * float64(len(sorted)-1)
	below := int(position)
	if below+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	low, high := sorted[below], sorted[below+1]
	return min(low+(high-low)*(position-float64(below)), high)
}

// Median is the middle value; NaN of nothing.
func Median(x []float64) float64 { return Quantile(x, 0.5) }

// IQRShare is the interquartile range as a share of the median: above 0.10 a
// measurement deserves a warning, above 0.25 a loud one.
func IQRShare(x []float64) float64 {
	sorted := slices.Sorted(slices.Values(x))
	return (sortedQuantile(sorted, 0.75) - sortedQuantile(sorted, 0.25)) / sortedQuantile(sorted, 0.5)
}

// MedianError is the standard error of the median, as a share of it: that of the median of as
// many normal values whose quartiles are as far apart. 0 of fewer than two values.
func MedianError(x []float64) float64 {
	if len(x) < 2 {
		return 0
	}
	const (
		quartiles = 1.349 // their distance, in standard deviations
		ofMedian  = 1.253 // √(π/2): a median's standard error beside a mean's
	)
	return ofMedian * IQRShare(x) / quartiles / math.Sqrt(float64(len(x)))
}

// GeometricMean of positive values; NaN of nothing.
func GeometricMean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += math.Log(v)
	}
	return math.Exp(sum / float64(len(x)))
}

// Interval is a 95 % confidence interval.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Contains tells whether v lies in the interval, its ends included.
func (i Interval) Contains(v float64) bool { return i.Low <= v && v <= i.High }

// resamples is how many bootstrap replicates an interval is read from.
const resamples = 2000

// MedianInterval is the 95 % interval of the median of all samples, by
// bootstrap over clusters (one cluster: the samples of one process). Samples of
// one process share its memory layout and its moment, so they are not
// independent and whole clusters are drawn. A single cluster leaves nothing but
// its samples to draw from; its interval says nothing of other processes.
func MedianInterval(clusters [][]float64) Interval {
	draw := newResampler(clusters, 1)
	medians := make([]float64, resamples)
	for i := range medians {
		medians[i] = draw.median()
	}
	return expandedPercentiles(medians, draw.size())
}

// RatioInterval is the 95 % interval of median(numerator) / median(denominator),
// both resampled by cluster, independently. A difference is significant where
// it does not contain 1.
func RatioInterval(numerator, denominator [][]float64) Interval {
	above, below := newResampler(numerator, 1), newResampler(denominator, 2)
	ratios := make([]float64, resamples)
	for i := range ratios {
		ratios[i] = above.median() / below.median()
	}
	return expandedPercentiles(ratios, min(above.size(), below.size()))
}

// resampler draws bootstrap replicates of one measurement. The samples are
// sorted once; a replicate is how often each unit was drawn, and its median is
// found by walking along the samples.
type resampler struct {
	samples []sample // ascending
	sizes   []int    // samples of each unit
	drawn   []int    // times each unit is in the replicate
	rng     *rand.Rand
}

type sample struct {
	value float64
	unit  int
}

// newResampler seeds by stream number: reports of the same samples agree to the
// last digit.
func newResampler(clusters [][]float64, stream uint64) *resampler {
	units := slices.DeleteFunc(slices.Clone(clusters), func(c []float64) bool { return len(c) == 0 })
	if len(units) == 1 {
		units = slices.Collect(slices.Chunk(units[0], 1))
	}
	r := &resampler{drawn: make([]int, len(units)), rng: rand.New(rand.NewPCG(0x9e3779b97f4a7c15, stream))}
	for i, unit := range units {
		r.sizes = append(r.sizes, len(unit))
		for _, v := range unit {
			r.samples = append(r.samples, sample{v, i})
		}
	}
	slices.SortFunc(r.samples, func(a, b sample) int { return cmp.Compare(a.value, b.value) })
	return r
}

// size is the number of units that are drawn from.
func (r *resampler) size() int { return len(r.sizes) }

// median of one replicate: as many units as there are, with replacement.
func (r *resampler) median() float64 {
	clear(r.drawn)
	total := 0
	for range r.sizes {
		unit := r.rng.IntN(len(r.sizes))
		r.drawn[unit]++
		total += r.sizes[unit]
	}
	seen, low, found := 0, 0.0, false
	for _, s := range r.samples {
		seen += r.drawn[s.unit]
		if !found && seen > (total-1)/2 {
			low, found = s.value, true
		}
		if seen > total/2 {
			return low + (s.value-low)/2
		}
	}
	return math.NaN() // of nothing
}

// expandedPercentiles reads a 95 % interval from bootstrap replicates over n
// units. Plain percentiles are too narrow for small n; they are moved outwards
// as far as Student's t lies outside the normal (T. Hesterberg, "What Teachers
// Should Know About the Bootstrap", The American Statistician 69(4), 2015,
// "expanded percentile interval").
func expandedPercentiles(replicates []float64, n int) Interval {
	tail := 0.025
	if n > 1 {
		t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(n - 1)}.Quantile(tail)
		tail = distuv.UnitNormal.CDF(math.Sqrt(float64(n)/float64(n-1)) * t)
	}
	slices.Sort(replicates)
	return Interval{sortedQuantile(replicates, tail), sortedQuantile(replicates, 1-tail)}
}

// GeometricMeanInterval is the 95 % interval of the geometric mean of positive values, by
// bootstrap over them.
func GeometricMeanInterval(x []float64) Interval {
	if len(x) == 0 {
		return Interval{math.NaN(), math.NaN()}
	}
	rng := rand.New(rand.NewPCG(0x9e3779b97f4a7c15, 3))
	means, drawn := make([]float64, resamples), make([]float64, len(x))
	for i := range means {
		for j := range drawn {
			drawn[j] = x[rng.IntN(len(x))]
		}
		means[i] = GeometricMean(drawn)
	}
	return expandedPercentiles(means, len(x))
}

// SignTest is the probability that at least so many of n fair coins fall on one side.
func SignTest(wins, n int) float64 {
	if wins <= 0 {
		return 1
	}
	return mathext.RegIncBeta(float64(wins), float64(n-wins+1), 0.5)
}
