package report

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"nestling/stats"
)

// AgentCurve is how an agent learned, in one iteration or more: its mean reward by time and
// by schedules tried. Both count what its teachers took, so that the curve of one that was
// taught begins where its teacher's ends.
type AgentCurve struct {
	Name               string
	Minutes, Schedules []float64
	Reward             []float64
}

// AgentsPlot draws the curves of several agents, above by the time they trained, below by
// the schedules they tried. Curves of one name are runs of one kind, of several seeds: their
// mean is drawn, in a band from the least to the largest.
func AgentsPlot(path string, curves []AgentCurve) error {
	if len(curves) == 0 {
		return fmt.Errorf("cannot draw %s: there is no agent", path)
	}
	byTime, err := agentsPanel("reward by minutes", curves, minutesOf)
	if err != nil {
		return err
	}
	byTrials, err := agentsPanel("reward by schedules tried", curves, schedulesOf)
	if err != nil {
		return err
	}
	f := figure{
		title:    "Learning",
		subtitle: "Running mean of log₁₀ of the speedup over the default schedule; what was taught begins where its teacher ended",
		plots:    []*plot.Plot{byTime, byTrials},
		width:    9.5 * vg.Inch, height: 8.5 * vg.Inch,
	}
	for i, seeds := range byName(curves) {
		name := seeds[0].Name
		if len(seeds) > 1 {
			name = fmt.Sprintf("%s, %d runs", name, len(seeds))
		}
		f.keys = append(f.keys, key{name, agentColours[i%len(agentColours)]})
	}
	return f.save(path)
}

var agentColours = []color.NRGBA{blue, orange, green, purple, skyBlue, red}

func agentsPanel(label string, curves []AgentCurve, of func(AgentCurve) []float64) (*plot.Plot, error) {
	p := newPlot(label)
	lines := &grid{}
	p.Add(lines)
	most := 0.0
	for i, seeds := range byName(curves) {
		ink := agentColours[i%len(agentColours)]
		x, low, mean, high := overSeeds(seeds, of)
		most = max(most, x[len(x)-1])
		if len(seeds) > 1 {
			middle, half := make([]float64, len(x)), make([]float64, len(x))
			for j := range x {
				middle[j], half[j] = (high[j]+low[j])/2, (high[j]-low[j])/2
			}
			if err := drawBand(p, x, middle, half, ink); err != nil {
				return nil, err
			}
		}
		if err := drawLine(p, x, mean, draw.LineStyle{Color: ink, Width: 2.2}); err != nil {
			return nil, err
		}
	}
	setAxes(p, lines, [2]float64{0, max(most, 1e-3)})
	return p, nil
}

// byName groups the curves of one name, in the order in which names come first. One that
// begins after another has ended cannot be compared with it, and is by itself.
func byName(curves []AgentCurve) [][]AgentCurve {
	var groups [][]AgentCurve
	for _, c := range curves {
		at := slices.IndexFunc(groups, func(g []AgentCurve) bool { return g[0].Name == c.Name && overlap(append(slices.Clone(g), c)) })
		if at < 0 {
			at, groups = len(groups), append(groups, nil)
		}
		groups[at] = append(groups[at], c)
	}
	return groups
}

// overlap tells whether there is a place where all of some curves are, in time and in
// schedules.
func overlap(curves []AgentCurve) bool {
	for _, of := range []func(AgentCurve) []float64{minutesOf, schedulesOf} {
		if from, to := common(curves, of); from >= to {
			return false
		}
	}
	return true
}

func minutesOf(c AgentCurve) []float64   { return c.Minutes }
func schedulesOf(c AgentCurve) []float64 { return c.Schedules }

// common is from where to where all of some curves go.
func common(curves []AgentCurve, of func(AgentCurve) []float64) (from, to float64) {
	from, to = math.Inf(-1), math.Inf(1)
	for _, c := range curves {
		at := of(c)
		from, to = max(from, at[0]), min(to, at[len(at)-1])
	}
	return from, to
}

// seedPoints is at how many places the curves of seeds are compared.
const seedPoints = 400

// overSeeds compares curves at the same places, as far as all of them go.
func overSeeds(seeds []AgentCurve, of func(AgentCurve) []float64) (x, low, mean, high []float64) {
	from, to := common(seeds, of)
	var smooth [][]float64
	for _, c := range seeds {
		smooth = append(smooth, runningMean(c.Reward))
	}
	for i := range seedPoints {
		place := from + (to-from)*float64(i)/(seedPoints-1)
		values := make([]float64, len(seeds))
		for j, c := range seeds {
			values[j] = interpolated(of(c), smooth[j], place)
		}
		x, low, mean, high = append(x, place), append(low, slices.Min(values)), append(mean, stats.Mean(values)), append(high, slices.Max(values))
	}
	return x, low, mean, high
}

// interpolated is the value of a curve between its points; x rises.
func interpolated(x, y []float64, at float64) float64 {
	i, exact := slices.BinarySearch(x, at)
	switch {
	case exact || i == 0:
		return y[i]
	case i == len(x):
		return y[i-1]
	}
	share := (at - x[i-1]) / (x[i] - x[i-1])
	return y[i-1] + share*(y[i]-y[i-1])
}
