// Package scheduletest helps tests that schedule.
package scheduletest

import (
	"testing"

	"nestling/schedule"
)

// Parse is the schedule of a text that is known to be well-formed.
func Parse(t testing.TB, text string) schedule.Schedule {
	t.Helper()
	s, err := schedule.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
