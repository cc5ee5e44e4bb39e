package report

import (
	"bytes"
	"image/color"
	"math"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"nestling/results"
)

// Colours that remain distinct to colour-blind eyes (M. Okabe and K. Ito,
// "Color Universal Design", 2008), each for one thing in all figures.
var (
	blue    = color.NRGBA{0x00, 0x72, 0xb2, 0xff}
	orange  = color.NRGBA{0xe6, 0x9f, 0x00, 0xff}
	green   = color.NRGBA{0x00, 0x9e, 0x73, 0xff}
	purple  = color.NRGBA{0xcc, 0x79, 0xa7, 0xff}
	yellow  = color.NRGBA{0xf0, 0xe4, 0x42, 0xff}
	skyBlue = color.NRGBA{0x56, 0xb4, 0xe9, 0xff}
	red     = color.NRGBA{0xd5, 0x2b, 0x00, 0xff}
	ink     = color.NRGBA{0x22, 0x22, 0x22, 0xff}
	grey    = color.NRGBA{0x66, 0x66, 0x66, 0xff}
	pale    = color.NRGBA{0xdd, 0xdd, 0xdd, 0xff}
)

const (
	dotsPerInch = 144
	margin      = 16
	titleSize   = 18
	textSize    = 12
	smallSize   = 10
)

// key is an entry of a figure's legend.
type key struct {
	name   string
	colour color.Color
}

// figure is one plot above the other under a title, a line of conditions, and a
// legend in a row.
type figure struct {
	title, subtitle string
	keys            []key
	plots           []*plot.Plot
	width, height   vg.Length
}

// newPlot makes an empty plot: horizontal grid, no box, one typeface.
func newPlot(yLabel string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = color.Transparent
	p.Y.Label.Text = yLabel
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		setFont(&axis.Label.TextStyle, textSize, grey)
		setFont(&axis.Tick.Label, textSize, ink)
		axis.Tick.LineStyle.Color = pale
		axis.LineStyle.Color = pale
		axis.Padding = 0
	}
	p.Y.Label.Padding = 8
	p.Y.LineStyle.Width = 0
	p.Y.Tick.Length = 0
	return p
}

func setFont(s *text.Style, size vg.Length, c color.Color) {
	s.Font = font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
	s.Color = c
}

// textStyle is for text that is drawn outside of axes.
func textStyle(size vg.Length, c color.Color) text.Style {
	s := text.Style{Handler: plot.DefaultTextHandler, XAlign: text.XLeft, YAlign: text.YBottom}
	setFont(&s, size, c)
	return s
}

// save draws the figure to a PNG file.
func (f *figure) save(path string) error {
	img := vgimg.NewWith(vgimg.UseWH(f.width, f.height), vgimg.UseDPI(dotsPerInch))
	canvas := draw.Crop(draw.New(img), margin, -margin, margin, -margin)
	head := f.drawHead(canvas)
	f.drawPlots(draw.Crop(canvas, 0, 0, 0, -head))
	var out bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: img}).WriteTo(&out); err != nil {
		return err
	}
	return results.WriteFile(path, out.Bytes())
}

// drawPlots gives all plots the same height and left edge.
func (f *figure) drawPlots(c draw.Canvas) {
	column := make([][]*plot.Plot, len(f.plots))
	for i, p := range f.plots {
		column[i] = []*plot.Plot{p}
	}
	for i, row := range plot.Align(column, draw.Tiles{Rows: len(f.plots), Cols: 1, PadY: 14}, c) {
		f.plots[i].Draw(row[0])
	}
}

// drawHead draws what is above the plot and returns its height.
func (f *figure) drawHead(c draw.Canvas) vg.Length {
	title := textStyle(titleSize, ink)
	title.Font.Weight = xfont.WeightBold
	y := c.Max.Y - titleSize
	c.FillText(title, vg.Point{X: c.Min.X, Y: y}, f.title)
	y -= textSize + 8
	c.FillText(textStyle(textSize, grey), vg.Point{X: c.Min.X, Y: y}, f.subtitle)
	y -= textSize + 14
	y = f.drawKeys(c, y)
	return c.Max.Y - y + 14
}

// drawKeys draws the legend, in as many rows as it takes, and returns where the last one is.
func (f *figure) drawKeys(c draw.Canvas, y vg.Length) vg.Length {
	const swatch = 12
	style := textStyle(textSize+1, ink)
	x := c.Min.X
	for _, k := range f.keys {
		width := swatch + 6 + style.Width(k.name)
		if x > c.Min.X && x+width > c.Max.X {
			x, y = c.Min.X, y-textSize-8
		}
		fillBox(c, k.colour, vg.Rectangle{Min: vg.Point{X: x, Y: y}, Max: vg.Point{X: x + swatch, Y: y + swatch}})
		c.FillText(style, vg.Point{X: x + swatch + 6, Y: y}, k.name)
		x += width + 24
	}
	return y
}

func fillBox(c draw.Canvas, fill color.Color, r vg.Rectangle) {
	c.FillPolygon(fill, []vg.Point{r.Min, {X: r.Max.X, Y: r.Min.Y}, r.Max, {X: r.Min.X, Y: r.Max.Y}})
}

// logTicks are labelled marks for a logarithmic axis: powers of ten, and more
// between them the shorter it is.
func logTicks(low, high float64, label func(float64) string) []plot.Tick {
	steps := []float64{1}
	switch decades := math.Log10(high / low); {
	case decades < 1:
		steps = []float64{1, 1.5, 2, 3, 5, 7}
	case decades < 2.5:
		steps = []float64{1, 2, 5}
	}
	var ticks []plot.Tick
	for power := math.Floor(math.Log10(low)); power <= math.Ceil(math.Log10(high)); power++ {
		for _, step := range steps {
			v := step * math.Pow(10, power)
			if v >= low*0.999 && v <= high*1.001 {
				ticks = append(ticks, plot.Tick{Value: v, Label: label(v)})
			}
		}
	}
	return ticks
}
