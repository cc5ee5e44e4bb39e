package report

import (
	"fmt"
	"slices"
	"strings"

	"nestling/results"
)

// remarks are what a reader must know beside the numbers, worst first.
func (c *Comparison) remarks() []Cell {
	var bad, weak []Cell
	for _, row := range c.Rows {
		for i, m := range c.Methods {
			if entry := row.Entries[m.Name]; entry.Failed() {
				bad = append(bad, Cell{fmt.Sprintf("%s, %s: failed: %s", row.Benchmark, m.Name, firstLine(entry.Error)), Bad})
			} else if row.problem(m.Name) != "" {
				bad = append(bad, Cell{fmt.Sprintf("%s, %s: not run; `%s` runs it", row.Benchmark, m.Name, m.Command), Bad})
			}
			for _, other := range c.Methods[:i] {
				if cell, ok := row.outputs(other.Name, m.Name); ok {
					bad = append(bad, cell)
				}
			}
			if cell, ok := row.spread(m.Name); ok {
				weak = append(weak, cell)
			}
		}
	}
	return slices.Concat(bad, c.conditions(), weak)
}

func firstLine(text string) string {
	first, _, more := strings.Cut(strings.TrimSpace(text), "\n")
	if more {
		return first + " …"
	}
	return first
}

// outputs remarks on two methods that do not agree.
func (r Row) outputs(a, b string) (Cell, bool) {
	agreement := r.agreement(a, b)
	if agreement == nil || agreement.OK() {
		return Cell{}, false
	}
	return Cell{fmt.Sprintf("%s: outputs of %s and %s differ by %.2g (tolerance %.2g)",
		r.Benchmark, a, b, agreement.MaxError, agreement.Tolerance), Bad}, true
}

// spread remarks on times that scatter.
func (r Row) spread(method string) (Cell, bool) {
	entry := r.Entries[method]
	switch text := fmt.Sprintf("%s, %s: times scatter: the middle half spans %.0f %% of the median", r.Benchmark, method, 100*entry.IQRShare); {
	case entry.Failed() || entry.IQRShare <= notableSpread:
		return Cell{}, false
	case entry.IQRShare > alarmingSpread:
		return Cell{text + "; measure again on a quiet machine", Bad}, true
	default:
		return Cell{text, Weak}, true
	}
}

// conditions remarks on methods that were not measured alike.
func (c *Comparison) conditions() []Cell {
	var cells []Cell
	for _, check := range []struct {
		what string
		of   func(results.Entry) string
	}{
		{"threads", threadsOf},
		{"machines", func(e results.Entry) string { return e.Machine.CPU }},
	} {
		if found := c.distinct(check.of); len(found) > 1 {
			cells = append(cells, Cell{fmt.Sprintf("not measured alike: %s differ: %s", check.what, strings.Join(found, ", ")), Bad})
		}
	}
	if unchecked := c.unchecked(); len(unchecked) > 0 {
		cells = append(cells, Cell{"outputs not compared with " + baseline + "'s: " + strings.Join(unchecked, ", "), Weak})
	}
	return cells
}

func threadsOf(e results.Entry) string {
	switch e.Threads {
	case 0:
		return ""
	case 1:
		return "1 thread"
	}
	return fmt.Sprintf("%d threads", e.Threads)
}

// distinct lists the different answers of all entries, in the order they come.
func (c *Comparison) distinct(of func(results.Entry) string) []string {
	var found []string
	for _, row := range c.Rows {
		for _, m := range c.Methods {
			if text := of(row.Entries[m.Name]); text != "" && !slices.Contains(found, text) {
				found = append(found, text)
			}
		}
	}
	return found
}

// unchecked lists the methods with a time whose outputs nobody held against
// PyTorch Default's.
func (c *Comparison) unchecked() []string {
	var names []string
	for _, m := range c.challengers() {
		if slices.ContainsFunc(c.Rows, func(r Row) bool {
			return r.problem(m.Name) == "" && r.problem(baseline) == "" && r.agreement(m.Name, baseline) == nil
		}) {
			names = append(names, m.Name)
		}
	}
	return names
}

// conditionsLine says on what the times were taken: "Intel Xeon …, 2 threads".
func (c *Comparison) conditionsLine() string {
	parts := append(c.distinct(func(e results.Entry) string { return e.Machine.CPU }), c.distinct(threadsOf)...)
	return strings.Join(parts, ", ")
}
