package schedules

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"nestling/schedule"
	"nestling/suite"
)

func TestFind(t *testing.T) {
	files := fstest.MapFS{
		"conv.1.sched":        {Data: []byte("conv0: W(4,1,1)\n")},
		"conv.4.sched":        {Data: []byte("conv0: W(4,1,4)\n")},
		"conv.direct.1.sched": {Data: []byte("conv0: T(0,8,0) V\n")},
		"conv.x.sched":        {Data: []byte("no schedule")},
		"product.2.sched":     {Data: []byte("matmul0: V\n")},
		"broken.1.sched":      {Data: []byte("matmul0 V\n")},
	}
	for _, c := range []struct {
		benchmark string
		threads   int
		tolerance float64
		want      string // "": there is none
	}{
		{"conv", 1, 1e-4, "conv.1.sched"},
		{"conv", 3, 1e-4, "conv.1.sched"},
		{"conv", 8, 1e-4, "conv.4.sched"},
		{"conv", 8, 1e-5, "conv.direct.1.sched"},
		{"product", 1, 1e-4, ""},
		{"product", 2, 1e-5, "product.2.sched"},
		{"con", 1, 1e-4, ""},
	} {
		r, err := find(files, c.benchmark, c.threads, c.tolerance)
		if r.File != c.want || errors.Is(err, fs.ErrNotExist) != (c.want == "") {
			t.Errorf("%s, %d threads, %g: %q, %v; want %q", c.benchmark, c.threads, c.tolerance, r.File, err, c.want)
		}
	}
	if _, err := find(files, "broken", 1, 1e-4); err == nil || !strings.HasPrefix(err.Error(), "schedules/broken.1.sched: line 1: ") {
		t.Errorf("a broken file is reported as %v", err)
	}
}

// Every file is the schedule of a benchmark, for a number of threads, and what
// is called direct is.
func TestFiles(t *testing.T) {
	names, err := fs.Glob(files, "*.sched")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := schedule.Parse(string(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		parts := strings.Split(name, ".")
		if direct := len(parts) == 4 && parts[1] == "direct"; direct != (len(parts) != 3) {
			t.Errorf("%s is not named NAME.THREADS.sched or NAME.direct.THREADS.sched", name)
		} else if direct && !Meets(s, 1e-5) {
			t.Errorf("%s is not direct", name)
		}
		if !slices.Contains(suite.Names(), parts[0]) {
			t.Errorf("%s is of no benchmark", name)
		}
	}
}
