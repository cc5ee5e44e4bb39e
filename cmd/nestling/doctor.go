package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"nestling/doctor"
)

func doctorCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:     "doctor",
		Short:   "What this machine has, what is missing, how to get it",
		Example: "  nestling doctor\n  nestling doctor --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			findings := doctor.Check(c.Context(), s.python)
			if err := doctor.Write(os.Stdout, findings, s.json); err != nil {
				return err
			}
			if !doctor.Healthy(findings) {
				return errors.New("something that Nestling needs is missing; see the lines above")
			}
			return nil
		},
	}
}
