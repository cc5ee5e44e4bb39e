package optimize

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nestling/agent"
	"nestling/codegen"
	"nestling/env/envtest"
	"nestling/measure"
	"nestling/program"
	"nestling/results"
	"nestling/schedule"
	"nestling/search"
)

var (
	target  = envtest.Matmul(64, 32, 128)
	machine = schedule.Machine{Threads: 2, VectorLanes: 16}
)

func rememberIn(dir string) memory {
	s := agent.Search{Budget: search.Budget{Trials: 64}, Seed: 1}
	return memory{dir, target, keyOf(target, measure.Options{Tolerance: 1e-4}, machine, "22.1.0", &agent.Agent{Weights: "abc"}, s)}
}

// laboratory stands for one where finding out takes long: it counts how often it is asked.
type laboratory struct{ asked int }

func (l *laboratory) find() (finding, error) {
	l.asked++
	plain := results.NewFailure(Unscheduled, target.Name, errors.New("timeout: \xff"))
	rule := results.NewEntry(Default, target.Name, [][]float64{{0.1, 0.3}, {1. / 3}})
	rule.Schedule = schedule.Default(target, machine).String()
	return finding{Measured: time.Date(2026, 11, 28, 17, l.asked, 0, 0, time.UTC), Rows: []results.Entry{plain, rule}, Chosen: Default}, nil
}

// What was found is known from then on, until something else is found.
func TestWhatWasFoundIsRemembered(t *testing.T) {
	dir, l := filepath.Join(t.TempDir(), "optimized"), &laboratory{}
	if f, err := rememberIn(dir).recall(); err == nil {
		t.Fatalf("recalled %+v before there was anything", f)
	}
	for range 2 {
		found, err := rememberIn(dir).learn(l.find)
		if err != nil {
			t.Fatal(err)
		}
		recalled, err := rememberIn(dir).recall()
		if err != nil || recalled.Measured.Minute() != l.asked {
			t.Fatalf("%v; recalled of %s", err, recalled.Measured)
		}
		found.Rows[0].Error = recalled.Rows[0].Error // of characters that are none
		if diff := cmp.Diff(found, recalled, cmp.AllowUnexported(finding{})); diff != "" {
			t.Error(diff)
		}
		if s, err := recalled.schedule(target); err != nil || s.String() != found.Rows[1].Schedule {
			t.Errorf("%v; the schedule is\n%s", err, s)
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("%d files are kept, %v", len(files), err)
	}
}

func TestWhatIsNotKept(t *testing.T) {
	accident := func() (finding, error) {
		f, err := (&laboratory{}).find()
		f.accident = true
		return f, err
	}
	broken := func() (finding, error) { return finding{}, errors.New("no compiler") }
	for name, find := range map[string]func() (finding, error){"an accident": accident, "an error": broken} {
		dir := t.TempDir()
		if f, err := rememberIn(dir).learn(find); (err != nil) != (name == "an error") || err == nil && len(f.Rows) == 0 {
			t.Errorf("%s: %d rows, %v", name, len(f.Rows), err)
		}
		if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
			t.Errorf("%s: %v is kept, %v", name, files, err)
		}
	}
	t.Chdir(t.TempDir())
	if f, err := rememberIn("").learn((&laboratory{}).find); err != nil || len(f.Rows) == 0 {
		t.Errorf("without a memory: %d rows, %v", len(f.Rows), err)
	}
	if files, err := os.ReadDir("."); err != nil || len(files) > 0 {
		t.Errorf("without a memory: %v is kept, %v", files, err)
	}
}

// Whatever became of the file, nothing is known, until something is found again.
func TestDamageIsForgotten(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"cut short":       func(b []byte) []byte { return b[:len(b)/2] },
		"empty":           func([]byte) []byte { return nil },
		"of another kind": func([]byte) []byte { return []byte(`{"matmul_small": {}}`) },
		"another digit":   func(b []byte) []byte { return bytes.Replace(b, []byte("0.3333"), []byte("0.2333"), 1) },
		"another decision": func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"chosen": "default"`), []byte(`"chosen": "agent"`), 1)
		},
		"of another key": func([]byte) []byte { return otherFile(t) },
	} {
		m, l := rememberIn(t.TempDir()), &laboratory{}
		if _, err := m.learn(l.find); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(m.path())
		if err != nil {
			t.Fatal(err)
		}
		changed := damage(bytes.Clone(content))
		if bytes.Equal(changed, content) {
			t.Fatalf("%s: not damaged", name)
		}
		if err := os.WriteFile(m.path(), changed, 0o644); err != nil {
			t.Fatal(err)
		}
		if f, err := m.recall(); err == nil {
			t.Errorf("%s: recalled %+v", name, f)
		}
		if _, err := m.learn(l.find); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := m.recall(); err != nil {
			t.Errorf("%s: found again, but not kept: %v", name, err)
		}
	}
}

// otherFile is what is kept of an optimisation with another seed.
func otherFile(t *testing.T) []byte {
	m := rememberIn(t.TempDir())
	m.key.Seed++
	if _, err := m.learn((&laboratory{}).find); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(m.path())
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// A schedule that the program does not have is not recalled, whoever vouches for the file.
func TestSchedulesAreCheckedWhenTheyAreRecalled(t *testing.T) {
	m := rememberIn(t.TempDir())
	f, err := (&laboratory{}).find()
	if err != nil {
		t.Fatal(err)
	}
	f.Key, f.Rows[1].Schedule = m.key, "conv7: T(8,8,0) NT\n"
	if err := m.keep(f); err != nil {
		t.Fatal(err)
	}
	if f, err := m.recall(); err == nil {
		t.Errorf("recalled %+v", f)
	}
}

// Every field of a key tells optimisations apart.
func TestEveryFieldOfAKeyCounts(t *testing.T) {
	m := rememberIn("")
	seen := map[string]string{m.key.identity(): "nothing"}
	leaves(reflect.ValueOf(&m.key).Elem(), "key", func(name string) {
		id := m.key.identity()
		if other, known := seen[id]; known {
			t.Errorf("%s changed, and %s, are one key", name, other)
		}
		seen[id] = name
	})
	if len(seen) < 20 {
		t.Errorf("%d fields", len(seen))
	}
}

// leaves changes one plain value after the other inside v, calls back, and changes it back.
func leaves(v reflect.Value, name string, changed func(name string)) {
	old := reflect.ValueOf(v.Interface())
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			leaves(v.Field(i), name+"."+v.Type().Field(i).Name, changed)
		}
		return
	case reflect.Array:
		for i := range v.Len() {
			leaves(v.Index(i), name, changed)
		}
		return
	case reflect.Slice:
		v.Set(reflect.Append(v, reflect.ValueOf("amx")))
	case reflect.String:
		v.SetString(v.String() + "+")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Uint64:
		v.SetUint(v.Uint() + 1)
	case reflect.Float64:
		v.SetFloat(v.Float() + 1)
	default:
		v.SetInt(v.Int() + 1)
	}
	changed(name)
	v.Set(old)
}

// What an optimisation is given comes into its key; what makes no difference does not.
func TestKeyOf(t *testing.T) {
	type given struct {
		p       *program.Program
		o       measure.Options
		m       schedule.Machine
		llvm    string
		weights string
		s       agent.Search
	}
	plain := given{target, measure.Options{Tolerance: 1e-4}, machine, "22.1.0", "abc", agent.Search{Budget: search.Budget{Trials: 64}}}
	identity := func(change func(*given)) string {
		g := plain
		change(&g)
		return keyOf(g.p, g.o, g.m, g.llvm, &agent.Agent{Weights: g.weights}, g.s).identity()
	}
	same := identity(func(*given) {})
	for name, change := range map[string]func(*given){
		"program":   func(g *given) { g.p = envtest.Matmul(64, 32, 64) },
		"tolerance": func(g *given) { g.o.Tolerance = 1e-5 },
		"target":    func(g *given) { g.o.Target = codegen.Target{CPU: "x86-64-v3"} },
		"threads":   func(g *given) { g.m.Threads = 1 },
		"caches":    func(g *given) { g.m.Caches[1] = 1 << 21 },
		"LLVM":      func(g *given) { g.llvm = "23.0.0" },
		"agent":     func(g *given) { g.weights = "abd" },
		"method":    func(g *given) { g.s.Method = "tree" },
		"trials":    func(g *given) { g.s.Trials = 65 },
		"greedy":    func(g *given) { g.s.Trials = 1 },
		"time":      func(g *given) { g.s.Time = time.Second },
		"seed":      func(g *given) { g.s.Seed = 7 },
	} {
		if identity(change) == same {
			t.Errorf("another %s is the same key", name)
		}
	}
	if identity(func(g *given) { g.s.Method = search.DefaultMethod }) != same {
		t.Error("the default method, when it is named, is another key")
	}
	if one, two := identity(func(g *given) { g.s.Trials = 1 }), identity(func(g *given) { g.s.Trials, g.s.Method = 1, "tree" }); one != two {
		t.Error("the greedy choice depends on a method")
	}
}

// A report tells programs and people what was not measured now.
func TestAReportTellsWhatIsRecalled(t *testing.T) {
	f, err := (&laboratory{}).find()
	if err != nil {
		t.Fatal(err)
	}
	for _, recalled := range []bool{false, true} {
		r := Report{Program: "p", Recalled: recalled, Measured: f.Measured, Rows: f.Rows}
		var text bytes.Buffer
		if err := r.WriteText(&text, false); err != nil {
			t.Fatal(err)
		}
		const line = "\nnothing was measured now: all of this is known since 2026-11-28 17:01:00 UTC; --again measures anew\n"
		if strings.Contains(text.String(), line) != recalled || strings.Contains(text.String(), "--again") != recalled {
			t.Errorf("recalled %v:\n%s", recalled, text.String())
		}
		var told struct {
			Recalled *bool
			Measured time.Time
		}
		content, err := json.Marshal(r)
		if err == nil {
			err = json.Unmarshal(content, &told)
		}
		if err != nil || told.Recalled == nil || *told.Recalled != recalled || !told.Measured.Equal(f.Measured) {
			t.Errorf("recalled %v: %v, %s", recalled, err, content)
		}
	}
}
