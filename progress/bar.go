package progress

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Bar shows how many of a known number of steps are done, at what rate, and how
// long the rest will take.
type Bar struct {
	line        *line
	name        string
	done, total int
	what        string
	// The rate is that of the steps since here.
	since time.Time
	from  int
}

// NewBar makes a bar that shows itself with its first update.
func NewBar(w io.Writer, name string) *Bar {
	b := &Bar{name: name}
	b.line = newLine(w, b.text)
	return b
}

// Update tells how many of how many steps are done, and what is under way ("" for
// nothing worth a word). Another total than before starts a new count.
func (b *Bar) Update(done, total int, what string) {
	b.line.update(func() {
		if total != b.total || done < b.done {
			b.since, b.from = time.Now(), done
		}
		b.done, b.total, b.what = done, total, what
	})
}

// Done leaves the last state standing and ends the line.
func (b *Bar) Done() { b.line.done() }

const barWidth = 24

func (b *Bar) text(now time.Time) string {
	full := 0
	if b.total > 0 {
		full = min(max(barWidth*b.done/b.total, 0), barWidth)
	}
	parts := []string{
		b.name + " " + strings.Repeat("█", full) + strings.Repeat("░", barWidth-full),
		fmt.Sprintf("%d/%d", b.done, b.total),
	}
	took, steps := now.Sub(b.since), b.done-b.from
	if steps > 0 && took > 0 {
		parts = append(parts, rate(float64(steps)/took.Seconds()))
	}
	switch {
	case b.done >= b.total:
		parts = append(parts, "in "+short(took))
	case steps > 0:
		left := took / time.Duration(steps) * time.Duration(b.total-b.done)
		parts = append(parts, short(left)+" left")
	}
	if b.what != "" {
		parts = append(parts, b.what)
	}
	return strings.Join(parts, "  ")
}

// rate is per second, or per minute where that is less than one.
func rate(perSecond float64) string {
	if perSecond < 1 {
		return fmt.Sprintf("%.1f/min", 60*perSecond)
	}
	return fmt.Sprintf("%.1f/s", perSecond)
}
