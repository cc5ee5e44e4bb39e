package database

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// abandoned is the age from which a half-written file has no writer any more.
const abandoned = time.Hour

// noInterruption is what happens between the steps of a compaction outside of
// tests, which use the place to stop it, or to write beside it.
func noInterruption(string) error { return nil }

// compact seals the segments, reads them, writes one in their place and only
// then removes them. A kill leaves at worst sealed segments, which are read and
// compacted as before, or records that are stored twice.
func (d *Database) compact(step func(string) error) error {
	if err := d.own.close(); err != nil {
		return err
	}
	paths, err := listSegments(d.dir)
	if err != nil {
		return err
	}
	for _, path := range paths {
		if err := seal(path); err != nil {
			return err
		}
		if err := step("sealed " + path); err != nil {
			return err
		}
	}
	if err := d.refresh(); err != nil {
		return err
	}
	merged := newSegmentPath(d.dir)
	if len(d.records) > 0 {
		if err := writeFile(merged, d.sorted()); err != nil {
			return err
		}
	}
	if err := step("written " + merged); err != nil {
		return err
	}
	for _, path := range paths {
		if err := d.remove(path); err != nil {
			return err
		}
		if err := step("removed " + path); err != nil {
			return err
		}
	}
	return tidy(d.dir)
}

func seal(path string) error {
	f, err := os.OpenFile(path+sealSuffix, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

// remove removes a segment, then its seal: an unsealed segment is never stale.
func (d *Database) remove(path string) error {
	for _, name := range []string{path, path + sealSuffix} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	delete(d.read, path)
	for p := range d.damage {
		if p.file == path {
			delete(d.damage, p)
		}
	}
	return nil
}

// tidy removes what killed compactions left: seals of segments that are gone,
// and half-written files.
func tidy(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		stale := false
		if segment, ok := strings.CutSuffix(path, sealSuffix); ok {
			_, err := os.Lstat(segment)
			stale = errors.Is(err, fs.ErrNotExist)
		} else if strings.HasPrefix(e.Name(), ".segment-") && strings.HasSuffix(e.Name(), temporarySuffix) {
			info, err := e.Info()
			stale = err == nil && time.Since(info.ModTime()) > abandoned
		}
		if !stale {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
