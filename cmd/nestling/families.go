package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"nestling/bench"
	"nestling/figures"
	"nestling/progress"
	"nestling/report"
	"nestling/results"
	"nestling/suite"
)

func benchFamiliesCommand(s *settings) *cobra.Command {
	var only []string
	var out, page string
	o := bench.FamilyOptions{Rounds: 3, Samples: 5, MinBlock: 2 * time.Millisecond, Budget: 2 * time.Second, Seed: 1}
	c := &cobra.Command{
		Use:   "families",
		Short: "The default schedule of every family of operations",
		Long: `Runs programs of every family of operations, in several shapes, unscheduled and by
the rule-made default schedule, in turns. Every result is checked. Programs that only
move memory are held against a plain loop that moves as much, timed beside them.`,
		Example: `  nestling bench families
  nestling bench families --only softmax,transpose --threads 1`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if err := errors.Join(atLeastOne("rounds", o.Rounds), atLeastOne("samples", o.Samples)); err != nil {
				return err
			}
			cases, err := chosenCases(only)
			if err != nil {
				return err
			}
			options := s.labOptions()
			options.Database = "" // nothing is remembered: these are measured together
			lab, err := openLab(options)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, lab.Close()) }()
			bar := progress.NewBar(os.Stderr, "families")
			o.Progress = bar.Update
			rows, err := bench.Families(c.Context(), lab, cases, o)
			bar.Done()
			if out == "" {
				out = s.familiesFile(len(rows) == len(suite.Families()))
			}
			return errors.Join(err, s.reportFamilies(rows, out, page))
		},
	}
	flags := c.Flags()
	flags.StringSliceVar(&only, "only", nil, "families, or single programs, to run (default: all)")
	flags.IntVar(&o.Rounds, "rounds", o.Rounds, "fresh processes of each of the two, in turns")
	flags.IntVar(&o.Samples, "samples", o.Samples, "timed blocks per process")
	flags.DurationVar(&o.MinBlock, "min-block", o.MinBlock, "shortest block")
	flags.DurationVar(&o.Budget, "budget", o.Budget, "time of one process")
	flags.Uint64Var(&o.Seed, "seed", o.Seed, "of the inputs")
	flags.StringVar(&out, "out", "", "file for the rows as JSON (default: families.json in the folder of the runs, some.families.json where they are not all)")
	flags.StringVar(&page, "markdown", "", "file for the table as a section of Markdown")
	return c
}

// chosenCases are those of the given families or names, all for none.
func chosenCases(names []string) ([]suite.Case, error) {
	all := suite.Families()
	if len(names) == 0 {
		return all, nil
	}
	var chosen []suite.Case
	for _, name := range names {
		found := slices.DeleteFunc(slices.Clone(all), func(c suite.Case) bool { return c.Family != name && c.Name != name })
		if len(found) == 0 {
			return nil, fmt.Errorf("no family %q; there are %s", name, strings.Join(suite.FamilyNames(), ", "))
		}
		chosen = append(chosen, found...)
	}
	return chosen, nil
}

// familiesFile is where rows go that nobody named a file for: some of them do not take the
// place of all, which pages are written from.
func (s *settings) familiesFile(all bool) string {
	name := figures.FamiliesFile
	if !all {
		name = "some." + name
	}
	return filepath.Join(s.results, name)
}

// reportFamilies writes the rows as JSON and prints them.
func (s *settings) reportFamilies(rows []results.FamilyRow, out, page string) error {
	text, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return err
	}
	if err := results.WriteFile(out, append(text, '\n')); err != nil {
		return err
	}
	if page != "" {
		var section bytes.Buffer
		if err := errors.Join(figures.WriteFamilies(&section, out), results.WriteFile(page, section.Bytes())); err != nil {
			return err
		}
	}
	if s.json {
		_, err := os.Stdout.Write(append(text, '\n'))
		return err
	}
	return report.Families(rows).Write(os.Stdout, false)
}
