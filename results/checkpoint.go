package results

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Files of a checkpoint.
const (
	PolicyFile    = "policy.safetensors"
	OptimizerFile = "optimizer.safetensors"
	LearnerFile   = "learner.safetensors" // weights to go on learning from
	StateFile     = "state.json"          // configuration, counters, random state
)

var checkpointName = regexp.MustCompile(`^checkpoint_[0-9]{6,}$`)

// CheckpointName is the name of an iteration's checkpoint.
func CheckpointName(iteration int) string { return fmt.Sprintf("checkpoint_%06d", iteration) }

// Checkpoints lists the names of the checkpoints in a folder of models, whole or not, the
// oldest first.
func Checkpoints(models string) ([]string, error) {
	entries, err := os.ReadDir(models)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if checkpointName.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.SortFunc(names, func(a, b string) int { // numbers may outgrow six digits
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	return names, nil
}

// unfinished is how folders start that are not checkpoints yet.
const unfinished = ".unfinished_checkpoint_"

type checkpoint struct {
	path    string
	written time.Time
}

// LatestCheckpoint is the folder of the run's complete checkpoint with the
// highest iteration. Where there is none the error is ErrNoModel.
func (r *Run) LatestCheckpoint() (string, error) {
	c, err := r.newestCheckpoint()
	if err != nil {
		return "", err
	}
	if c == nil {
		return "", fmt.Errorf("%w in %s: its training wrote no checkpoint; `nestling train --model %s` makes one", ErrNoModel, r.Dir, r.Model)
	}
	return c.path, nil
}

func (r *Run) newestCheckpoint() (*checkpoint, error) {
	names, err := Checkpoints(r.Models())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot look for checkpoints: %w", err)
	}
	for _, name := range slices.Backward(names) {
		path := filepath.Join(r.Models(), name)
		// What was unpacked or copied by hand may be half there.
		policy, policyErr := os.Stat(filepath.Join(path, PolicyFile))
		state, stateErr := os.Stat(filepath.Join(path, StateFile))
		if policyErr == nil && stateErr == nil && policy.Size() > 0 && state.Size() > 0 {
			return &checkpoint{path, state.ModTime()}, nil
		}
	}
	return nil, nil
}

// SaveCheckpoint makes the checkpoint of an iteration: write fills a folder of
// another name, its files are brought to the disk, and the folder is renamed
// into place, so that a kill or a full disk at any moment leaves the checkpoints
// there were. It returns the checkpoint's folder.
func (r *Run) SaveCheckpoint(iteration int, write func(dir string) error) (string, error) {
	final := filepath.Join(r.Models(), CheckpointName(iteration))
	dir, err := r.unfinishedCheckpoint()
	if err != nil {
		return "", fmt.Errorf("cannot save a checkpoint: %w", err)
	}
	err = write(dir)
	if err == nil {
		err = syncFiles(dir)
	}
	if err == nil {
		err = replaceDir(dir, final)
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("cannot save %s: %w", final, err), os.RemoveAll(dir))
	}
	return final, syncPath(r.Models())
}

// unfinishedCheckpoint makes a folder to write to, and clears away those that a
// killed training left.
func (r *Run) unfinishedCheckpoint() (string, error) {
	if err := os.MkdirAll(r.Models(), 0o755); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(r.Models())
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if len(e.Name()) > len(unfinished) && e.Name()[:len(unfinished)] == unfinished {
			if err := os.RemoveAll(filepath.Join(r.Models(), e.Name())); err != nil {
				return "", err
			}
		}
	}
	dir, err := os.MkdirTemp(r.Models(), unfinished)
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// replaceDir renames dir to final; what is there already, from a training that was taken
// up before that iteration, changes places with it, so that there is one at any moment.
func replaceDir(dir, final string) error {
	err := os.Rename(dir, final)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if unix.Renameat2(unix.AT_FDCWD, dir, unix.AT_FDCWD, final, unix.RENAME_EXCHANGE) == nil {
		return os.RemoveAll(dir)
	}
	// Network file systems cannot exchange names.
	old := dir + "_old"
	if err := os.Rename(final, old); err != nil {
		return err
	}
	if err := os.Rename(dir, final); err != nil {
		return err
	}
	return os.RemoveAll(old)
}

func syncFiles(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := syncPath(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return syncPath(dir)
}

// syncPath brings a file's content, or a folder's names, to the disk. Some
// network file systems know no sync of folders.
func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) {
		err = nil
	}
	return errors.Join(err, f.Close())
}
