package figures

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"nestling/ppo"
	"nestling/results"
	"nestling/training"
)

// stage is one training in the history of an agent.
type stage struct {
	run   *results.Run
	setup training.Setup
	log   []ppo.Metrics // not empty
	sums
}

func (s stage) last() ppo.Metrics { return s.log[len(s.log)-1] }

// history is how an agent came to be: its own training last, before it those of its teachers.
// An agent that was taught in a quarter of an hour what another took an hour to find has
// cost both.
type history struct {
	stages []stage
	// lost is the teacher of the first stage where its run is not here, so that nobody knows
	// what it took; "" for none.
	lost string
}

// readHistory follows a run's teachers to the first. All that a teacher trained is counted,
// for a run does not tell how far it had come when it taught.
func readHistory(run *results.Run) (history, error) {
	var h history
	for taught := ""; ; {
		s, err := readStage(run)
		if err != nil && taught != "" {
			return h, fmt.Errorf("what the teacher of %s took cannot be told: %w", taught, err)
		}
		if err != nil {
			return h, err
		}
		if slices.ContainsFunc(h.stages, func(other stage) bool { return absolute(other.run.Dir) == absolute(run.Dir) }) {
			return h, fmt.Errorf("%s is among its own teachers: one of them was removed, and another run has its name", run.Dir)
		}
		h.stages = slices.Insert(h.stages, 0, s)
		taught = run.Dir
		switch run, err = openTeacher(run, s.setup.Teacher); {
		case errors.Is(err, fs.ErrNotExist):
			h.lost = near(s.setup.Teacher)
			return h, nil
		case err != nil:
			return h, fmt.Errorf("the teacher of %s: %w", taught, err)
		case run == nil:
			return h, nil
		}
	}
}

func readStage(run *results.Run) (stage, error) {
	log, sum, err := readTraining(run)
	if err != nil {
		return stage{}, err
	}
	setup, err := training.Read(run)
	return stage{run, setup, log, sum}, err
}

// openTeacher opens the run of a run's teacher; nil for none. Where its path is relative it
// lies below the run, as with what ships with Nestling.
func openTeacher(of *results.Run, path string) (*results.Run, error) {
	switch {
	case path == "":
		return nil, nil
	case !filepath.IsAbs(path):
		path = filepath.Join(of.Dir, path)
	}
	return results.OpenRun(path)
}

// own is the training of the agent itself.
func (h history) own() stage { return h.stages[len(h.stages)-1] }

// teachers is the history without the agent's own training.
func (h history) teachers() history { return history{h.stages[:len(h.stages)-1], h.lost} }

// seconds is how long all trainings took.
func (h history) seconds() float64 {
	sum := 0.0
	for _, s := range h.stages {
		sum += s.last().Elapsed
	}
	return sum
}

// schedules is how many all trainings tried.
func (h history) schedules() int {
	sum := 0
	for _, s := range h.stages {
		sum += s.all
	}
	return sum
}

// time says how long all trainings took: "found in 40.1 min + taught in 15.0 min = 55.1 min".
func (h history) time() string {
	text := h.addUp(minutes(h.seconds()), func(s stage) string { return minutes(s.last().Elapsed) })
	if h.lost != "" {
		text += ", for the run of its teacher, " + h.lost + ", is not here"
	}
	return text
}

// trials says how many schedules all trainings tried.
func (h history) trials() string {
	return h.addUp(strconv.Itoa(h.schedules()), func(s stage) string { return strconv.Itoa(s.all) })
}

// addUp is a number of all trainings as the sum of those of each, or as the least that it
// can be where a teacher's is not known.
func (h history) addUp(sum string, of func(stage) string) string {
	var parts []string
	for _, s := range h.stages {
		how := "taught in "
		if s.setup.Teacher == "" {
			how = "found in "
		}
		parts = append(parts, how+of(s))
	}
	text := strings.Join(parts, " + ")
	switch {
	case h.lost != "":
		return text + ", in all more than " + sum
	case len(parts) > 1:
		return text + " = " + sum
	}
	return sum
}

// origin says what the agent began with, its teachers included.
func (h history) origin() string {
	var from []string
	if h.lost != "" {
		from = append(from, "what "+h.lost+" had found, which is not here")
	}
	for _, s := range h.stages {
		if s.setup.Weights != "" {
			from = append(from, "the weights of "+near(s.setup.Weights))
		}
		if s.setup.Replay {
			from = append(from, "the tuning database's schedules")
		}
	}
	if len(from) == 0 {
		return "from nothing"
	}
	return "from " + strings.Join(slices.Compact(from), " and ")
}

// commands are those of all trainings, one after the other.
func (h history) commands() string {
	var all []string
	for _, s := range h.stages {
		all = append(all, s.command())
	}
	return strings.Join(all, ", then ")
}

func minutes(seconds float64) string { return fmt.Sprintf("%.1f min", seconds/60) }

// absolute is a path as others can be compared with.
func absolute(path string) string {
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path
}

// near is a path as seen from the working folder, where it lies below.
func near(path string) string {
	if below, err := filepath.Rel(absolute("."), path); err == nil && filepath.IsLocal(below) {
		return below
	}
	return path
}
