package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"nestling/results"
	"nestling/suite"
)

func genCommand(s *settings) *cobra.Command {
	var split, out string
	var families []string
	var seed uint64
	var count int
	c := &cobra.Command{
		Use:   "gen",
		Short: "Write generated programs to train or evaluate on",
		Long: `Draws random programs and writes each to a file of the folder, with a list of them
(programs.json: name, family, floating-point operations, split, seed). The same split
and seed give the same programs, and fewer are the first of more. No program is in two
splits, whatever the seeds, and none has an operation near one of the nine benchmarks'.

Families: ` + strings.Join(suite.GeneratedFamilies(), ", "),
		Example: `  nestling gen --out data/train
  nestling gen --split test --count 100 --out data/test
  nestling gen --family conv,residual --seed 7 --out data/convolutions
  nestling train --data data/train`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := atLeastOne("count", count); err != nil {
				return err
			}
			if out == "" {
				return errors.New("no folder to write to: nestling gen --out DIR")
			}
			programs, err := suite.GenerateFamilies(suite.Split(split), seed, count, families)
			if err != nil {
				return err
			}
			files, err := suite.Files(programs, suite.Split(split), seed)
			if err != nil {
				return err
			}
			if err := writeFolder(out, files); err != nil {
				return err
			}
			return s.printGenerated(out, programs)
		},
	}
	flags := c.Flags()
	flags.StringVar(&split, "split", string(suite.Train), "train, validation or test")
	flags.Uint64Var(&seed, "seed", 1, "of the draw")
	flags.IntVar(&count, "count", 500, "programs to write")
	flags.StringVar(&out, "out", "", "folder to write to, new or empty")
	flags.StringSliceVar(&families, "family", nil, "families to draw (default: all, convolutions and products most)")
	return c
}

// writeFolder writes files into a folder that holds nothing else. What is there
// from a command that was interrupted is completed.
func writeFolder(dir string, files []suite.File) error {
	if err := holdsOnly(dir, files); err != nil {
		return err
	}
	for _, f := range files {
		if err := results.WriteFile(filepath.Join(dir, f.Name), f.Content); err != nil {
			return err
		}
	}
	return nil
}

// holdsOnly tells whether what is in a folder is among the files, and the same.
// Hidden files are left alone: a write that was cut short leaves one.
func holdsOnly(dir string, files []suite.File) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot write to the folder: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		i := slices.IndexFunc(files, func(f suite.File) bool { return f.Name == e.Name() })
		if i < 0 || !sameContent(filepath.Join(dir, e.Name()), files[i].Content) {
			return fmt.Errorf("%s holds other files than those to write (%s); --out names another folder", dir, e.Name())
		}
	}
	return nil
}

func sameContent(path string, content []byte) bool {
	found, err := os.ReadFile(path)
	return err == nil && bytes.Equal(found, content)
}

// printGenerated counts the programs by family.
func (s *settings) printGenerated(dir string, programs []suite.Program) error {
	count := map[string]int{}
	for _, p := range programs {
		count[p.Family]++
	}
	if s.json {
		return json.NewEncoder(os.Stdout).Encode(map[string]any{"folder": dir, "programs": len(programs), "families": count})
	}
	var parts []string
	for _, family := range suite.GeneratedFamilies() {
		if count[family] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", family, count[family]))
		}
	}
	_, err := fmt.Printf("%d programs in %s: %s\n", len(programs), dir, strings.Join(parts, ", "))
	return err
}
