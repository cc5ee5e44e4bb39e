package database

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	segmentSuffix = ".jsonl"
	// sealSuffix marks a segment that is being compacted: what is appended to
	// it from now on would be lost.
	sealSuffix = ".sealed"
	// temporarySuffix is that of a file being written that will be renamed.
	temporarySuffix = ".tmp"
)

// newSegmentPath names a file that no other process on any machine will name.
func newSegmentPath(dir string) string {
	return filepath.Join(dir, fmt.Sprintf("segment-%d-%s%s", time.Now().UnixNano(), rand.Text()[:12], segmentSuffix))
}

// segment is the file this process appends to.
type segment struct {
	dir  string
	file *os.File
	torn bool // the last write may have left part of a line
}

// append writes a line so that it survives even a compaction of this segment
// under way in another process. A compaction seals a segment, then reads it,
// then removes it; we write, then look for the seal. So either it reads our
// line, or we see its seal and write the line again, elsewhere.
func (s *segment) append(line []byte) error {
	for {
		if err := s.write(line); err != nil {
			return err
		}
		if !s.sealed() {
			return nil
		}
		if err := s.close(); err != nil {
			return err
		}
	}
}

func (s *segment) write(line []byte) error {
	if s.file == nil {
		f, err := os.OpenFile(newSegmentPath(s.dir), os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		s.file, s.torn = f, false
	}
	if s.torn {
		line = append([]byte{'\n'}, line...) // ends the part of a line, which readers then skip
	}
	_, err := s.file.Write(line)
	s.torn = err != nil
	return err
}

func (s *segment) sealed() bool {
	if _, err := os.Lstat(s.file.Name() + sealSuffix); err == nil {
		return true
	}
	_, err := os.Lstat(s.file.Name())
	return errors.Is(err, fs.ErrNotExist)
}

func (s *segment) close() error {
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file = nil
	return f.Close()
}

// listSegments lists the segments of a directory, sorted. It lists until two
// lists are equal: a single one may miss both a merged segment that was just
// written and the ones removed after it.
func listSegments(dir string) ([]string, error) {
	var last []string
	for first := true; ; first = false {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		var paths []string
		for _, e := range entries {
			if e.Type().IsRegular() && strings.HasSuffix(e.Name(), segmentSuffix) {
				paths = append(paths, filepath.Join(dir, e.Name()))
			}
		}
		if !first && slices.Equal(last, paths) {
			return paths, nil
		}
		last = paths
	}
}

// eachSegment visits every segment, starting over when one has been compacted
// away meanwhile: its records are in a segment that was not on the list.
func eachSegment(dir string, visit func(path string) error) error {
	for {
		paths, err := listSegments(dir)
		if err != nil {
			return err
		}
		vanished := false
		for _, path := range paths {
			err := visit(path)
			if errors.Is(err, fs.ErrNotExist) {
				vanished = true
			} else if err != nil {
				return err
			}
		}
		if !vanished {
			return nil
		}
	}
}
