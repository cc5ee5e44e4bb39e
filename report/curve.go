package report

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Curve is something that changes over the iterations of training: a line and
// the band about it. All slices are as long as Iterations.
type Curve struct {
	Name       string // "trained", "random policy"
	Iterations []float64
	Middle     []float64 // median or mean over an iteration's programs
	Low, High  []float64 // the band's ends, such as the quartiles
}

// curveColours are given to curves in turn: what is trained comes first.
var curveColours = []color.NRGBA{blue, orange, green, purple}

// LearningCurve draws curves, at most four, over the iterations of training.
func LearningCurve(path, title, subtitle, yLabel string, curves ...Curve) error {
	p := newPlot(yLabel)
	p.X.Label.Text = "iteration"
	p.X.Label.Padding = 6
	p.X.Tick.Length, p.X.Tick.LineStyle.Color = 7, color.Transparent
	p.Add(&plotter.Grid{Horizontal: draw.LineStyle{Color: pale, Width: 0.6}})
	var keys []key
	for i, c := range curves {
		if err := addCurve(p, c, curveColours[i]); err != nil {
			return err
		}
		keys = append(keys, key{c.Name, curveColours[i]})
	}
	spread := p.Y.Max - p.Y.Min
	p.Y.Min, p.Y.Max = p.Y.Min-0.04*spread, p.Y.Max+0.04*spread
	f := figure{title: title, subtitle: subtitle, keys: keys, plot: p, width: 9.5 * vg.Inch, height: 6 * vg.Inch}
	return f.save(path)
}

func addCurve(p *plot.Plot, c Curve, ink color.NRGBA) error {
	var outline, middle plotter.XYs
	for i, x := range c.Iterations {
		outline = append(outline, plotter.XY{X: x, Y: c.High[i]})
		middle = append(middle, plotter.XY{X: x, Y: c.Middle[i]})
	}
	for i := len(c.Iterations) - 1; i >= 0; i-- {
		outline = append(outline, plotter.XY{X: c.Iterations[i], Y: c.Low[i]})
	}
	band, err := plotter.NewPolygon(outline)
	if err != nil {
		return err
	}
	band.Color, band.LineStyle.Width = color.NRGBA{ink.R, ink.G, ink.B, 0x38}, 0
	line, err := plotter.NewLine(middle)
	if err != nil {
		return err
	}
	line.Color, line.Width = ink, 2
	p.Add(band, line)
	return nil
}
