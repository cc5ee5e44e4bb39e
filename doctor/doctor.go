// Package doctor looks at what this machine has of what Nestling needs. What can
// be tried is tried: libraries are compiled against, linked and called, PyTorch
// is imported and multiplies. It needs none of them itself, so it can run before
// Nestling can be built.
package doctor

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"text/tabwriter"
)

// Status is what a check came to.
type Status string

const (
	OK      Status = "ok"
	Missing Status = "missing" // not there, or of no use as it is
	Low     Status = "low"     // there, but less than Nestling does well with
)

// Finding is the outcome of one check.
type Finding struct {
	Name     string `json:"name"`
	Status   Status `json:"status"`
	Detail   string `json:"detail"`           // what was found, or what is wrong
	Remedy   string `json:"remedy,omitempty"` // how to get it; empty when ok
	Required bool   `json:"required"`         // Nestling does not work without it
}

// check looks for one thing: what it found, in words, or what is wrong.
type check struct {
	name     string
	required bool
	remedy   string
	look     func(context.Context) (detail string, err error)
}

// shortage is the error of a check for what is there, but scarce.
type shortage struct{ detail string }

func (s shortage) Error() string { return s.detail }

// Check looks at everything. python names the Python that is to have PyTorch; ""
// is the first of the usual places, as in `nestling bench`.
func Check(ctx context.Context, python string) []Finding {
	checks := append(software(python), hardware()...)
	findings := make([]Finding, len(checks))
	var all sync.WaitGroup
	for i, c := range checks {
		all.Go(func() { findings[i] = c.run(ctx) })
	}
	all.Wait()
	return findings
}

func (c check) run(ctx context.Context) Finding {
	detail, err := c.look(ctx)
	f := Finding{Name: c.name, Status: OK, Detail: detail, Required: c.required}
	if err == nil {
		return f
	}
	f.Status, f.Detail, f.Remedy = Missing, err.Error(), c.remedy
	if _, scarce := err.(shortage); scarce {
		f.Status = Low
	}
	return f
}

// Healthy says whether nothing that Nestling cannot do without is missing.
func Healthy(findings []Finding) bool {
	for _, f := range findings {
		if f.Required && f.Status == Missing {
			return false
		}
	}
	return true
}

// Write prints the findings, as JSON for programs or as lines for people.
func Write(w io.Writer, findings []Finding, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(findings)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range findings {
		detail := f.Detail
		if f.Status == Missing && !f.Required {
			detail += " (not needed by everyone)"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", f.Status, f.Name, detail)
		for line := range strings.Lines(f.Remedy) {
			fmt.Fprintf(table, "\t\t→ %s\n", strings.TrimSuffix(line, "\n"))
		}
	}
	return table.Flush()
}

//go:embed packages.txt
var packages string

// debian tells how to get the packages that packages.txt lists under a name, and
// what to do on a machine where Debian's packages are not to be had.
func debian(name, elsewhere string) string {
	var wanted []string
	for line := range strings.Lines(packages) {
		if fields := strings.Fields(line); len(fields) > 0 && fields[0] == name {
			wanted = append(wanted, fields[1:]...)
		}
	}
	return "Debian 12: sudo apt-get install --no-install-recommends " + strings.Join(wanted, " ") + "\n" +
		"elsewhere: " + elsewhere
}
