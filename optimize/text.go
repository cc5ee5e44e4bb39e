package optimize

import (
	"fmt"
	"io"
	"strings"

	"nestling/report"
)

// WriteText prints the report for people; in colour on a terminal.
func (r *Report) WriteText(w io.Writer, colour bool) error {
	if err := report.Optimized(r.Program, r.Rows...).Write(w, colour); err != nil {
		return err
	}
	if r.Recalled {
		fmt.Fprintf(w, "\nnothing was measured now: all of this is known since %s; --again measures anew\n", r.Measured.Format("2006-01-02 15:04:05 MST"))
	}
	fmt.Fprintf(w, "\nagent: %s\nchosen: %s\n\n%s\n\n", r.Agent, r.Chosen, strings.TrimSpace(r.Schedule))
	fmt.Fprintf(w, "prepared weights %d bytes, workspace %d bytes\n", r.PreparedBytes, r.WorkspaceBytes)
	for _, what := range []string{"schedule", "module", "script", "object", "header", "report"} {
		if _, err := fmt.Fprintf(w, "%-9s %s\n", what, r.Files[what]); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%-9s %s\n", "link with", strings.Join(r.Libraries, " "))
	return err
}
