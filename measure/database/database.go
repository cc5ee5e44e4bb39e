// Package database remembers measurements: what each schedule of each program
// came to on each machine. It is a directory of segments, files of JSON lines
// with a checksum each. A process appends to a segment of its own and reads
// everybody's, without locks, so that kills, several processes at once and
// network file systems do no harm.
package database

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Key is what a measurement depends on.
type Key struct {
	Program  string `json:"program"`        // program.Program.Hash
	Schedule string `json:"schedule"`       // schedule.Schedule.String()
	Threads  int    `json:"threads"`        // threads of the kernel
	Machine  string `json:"machine"`        // processor model and features that code was made for and run on
	Cold     bool   `json:"cold,omitempty"` // caches were flushed before each run
	Codegen  string `json:"codegen"`        // codegen.Version
	LLVM     string `json:"llvm"`           // LLVM's version
}

func compareKeys(a, b Key) int {
	return cmp.Or(
		cmp.Compare(a.Program, b.Program),
		cmp.Compare(a.Schedule, b.Schedule),
		cmp.Compare(a.Threads, b.Threads),
		cmp.Compare(a.Machine, b.Machine),
		compareBools(a.Cold, b.Cold),
		cmp.Compare(a.Codegen, b.Codegen),
		cmp.Compare(a.LLVM, b.LLVM),
	)
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// Record is one measurement, successful or not.
type Record struct {
	Key
	Status              string    // measure.Status: "ok", "wrong", "crash", …
	Error               string    // what went wrong
	Nanoseconds         float64   // median of one run
	Ratio               float64   // median of time over the probe's time
	Samples             []float64 // nanoseconds of one run, per block
	MaxError            float64   // largest |got-want| over Σ|terms|; may be infinite or NaN
	PrepareNanoseconds  float64
	CompileMilliseconds float64
	Time                time.Time // when it was measured
}

// Damage is a line that could not be read and was passed over.
type Damage struct {
	File   string
	Offset int64  // byte at which the line starts
	Reason string // what is wrong with it
}

func (d Damage) String() string {
	return fmt.Sprintf("%s: byte %d: %s; line skipped", d.File, d.Offset, d.Reason)
}

// Database is an open directory of measurements. Its methods may be called
// from several goroutines.
type Database struct {
	dir string

	mu      sync.Mutex
	records map[Key]stored
	read    map[string]int64 // bytes of each segment already merged
	damage  map[position]Damage
	own     segment
}

// stored keeps the encoded form: it decides between two records of one instant.
type stored struct {
	record Record
	text   []byte
}

type position struct {
	file   string
	offset int64
}

// Open reads every segment in the directory, which is created if need be. No
// file is written before the first Put. Damaged lines are skipped; see Damage.
func Open(dir string) (*Database, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("tuning database: %w; name a directory that can be created", err)
	}
	d := &Database{
		dir:     dir,
		records: map[Key]stored{},
		read:    map[string]int64{},
		damage:  map[position]Damage{},
		own:     segment{dir: dir},
	}
	return d, d.Refresh()
}

// Refresh merges what other processes have added since the directory was last read.
func (d *Database) Refresh() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.refresh()
}

func (d *Database) refresh() error {
	err := eachSegment(d.dir, func(path string) error {
		offset, err := d.mergeFile(path, d.read[path])
		d.read[path] = offset
		return err
	})
	if err != nil {
		return fmt.Errorf("tuning database %s: %w", d.dir, err)
	}
	return nil
}

// mergeFile merges the lines of a file from an offset on and returns the
// offset after the last whole line: a cut line may be one still being written.
func (d *Database) mergeFile(path string, from int64) (int64, error) {
	delete(d.damage, position{path, from}) // a line cut short may be whole by now
	return readLines(path, from, d.merge, func(x Damage) { d.damage[position{x.File, x.Offset}] = x })
}

// merge keeps the newer of two records of the same key, so that the order in
// which segments are read does not matter. It tells whether anything changed.
func (d *Database) merge(r Record, text []byte) bool {
	old, found := d.records[r.Key]
	if found {
		order := r.Time.Compare(old.record.Time)
		if order < 0 || order == 0 && bytes.Compare(text, old.text) <= 0 {
			return false
		}
	}
	d.records[r.Key] = stored{r, bytes.Clone(text)}
	return true
}

// Get returns the newest record of a key.
func (d *Database) Get(k Key) (Record, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, found := d.records[k]
	return s.record, found
}

// Put remembers a record, which is stored when Put returns nil. After an error
// (disk full, read-only) the record is known to this process alone, nothing
// stored earlier is harmed, and later calls try again. A zero Time becomes now.
func (d *Database) Put(r Record) error {
	if r.Time.IsZero() {
		r.Time = time.Now()
	}
	text, err := encode(r)
	if err != nil {
		return fmt.Errorf("tuning database %s: %w", d.dir, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.merge(r, text)
	return d.store([][]byte{text})
}

func (d *Database) store(texts [][]byte) error {
	for _, text := range texts {
		if err := d.own.append(frame(text)); err != nil {
			return fmt.Errorf("tuning database %s: new measurements are not stored: %w", d.dir, err)
		}
	}
	return nil
}

// Len is the number of keys known.
func (d *Database) Len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.records)
}

// Records lists the newest record of every key, in a fixed order.
func (d *Database) Records() []Record {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]Record, 0, len(d.records))
	for _, s := range d.sorted() {
		out = append(out, s.record)
	}
	return out
}

func (d *Database) sorted() []stored {
	return slices.SortedFunc(maps.Values(d.records), func(a, b stored) int {
		return compareKeys(a.record.Key, b.record.Key)
	})
}

// Damage lists the lines that were skipped so far, by file and offset.
func (d *Database) Damage() []Damage {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.SortedFunc(maps.Values(d.damage), func(a, b Damage) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Offset, b.Offset))
	})
}

// Export writes every record known, one per key, to one file that Import reads.
func (d *Database) Export(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := writeFile(path, d.sorted()); err != nil {
		return fmt.Errorf("tuning database %s: export: %w", d.dir, err)
	}
	return nil
}

// Import adds the records of an exported file (or of a segment of another
// database) that are new or newer than those known. It returns how many were
// added; lines it had to skip are added to Damage.
func (d *Database) Import(path string) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var added [][]byte
	_, err := readLines(path, 0, func(r Record, text []byte) bool {
		fresh := d.merge(r, text)
		if fresh {
			added = append(added, bytes.Clone(text))
		}
		return fresh
	}, func(x Damage) { d.damage[position{x.File, x.Offset}] = x })
	if err != nil {
		return 0, fmt.Errorf("tuning database %s: import: %w", d.dir, err)
	}
	return len(added), d.store(added)
}

// Compact replaces all segments by one without superseded records and damaged
// lines. It is safe against a kill at any moment and may run beside processes
// that read and write.
func (d *Database) Compact() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.compact(noInterruption); err != nil {
		return fmt.Errorf("tuning database %s: compact: %w", d.dir, err)
	}
	return nil
}

// Close closes this process's segment. The database must not be used any more.
func (d *Database) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.own.close(); err != nil {
		return fmt.Errorf("tuning database %s: %w", d.dir, err)
	}
	return nil
}

// writeFile writes records to a file that appears whole or not at all.
func writeFile(path string, records []stored) error {
	var b bytes.Buffer
	for _, s := range records {
		b.Write(frame(s.text))
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*"+temporarySuffix)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b.Bytes())
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}
