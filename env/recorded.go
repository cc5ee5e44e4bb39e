package env

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
)

// Record is one line of a recording (JSON lines).
type Record struct {
	Program    string  `json:"program"`  // program.Program.Hash
	Schedule   string  `json:"schedule"` // schedule.Schedule.String
	LogSpeedup float64 `json:"log_speedup"`
	Failed     bool    `json:"failed,omitempty"`
	Reason     string  `json:"reason,omitempty"`
}

// Recorded answers from measurements made before: an environment without a
// compiler, the same bit for bit each time.
type Recorded struct {
	feedback map[recordKey]Feedback
}

type recordKey struct{ program, schedule string }

// ReadRecording reads JSON lines of Record.
func ReadRecording(r io.Reader) (*Recorded, error) {
	out := &Recorded{feedback: map[recordKey]Feedback{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<24)
	for n := 1; lines.Scan(); n++ {
		var rec Record
		if err := json.Unmarshal(lines.Bytes(), &rec); err != nil {
			return nil, fmt.Errorf("recording, line %d: %w; each line is one JSON object {program, schedule, log_speedup}", n, err)
		}
		if rec.Program == "" {
			return nil, fmt.Errorf("recording, line %d: no program hash", n)
		}
		out.feedback[recordKey{rec.Program, rec.Schedule}] = Feedback{
			LogSpeedup: rec.LogSpeedup, Failed: rec.Failed, Reason: rec.Reason, Cached: true,
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	return out, nil
}

// WriteRecord appends one line to a recording.
func WriteRecord(w io.Writer, t Task, f Feedback) error {
	line, err := json.Marshal(Record{
		Program: t.Program.Hash, Schedule: t.Schedule.String(),
		LogSpeedup: f.LogSpeedup, Failed: f.Failed, Reason: f.Reason,
	})
	if err != nil {
		return fmt.Errorf("recording %s: %w", t.Program.Name, err)
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// Evaluate looks the tasks up. A schedule that the recording does not hold
// counts as a failure.
func (r *Recorded) Evaluate(ctx context.Context, tasks []Task) ([]Feedback, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out := make([]Feedback, len(tasks))
	for i, t := range tasks {
		f, ok := r.feedback[recordKey{t.Program.Hash, t.Schedule.String()}]
		if !ok {
			f = Feedback{Failed: true, Reason: "not in the recording", Cached: true}
		}
		out[i] = f
	}
	return out, nil
}

// Baselines is empty: a recording holds speedups, already compared.
func (r *Recorded) Baselines() map[string]Baseline { return nil }

// Remember has nothing to keep.
func (r *Recorded) Remember(map[string]Baseline) {}
