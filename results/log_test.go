package results

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type logLine struct {
	Iteration int     `json:"iteration"`
	Reward    float64 `json:"reward"`
}

func TestLogSurvivesACutLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "logs", "train.jsonl")
	write := func(line logLine) {
		t.Helper()
		l, err := OpenLog(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Append(line); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	write(logLine{1, 0.5})
	write(logLine{2, 1.5})
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content[:len(content)-5], 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadLog[logLine](path); err != nil || !cmp.Equal(got, []logLine{{1, 0.5}}) {
		t.Errorf("%v %v", got, err)
	}
	write(logLine{2, 2.5})
	if got, err := ReadLog[logLine](path); err != nil || !cmp.Equal(got, []logLine{{1, 0.5}, {2, 2.5}}) {
		t.Errorf("%v %v", got, err)
	}
}

func TestReadLogErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "train.jsonl")
	if _, err := ReadLog[logLine](path); err == nil || err.Error() != path+": cannot be read: no such file or directory" {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(path, []byte("{\"iteration\": 1}\nnonsense\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadLog[logLine](path); err == nil || !strings.HasPrefix(err.Error(), path+": line 2 is not of this log: ") {
		t.Errorf("got %v", err)
	}
}
