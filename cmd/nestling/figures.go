package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"nestling/figures"
	"nestling/report"
)

func figuresCommand(s *settings) *cobra.Command {
	var run, speeds, curve, out string
	c := &cobra.Command{
		Use:   "figures",
		Short: "Write the page of results from what was measured",
		Long: `Writes a page of Markdown from the results of "nestling bench table" and "nestling
bench families", the output of Go benchmarks, a run's training log and its comparison.
"make bench" runs the benchmarks and this.`,
		Example: "  nestling bench figures --speeds bench.txt --out docs/results.md",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			r, err := s.openRun(run)
			if err != nil {
				return err
			}
			read, err := figures.ReadSpeeds(speeds)
			if err != nil {
				return err
			}
			table, err := report.ReadSpeeds(s.speedDir())
			if err != nil {
				return err
			}
			page := figures.Page{Table: table, Families: filepath.Join(s.results, figures.FamiliesFile), Speeds: read, Run: r, Curve: curve}
			if err := page.Write(out); err != nil {
				return err
			}
			return s.printFiles(out)
		},
	}
	flags := c.Flags()
	flags.StringVar(&run, "run", "", "run to report (default: the one trained last)")
	flags.StringVar(&speeds, "speeds", "bin/bench.txt", "output of go test -bench")
	flags.StringVar(&curve, "curve", "", "picture of the learning curve, as the page links it")
	flags.StringVar(&out, "out", "docs/results.md", "file to write")
	return c
}
