package measure

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// reproducer leaves a folder from which a failure can be repeated by hand, and
// returns its path. The same failure goes to the same folder.
func (l *Lab) reproducer(j *job) (string, error) {
	folder := l.reproducerPath(j)
	if folder == "" {
		return "", nil
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return "", fmt.Errorf("folder for a failure: %w", err)
	}
	files := map[string][]byte{
		"program.mlir":   l.source(j),
		"schedule.sched": []byte(j.text),
		"script.mlir":    []byte(j.code.Script),
		"reason.txt":     []byte(l.report(j)),
	}
	if j.object != nil {
		files["kernel.o"] = j.object.Object
	}
	var problems error
	for name, content := range files {
		problems = errors.Join(problems, os.WriteFile(filepath.Join(folder, name), content, 0o666))
	}
	if problems != nil {
		return "", fmt.Errorf("record a failure: %w", problems)
	}
	return folder, nil
}

// reproducerPath is "" when no failures are kept.
func (l *Lab) reproducerPath(j *job) string {
	if l.options.FailureDir == "" {
		return ""
	}
	identity := sha256.Sum256([]byte(j.Program.Hash + "\n" + j.text))
	return filepath.Join(l.options.FailureDir, fmt.Sprintf("%s-%x", j.Program.Name, identity[:6]))
}

// knownReproducer is the folder that an earlier session left, if it did.
func (l *Lab) knownReproducer(j *job) string {
	folder := l.reproducerPath(j)
	if _, err := os.Stat(folder); err != nil {
		return ""
	}
	return folder
}

// source is the program as the user gave it, or else in normal form.
func (l *Lab) source(j *job) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if source, found := l.sources[j.Program.Hash]; found {
		return source
	}
	return []byte(j.Program.Module)
}

func (l *Lab) report(j *job) string {
	command := fmt.Sprintf("nestling apply program.mlir --schedule schedule.sched --threads %d", l.options.Threads)
	if cpu := l.options.Target.CPU; cpu != "" {
		command += " --target-cpu " + cpu
	}
	return fmt.Sprintf("%s: %s\n\nInputs were drawn with seed %d. To repeat it, in this folder:\n\n    %s\n",
		j.outcome.Status, j.outcome.Error, j.plan.Seed, command)
}
