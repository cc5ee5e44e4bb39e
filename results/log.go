package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Log appends JSON lines to a file.
type Log struct{ file *os.File }

// OpenLog opens a log to append to, and makes it where it is missing. A last
// line that a kill cut short is taken away first.
func OpenLog(path string) (*Log, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", path, err)
	}
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot write %s: %w", path, reason(err))
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", path, reason(err))
	}
	if whole := bytes.LastIndexByte(content, '\n') + 1; whole < len(content) {
		if err := file.Truncate(int64(whole)); err != nil {
			return nil, errors.Join(fmt.Errorf("cannot write %s: %w", path, reason(err)), file.Close())
		}
	}
	return &Log{file}, nil
}

// Append writes one value as one line, in a single write.
func (l *Log) Append(value any) error {
	line, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", l.file.Name(), err)
	}
	if _, err := l.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("cannot write %s: %w", l.file.Name(), reason(err))
	}
	return nil
}

// Close closes the file.
func (l *Log) Close() error { return l.file.Close() }

// ReadLog reads every whole line of a log; one that is being written, or was
// when a kill came, is left out.
func ReadLog[T any](path string) ([]T, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot be read: %w", path, reason(err))
	}
	var values []T
	for i := 1; ; i++ {
		text, rest, whole := bytes.Cut(content, []byte("\n"))
		if !whole {
			return values, nil
		}
		var v T
		if err := json.Unmarshal(text, &v); err != nil {
			return nil, fmt.Errorf("%s: line %d is not of this log: %w", path, i, err)
		}
		values, content = append(values, v), rest
	}
}
