package report

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nestling/results"
)

// speedOn is a measurement with what may happen in one: an interruption, a
// failure, a schedule that has the same numerics, a tie.
func speedOn(threads int, scale float64) *Speed {
	old := PyTorch{"1.13", []string{"eager", "channels-last", "jit"}}
	recent := PyTorch{"2.15", []string{"eager", "compile"}}
	s := &Speed{
		Setup: Setup{
			Threads: threads, Processes: 10, Runs: 10, Budget: "15s", Benchmarks: []string{"matmul_small", "conv2d_small", "linear_small"},
			Schedules: map[string]map[string]string{Scheduled: {"matmul_small": "matmul0: V\n"}, EqualNumerics: {"conv2d_small": "conv0: V\n"}},
			PyTorch:   []PyTorch{old, recent}, Nestling: "0123abc", CPU: "Intel Xeon Platinum 8488C",
		},
		Complete: true, Entries: map[string]results.File{},
	}
	rng := rand.New(rand.NewPCG(5, uint64(threads)))
	add := func(method, benchmark string, median, gflops float64) {
		e := results.NewEntry(method, benchmark, processes(rng, median*scale, 0.01))
		e.GFLOPS, e.PeakGFLOPS, e.MaxError = gflops/scale, 100/scale, 2e-7
		e.PeakShare = e.GFLOPS / e.PeakGFLOPS
		if method == Scheduled {
			e.PrepareMS, e.PreparedBytes, e.WorkspaceBytes, e.CompileMS, e.ChosenBy = 0.2, 36<<10, 3<<20, 51, benchmark+".1.sched"
		}
		e.Versions = results.Versions{Torch: "1.13.0", Python: "3.11", BLAS: "openblas"}
		if s.Entries[method] == nil {
			s.Entries[method] = results.File{}
		}
		s.Entries[method][benchmark] = onOneMachine(e)
	}
	add(Scheduled, "matmul_small", 0.34, 98)
	add(Scheduled, "conv2d_small", 0.5, 230)
	add(EqualNumerics, "conv2d_small", 1.29, 89)
	add(old.Method("eager"), "matmul_small", 0.4, 80)
	add(old.Method("jit"), "matmul_small", 0.341, 80)
	add(old.Method("eager"), "conv2d_small", 1.42, 80)
	add(old.Method("channels-last"), "conv2d_small", 1.3, 85)
	add(old.Method("jit"), "conv2d_small", 1.56, 80)
	add(recent.Method("eager"), "matmul_small", 0.39, 80)
	add(recent.Method("compile"), "matmul_small", 0.45, 80)
	s.Entries[recent.Method("eager")]["conv2d_small"] = failure(recent.Method("eager"), "conv2d_small", "out of memory")
	s.Entries[Scheduled]["linear_small"] = failure(Scheduled, "linear_small", "wrong result: element 3")
	return s
}

func TestSpeedGolden(t *testing.T) {
	var text, page bytes.Buffer
	speeds := []*Speed{speedOn(1, 1), speedOn(2, 0.55)}
	if err := WriteSpeeds(&text, speeds, false); err != nil {
		t.Fatal(err)
	}
	golden(t, "speed.txt", text.Bytes())
	if err := SpeedPage(&page, speeds); err != nil {
		t.Fatal(err)
	}
	golden(t, "speed.md", page.Bytes())
}

// Without a second contestant there are no columns for it.
func TestSpeedOfOneSchedule(t *testing.T) {
	s := speedOn(1, 1)
	delete(s.Schedules, EqualNumerics)
	for _, table := range s.Tables() {
		if header := strings.Join(table.Header, " "); strings.Contains(strings.ToLower(header), "equal") {
			t.Errorf("the header is %s", header)
		}
		for _, row := range append(table.Rows, table.Footer...) {
			if len(row) != len(table.Header) {
				t.Errorf("a row of %d cells under a header of %d", len(row), len(table.Header))
			}
		}
	}
}

func TestSpeedIsKept(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadSpeeds(dir); err == nil || !strings.Contains(err.Error(), "nestling bench table") {
		t.Errorf("an empty folder: %v", err)
	}
	if _, err := ReadSpeed(dir, 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing measured: %v", err)
	}
	want := []*Speed{speedOn(1, 1), speedOn(2, 0.5)}
	for _, s := range []*Speed{want[1], want[0]} {
		if err := s.Write(dir); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ReadSpeeds(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !got[0].Setup.Equal(want[0].Setup) || got[0].Setup.Equal(want[1].Setup) {
		t.Error("setups are told apart wrongly")
	}
}
