package measure

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestGoodObject(t *testing.T) {
	l := openLab(t, nil)
	careful := quick
	careful.Warmup = 2 // long enough to count threads
	o := timeOne(t, l, additionJob(compileC(t, nil, nil), careful))
	if o.Status != OK || len(o.Samples) != 2 || len(o.Probe) != 2 {
		t.Fatalf("%+v", o)
	}
	if o.Nanoseconds <= 0 || o.Nanoseconds > 1e6 || o.Ratio <= 0 || o.PrepareNanoseconds <= 0 {
		t.Errorf("implausible times: %+v", o)
	}
	if o.RunsPerBlock < 100 {
		t.Errorf("%d runs a block: 37 additions do not fill a millisecond", o.RunsPerBlock)
	}
	if o.BusyThreads <= 0 || o.BusyThreads > 1.5 {
		t.Errorf("%.2f threads were busy; it has one", o.BusyThreads)
	}
	if o.MaxError > 1e-6 || o.Reproducer != "" {
		t.Errorf("error %g, reproducer %q", o.MaxError, o.Reproducer)
	}
}

// Each fault costs its candidate, and the next candidate is measured as if
// nothing had been.
func TestFaults(t *testing.T) {
	l := openLab(t, func(o *Options) { o.MemoryLimit = 400 << 20 })
	good := compileC(t, nil, nil)
	faults := []struct {
		name          string
		before, after string
		prepare       string
		status        Status
		reason        string // part of the error
		limit         time.Duration
	}{
		{name: "endless loop", before: "for (volatile int x = 0; ; x++);", status: Timeout, reason: "no answer within", limit: time.Second},
		{name: "null pointer", before: "*(volatile int *)0 = 1;", status: Crash, reason: "SIGSEGV at address 0x0"},
		{name: "far past the end", after: "out[5000] = 1;", status: Crash, reason: "bytes past the end of output 0"},
		{name: "far before the start", after: "out[-5000] = 1;", status: Crash, reason: "bytes before the start of output 0"},
		{name: "reading past the end", after: "out[0] += ((volatile float *)a)[100] * 0;", status: Crash, reason: "bytes past the end of input 0"},
		{name: "just past the end", after: "out[N] = 1;", status: Wrong, reason: "0 bytes past the end of output 0 was written"},
		{name: "just before the start", after: "out[-1] = 1;", status: Wrong, reason: "4 bytes before the start of output 0 was written"},
		{name: "past the workspace", after: "workspace[N + 1] = 1;", status: Wrong, reason: "past the end of the workspace was written"},
		{name: "abort", before: `fprintf(stderr, "invariant broken\n"); abort();`, status: Crash, reason: "invariant broken"},
		{name: "exit", before: "exit(3);", status: Crash, reason: "exit code 3"},
		{name: "wrong result", after: "out[7] += 0.5f;", status: Wrong, reason: "output 0[7]"},
		{name: "not a number", after: "out[7] = 0.0f / (out[7] - out[7]);", status: Wrong, reason: "output 0[7]"},
		{name: "unwritten result", after: "memset(out, 0xff, 4); unsigned p = 0x7fd5a5a5; memcpy(out + 9, &p, 4);", status: Wrong, reason: "1 of 37 elements were never written, the first is element 9"},
		{name: "input changed", after: "b[3] = 0;", status: Wrong, reason: "input 1 was changed"},
		{name: "prepared weights changed", after: "prepared[3] += calls;", status: Wrong, reason: "the prepared weights was changed"},
		{name: "weight changed", prepare: "((float *)weight)[3] = 0;", status: Wrong, reason: "weight 0 was changed"},
		{name: "crash in prepare", prepare: "prepared[9999] = 0;", status: Crash, reason: "past the end of the prepared weights"},
		{name: "right at first", after: "if (calls > 1) out[7] += 0.5f;", status: Wrong, reason: "after timing: output 0[7]"},
		{name: "memory hog", before: "for (;;) memset(malloc(1 << 20), 1, 1 << 20);", status: Memory, reason: "allowed are 400"},
		{name: "missing symbol", before: "extern void nobody(void); nobody();", status: Compile, reason: "nobody"},
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			object := compileC(t, nil, map[string]string{"BEFORE": f.before, "AFTER": f.after, "PREPARE": f.prepare})
			plan := quick
			plan.Limit = f.limit
			batch := []*job{additionJob(object, plan), additionJob(good, quick)}
			batch[0].text = f.name
			begin := time.Now()
			if err := l.timeAll(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			bad, next := *batch[0].outcome, *batch[1].outcome
			if bad.Status != f.status || !strings.Contains(bad.Error, f.reason) {
				t.Errorf("status %q, error %q; want %q, %q", bad.Status, bad.Error, f.status, f.reason)
			}
			if next.Status != OK {
				t.Errorf("the next candidate: %s %s", next.Status, next.Error)
			}
			if took := time.Since(begin); f.limit > 0 && took > f.limit+10*time.Second {
				t.Errorf("took %v", took)
			}
			wantReproducer(t, bad, f.reason)
		})
	}
}

// wantReproducer: the folder holds what the failure takes to be repeated.
func wantReproducer(t *testing.T, o Outcome, reason string) {
	t.Helper()
	for _, name := range []string{"program.mlir", "schedule.sched", "script.mlir", "reason.txt"} {
		if _, err := os.Stat(filepath.Join(o.Reproducer, name)); err != nil {
			t.Error(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(o.Reproducer, "reason.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{reason, "nestling apply program.mlir --schedule schedule.sched"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("reason.txt lacks %q:\n%s", want, text)
		}
	}
}

func TestObjectThatIsNone(t *testing.T) {
	l := openLab(t, nil)
	o := timeOne(t, l, additionJob([]byte("no object"), quick))
	if o.Status != Compile || o.Reproducer == "" {
		t.Errorf("%+v", o)
	}
}

func TestWeightsAreGoneWhenItRuns(t *testing.T) {
	l := openLab(t, nil)
	object := compileC(t, nil, map[string]string{
		"PREPARE": "extern float *kept; kept = (float *)weight; } float *kept; void rest(const float *weight, float *prepared) {",
		"BEFORE":  "a = kept;",
	})
	if o := timeOne(t, l, additionJob(object, quick)); o.Status != Crash || !strings.Contains(o.Error, "SIGSEGV") {
		t.Errorf("%+v", o)
	}
}

// A kernel gets the threads that were asked for, from libomp.
func TestThreads(t *testing.T) {
	counts := `extern int omp_get_num_threads(void); int n = 0;
		_Pragma("omp parallel")
		{ if (omp_get_num_threads() == WANT) __atomic_fetch_add(&n, 1, 5); }
		if (n != WANT) { fprintf(stderr, "%d threads\n", n); abort(); }`
	for _, threads := range []int{1, 2} {
		object := compileC(t, []string{"-fopenmp", "-DWANT=" + string(rune('0'+threads))}, map[string]string{"BEFORE": counts})
		l := openLab(t, func(o *Options) { o.Threads = threads })
		o := timeOne(t, l, additionJob(object, quick))
		if o.Status != OK {
			t.Errorf("%d threads: %+v", threads, o)
		}
	}
}

func TestTooManyThreads(t *testing.T) {
	_, err := Open(Options{Worker: worker, Threads: 10000})
	if err == nil || !strings.Contains(err.Error(), "10000 threads asked for; this process may use 1 to ") {
		t.Error(err)
	}
}

func TestSlowCandidatesAreGivenUp(t *testing.T) {
	l := openLab(t, nil)
	plan := Plan{Samples: 50, Budget: time.Minute, SlowerThan: 3}
	object := compileC(t, nil, map[string]string{"BEFORE": "for (volatile int x = 0; x < 1000000; x++);"})
	j := additionJob(object, plan)
	j.Baseline = 100
	if o := timeOne(t, l, j); o.Status != OK || len(o.Samples) != 1 {
		t.Errorf("%+v", o)
	}
	within := additionJob(object, Plan{Samples: 3, Budget: time.Minute, SlowerThan: 3})
	within.Baseline = 1e9
	if o := timeOne(t, l, within); o.Status != OK || len(o.Samples) != 3 {
		t.Errorf("%+v", o)
	}
}

// A candidate is ended in its first run where that is hopeless, and not where it is within
// its limit or nothing is known to compare with.
func TestHopelessFirstRunsAreEnded(t *testing.T) {
	l := openLab(t, nil)
	nap := "struct timespec { long s, n; } pause = {0, 200000000}; extern int nanosleep(void *, void *); nanosleep(&pause, 0);"
	object := compileC(t, nil, map[string]string{"BEFORE": nap})
	for baseline, want := range map[float64]Status{1e6: Timeout, 50e6: OK, 0: OK} {
		j := additionJob(object, Plan{Samples: 1, GiveUp: 10})
		j.Baseline = baseline
		if o := timeOne(t, l, j); o.Status != want {
			t.Errorf("200 ms beside %.0f ms: %+v", baseline/1e6, o)
		}
	}
}

func TestBudgetEndsTiming(t *testing.T) {
	l := openLab(t, nil)
	object := compileC(t, nil, map[string]string{"BEFORE": "struct timespec { long s, n; } pause = {0, 30000000}; extern int nanosleep(void *, void *); nanosleep(&pause, 0);"})
	o := timeOne(t, l, additionJob(object, Plan{Samples: 1000, Budget: 200 * time.Millisecond}))
	if o.Status != OK || len(o.Samples) < 1 || len(o.Samples) > 7 {
		t.Errorf("%d samples: %+v", len(o.Samples), o)
	}
	if o.Nanoseconds < 30e6 {
		t.Errorf("a sleep of 30 ms was timed as %.1f ms", o.Nanoseconds/1e6)
	}
}

func TestColdCaches(t *testing.T) {
	l := openLab(t, nil)
	plan := quick
	plan.Flush = true
	o := timeOne(t, l, additionJob(compileC(t, nil, nil), plan))
	if o.Status != OK || o.RunsPerBlock != 1 {
		t.Errorf("%+v", o)
	}
}
