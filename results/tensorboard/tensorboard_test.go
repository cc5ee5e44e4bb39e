package tensorboard

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type decoded struct {
	Time    float64
	Step    int64
	Version string
	Session int
	Scalars map[string]float64
}

// decode reads a folder's event files by an independent program.
func decode(t *testing.T, dir string) ([]decoded, error) {
	t.Helper()
	var complaint bytes.Buffer
	cmd := exec.Command("python3", "testdata/decode.py", dir)
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Log(complaint.String())
		return nil, err
	}
	var events []decoded
	for line := range strings.Lines(string(out)) {
		var e decoded
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events, nil
}

func TestCurvesAreReadBack(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	for step := range int64(3) {
		// A step of 300 needs two bytes as a varint, a tag of 200 as a length.
		long := strings.Repeat("x", 200)
		if err := w.Scalars(step*300, map[string]float64{"reward": float64(step) + 0.5, "entropy": -2, long: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	resumed, err := Create(dir, 300)
	if err != nil {
		t.Fatal(err)
	}
	if err := resumed.Close(); err != nil {
		t.Fatal(err)
	}

	got, err := decode(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	now := float64(time.Now().Unix())
	for i := range got {
		if got[i].Time < now-60 || got[i].Time > now+60 {
			t.Errorf("event %d was written at %f, now is %f", i, got[i].Time, now)
		}
		got[i].Time = 0
	}
	long, none := strings.Repeat("x", 200), map[string]float64{}
	want := []decoded{
		{Version: "brain.Event:2", Scalars: none},
		{Step: 0, Scalars: map[string]float64{"reward": 0.5, "entropy": -2, long: 1}},
		{Step: 300, Scalars: map[string]float64{"reward": 1.5, "entropy": -2, long: 1}},
		{Step: 600, Scalars: map[string]float64{"reward": 2.5, "entropy": -2, long: 1}},
		{Version: "brain.Event:2", Scalars: none},
		{Step: 300, Session: 1, Scalars: none},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// The decoder must be able to object, or the test above says nothing.
func TestADamagedFileIsNoticed(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Scalars(1, map[string]float64{"reward": 1}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)-6] ^= 1
	if err := os.WriteFile(files[0], content, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := decode(t, dir); err == nil {
		t.Error("the decoder read a damaged record")
	}
}
