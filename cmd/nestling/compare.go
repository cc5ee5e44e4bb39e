package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"nestling/report"
)

func compareCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "compare [results/MODEL/run_N/benchmarks]",
		Short: "Compare the methods' results: table, JSON, CSV, plots",
		Example: `  nestling compare
  nestling compare results/lstm/run_1/benchmarks`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				return s.compare(args[0])
			}
			run, err := s.openRun("")
			if err != nil {
				return err
			}
			return s.compare(run.Benchmarks())
		},
	}
}

// compare writes the comparison files of a folder and prints the table.
func (s *settings) compare(dir string) error {
	c, err := report.Compare(dir)
	if err != nil {
		return err
	}
	if s.json {
		return json.NewEncoder(os.Stdout).Encode(c)
	}
	if err := c.Table().Write(os.Stdout, colour()); err != nil {
		return err
	}
	fmt.Println()
	for _, file := range []string{report.CSVFile, report.JSONFile, report.BarPlotFile, report.SpeedupPlotFile} {
		fmt.Println(filepath.Join(dir, file))
	}
	return nil
}

// colour tells whether the output is read by a person at a terminal.
func colour() bool { return term.IsTerminal(int(os.Stdout.Fd())) }
