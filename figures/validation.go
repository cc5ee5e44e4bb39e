package figures

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"nestling/stats"
)

// marks are the minutes after which trainings are compared.
var marks = []float64{5, 10, 15, 30, 45}

// looks is over how many looks at the validation programs, one after the other, rewards are
// averaged.
const looks = 3

// writeValidation writes how good first choices for validation programs were after so many
// minutes of each training: what parts of the learning are worth in the same time.
func writeValidation(w io.Writer, trainings []history) {
	lines := validationLines(trainings)
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(w, "Mean rewards of first choices for the validation programs after so many minutes of the one training, over the last %d looks at them:\n\n| model | seed |", looks)
	for _, m := range marks {
		fmt.Fprintf(w, " %g min |", m)
	}
	fmt.Fprintf(w, "\n|---|---|%s\n%s\n\n", strings.Repeat("---|", len(marks)), strings.Join(lines, "\n"))
}

// validationLines are those of trainings that were looked at; not of presets, whose rewards
// are over something else.
func validationLines(trainings []history) []string {
	var lines []string
	for _, h := range trainings {
		s := h.own()
		if s.setup.Preset != "" {
			continue
		}
		cells := make([]string, len(marks))
		for i, m := range marks {
			cells[i] = s.validation(60 * m)
		}
		if slices.ContainsFunc(cells, func(c string) bool { return c != none }) {
			lines = append(lines, fmt.Sprintf("| %s | %d | %s |", agentName(h), s.setup.Config.Seed, strings.Join(cells, " | ")))
		}
	}
	return lines
}

// none is in the place of what was not measured.
const none = "–"

// validation is the mean reward of the last looks in so many seconds of training, none where
// the training was over well before, or had not looked so often. A training ends some seconds
// after its time.
func (s stage) validation(seconds float64) string {
	var rewards []float64
	for _, m := range s.log {
		if m.Validation != nil && m.Elapsed <= 1.02*seconds {
			rewards = append(rewards, *m.Validation)
		}
	}
	if s.last().Elapsed < 0.95*seconds || len(rewards) < looks {
		return none
	}
	return fmt.Sprintf("%.3f", stats.Mean(rewards[len(rewards)-looks:]))
}
