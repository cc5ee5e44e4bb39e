package agent

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"nestling/results"
)

// shipped holds a trained checkpoint of each model: MODEL/checkpoint_N/ with its weights
// and its state, and MODEL/run/ with what the training was started with and its log.
//
//go:embed all:shipped
var shipped embed.FS

// Shipped lists the models that Nestling ships a trained checkpoint of.
func Shipped() []string {
	entries, err := shipped.ReadDir("shipped")
	if err != nil {
		return nil
	}
	var models []string
	for _, e := range entries {
		if e.IsDir() {
			models = append(models, e.Name())
		}
	}
	return models
}

// Unpack makes the shipped checkpoint of a model a run under root, like any other, or opens
// that which it became before.
func Unpack(root, model string) (*results.Run, error) {
	name, iteration, err := shippedCheckpoint(model)
	if err != nil {
		return nil, err
	}
	if run, err := alreadyUnpacked(root, model, name); err != nil || run != nil {
		return run, err
	}
	run, err := results.NewRun(root, model)
	if err != nil {
		return nil, err
	}
	if err := copyShipped(path.Join("shipped", model, "run"), run.Dir); err != nil {
		return nil, fmt.Errorf("unpacking the trained %s: %w", model, err)
	}
	dir, err := run.SaveCheckpoint(iteration, func(dir string) error {
		return copyShipped(path.Join("shipped", model, name), dir)
	})
	if err != nil {
		return nil, err
	}
	return run, os.Chtimes(filepath.Join(dir, results.StateFile), shippedAge, shippedAge)
}

// shippedAge is from when checkpoints that ship are: what is trained here is newer than any,
// and to look at one that ships does not make it the latest.
var shippedAge = time.Unix(0, 0)

// alreadyUnpacked finds the run under root that is nothing but a shipped checkpoint, nil if
// there is none: trained on, it is another agent.
func alreadyUnpacked(root, model, name string) (*results.Run, error) {
	state, err := shipped.ReadFile(path.Join("shipped", model, name, results.StateFile))
	if err != nil {
		return nil, err
	}
	runs, err := results.RunsOf(root, model)
	for _, run := range runs {
		names, err := results.Checkpoints(run.Models())
		if err != nil || !slices.Equal(names, []string{name}) {
			continue
		}
		there, err := os.ReadFile(filepath.Join(run.Models(), name, results.StateFile))
		if err == nil && bytes.Equal(there, state) {
			return run, nil
		}
	}
	return nil, err
}

// shippedCheckpoint finds a model's checkpoint and the number of its iteration.
func shippedCheckpoint(model string) (name string, iteration int, err error) {
	entries, err := shipped.ReadDir(path.Join("shipped", model))
	if errors.Is(err, fs.ErrNotExist) {
		return "", 0, fmt.Errorf("%w of %s is shipped; those are %s; `nestling train --model %s` makes one",
			results.ErrNoModel, model, strings.Join(Shipped(), ", "), model)
	}
	for _, e := range entries {
		if number, ok := strings.CutPrefix(e.Name(), "checkpoint_"); ok {
			n, err := strconv.Atoi(number)
			return e.Name(), n, err
		}
	}
	return "", 0, errors.Join(err, fmt.Errorf("%w of %s is shipped", results.ErrNoModel, model))
}

// copyShipped writes the files below a folder of what is shipped, with their folders.
func copyShipped(from, to string) error {
	return fs.WalkDir(shipped, from, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := shipped.ReadFile(name)
		if err != nil {
			return err
		}
		target := filepath.Join(to, filepath.FromSlash(strings.TrimPrefix(name, from)))
		if err := os.MkdirAll(filepath.Dir(target), 0o777); err != nil {
			return err
		}
		return results.WriteFile(target, content)
	})
}
