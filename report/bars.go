package report

import (
	"fmt"
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"nestling/results"
)

// methodColours are the methods' in all figures.
var methodColours = map[string]color.Color{
	results.Agent: blue, results.PyTorchDefault: orange, results.PyTorchJIT: green, results.PyTorchCompile: purple,
	results.PyTorchChannelsLast: skyBlue,
}

// bar is one value with its interval, or a word for why there is none.
type bar struct {
	value, low, high float64
	label            string
	problem          string
}

// barChart draws groups of bars on a logarithmic axis. It is a plot.Plotter.
type barChart struct {
	groups  []string
	colours []color.Color
	bars    [][]bar // [colour][group]
	base    float64 // where bars start
	suffix  string  // of axis labels
}

// groupShare is the part of a group's width that its bars fill.
const groupShare = 0.82

// Plot draws the bars.
func (b *barChart) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	slot := groupShare / float64(len(b.bars))
	width := toX(slot) - toX(0)
	vertical := !b.labelsFit(width)
	for i, series := range b.bars {
		for group, one := range series {
			left := toX(float64(group) - groupShare/2 + slot*float64(i))
			box := vg.Rectangle{
				Min: vg.Point{X: left + width*0.05, Y: toY(b.base)},
				Max: vg.Point{X: left + width*0.95, Y: toY(b.base)},
			}
			if one.problem != "" {
				drawLabel(c, box, one.problem, red, true)
				continue
			}
			box.Max.Y = toY(one.value)
			fillBox(c, b.colours[i], box)
			drawWhisker(c, box, toY(one.low), toY(one.high))
			end := max(toY(one.high), box.Max.Y)
			if one.value < b.base {
				end = min(toY(one.low), box.Max.Y)
			}
			box.Max.Y = end
			drawLabel(c, box, one.label, ink, vertical)
		}
	}
}

// labelsFit tells whether all labels can stand upright over bars of this width.
func (b *barChart) labelsFit(width vg.Length) bool {
	style := textStyle(smallSize, ink)
	for _, series := range b.bars {
		for _, one := range series {
			if style.Width(one.label) > width {
				return false
			}
		}
	}
	return true
}

// drawWhisker draws an interval where it is long enough to be seen.
func drawWhisker(c draw.Canvas, box vg.Rectangle, low, high vg.Length) {
	if high-low < 3 {
		return
	}
	middle, half := (box.Min.X+box.Max.X)/2, (box.Max.X-box.Min.X)*0.18
	line := draw.LineStyle{Color: ink, Width: 0.9}
	c.StrokeLine2(line, middle, low, middle, high)
	c.StrokeLine2(line, middle-half, low, middle+half, low)
	c.StrokeLine2(line, middle-half, high, middle+half, high)
}

// drawLabel writes beyond the end of a bar: above it, or below one that hangs.
func drawLabel(c draw.Canvas, box vg.Rectangle, label string, ink color.Color, vertical bool) {
	const space = 4
	style := textStyle(smallSize, ink)
	hangs := box.Max.Y < box.Min.Y
	at := vg.Point{X: (box.Min.X + box.Max.X) / 2, Y: box.Max.Y + space}
	if hangs {
		at.Y = box.Max.Y - space
	}
	switch {
	case vertical:
		style.Rotation, style.XAlign, style.YAlign = math.Pi/2, text.XLeft, text.YCenter
		if hangs {
			style.XAlign = text.XRight
		}
	case hangs:
		style.XAlign, style.YAlign = text.XCenter, text.YTop
	default:
		style.XAlign, style.YAlign = text.XCenter, text.YBottom
	}
	c.FillText(style, at, label)
}

// extent is the least and the greatest value, intervals included.
func (b *barChart) extent() (low, high float64) {
	low, high = math.Inf(1), 0
	for _, series := range b.bars {
		for _, one := range series {
			if one.problem == "" {
				low, high = min(low, one.low), max(high, one.high)
			}
		}
	}
	if high == 0 { // nothing but problems
		return 0.1, 10
	}
	return low, high
}

// grid draws a line at every mark of the vertical axis, under the bars.
type grid struct{ ticks []plot.Tick }

// Plot draws the lines.
func (g grid) Plot(c draw.Canvas, p *plot.Plot) {
	_, toY := p.Transforms(&c)
	for _, tick := range g.ticks {
		y := toY(tick.Value)
		c.StrokeLine2(draw.LineStyle{Color: pale, Width: 0.6}, c.Min.X, y, c.Max.X, y)
	}
}

// chart puts bars on axes: groups from left to right, values from low to high.
func (b *barChart) chart(yLabel string, low, high float64, width vg.Length) *plot.Plot {
	p := newPlot(yLabel)
	// Seven tenths is 0.7000000000000001 as a float64's shortest text.
	ticks := logTicks(low, high, func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 32) + b.suffix })
	p.Y.Scale, p.Y.Min, p.Y.Max, p.Y.Tick.Marker = plot.LogScale{}, low, high, plot.ConstantTicks(ticks)
	p.X.Min, p.X.Max = -0.5, float64(len(b.groups))-0.5
	p.X.Tick.Length, p.X.Tick.LineStyle.Color = 7, color.Transparent // room between axis and names
	var names []plot.Tick
	widest := vg.Length(0)
	for i, name := range b.groups {
		names = append(names, plot.Tick{Value: float64(i), Label: name})
		widest = max(widest, p.X.Tick.Label.Width(name))
	}
	p.X.Tick.Marker = plot.ConstantTicks(names)
	if widest > 0.95*width/vg.Length(len(b.groups)) {
		p.X.Tick.Label.Rotation = math.Pi / 6
		p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = text.XRight, text.YCenter
	}
	p.Add(grid{ticks}, b)
	return p
}

// figureWidth gives every bar its place, and the figure a shape that fits a page.
func figureWidth(groups, methods int) vg.Length {
	return max(8*vg.Inch, vg.Length(groups)*(vg.Length(methods)*22+22)+90)
}

const figureHeight = 6.5 * vg.Inch

// BarPlot draws the time of every method on every benchmark.
func (c *Comparison) BarPlot(path string) error {
	b := &barChart{}
	var keys []key
	for _, m := range c.Methods {
		var series []bar
		for _, row := range c.Rows {
			series = append(series, row.timeBar(m.Name))
		}
		b.bars, b.colours = append(b.bars, series), append(b.colours, methodColours[m.Name])
		keys = append(keys, key{m.Name, methodColours[m.Name]})
	}
	for _, row := range c.Rows {
		b.groups = append(b.groups, row.Benchmark)
	}
	low, high := b.extent()
	low = math.Pow(10, math.Floor(math.Log10(low*0.6)))
	b.base = low
	width := figureWidth(len(b.groups), len(b.bars))
	f := figure{
		title:    "Execution time, lower is better",
		subtitle: joined("Median per run with 95 % interval", c.conditionsLine()),
		keys:     keys,
		plots:    []*plot.Plot{b.chart("milliseconds, logarithmic", low, high*2, width-90)},
		width:    width, height: figureHeight,
	}
	return f.save(path)
}

func joined(text, more string) string {
	if more == "" {
		return text
	}
	return text + " · " + more
}

func (r Row) timeBar(method string) bar {
	if problem := r.problem(method); problem != "" {
		return bar{problem: problem}
	}
	e := r.Entries[method]
	one := bar{value: e.MedianTimeMS, low: e.MedianTimeMS, high: e.MedianTimeMS, label: significant(e.MedianTimeMS, 3)}
	if len(e.CI95MS) == 2 {
		one.low, one.high = e.CI95MS[0], e.CI95MS[1]
	}
	return one
}

// SpeedupPlot draws the speedups over PyTorch Default, and their geometric means.
func (c *Comparison) SpeedupPlot(path string) error {
	b := &barChart{base: 1, suffix: "×"}
	var keys []key
	for _, m := range c.challengers() {
		var series []bar
		for _, row := range c.Rows {
			series = append(series, speedupBar(row.Speedups[m.Name]))
		}
		mean := c.GeometricMean(m.Name)
		series = append(series, bar{value: mean, low: mean, high: mean, label: ratio(mean)})
		b.bars, b.colours = append(b.bars, series), append(b.colours, methodColours[m.Name])
		keys = append(keys, key{m.Name, methodColours[m.Name]})
	}
	for _, row := range c.Rows {
		b.groups = append(b.groups, row.Benchmark)
	}
	b.groups = append(b.groups, geometricMeanRow)
	f := b.speedups(1.35)
	f.title = fmt.Sprintf("Speedup over %s, higher is better", baseline)
	f.subtitle = joined("Ratio of medians with 95 % interval; ~ may be chance", c.conditionsLine())
	f.keys = keys
	return f.save(path)
}

// speedups is a figure of bars that are speedups, the last group their means, with room for
// labels beyond the bars: that factor of the least and the largest.
func (b *barChart) speedups(room float64) figure {
	low, high := b.extent()
	low, high = min(low/room, 0.5), max(high*room, 2)
	width := figureWidth(len(b.groups), len(b.bars)+1)
	p := b.chart("speedup, logarithmic", low, high, width-90)
	p.Add(level{at: 1, before: float64(len(b.groups)) - 1.5})
	return figure{plots: []*plot.Plot{p}, width: width, height: figureHeight}
}

func speedupBar(s Speedup) bar {
	switch {
	case s.Problem != "":
		return bar{problem: s.Problem}
	case s.Interval == nil:
		return bar{value: s.Ratio, low: s.Ratio, high: s.Ratio, label: ratio(s.Ratio)}
	}
	label := ratio(s.Ratio)
	if !s.Significant() {
		label = "~" + label
	}
	return bar{value: s.Ratio, low: s.Interval.Low, high: s.Interval.High, label: label}
}

// level is a line that values are held against, and one that sets the means
// apart from what they are of.
type level struct{ at, before float64 }

// Plot draws both lines.
func (l level) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	y, x := toY(l.at), toX(l.before)
	c.StrokeLine2(draw.LineStyle{Color: ink, Width: 1.2}, c.Min.X, y, c.Max.X, y)
	c.StrokeLine2(draw.LineStyle{Color: grey, Width: 0.8, Dashes: []vg.Length{4, 4}}, x, c.Min.Y, x, c.Max.Y)
}
