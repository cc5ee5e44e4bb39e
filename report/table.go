// Package report makes what people read from measurements: the comparison of
// the methods as a table, CSV, JSON and plots, learning curves, and the report
// on an optimised program. It measures nothing.
package report

import (
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Style is what a cell's text means.
type Style int

const (
	Plain Style = iota
	Good        // significantly better
	Weak        // worse than what it is held against
	Bad         // failed, or not to be believed
)

// escapes are the terminal's for each style: green, yellow, bold red.
var escapes = [...]string{Plain: "", Good: "\x1b[32m", Weak: "\x1b[33m", Bad: "\x1b[1;31m"}

// Cell is a piece of text with its meaning.
type Cell struct {
	Text  string
	Style Style
}

// Table is aligned text: the first column to the left, all others to the right.
type Table struct {
	Title  string
	Header []string
	Rows   [][]Cell
	Footer [][]Cell // below a line
	Notes  []Cell   // one line each, below the table
}

const gap = "   "

// Write prints the table; colour is for terminals only.
func (t *Table) Write(w io.Writer, colour bool) error {
	var b strings.Builder
	widths := t.widths()
	rule := strings.Repeat("─", total(widths)) + "\n"
	if t.Title != "" {
		b.WriteString(t.Title + "\n\n")
	}
	header := make([]Cell, len(t.Header))
	for i, text := range t.Header {
		header[i].Text = text
	}
	writeRow(&b, header, widths, colour)
	b.WriteString(rule)
	for _, row := range t.Rows {
		writeRow(&b, row, widths, colour)
	}
	if len(t.Footer) > 0 {
		b.WriteString(rule)
	}
	for _, row := range t.Footer {
		writeRow(&b, row, widths, colour)
	}
	if len(t.Notes) > 0 {
		b.WriteString("\n")
	}
	for _, note := range t.Notes {
		b.WriteString(paint(note.Text, note.Style, colour) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (t *Table) widths() []int {
	widths := make([]int, len(t.Header))
	for i, text := range t.Header {
		widths[i] = utf8.RuneCountInString(text)
	}
	for _, rows := range [][][]Cell{t.Rows, t.Footer} {
		for _, row := range rows {
			for i, cell := range row {
				widths[i] = max(widths[i], utf8.RuneCountInString(cell.Text))
			}
		}
	}
	return widths
}

func total(widths []int) int {
	sum := len(gap) * (len(widths) - 1)
	for _, w := range widths {
		sum += w
	}
	return sum
}

func writeRow(b *strings.Builder, row []Cell, widths []int, colour bool) {
	var line strings.Builder
	for i, cell := range row {
		padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell.Text))
		text := paint(cell.Text, cell.Style, colour)
		if i == 0 {
			line.WriteString(text + padding)
		} else {
			line.WriteString(gap + padding + text)
		}
	}
	b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
}

func paint(text string, s Style, colour bool) string {
	if !colour || s == Plain {
		return text
	}
	return escapes[s] + text + "\x1b[0m"
}

// milliseconds gives a time four significant digits, never an exponent.
func milliseconds(ms float64) string { return significant(ms, 4) }

// significant prints a positive number with so many significant digits, without
// exponent, and with all digits before the point.
func significant(v float64, digits int) string {
	// 9.996 is 10.0 to three digits: where the point goes is seen after rounding.
	_, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', digits-1, 64), "e")
	power, _ := strconv.Atoi(exponent)
	return strconv.FormatFloat(v, 'f', max(digits-1-power, 0), 64)
}

// ratio prints a speedup: "1.52×", "0.0100×", "12.5×".
func ratio(v float64) string { return significant(v, 3) + "×" }
