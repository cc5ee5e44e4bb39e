package report

import (
	"image/color"
	"slices"

	"nestling/eval"
)

// contestantColours are those of the contestants that a figure shows: not of unscheduled
// loops, beside which all others look alike.
var contestantColours = map[string]color.Color{
	eval.Eager: orange, eval.Reference: grey, eval.Greedy: skyBlue, eval.Search: blue, eval.Untrained: green, eval.Random: purple,
}

// rivalColours are those of other agents' first choices and searches, in turns.
var rivalColours = []color.Color{red, yellow}

// mostPrograms is how many programs a figure shows one by one; of more it shows families.
const mostPrograms = 12

// EvaluationPlot draws the speedups of an evaluation over the default schedule: a group of
// bars for each program, or for each family where those are many, and their geometric means.
func EvaluationPlot(path string, rows []*eval.Row, title string) error {
	groups := evaluationGroups(rows)
	b := &barChart{base: 1, suffix: "×"}
	var keys []key
	rivals := eval.Rivals(rows)
	for _, contestant := range slices.Concat(eval.Contestants, rivals) {
		colour, drawn := contestantColours[contestant]
		if i := slices.Index(rivals, contestant); i >= 0 {
			colour, drawn = rivalColours[i%len(rivalColours)], true
		}
		if !drawn || len(eval.Speedups(rows, contestant)) == 0 {
			continue
		}
		var series []bar
		for _, g := range groups {
			series = append(series, evaluationBar(g.rows, contestant))
		}
		b.bars, b.colours = append(b.bars, series), append(b.colours, colour)
		keys = append(keys, key{contestant, colour})
	}
	for _, g := range groups {
		b.groups = append(b.groups, g.name)
	}
	f := b.speedups(1.7)
	f.title, f.keys = title, keys
	f.subtitle = "Speedup over the default schedule, higher is better; means are geometric, with 95 % interval"
	return f.save(path)
}

// evaluationGroup are programs that share a group of bars.
type evaluationGroup struct {
	name string
	rows []*eval.Row
}

// evaluationGroups are the programs or families of an evaluation, and all of them together.
func evaluationGroups(rows []*eval.Row) []evaluationGroup {
	var out []evaluationGroup
	for _, r := range rows {
		name := r.Name
		if len(rows) > mostPrograms {
			name = r.Family
		}
		at := slices.IndexFunc(out, func(g evaluationGroup) bool { return g.name == name })
		if at < 0 {
			at = len(out)
			out = append(out, evaluationGroup{name: name})
		}
		out[at].rows = append(out[at].rows, r)
	}
	return append(out, evaluationGroup{geometricMeanRow, rows})
}

func evaluationBar(rows []*eval.Row, contestant string) bar {
	m := eval.MeanOf(eval.Speedups(rows, contestant), len(rows))
	if m.Programs == 0 {
		problem := "–"
		if eval.Failures(rows, contestant) > 0 {
			problem = "failed"
		}
		return bar{problem: problem}
	}
	one := bar{value: m.Value, low: m.Value, high: m.Value, label: ratio(m.Value)}
	if m.Programs > 1 {
		one.low, one.high = m.Interval.Low, m.Interval.High
	}
	return one
}
