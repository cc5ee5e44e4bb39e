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
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Run is one training run and what came out of it, a directory
// ROOT/MODEL/run_N with the folders models, logs and benchmarks.
type Run struct {
	Dir   string // as the caller spelled the root: paths shown to users stay short
	Model string // "lstm", "distilbert", "gpt-2", "convnext"
	N     int
}

// Models holds the checkpoints.
func (r *Run) Models() string { return filepath.Join(r.Dir, "models") }

// Logs holds what training wrote: JSON lines and TensorBoard event files.
func (r *Run) Logs() string { return filepath.Join(r.Dir, "logs") }

// Benchmarks holds the methods' results files, the comparison and its plots.
func (r *Run) Benchmarks() string { return filepath.Join(r.Dir, "benchmarks") }

var runName = regexp.MustCompile(`^run_(0|[1-9][0-9]*)$`)

// NewRun makes the next run of a model: one above the highest number there is,
// from 0. Creating a directory is atomic, so processes that start together get
// different runs.
func NewRun(root, model string) (*Run, error) {
	if model == "" || strings.ContainsRune(model, filepath.Separator) || strings.HasPrefix(model, ".") {
		return nil, fmt.Errorf("%q cannot name a model: it becomes a folder under %s", model, root)
	}
	parent := filepath.Join(root, model)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make a new run: %w", err)
	}
	n, err := nextNumber(parent)
	if err != nil {
		return nil, fmt.Errorf("cannot make a new run: %w", err)
	}
	for {
		r := &Run{Dir: filepath.Join(parent, fmt.Sprintf("run_%d", n)), Model: model, N: n}
		err := os.Mkdir(r.Dir, 0o755)
		if err == nil {
			return r, r.makeFolders()
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("cannot make a new run: %w", err)
		}
		n++
	}
}

func (r *Run) makeFolders() error {
	for _, dir := range []string{r.Models(), r.Logs(), r.Benchmarks()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("cannot make a new run: %w", err)
		}
	}
	return nil
}

func nextNumber(parent string) (int, error) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return 0, err
	}
	next := 0
	for _, e := range entries {
		if n, ok := runNumber(e.Name()); ok {
			next = max(next, n+1)
		}
	}
	return next, nil
}

func runNumber(name string) (int, bool) {
	m := runName.FindStringSubmatch(name)
	if m == nil {
		return 0, false
	}
	n, err := strconv.Atoi(m[1])
	return n, err == nil
}

// OpenRun opens the run at a path such as results/lstm/run_1.
func OpenRun(path string) (*Run, error) {
	path = filepath.Clean(path)
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("no run at %s: %w", path, reason(err))
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a run: it is a file; a run is a folder such as results/lstm/run_0", path)
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	n, ok := runNumber(filepath.Base(absolute))
	if !ok {
		return nil, fmt.Errorf("%s is not a run: a run is a folder such as results/lstm/run_0", path)
	}
	return &Run{Dir: path, Model: filepath.Base(filepath.Dir(absolute)), N: n}, nil
}

// Lock keeps other processes from training the run until it is released, or this
// process ends. The file that carries the lock stays. Where the file system knows
// no locks there is none.
func (r *Run) Lock() (release func() error, err error) {
	file, err := os.OpenFile(filepath.Join(r.Dir, ".lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot lock %s: %w", r.Dir, reason(err))
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, errors.Join(fmt.Errorf("cannot train %s: another process is training it", r.Dir), file.Close())
	}
	return file.Close, nil
}

// ErrNoModel is what a search for a trained model fails with when there is none.
var ErrNoModel = errors.New("no trained model")

// Latest is the run whose newest checkpoint is the newest, over all models
// under root. Where there is none the error is ErrNoModel and tells how to get
// one.
func Latest(root string) (*Run, error) {
	run, err := latest(filepath.Join(escapeGlob(root), "*", "run_*"))
	if err == nil && run == nil {
		err = fmt.Errorf("%w under %s; `nestling train --model lstm` makes one", ErrNoModel, root)
	}
	return run, err
}

// LatestOf is Latest of one model.
func LatestOf(root, model string) (*Run, error) {
	run, err := latest(filepath.Join(escapeGlob(root), escapeGlob(model), "run_*"))
	if err == nil && run == nil {
		err = fmt.Errorf("%w of %s under %s; `nestling train --model %s` makes one", ErrNoModel, model, root, model)
	}
	return run, err
}

// RunsOf lists the runs of a model under root, the first first.
func RunsOf(root, model string) ([]*Run, error) {
	runs, err := runs(filepath.Join(escapeGlob(root), escapeGlob(model), "run_*"))
	slices.SortFunc(runs, func(a, b *Run) int { return cmp.Compare(a.N, b.N) })
	return runs, err
}

// runs are those whose folders match a pattern.
func runs(pattern string) ([]*Run, error) {
	dirs, err := filepath.Glob(pattern)
	var all []*Run
	for _, dir := range dirs {
		if n, ok := runNumber(filepath.Base(dir)); ok {
			all = append(all, &Run{Dir: dir, Model: filepath.Base(filepath.Dir(dir)), N: n})
		}
	}
	return all, err
}

// latest is the run whose newest checkpoint is the newest, nil if there is none.
func latest(pattern string) (*Run, error) {
	all, err := runs(pattern)
	if err != nil {
		return nil, err
	}
	var latest *Run
	var newest time.Time
	for _, r := range all {
		checkpoint, err := r.newestCheckpoint()
		if err != nil {
			return nil, err
		}
		if checkpoint != nil && (latest == nil || !checkpoint.written.Before(newest)) {
			latest, newest = r, checkpoint.written
		}
	}
	return latest, nil
}

// escapeGlob makes a path mean itself in a pattern.
func escapeGlob(path string) string {
	return regexp.MustCompile(`[*?\[\\]`).ReplaceAllString(path, `\$0`)
}

// reason is the cause of a failed file operation without the path, for messages
// that have named it already.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
