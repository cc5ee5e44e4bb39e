package optimize

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"nestling/agent"
	"nestling/codegen"
	"nestling/env"
	"nestling/measure"
	"nestling/program"
	"nestling/results"
	"nestling/schedule"
)

// key is everything that an optimisation's decision and its times depend on.
type key struct {
	Program string              `json:"program"` // program.Program.Hash
	Machine results.MachineInfo `json:"machine"`
	Rule    schedule.Machine    `json:"rule"` // what default schedules and agents know of it; threads
	Target  codegen.Target      `json:"target"`
	// Tolerance is text, for it may be infinite and JSON has no such number.
	Tolerance string        `json:"tolerance"`
	Codegen   string        `json:"codegen"`  // codegen.Version
	LLVM      string        `json:"llvm"`     // its version
	Nestling  string        `json:"nestling"` // git revision: of the searches and of the rules for default schedules
	Agent     string        `json:"agent"`    // agent.Agent.Weights
	Rules     env.Rules     `json:"rules"`    // exact arithmetic is one
	Method    string        `json:"method"`   // of the search; "" for the greedy choice
	Trials    int           `json:"trials"`
	Time      time.Duration `json:"time_ns"`
	Seed      uint64        `json:"seed"`
}

func keyOf(p *program.Program, o measure.Options, m schedule.Machine, llvm string, a *agent.Agent, s agent.Search) key {
	s = s.Resolved()
	return key{
		Program: p.Hash, Machine: results.Machine(), Rule: m, Target: o.Target, Tolerance: fmt.Sprint(o.Tolerance),
		Codegen: codegen.Version, LLVM: llvm, Nestling: results.ThisBuild().Nestling,
		Agent: a.Weights, Rules: a.Rules(), Method: s.Method, Trials: s.Trials, Time: s.Time, Seed: s.Seed,
	}
}

// identity is short and different for every key.
func (k key) identity() string {
	text, err := json.Marshal(k)
	if err != nil {
		panic("optimize: a key is not plain data: " + err.Error())
	}
	return checksum(text)[:32]
}

// finding is what an optimisation came to, and of what.
type finding struct {
	Key      key             `json:"key"`
	Measured time.Time       `json:"measured"`
	Rows     []results.Entry `json:"rows"`   // of the report
	Chosen   string          `json:"chosen"` // method of the row to export
	// accident: something failed that would not fail again.
	accident bool
}

// schedule is the one that was chosen; an error if the program has no such schedule.
func (f finding) schedule(p *program.Program) (schedule.Schedule, error) {
	i := slices.IndexFunc(f.Rows, func(e results.Entry) bool { return e.Method == f.Chosen && !e.Failed() })
	if i < 0 {
		return nil, fmt.Errorf("no schedule was chosen for %s", p.Name)
	}
	s, err := schedule.Parse(f.Rows[i].Schedule)
	return s, errors.Join(err, schedule.Check(p, s))
}

// memory is where the finding of one optimisation is kept, a file of its own: what is too
// costly to find twice are decisions and whole rows, and the tuning database has room for
// neither.
type memory struct {
	dir     string // "": there is none
	program *program.Program
	key     key
}

func memoryOf(lab *measure.Lab, a *agent.Agent, p *program.Program, o Options) memory {
	return memory{o.Memory, p, keyOf(p, lab.Options(), lab.Machine(), lab.LLVM(), a, o.Search)}
}

// path is that of the file, which the program's name is in for people.
func (m memory) path() string {
	return filepath.Join(m.dir, m.program.Name+"-"+m.key.identity()+".json")
}

// learn has something found, and keeps it.
func (m memory) learn(find func() (finding, error)) (finding, error) {
	f, err := find()
	if err != nil || m.dir == "" || f.accident {
		return f, err
	}
	f.Key = m.key
	return f, m.keep(f)
}

// kept is the content of a file.
type kept struct {
	Checksum string          `json:"sha256"` // of the finding, without white space
	Finding  json.RawMessage `json:"finding"`
}

func (m memory) keep(f finding) error {
	text, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("cannot remember what was found of %s: %w", m.program.Name, err)
	}
	return results.WriteJSON(m.path(), kept{checksum(text), text})
}

// recall reads the file. Whatever is wrong with it is an error: then there is nothing to be
// remembered.
func (m memory) recall() (f finding, err error) {
	if m.dir == "" {
		return f, errors.New("there is no memory")
	}
	content, err := os.ReadFile(m.path())
	if err != nil {
		return f, err
	}
	var k kept
	if err := json.Unmarshal(content, &k); err != nil {
		return f, err
	}
	var text bytes.Buffer
	if err := json.Compact(&text, k.Finding); err != nil {
		return f, err
	}
	if checksum(text.Bytes()) != k.Checksum {
		return f, errors.New("checksum does not match")
	}
	if err := json.Unmarshal(text.Bytes(), &f); err != nil {
		return f, err
	}
	if f.Key.identity() != m.key.identity() {
		return f, errors.New("it is of another optimisation")
	}
	_, err = f.schedule(m.program)
	return f, err
}

func checksum(text []byte) string { return fmt.Sprintf("%x", sha256.Sum256(text)) }
