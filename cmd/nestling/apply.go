package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"nestling/optimize"
	"nestling/schedule"
)

func applyCommand(s *settings) *cobra.Command {
	var o optimize.ApplyOptions
	var file string
	c := &cobra.Command{
		Use:   "apply FILE.mlir --schedule FILE.sched",
		Short: "Run a schedule written by hand",
		Long: `Applies a schedule to a program, compiles it, checks the result and times it. The
program is a module of linalg operations on tensors, or a benchmark by name; without
--schedule it runs unscheduled, with --schedule default by the rule-made schedule.`,
		Example: `  nestling apply matmul_small --schedule my.sched
  nestling apply model.mlir --schedule my.sched --print-ir
  nestling apply model.mlir --schedule my.sched --asm --target-cpu skylake`,
		Args: oneProgram,
		RunE: func(c *cobra.Command, args []string) (err error) {
			options := s.labOptions()
			options.Database = "" // what is asked for is measured
			options.Target = o.Target
			lab, err := openLab(options)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, lab.Close()) }()
			p, err := readProgram(c.Context(), lab, args[0])
			if err != nil {
				return err
			}
			switch file {
			case "":
			case "default":
				o.Schedule = schedule.Default(p, lab.Machine())
			default:
				if o.Schedule, err = readSchedule(file); err != nil {
					return err
				}
			}
			applied, err := optimize.Apply(c.Context(), lab, p, o)
			if err != nil {
				return err
			}
			if s.json {
				return json.NewEncoder(os.Stdout).Encode(applied)
			}
			return applied.WriteText(os.Stdout)
		},
	}
	flags := c.Flags()
	flags.StringVar(&file, "schedule", "", "file with the schedule, or \"default\"")
	flags.BoolVar(&o.IR, "print-ir", false, "print the module after each action")
	flags.BoolVar(&o.Assembly, "asm", false, "print the assembly")
	flags.StringVar(&o.Target.CPU, "target-cpu", "", "compile for this CPU, in LLVM's spelling, and do not run (default: the host, and run)")
	return c
}

func readSchedule(path string) (schedule.Schedule, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	parsed, err := schedule.Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return parsed, nil
}
