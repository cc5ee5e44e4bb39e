package figures

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"nestling/report"
	"nestling/results"
)

// FamiliesFile is where `nestling bench families` leaves its rows, in the folder of
// the runs.
const FamiliesFile = "families.json"

// WriteFamilies writes the section on default schedules from the rows in a file.
func WriteFamilies(w io.Writer, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("rows of `nestling bench families`: %w", err)
	}
	var rows []results.FamilyRow
	if err := json.Unmarshal(text, &rows); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if len(rows) == 0 {
		return fmt.Errorf("%s holds no row; `nestling bench families` makes them", path)
	}
	var table bytes.Buffer
	if err := report.Families(rows).Write(&table, false); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "## Default schedules of every family\n\nBy `nestling bench families`, %s: programs unscheduled (LLVM's -O3 on plain loops, "+
		"from the same code generator) and by the default schedule, in turns. Beside what only moves memory, a plain loop that reads and writes as much, once each.\n\n```\n%s```\n\n",
		threads(rows[0].Threads), table.String())
	return err
}

func threads(n int) string {
	if n == 1 {
		return "1 thread"
	}
	return fmt.Sprintf("%d threads", n)
}
