package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"nestling/measure/database"
)

func dbCommand(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use:   "db",
		Short: "The tuning database: what was measured on this machine, to look at, pack and move",
		Long: `Tells how much the tuning database (RESULTS/tuning) remembers. Every process that measures
adds a file to it; ` + "`compact`" + ` makes them one, and may run beside trainings.`,
		Example: `  nestling db
  nestling db compact
  nestling db export measured.jsonl
  nestling db import measured.jsonl --results elsewhere`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return s.withDatabase(false, func(*database.Database) (string, error) { return "", nil })
		},
	}
	c.AddCommand(
		&cobra.Command{
			Use: "compact", Args: cobra.NoArgs,
			Short:   "One file in place of many, without what was superseded or damaged",
			Example: "  nestling db compact",
			RunE: func(*cobra.Command, []string) error {
				return s.withDatabase(false, func(d *database.Database) (string, error) { return "compacted", d.Compact() })
			},
		},
		&cobra.Command{
			Use: "export FILE", Args: cobra.ExactArgs(1),
			Short:   "Write all measurements to one file",
			Example: "  nestling db export measured.jsonl",
			RunE: func(_ *cobra.Command, args []string) error {
				return s.withDatabase(false, func(d *database.Database) (string, error) {
					return "written to " + args[0], d.Export(args[0])
				})
			},
		},
		&cobra.Command{
			Use: "import FILE", Args: cobra.ExactArgs(1),
			Short: "Add the measurements of an exported file",
			Long: `Adds what is new or newer in a file that ` + "`export`" + ` wrote. Measurements of another processor
stay apart: they are kept, and used where they were made.`,
			Example: "  nestling db import measured.jsonl",
			RunE: func(_ *cobra.Command, args []string) error {
				return s.withDatabase(true, func(d *database.Database) (string, error) {
					added, err := d.Import(args[0])
					return fmt.Sprintf("%d added", added), err
				})
			},
		},
	)
	return c
}

// databaseState is what `nestling db` tells.
type databaseState struct {
	Folder       string         `json:"folder"`
	Measurements int            `json:"measurements"`
	Statuses     map[string]int `json:"statuses"`
	Damaged      []string       `json:"damaged_lines"`
}

// withDatabase opens the tuning database, does something with it, and tells what was done
// and what there is. One that is not there is an error unless it may be made.
func (s *settings) withDatabase(create bool, do func(*database.Database) (done string, err error)) (err error) {
	dir := s.tuning()
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) && !create {
		return fmt.Errorf("no tuning database at %s; --results names another folder", dir)
	}
	d, err := database.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	done, err := do(d)
	if err != nil {
		return err
	}
	records := d.Records()
	state := databaseState{Folder: dir, Measurements: len(records), Statuses: map[string]int{}, Damaged: []string{}}
	for _, r := range records {
		state.Statuses[r.Status]++
	}
	for _, x := range d.Damage() {
		state.Damaged = append(state.Damaged, x.String())
	}
	if s.json {
		return json.NewEncoder(os.Stdout).Encode(state)
	}
	return state.write(done)
}

func (state databaseState) write(done string) error {
	line := fmt.Sprintf("%s: %d measurements", state.Folder, state.Measurements)
	for i, status := range slices.Sorted(maps.Keys(state.Statuses)) {
		separator := ", "
		if i == 0 {
			separator = ": "
		}
		line += fmt.Sprintf("%s%d %s", separator, state.Statuses[status], status)
	}
	if done != "" {
		line += "; " + done
	}
	if _, err := fmt.Println(line); err != nil {
		return err
	}
	for _, damage := range state.Damaged {
		fmt.Fprintln(os.Stderr, damage)
	}
	return nil
}
