package ppo

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"

	"nestling/costmodel"
	"nestling/program"
)

// judgedFile is what the cost model learns from, in a checkpoint.
const judgedFile = "judged.json"

// judgedProgram is a program with different schedules of it that were measured.
type judgedProgram struct {
	Program  string          `json:"program"` // its hash
	Episodes []judgedEpisode `json:"episodes"`
	program  *program.Program
	// measured are the default schedule, if it is within reach, and the first of the episodes:
	// those that were described.
	measured []costmodel.Measured
}

// judgedEpisode leads to a schedule that was measured.
type judgedEpisode struct {
	Memory
	Schedule uint64 `json:"schedule"` // checksum of its text, 0 if an older version wrote it
}

// collect keeps what was measured for the cost model, all different schedules of a program
// together. What was tried early on, much of it slow, is kept beside the latest: a model that
// knows good schedules alone finds bad ones promising that it has not met for long.
func (t *trainer) collect(episodes []*episode) {
	for _, e := range episodes {
		p, text := e.task.Program, e.task.Schedule.String()
		if !e.judged() || text == t.usual(p).text {
			continue
		}
		g, steps := t.judgedProgram(p), e.all()
		j := judgedEpisode{memoryOf(e.feedback.Reward(), steps), textSum(text)}
		if slices.ContainsFunc(g.Episodes, func(known judgedEpisode) bool { return known.Schedule == j.Schedule }) {
			continue
		}
		if t.described(g) == len(g.Episodes) { // or it waits for those before
			g.measured = append(g.measured, j.measured(describe(steps, e.playing)))
		}
		g.Episodes = append(g.Episodes, j)
		t.thin(g)
	}
}

func (j judgedEpisode) measured(as costmodel.Features) costmodel.Measured {
	return costmodel.Measured{Features: as, Reward: j.Reward}
}

func textSum(text string) uint64 {
	sum := fnv.New64a()
	sum.Write([]byte(text))
	return sum.Sum64()
}

// judgedProgram finds the schedules of a program, none at first.
func (t *trainer) judgedProgram(p *program.Program) *judgedProgram {
	for _, g := range t.judged {
		if g.Program == p.Hash {
			return g
		}
	}
	g := &judgedProgram{Program: p.Hash, program: p, measured: slices.Clone(t.usual(p).measured)}
	t.judged = append(t.judged, g)
	return g
}

// described is how many of the episodes were.
func (t *trainer) described(g *judgedProgram) int {
	return len(g.measured) - len(t.usual(g.program).measured)
}

// thin forgets schedules where there are more than the settings keep: those in the middle, so
// that the first and the latest stay.
func (t *trainer) thin(g *judgedProgram) {
	for len(g.Episodes) > t.Config.CostSchedules {
		t.drop(g, len(g.Episodes)/2)
	}
}

// drop forgets episode k.
func (t *trainer) drop(g *judgedProgram, k int) {
	if described := t.described(g); k < described {
		usual := len(g.measured) - described
		g.measured = slices.Delete(g.measured, usual+k, usual+k+1)
	}
	g.Episodes = slices.Delete(g.Episodes, k, k+1)
}

// measured are a program's schedules as the cost model learns from them. Those that were read
// from a checkpoint are described the first time, by doing them again; what cannot be done
// here, or has become another schedule since, is forgotten.
func (t *trainer) measured(g *judgedProgram) []costmodel.Measured {
	for k := t.described(g); k < len(g.Episodes); k = t.described(g) {
		e := g.Episodes[k]
		r, over, err := t.again(g.program, e.Memory)
		if err != nil || e.Schedule != 0 && e.Schedule != textSum(r.schedule.String()) {
			t.drop(g, k)
			continue
		}
		g.measured = append(g.measured, e.measured(describe(r.steps, over)))
	}
	return g.measured
}

// readJudged reads what a checkpoint's cost model has learned from; nothing if it has none.
func (c *Checkpoint) readJudged() (judged []*judgedProgram, err error) {
	if c.State.Checksums[judgedFile] == "" {
		return nil, nil
	}
	if err := c.verify(judgedFile); err != nil {
		return nil, err
	}
	path := filepath.Join(c.Dir, judgedFile)
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(content, &judged); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return judged, nil
}

// takeJudged goes on from what was judged before, as far as it is of this training's programs.
func (t *trainer) takeJudged(judged []*judgedProgram) {
	known := map[string]*program.Program{}
	for _, p := range t.Programs {
		known[p.Hash] = p
	}
	for _, from := range judged {
		if p := known[from.Program]; p != nil { // or --data has changed
			g := t.judgedProgram(p)
			g.Episodes = append(g.Episodes, from.Episodes...)
			t.thin(g)
		}
	}
}

// usualSchedule is a program's default schedule, which earns 0 by definition; nothing where
// it is out of the policy's reach.
type usualSchedule struct {
	text     string
	measured []costmodel.Measured
}

// usual is worked out once for each program.
func (t *trainer) usual(p *program.Program) usualSchedule {
	if known, ok := t.usuals[p.Hash]; ok {
		return known
	}
	var u usualSchedule
	if over, steps, err := t.spaces[p.Hash].Default(); err == nil {
		u = usualSchedule{over.Schedule().String(), []costmodel.Measured{{Features: costmodel.Describe(steps, over)}}}
	}
	t.usuals[p.Hash] = u
	return u
}
