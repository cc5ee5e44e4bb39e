package main

import (
	"testing"

	"nestling/fuzz"
)

// What was found is an error in either form, for a program that reads JSON too.
func TestFindingsAreAnError(t *testing.T) {
	for _, json := range []bool{false, true} {
		s := &settings{json: json}
		if err := s.printFuzz(&fuzz.Report{Draws: 3, Right: 3}); err != nil {
			t.Errorf("json %t: nothing was found, and it is an error: %v", json, err)
		}
		if err := s.printFuzz(&fuzz.Report{Draws: 3, Right: 2, Findings: []fuzz.Finding{{Program: "a", Error: "off by one"}}}); err == nil {
			t.Errorf("json %t: a finding is no error", json)
		}
	}
}
