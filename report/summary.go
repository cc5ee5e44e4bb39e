package report

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"nestling/results"
)

// short is how column names call a method.
var short = map[string]string{
	results.Agent: "RL", results.PyTorchDefault: "Default", results.PyTorchJIT: "JIT", results.PyTorchCompile: "Compile",
	results.PyTorchChannelsLast: "Channels-Last",
}

// CSV is the summary, one row per benchmark. Cells of what is not known are
// empty; times are medians.
func (c *Comparison) CSV() ([]byte, error) {
	columns := c.columns()
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	header := make([]string, len(columns))
	for i, column := range columns {
		header[i] = column.name
	}
	records := [][]string{header}
	for _, row := range c.Rows {
		record := make([]string, len(columns))
		for i, column := range columns {
			record[i] = column.of(row)
		}
		records = append(records, record)
	}
	if err := w.WriteAll(records); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

type column struct {
	name string
	of   func(Row) string
}

// columns are those of the guide, in its order, and then ours.
func (c *Comparison) columns() []column {
	columns := []column{{"Benchmark", func(r Row) string { return r.Benchmark }}}
	for _, m := range c.Methods {
		if !m.Optional {
			columns = append(columns, timeColumn(m.Name))
		}
	}
	for _, m := range c.challengers() {
		if !m.Optional {
			columns = append(columns, speedupColumn(m.Name))
		}
	}
	for _, m := range c.Methods {
		if m.Optional {
			columns = append(columns, timeColumn(m.Name), speedupColumn(m.Name))
		}
	}
	for _, m := range c.Methods {
		columns = append(columns, intervalColumns(m.Name)...)
	}
	for _, m := range c.challengers() {
		columns = append(columns, column{short[m.Name] + " Significance", func(r Row) string { return mark(r.Speedups[m.Name]) }})
	}
	return append(columns,
		column{"RL Peak Share", func(r Row) string { return number(r.Entries[results.Agent].PeakShare) }},
		column{"RL Max Error", func(r Row) string { return number(r.Entries[results.Agent].MaxError) }},
		column{"RL Prepare (ms)", func(r Row) string { return number(r.Entries[results.Agent].PrepareMS) }},
		column{"Threads", c.threads},
		column{"Outputs Agree", c.outputsAgree},
		column{"Errors", c.errors},
	)
}

func timeColumn(method string) column {
	return column{method + " (ms)", func(r Row) string { return number(r.Entries[method].MedianTimeMS) }}
}

func speedupColumn(method string) column {
	return column{short[method] + " Speedup", func(r Row) string { return number(r.Speedups[method].Ratio) }}
}

func intervalColumns(method string) []column {
	end := func(i int) func(Row) string {
		return func(r Row) string {
			if interval := r.Entries[method].CI95MS; len(interval) == 2 {
				return number(interval[i])
			}
			return ""
		}
	}
	return []column{{method + " CI95 Low (ms)", end(0)}, {method + " CI95 High (ms)", end(1)}}
}

// number prints six significant digits, and nothing for what is not known.
func number(v float64) string {
	if v == 0 {
		return ""
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}

// mark is "~" for a difference that may be chance, "?" where samples to tell
// are missing.
func mark(s Speedup) string {
	switch {
	case s.Ratio == 0 || s.Significant():
		return ""
	case s.Interval == nil:
		return "?"
	}
	return "~"
}

func (c *Comparison) threads(r Row) string {
	one := Comparison{Methods: c.Methods, Rows: []Row{r}}
	return strings.Join(one.distinct(func(e results.Entry) string {
		if e.Threads == 0 {
			return ""
		}
		return strconv.Itoa(e.Threads)
	}), "/")
}

// outputsAgree is "yes" where every comparison that was made found agreement,
// "no" where one did not, empty where none was made.
func (c *Comparison) outputsAgree(r Row) string {
	answer := ""
	for i, a := range c.Methods {
		for _, b := range c.Methods[:i] {
			switch agreement := r.agreement(a.Name, b.Name); {
			case agreement == nil:
			case !agreement.OK():
				return "no"
			default:
				answer = "yes"
			}
		}
	}
	return answer
}

func (c *Comparison) errors(r Row) string {
	var texts []string
	for _, m := range c.Methods {
		if entry := r.Entries[m.Name]; entry.Failed() {
			texts = append(texts, m.Name+": "+firstLine(entry.Error))
		} else if problem := r.problem(m.Name); problem != "" {
			texts = append(texts, m.Name+": "+problem)
		}
	}
	return strings.Join(texts, "; ")
}

// Table is the comparison as people read it on a terminal.
func (c *Comparison) Table() *Table {
	t := &Table{Title: "Milliseconds per run, median ± 95 % interval", Header: []string{"Benchmark"}}
	if conditions := c.conditionsLine(); conditions != "" {
		t.Title += "; " + conditions
	}
	for _, m := range c.Methods {
		t.Header = append(t.Header, m.Name)
	}
	for _, m := range c.challengers() {
		t.Header = append(t.Header, short[m.Name]+" speedup")
	}
	t.Header = append(t.Header, "RL of peak", "RL error")
	for _, row := range c.Rows {
		t.Rows = append(t.Rows, c.tableRow(row))
	}
	t.Footer = [][]Cell{c.meanRow()}
	t.Notes = slices.Concat(c.legend(), c.remarks())
	return t
}

func (c *Comparison) tableRow(row Row) []Cell {
	cells := []Cell{{Text: row.Benchmark}}
	for _, m := range c.Methods {
		if problem := row.problem(m.Name); problem != "" {
			cells = append(cells, Cell{problem, Bad})
		} else {
			cells = append(cells, Cell{Text: timeWithInterval(row.Entries[m.Name])})
		}
	}
	for _, m := range c.challengers() {
		cells = append(cells, speedupCell(row.Speedups[m.Name]))
	}
	agent := row.Entries[results.Agent]
	return append(cells, Cell{Text: share(agent.PeakShare)}, Cell{Text: scientific(agent.MaxError)})
}

// timeWithInterval is "1.234 ±2%": the interval's farther end, in percent.
func timeWithInterval(e results.Entry) string {
	text := milliseconds(e.MedianTimeMS)
	if len(e.CI95MS) != 2 {
		return text
	}
	far := max(e.CI95MS[1]-e.MedianTimeMS, e.MedianTimeMS-e.CI95MS[0])
	return text + fmt.Sprintf(" ±%2.0f%%", 100*far/e.MedianTimeMS)
}

func speedupCell(s Speedup) Cell {
	switch {
	case s.Ratio == 0:
		return Cell{"–", Bad}
	case s.Problem != "":
		return Cell{s.Problem, Bad}
	case !s.Significant():
		return Cell{ratio(s.Ratio) + " " + mark(s), Plain}
	case s.Ratio > 1:
		return Cell{ratio(s.Ratio) + "  ", Good}
	}
	return Cell{ratio(s.Ratio) + "  ", Weak}
}

func share(v float64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f %%", 100*v)
}

func scientific(v float64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf("%.1e", v)
}

func (c *Comparison) meanRow() []Cell {
	cells := []Cell{{Text: geometricMeanRow}}
	for range c.Methods {
		cells = append(cells, Cell{})
	}
	for _, m := range c.challengers() {
		cells = append(cells, Cell{Text: ratio(c.GeometricMean(m.Name)) + "  "})
	}
	return cells
}

func (c *Comparison) legend() []Cell {
	legend := fmt.Sprintf("Speedups are over %s.", baseline)
	var marks []string
	for _, row := range c.Rows {
		for _, m := range c.challengers() {
			marks = append(marks, mark(row.Speedups[m.Name]))
		}
	}
	if slices.Contains(marks, "~") {
		legend += " ~: may be chance."
	}
	if slices.Contains(marks, "?") {
		legend += " ?: the files have no samples to tell chance by."
	}
	cells := []Cell{{Text: legend}}
	if c.anythingCounted() {
		cells = append(cells, Cell{Text: fmt.Sprintf("In the geometric mean, what failed, was not run or has differing outputs counts as %g×; what %s has no time for, as %g×.", failed, baseline, baselineFailed)})
	}
	return cells
}

// anythingCounted tells whether the rule for failures was needed.
func (c *Comparison) anythingCounted() bool {
	return slices.ContainsFunc(c.Rows, func(r Row) bool {
		return slices.ContainsFunc(c.challengers(), func(m results.Method) bool { return r.Speedups[m.Name].Problem != "" })
	})
}
