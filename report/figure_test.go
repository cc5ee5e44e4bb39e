package report

import (
	"testing"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// A legend that is too long for one row goes on in the next, and no key is out of the picture.
func TestLegendsHaveAsManyRowsAsTheyNeed(t *testing.T) {
	c := draw.New(vgimg.New(4*vg.Inch, 2*vg.Inch))
	for want, names := range map[vg.Length][]string{
		100:                  {"lstm", "gpt-2"},
		100 - textSize - 8:   {"lstm, 3 runs", "lstm, taught, 3 runs", "distilbert, taught"},
		100 - 2*(textSize+8): {"a name that is nearly as long as the picture", "a name that is nearly as long, too", "lstm, taught, 3 runs"},
	} {
		var f figure
		for _, name := range names {
			f.keys = append(f.keys, key{name, blue})
		}
		if got := f.drawKeys(c, 100); got != want {
			t.Errorf("%q ends at %v, want %v", names, got, want)
		}
	}
}
