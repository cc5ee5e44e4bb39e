package report

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"nestling/stats"
)

// LearningPoint is one iteration of a policy at work.
type LearningPoint struct {
	Iteration int
	Reward    float64 // mean over the iteration's episodes
	Spread    float64 // their standard deviation
	Speedup   float64 // 0 when nothing was measured
}

// LearningPlot draws the rewards and speedups of a policy that learns, above and
// below, beside those of a random policy on the same programs. A random policy
// does not change, so its mean is drawn over the whole width, however few
// iterations it played. Speedups are over what over says.
func LearningPlot(path, model, over string, trained, random []LearningPoint) error {
	if len(trained) == 0 {
		return fmt.Errorf("cannot draw %s: the training has no iterations yet", path)
	}
	first, last := float64(trained[0].Iteration), float64(trained[len(trained)-1].Iteration)
	span := [2]float64{first, max(last, first+1)}
	reward, err := panel("reward", span,
		curve{iterations(trained), rewards(trained), spreads(trained)},
		curve{iterations(random), rewards(random), spreads(random)})
	if err != nil {
		return err
	}
	timed, timedAtRandom := measured(trained), measured(random)
	speedup, err := panel("speedup over "+over, span,
		curve{iterations(timed), speedups(timed), nil},
		curve{iterations(timedAtRandom), speedups(timedAtRandom), nil})
	if err != nil {
		return err
	}
	speedup.X.Label.Text, speedup.X.Label.Padding = "iteration", 6
	f := figure{
		title:    "Learning: " + model,
		subtitle: fmt.Sprintf("Line: running mean; band: standard deviation over episodes; random policy: mean of %d iterations", len(random)),
		keys:     []key{{"trained policy", blue}, {"random policy", orange}},
		plots:    []*plot.Plot{reward, speedup},
		width:    9.5 * vg.Inch, height: 8.5 * vg.Inch,
	}
	return f.save(path)
}

func collect(points []LearningPoint, of func(LearningPoint) float64) []float64 {
	out := make([]float64, len(points))
	for i, p := range points {
		out[i] = of(p)
	}
	return out
}

func iterations(points []LearningPoint) []float64 {
	return collect(points, func(p LearningPoint) float64 { return float64(p.Iteration) })
}

func rewards(points []LearningPoint) []float64 {
	return collect(points, func(p LearningPoint) float64 { return p.Reward })
}

func spreads(points []LearningPoint) []float64 {
	return collect(points, func(p LearningPoint) float64 { return p.Spread })
}

func speedups(points []LearningPoint) []float64 {
	return collect(points, func(p LearningPoint) float64 { return p.Speedup })
}

// measured leaves out the iterations of which no schedule was measured.
func measured(points []LearningPoint) []LearningPoint {
	return slices.DeleteFunc(slices.Clone(points), func(p LearningPoint) bool { return p.Speedup == 0 })
}

// curve is a number by iteration, with its spread where there is one.
type curve struct{ x, y, spread []float64 }

// panel draws one number of both policies.
func panel(yLabel string, span [2]float64, trained, random curve) (*plot.Plot, error) {
	p := newPlot(yLabel)
	lines := &grid{}
	p.Add(lines)
	if err := drawLevel(p, random, span); err != nil {
		return nil, err
	}
	if err := drawCurve(p, trained); err != nil {
		return nil, err
	}
	setAxes(p, lines, span)
	return p, nil
}

// setAxes spans the axes around what was drawn, with marks at round numbers.
func setAxes(p *plot.Plot, lines *grid, span [2]float64) {
	p.X.Min, p.X.Max = span[0], span[1]
	p.X.Tick.Length, p.X.Tick.LineStyle.Color = 7, color.Transparent
	p.X.Tick.Marker = plot.ConstantTicks(evenTicks(span[0], span[1], 10))
	if p.Y.Min > p.Y.Max { // nothing was drawn
		p.Y.Min, p.Y.Max = 0, 1
	}
	room := max(0.05*(p.Y.Max-p.Y.Min), 1e-6)
	p.Y.Min, p.Y.Max = p.Y.Min-room, p.Y.Max+room
	lines.ticks = evenTicks(p.Y.Min, p.Y.Max, 6)
	p.Y.Tick.Marker = plot.ConstantTicks(lines.ticks)
}

// evenTicks are at most so many labelled marks at multiples of 1, 2 or 5 times a
// power of ten.
func evenTicks(low, high float64, most int) []plot.Tick {
	power := math.Floor(math.Log10((high - low) / float64(most)))
	step := math.Pow(10, power)
	for _, factor := range []float64{1, 2, 5, 10} {
		if (high-low)/(step*factor) <= float64(most) {
			step *= factor
			break
		}
	}
	decimals := max(int(math.Ceil(-math.Log10(step))), 0)
	var ticks []plot.Tick
	for n := math.Ceil(low / step); n*step <= high; n++ {
		ticks = append(ticks, plot.Tick{Value: n * step, Label: strconv.FormatFloat(n*step, 'f', decimals, 64)})
	}
	return ticks
}

// runningMean is the mean of each value and its neighbours, as far on either side
// as a fortieth of all: wide enough to see a trend, narrow enough to see a bend.
func runningMean(x []float64) []float64 {
	reach := len(x) / 40
	out := make([]float64, len(x))
	for i := range x {
		near := min(i, len(x)-1-i, reach) // as many on either side, or the ends would lean
		out[i] = stats.Mean(x[i-near : i+near+1])
	}
	return out
}

// drawCurve draws the values thin and their running mean thick, on its band.
func drawCurve(p *plot.Plot, c curve) error {
	mean := runningMean(c.y)
	if err := drawBand(p, c.x, mean, runningMean(c.spread), blue); err != nil {
		return err
	}
	if err := drawLine(p, c.x, c.y, draw.LineStyle{Color: faded(blue, 0x70), Width: 0.8}); err != nil {
		return err
	}
	return drawLine(p, c.x, mean, draw.LineStyle{Color: blue, Width: 2.2})
}

// drawLevel draws the mean of a curve that has no trend, over the whole width.
func drawLevel(p *plot.Plot, c curve, span [2]float64) error {
	if len(c.y) == 0 {
		return nil
	}
	flat := func(values []float64) []float64 {
		if len(values) == 0 {
			return nil
		}
		return []float64{stats.Mean(values), stats.Mean(values)}
	}
	if err := drawBand(p, span[:], flat(c.y), flat(c.spread), orange); err != nil {
		return err
	}
	return drawLine(p, span[:], flat(c.y), draw.LineStyle{Color: orange, Width: 2.2})
}

func drawBand(p *plot.Plot, x, middle, half []float64, ink color.NRGBA) error {
	if len(half) == 0 {
		return nil
	}
	outline := make(plotter.XYs, 2*len(x))
	for i := range x {
		outline[i] = plotter.XY{X: x[i], Y: middle[i] + half[i]}
		outline[len(outline)-1-i] = plotter.XY{X: x[i], Y: middle[i] - half[i]}
	}
	band, err := plotter.NewPolygon(outline)
	if err != nil {
		return err
	}
	band.Color, band.LineStyle.Width = faded(ink, 0x30), 0
	p.Add(band)
	return nil
}

func drawLine(p *plot.Plot, x, y []float64, style draw.LineStyle) error {
	if len(x) == 0 {
		return nil
	}
	points := make(plotter.XYs, len(x))
	for i := range x {
		points[i] = plotter.XY{X: x[i], Y: y[i]}
	}
	line, err := plotter.NewLine(points)
	if err != nil {
		return err
	}
	line.LineStyle = style
	p.Add(line)
	return nil
}

func faded(c color.NRGBA, alpha uint8) color.NRGBA {
	c.A = alpha
	return c
}
