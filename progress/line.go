// Package progress shows people how far a command has come: one live line on a
// terminal, a timed line now and then everywhere else.
package progress

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

const (
	repaint = time.Second      // on a terminal: time left goes on between updates
	apart   = 10 * time.Second // elsewhere: lines come no closer than this
)

// line is what both kinds of progress write through. Its methods may be called
// by several goroutines.
type line struct {
	w        io.Writer
	terminal int // file descriptor, -1 when w is no terminal
	text     func(now time.Time) string

	mu      sync.Mutex
	pending bool      // there is news that was not written
	written time.Time // last line, where w is no terminal
	stop    chan struct{}
	ended   sync.WaitGroup
	once    sync.Once
}

// newLine writes what text gives. text is called with the line's lock held.
func newLine(w io.Writer, text func(now time.Time) string) *line {
	l := &line{w: w, terminal: -1, text: text, stop: make(chan struct{})}
	f, isFile := w.(*os.File)
	if isFile && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		l.terminal = int(f.Fd())
		l.ended.Go(l.tick)
	}
	return l
}

func (l *line) tick() {
	ticker := time.NewTicker(repaint)
	defer ticker.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-ticker.C:
			l.mu.Lock()
			l.paint()
			l.mu.Unlock()
		}
	}
}

// update changes what text will say, and says it.
func (l *line) update(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
	l.pending = true
	switch {
	case l.terminal >= 0:
		l.paint()
	case time.Since(l.written) >= apart:
		l.print()
	}
}

// paint writes over the terminal's line. What is too long would wrap, and could
// not be written over.
func (l *line) paint() {
	if !l.pending {
		return
	}
	width, _, err := term.GetSize(l.terminal)
	if err != nil || width < 1 {
		width = 80
	}
	text := []rune(l.text(time.Now()))
	fmt.Fprintf(l.w, "\r%s\x1b[K", string(text[:min(len(text), width-1)]))
}

func (l *line) print() {
	now := time.Now()
	fmt.Fprintf(l.w, "%s %s\n", now.Format(time.TimeOnly), l.text(now))
	l.written, l.pending = now, false
}

// done says what was not said yet and ends the line. Calls after the first do
// nothing.
func (l *line) done() {
	l.once.Do(func() {
		close(l.stop)
		l.ended.Wait()
		l.mu.Lock()
		defer l.mu.Unlock()
		switch {
		case !l.pending:
		case l.terminal >= 0:
			l.paint()
			fmt.Fprintln(l.w)
		default:
			l.print()
		}
	})
}

// short prints a duration to the second: "8s", "4m12s", "1h02m".
func short(d time.Duration) string {
	d = max(d.Round(time.Second), 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
}
