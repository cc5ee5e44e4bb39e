package report

import (
	"fmt"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// AgentCurve is how an agent learned: its mean reward by time and by schedules tried.
type AgentCurve struct {
	Name               string
	Minutes, Schedules []float64
	Reward             []float64
}

// AgentsPlot draws the curves of several agents, above by the time they trained, below by
// the schedules they tried.
func AgentsPlot(path string, curves []AgentCurve) error {
	if len(curves) == 0 {
		return fmt.Errorf("cannot draw %s: there is no agent", path)
	}
	byTime, err := agentsPanel("reward by minutes", curves, func(c AgentCurve) []float64 { return c.Minutes })
	if err != nil {
		return err
	}
	byTrials, err := agentsPanel("reward by schedules tried", curves, func(c AgentCurve) []float64 { return c.Schedules })
	if err != nil {
		return err
	}
	f := figure{
		title:    "Learning",
		subtitle: "Running mean of log₁₀ of the speedup over the default schedule: 0 is as fast, -1 a tenth",
		plots:    []*plot.Plot{byTime, byTrials},
		width:    9.5 * vg.Inch, height: 8.5 * vg.Inch,
	}
	for i, c := range curves {
		f.keys = append(f.keys, key{c.Name, agentColours[i%len(agentColours)]})
	}
	return f.save(path)
}

var agentColours = []color.NRGBA{blue, orange, green, purple}

func agentsPanel(label string, curves []AgentCurve, of func(AgentCurve) []float64) (*plot.Plot, error) {
	p := newPlot(label)
	lines := &grid{}
	p.Add(lines)
	most := 0.0
	for i, c := range curves {
		x := of(c)
		if len(x) == 0 {
			continue
		}
		most = max(most, x[len(x)-1])
		if err := drawLine(p, x, runningMean(c.Reward), draw.LineStyle{Color: agentColours[i%len(agentColours)], Width: 2.2}); err != nil {
			return nil, err
		}
	}
	setAxes(p, lines, [2]float64{0, max(most, 1e-3)})
	return p, nil
}
