package database

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func key(i int) Key {
	return Key{Program: "p", Schedule: fmt.Sprintf("matmul0: T(%d,0) V\n", i), Threads: 2, Machine: "cpu +avx2", Codegen: "1", LLVM: "22.1.0"}
}

// record i measured at second s.
func record(i, s int) Record {
	return Record{Key: key(i), Status: "ok", Nanoseconds: float64(1000 * s), Ratio: 0.5, Samples: []float64{1, 2.5}, Time: time.Unix(int64(s), 0).UTC()}
}

func open(t rapid.TB, dir string) *Database {
	t.Helper()
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func put(t rapid.TB, d *Database, records ...Record) {
	t.Helper()
	for _, r := range records {
		if err := d.Put(r); err != nil {
			t.Fatal(err)
		}
	}
}

// holds requires exactly these records.
func holds(t rapid.TB, d *Database, want ...Record) {
	t.Helper()
	if d.Len() != len(want) {
		t.Fatalf("%d records, want %d", d.Len(), len(want))
	}
	for _, w := range want {
		got, found := d.Get(w.Key)
		if !found {
			t.Fatalf("no record of %v", w.Key)
		}
		if diff := cmp.Diff(w, got, cmpopts.EquateNaNs()); diff != "" {
			t.Fatalf("record of %v (-want +got):\n%s", w.Key, diff)
		}
	}
}

func undamaged(t rapid.TB, d *Database) {
	t.Helper()
	if damage := d.Damage(); len(damage) > 0 {
		t.Fatalf("damage: %v", damage)
	}
}

func segments(t rapid.TB, dir string) []string {
	t.Helper()
	paths, err := listSegments(dir)
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func TestRoundTrip(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "database")
	d := open(t, dir)
	if _, found := d.Get(key(1)); found || len(segments(t, dir)) != 0 {
		t.Fatal("a new database is not empty")
	}
	full := Record{
		Key:    Key{Program: "abc", Schedule: "conv0: TF(1,2) <&> V\n\"pool0\": NT\n", Threads: 3, Machine: "Zen 4", Cold: true, Codegen: "7", LLVM: "22"},
		Status: "wrong", Error: "output 0[1]: got 1, want 2", Nanoseconds: 1.25e6, Ratio: math.Pi, Samples: []float64{0.1, math.MaxFloat64},
		MaxError: math.Inf(1), PrepareNanoseconds: 1e-300, CompileMilliseconds: 34, Time: time.Date(2026, 2, 3, 4, 5, 6, 789, time.UTC),
	}
	nan := record(2, 1)
	nan.MaxError = math.NaN()
	put(t, d, full, nan)
	holds(t, d, full, nan)
	other := open(t, dir)
	holds(t, other, full, nan)
	undamaged(t, other)
	hot := full.Key
	hot.Cold = false
	if _, found := other.Get(hot); found {
		t.Error("hot and cold are mixed")
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func TestPutSetsTime(t *testing.T) {
	d := open(t, t.TempDir())
	r := record(1, 1)
	r.Time = time.Time{}
	put(t, d, r)
	if got, _ := d.Get(r.Key); time.Since(got.Time) > time.Minute {
		t.Errorf("time %v", got.Time)
	}
}

// TestNewestWins: whatever the order and the segments.
func TestNewestWins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "database")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		handles := []*Database{open(t, dir), open(t, dir)}
		newest := map[int]int{}
		for _, s := range rapid.SliceOf(rapid.IntRange(1, 20)).Draw(t, "seconds") {
			i := rapid.IntRange(0, 3).Draw(t, "record")
			put(t, handles[rapid.IntRange(0, 1).Draw(t, "handle")], record(i, s))
			newest[i] = max(newest[i], s)
		}
		var want []Record
		for i, s := range newest {
			want = append(want, record(i, s))
		}
		holds(t, open(t, dir), want...)
		for _, d := range handles {
			if err := d.Refresh(); err != nil {
				t.Fatal(err)
			}
			holds(t, d, want...)
			undamaged(t, d)
		}
	})
}

// TestSameInstant: two records of one key and time are told apart in the same
// way by everybody.
func TestSameInstant(t *testing.T) {
	a, b := record(1, 1), record(1, 1)
	b.Ratio = 0.75
	first, second := open(t, t.TempDir()), open(t, t.TempDir())
	put(t, first, a, b)
	put(t, second, b, a)
	x, _ := first.Get(a.Key)
	holds(t, second, x)
}

// TestTornWrites cuts a segment at every byte, as a kill or a lost machine may.
func TestTornWrites(t *testing.T) {
	var whole []byte
	var ends []int
	for i := range 3 {
		text, err := encode(record(i, i+1))
		if err != nil {
			t.Fatal(err)
		}
		whole = append(whole, frame(text)...)
		ends = append(ends, len(whole))
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "segment"+segmentSuffix)
	for cut := range len(whole) + 1 {
		write(t, path, whole[:cut])
		var want []Record
		last := 0
		for i, end := range ends {
			if end <= cut {
				want, last = append(want, record(i, i+1)), end
			}
		}
		d := open(t, dir)
		holds(t, d, want...)
		if damage := d.Damage(); (cut > last) != (len(damage) == 1) || len(damage) == 1 && damage[0].Offset != int64(last) {
			t.Fatalf("cut at %d: damage %v", cut, damage)
		}
		// The rest comes after all: the process was only slow.
		write(t, path, whole)
		if err := d.Refresh(); err != nil {
			t.Fatal(err)
		}
		holds(t, d, record(0, 1), record(1, 2), record(2, 3))
		undamaged(t, d)
	}
}

func write(t rapid.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestCorruption changes bytes anywhere: what is read is right, and what is not
// is reported; other lines are not lost.
func TestCorruption(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "segment"+segmentSuffix)
	rapid.Check(t, func(t *rapid.T) {
		var lines [3][]byte
		for i := range lines {
			text, err := encode(record(i, i+1))
			if err != nil {
				t.Fatal(err)
			}
			lines[i] = frame(text)
		}
		victim := rapid.IntRange(0, 2).Draw(t, "line")
		at := rapid.IntRange(0, len(lines[victim])-2).Draw(t, "byte")
		old := lines[victim][at]
		lines[victim][at] = rapid.Byte().Filter(func(b byte) bool { return b != old && b != '\n' }).Draw(t, "value")
		write(t, path, []byte(string(lines[0])+string(lines[1])+string(lines[2])))
		var want []Record
		for i := range 3 {
			if i != victim {
				want = append(want, record(i, i+1))
			}
		}
		d := open(t, dir)
		holds(t, d, want...)
		if damage := d.Damage(); len(damage) != 1 || damage[0].File != path || !strings.Contains(damage[0].String(), "line skipped") {
			t.Fatalf("damage: %v", damage)
		}
	})
}

// TestProcesses has several processes write at once; one of them is killed.
func TestProcesses(t *testing.T) {
	if dir := os.Getenv("DATABASE_TEST_DIR"); dir != "" {
		writeForever(t, dir)
		return
	}
	dir := t.TempDir()
	var group sync.WaitGroup
	for i := range 3 {
		c := exec.Command(os.Args[0], "-test.run=^TestProcesses$")
		c.Env = append(os.Environ(), "DATABASE_TEST_DIR="+dir, "DATABASE_TEST_FIRST="+strconv.Itoa(1000*i))
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		group.Go(func() { _ = c.Wait() })
		defer group.Wait()
		defer func() { _ = c.Process.Kill() }()
	}
	own := open(t, dir)
	put(t, own, record(-1, 1))
	deadline := time.Now().Add(30 * time.Second)
	for own.Len() < 300 {
		if time.Now().After(deadline) {
			t.Fatalf("only %d records after 30 s", own.Len())
		}
		if err := own.Compact(); err != nil {
			t.Fatal(err)
		}
	}
	killed := time.Now()
	_ = os.WriteFile(filepath.Join(dir, "stop"), nil, 0o644)
	group.Wait()
	d := open(t, dir)
	for i := range 3 {
		done, err := os.ReadFile(filepath.Join(dir, fmt.Sprint("done", 1000*i)))
		if err != nil {
			t.Fatalf("%v (stopped at %v)", err, killed)
		}
		n, err := strconv.Atoi(string(done))
		if err != nil {
			t.Fatal(err)
		}
		for r := 1000 * i; r < n; r++ {
			if _, found := d.Get(key(r)); !found {
				t.Errorf("record %d was stored and is lost", r)
			}
		}
	}
	undamaged(t, d)
}

// writeForever puts records until told to stop, and says how many.
func writeForever(t *testing.T, dir string) {
	first, err := strconv.Atoi(os.Getenv("DATABASE_TEST_FIRST"))
	if err != nil {
		t.Fatal(err)
	}
	d := open(t, dir)
	i := first
	for ; i < first+1000; i++ {
		put(t, d, record(i, 1))
		if _, err := os.Stat(filepath.Join(dir, "stop")); err == nil {
			i++
			break
		}
	}
	write(t, filepath.Join(dir, fmt.Sprint("done", first)), []byte(strconv.Itoa(i)))
}

// TestKill kills a writer; everything it had stored is there.
func TestKill(t *testing.T) {
	if dir := os.Getenv("DATABASE_TEST_DIR"); dir != "" {
		writeForever(t, dir)
		return
	}
	dir := t.TempDir()
	c := exec.Command(os.Args[0], "-test.run=^TestKill$")
	c.Env = append(os.Environ(), "DATABASE_TEST_DIR="+dir, "DATABASE_TEST_FIRST=0")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	d := open(t, dir)
	for deadline := time.Now().Add(30 * time.Second); d.Len() < 20; {
		if time.Now().After(deadline) {
			t.Fatalf("only %d records after 30 s", d.Len())
		}
		if err := d.Refresh(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	seen := d.Len()
	again := open(t, dir)
	if again.Len() < seen {
		t.Errorf("%d records, %d were seen before the kill", again.Len(), seen)
	}
	for i := range again.Len() {
		if _, found := again.Get(key(i)); !found {
			t.Errorf("record %d is missing", i)
		}
	}
	put(t, again, record(5000, 1))
}

func TestExportImport(t *testing.T) {
	a, b := open(t, t.TempDir()), open(t, t.TempDir())
	put(t, a, record(1, 1), record(2, 5), record(3, 1), record(1, 9))
	put(t, b, record(2, 3), record(3, 8), record(4, 1))
	file := filepath.Join(t.TempDir(), "all.jsonl")
	if err := a.Export(file); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{2, 0} { // 1 is new, 2 is newer; the second time there is nothing new
		if added, err := b.Import(file); added != want || err != nil {
			t.Fatalf("added %d (%v), want %d", added, err, want)
		}
	}
	want := []Record{record(1, 9), record(2, 5), record(3, 8), record(4, 1)}
	holds(t, b, want...)
	holds(t, open(t, b.dir), want...)
	if diff := cmp.Diff(want, b.Records()); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	if _, err := b.Import(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a missing file is imported")
	}
	write(t, file, []byte("{\"foreign\":1}\n"))
	if added, err := b.Import(file); added != 0 || err != nil || len(b.Damage()) != 1 {
		t.Errorf("a foreign file: added %d, %v, damage %v", added, err, b.Damage())
	}
	if err := a.Export(filepath.Join(t.TempDir(), "no", "folder")); err == nil {
		t.Error("exported to nowhere")
	}
}

func TestCompact(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, dir), open(t, dir)
	put(t, a, record(1, 1), record(1, 2), record(1, 3), record(2, 1))
	put(t, b, record(1, 4))
	write(t, filepath.Join(dir, "broken"+segmentSuffix), []byte("nonsense\n"))
	if err := a.Compact(); err != nil {
		t.Fatal(err)
	}
	undamaged(t, a)
	paths := segments(t, dir)
	if len(paths) != 1 {
		t.Fatalf("segments %v", paths)
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	if data, _ := os.ReadFile(paths[0]); strings.Count(string(data), "\n") != 2 {
		t.Errorf("the merged segment:\n%s", data)
	}
	// Both go on writing, b not knowing that its segment is gone.
	put(t, a, record(3, 1))
	put(t, b, record(4, 1))
	d := open(t, dir)
	holds(t, d, record(1, 4), record(2, 1), record(3, 1), record(4, 1))
	undamaged(t, d)
}

func TestCompactEmpty(t *testing.T) {
	d := open(t, t.TempDir())
	if err := d.Compact(); err != nil || len(segments(t, d.dir)) != 0 {
		t.Errorf("%v, segments %v", err, segments(t, d.dir))
	}
}

// TestTidy: what killed compactions leave behind goes with the next one.
func TestTidy(t *testing.T) {
	d := open(t, t.TempDir())
	path := func(name string) string { return filepath.Join(d.dir, name) }
	for _, name := range []string{"segment-1-GONE.jsonl.sealed", ".segment-2-OLD.jsonl.1.tmp", ".segment-3-NEW.jsonl.1.tmp", "notes.txt"} {
		write(t, path(name), nil)
	}
	old := time.Now().Add(-2 * abandoned)
	if err := os.Chtimes(path(".segment-2-OLD.jsonl.1.tmp"), old, old); err != nil {
		t.Fatal(err)
	}
	if err := d.Compact(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(d.dir)
	if err != nil || len(entries) != 2 || entries[0].Name() != ".segment-3-NEW.jsonl.1.tmp" || entries[1].Name() != "notes.txt" {
		t.Errorf("%v %v", entries, err)
	}
}

// TestCompactInterrupted stops a compaction after each of its steps, while
// another process writes before and after each.
func TestCompactInterrupted(t *testing.T) {
	interruption := errors.New("killed")
	for stop := 0; ; stop++ {
		dir := t.TempDir()
		writer, compactor := open(t, dir), open(t, dir)
		put(t, writer, record(1, 1), record(2, 1))
		put(t, compactor, record(2, 2), record(3, 1))
		want := []Record{record(1, 1), record(2, 2), record(3, 1)}
		steps := 0
		err := compactor.compact(func(string) error {
			r := record(100+steps, 1)
			put(t, writer, r)
			want = append(want, r)
			if steps++; steps > stop {
				return interruption
			}
			return nil
		})
		holds(t, open(t, dir), want...)
		last := record(99, 1)
		put(t, writer, last)
		again := open(t, dir)
		holds(t, again, append(want, last)...)
		if err := again.Compact(); err != nil {
			t.Fatal(err)
		}
		holds(t, open(t, dir), append(want, last)...)
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Errorf("stopped after step %d, then compacted: %v", stop, entries)
		}
		if err == nil {
			if stop < 5 {
				t.Fatalf("a compaction of two segments has only %d steps", stop)
			}
			return
		}
	}
}

// TestVanishingSegment compacts while another process reads.
func TestVanishingSegment(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	put(t, d, record(1, 1), record(2, 1))
	visits := 0
	var seen []string
	err := eachSegment(dir, func(path string) error {
		if visits++; visits == 1 {
			if err := d.Compact(); err != nil {
				t.Fatal(err)
			}
		}
		data, err := os.ReadFile(path)
		seen = append(seen, string(data))
		return err
	})
	if err != nil || visits != 2 || strings.Count(seen[1], "\n") != 2 {
		t.Errorf("%v after %d visits: %q", err, visits, seen)
	}
}

// TestDiskFull limits the size of files; a line is cut, and later ones are
// stored again once there is room.
func TestDiskFull(t *testing.T) {
	// In a process of its own: the limit holds for the test framework's files, too.
	if os.Getenv("DATABASE_TEST_FULL") == "" {
		c := exec.Command(os.Args[0], "-test.run=^TestDiskFull$")
		c.Env = append(os.Environ(), "DATABASE_TEST_FULL=1")
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	dir := t.TempDir()
	d := open(t, dir)
	put(t, d, record(1, 1))
	paths := segments(t, dir)
	stored, err := os.Stat(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	lift := limitFileSize(t, uint64(stored.Size()+20))
	for i := 2; i < 5; i++ {
		err := d.Put(record(i, 1))
		if err == nil || !strings.Contains(err.Error(), "tuning database "+dir+": new measurements are not stored") {
			t.Errorf("disk full: %v", err)
		}
		if _, found := d.Get(key(i)); !found {
			t.Errorf("record %d is not known to the process itself", i)
		}
	}
	err = d.Compact()
	lift()
	if err == nil {
		t.Error("compacted on a full disk")
	}
	holds(t, open(t, dir), record(1, 1))
	put(t, d, record(5, 1))
	other := open(t, dir)
	if _, found := other.Get(key(1)); !found {
		t.Error("what was stored is lost")
	}
	if _, found := other.Get(key(5)); !found {
		t.Error("what was stored after the disk had room again is lost")
	}
	if err := d.Compact(); err != nil {
		t.Fatal(err)
	}
	holds(t, open(t, dir), record(1, 1), record(2, 1), record(3, 1), record(4, 1), record(5, 1))
}

// limitFileSize makes writes past a size fail, as on a full disk.
func limitFileSize(t *testing.T, bytes uint64) (lift func()) {
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	lift = func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(lift)
	return lift
}

// TestReadOnly runs as an ordinary user where the tests run as root, who may
// write anywhere.
func TestReadOnly(t *testing.T) {
	if dir := os.Getenv("DATABASE_TEST_DIR"); dir != "" {
		d := open(t, dir)
		holds(t, d, record(1, 1))
		if err := d.Put(record(2, 1)); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("put: %v", err)
		}
		holds(t, d, record(1, 1), record(2, 1))
		if err := d.Compact(); err == nil {
			t.Error("compacted a read-only database")
		}
		if _, err := Open(filepath.Join(dir, "new")); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("open: %v", err)
		}
		return
	}
	root := t.TempDir()
	dir := filepath.Join(root, "database")
	put(t, open(t, dir), record(1, 1))
	for path := root; path != os.TempDir() && path != "/"; path = filepath.Dir(path) {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(root, "test")
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, self, 0o755); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program, "-test.run=^TestReadOnly$")
	c.Dir = root
	c.Env = append(os.Environ(), "DATABASE_TEST_DIR="+dir)
	if os.Getuid() == 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
