package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"nestling/fuzz"
	"nestling/progress"
)

func fuzzCommand(s *settings) *cobra.Command {
	var draws, programs int
	var cpu string
	var seed uint64
	c := &cobra.Command{
		Use:   "fuzz",
		Short: "Look for schedules that are accepted and go wrong",
		Long: `Draws random schedules from the whole vocabulary for random small programs. What is
accepted must compile, end, and give the right result; a failure leaves a folder with
everything to repeat it. Ctrl-C ends it with what was found.`,
		Example: "  nestling fuzz\n  nestling fuzz --draws 1000000 --seed 7\n  nestling fuzz --target-cpu x86-64-v3",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if err := errors.Join(atLeastOne("draws", draws), atLeastOne("programs", programs)); err != nil {
				return err
			}
			options := s.labOptions()
			options.Database = "" // nobody asks for these again
			options.Target.CPU = cpu
			lab, err := openLab(options)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, lab.Close()) }()
			p, err := fuzz.Programs(c.Context(), lab, programs, seed)
			if err != nil {
				return err
			}
			bar := progress.NewBar(os.Stderr, "fuzz")
			r, err := fuzz.Run(c.Context(), lab, p, fuzz.Options{Draws: draws, Seed: seed,
				Progress: func(done int) { bar.Update(done, draws, "schedules") }})
			bar.Done()
			if err != nil {
				return err
			}
			return s.printFuzz(r)
		},
	}
	flags := c.Flags()
	flags.IntVar(&draws, "draws", 20000, "schedules to try")
	flags.StringVar(&cpu, "target-cpu", "", "CPU to make code for, one whose code this machine runs (default: this machine)")
	flags.IntVar(&programs, "programs", 200, "programs to try them on")
	flags.Uint64Var(&seed, "seed", 1, "of programs and schedules")
	return c
}

// printFuzz prints the report; findings are an error, in either form.
func (s *settings) printFuzz(r *fuzz.Report) (err error) {
	if s.json {
		err = json.NewEncoder(os.Stdout).Encode(r)
	} else {
		fmt.Printf("%d schedules: %d right, %d refused, %d not ended in time, %d wrong or broken\n",
			r.Draws, r.Right, r.Refused, r.Slow, len(r.Findings))
		for _, f := range r.Findings {
			fmt.Printf("\n%s: %s\n%s%s\n", f.Program, f.Error, f.Schedule, f.Reproducer)
		}
	}
	if len(r.Findings) > 0 {
		err = errors.Join(err, fmt.Errorf("%d schedules were accepted and went wrong", len(r.Findings)))
	}
	return err
}
