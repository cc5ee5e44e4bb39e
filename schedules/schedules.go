// Package schedules holds the reference schedules of the nine benchmarks, one
// file per benchmark and thread count, in the text form of package schedule:
//
//	NAME.THREADS.sched         the fastest known
//	NAME.direct.THREADS.sched  the fastest known that computes every product by itself
//
// A file without `direct` may trade accuracy for speed (Winograd's algorithm).
// Agents never see these files: they are what agents are held against.
package schedules

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"nestling/schedule"
)

//go:embed *.sched
var files embed.FS

// Reference is a schedule with where it comes from.
type Reference struct {
	File     string // "matmul_small.2.sched"; "" where there is none
	Schedule schedule.Schedule
}

// winogradTolerance is the least tolerance at which Winograd's algorithm may
// be used: its transforms add errors of a few 1e-5 of the scale.
const winogradTolerance = 1e-4

// ForbidsWinograd tells whether a tolerance keeps Winograd's algorithm out.
func ForbidsWinograd(tolerance float64) bool { return tolerance < winogradTolerance }

// Meets tells whether a schedule's arithmetic keeps within a tolerance, as a
// share of Σ|terms| of an output.
func Meets(s schedule.Schedule, tolerance float64) bool {
	return !ForbidsWinograd(tolerance) || !slices.ContainsFunc(s, func(o schedule.OpSchedule) bool {
		return slices.ContainsFunc(o.Actions, func(a schedule.Action) bool {
			return a.Kind == schedule.Winograd || a.Kind == schedule.WinogradChain
		})
	})
}

// Find returns the reference schedule of a benchmark for so many threads: that
// of the nearest thread count not above. One that cannot keep within the
// tolerance gives way to the direct one. Where there is none the error is
// fs.ErrNotExist.
func Find(benchmark string, threads int, tolerance float64) (Reference, error) {
	return find(files, benchmark, threads, tolerance)
}

func find(files fs.FS, benchmark string, threads int, tolerance float64) (Reference, error) {
	for _, name := range []string{benchmark, benchmark + ".direct"} {
		r, err := nearest(files, name, threads)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil || Meets(r.Schedule, tolerance) {
			return r, err
		}
	}
	return Reference{}, fmt.Errorf("no schedule of %s for %d threads and tolerance %g: %w", benchmark, threads, tolerance, fs.ErrNotExist)
}

// nearest reads NAME.THREADS.sched with the most threads not above.
func nearest(files fs.FS, name string, threads int) (Reference, error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return Reference{}, err
	}
	best, file := 0, ""
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name(), name+".")
		count, sched := strings.CutSuffix(rest, ".sched")
		n, err := strconv.Atoi(count)
		if ours && sched && err == nil && n > best && n <= threads {
			best, file = n, e.Name()
		}
	}
	if file == "" {
		return Reference{}, fs.ErrNotExist
	}
	text, err := fs.ReadFile(files, file)
	if err != nil {
		return Reference{}, err
	}
	s, err := schedule.Parse(string(text))
	if err != nil {
		return Reference{}, fmt.Errorf("schedules/%s: %w", file, err)
	}
	return Reference{File: file, Schedule: s}, nil
}
