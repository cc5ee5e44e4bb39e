package bench

import (
	"errors"
	"slices"

	"nestling/results"
	"nestling/stats"
)

// files turns the rows into results files. A row without a turn yet is left out.
func (c *contest) files() map[string]results.File {
	files := map[string]results.File{}
	for _, m := range c.methods {
		files[m.Name()] = results.File{}
		for i, k := range c.cases {
			r := c.rows[m.Name()][i]
			switch {
			case r.earlier != nil && r.err == nil:
				files[m.Name()][k.Name] = *r.earlier
			case r.err != nil:
				files[m.Name()][k.Name] = results.NewFailure(m.Name(), k.Name, oneLine(r.err))
			case len(r.processes) > 0:
				files[m.Name()][k.Name] = c.entry(m, i)
			}
		}
	}
	return files
}

func (c *contest) entry(m Method, i int) results.Entry {
	k, r := c.cases[i], c.rows[m.Name()][i]
	e := results.NewEntry(m.Name(), k.Name, milliseconds(r.processes))
	e.Threads = c.Threads
	e.GFLOPS = k.Flops / e.MedianTimeMS / 1e6
	if peaks := c.peaks(i); len(peaks) > 0 {
		e.PeakGFLOPS = stats.Median(peaks)
		e.PeakShare = e.GFLOPS / e.PeakGFLOPS
	}
	e.MaxError = r.maxError
	e.Agreement = c.agreement(m, i)
	m.Describe(k, &e)
	return e
}

// peaks are what the peak loop reached beside a benchmark, whoever ran it: the
// methods took turns at it.
func (c *contest) peaks(i int) []float64 {
	var peaks []float64
	for _, m := range c.methods {
		peaks = append(peaks, c.rows[m.Name()][i].peaks...)
	}
	return peaks
}

// agreement compares a method's output with every other method's.
func (c *contest) agreement(m Method, i int) map[string]results.Agreement {
	own := c.rows[m.Name()][i].output
	agreement := map[string]results.Agreement{}
	for _, other := range c.methods {
		theirs := c.rows[other.Name()][i].output
		if other.Name() == m.Name() || own == nil || theirs == nil {
			continue
		}
		// Each may be off by the tolerance, in opposite directions.
		agreement[other.Name()] = results.NewAgreement(c.cases[i].Reference.Distance(0, own, theirs), 2*c.Tolerance)
	}
	return agreement
}

func milliseconds(processes [][]float64) [][]float64 {
	out := make([][]float64, len(processes))
	for i, p := range processes {
		out[i] = slices.Clone(p)
		for j := range out[i] {
			out[i][j] /= 1e6
		}
	}
	return out
}

// oneLine keeps an entry's error readable in a table; the whole of it is in the
// failure's folder.
func oneLine(err error) error {
	text := err.Error()
	for i, r := range text {
		if r == '\n' {
			return errors.New(text[:i])
		}
	}
	return err
}
