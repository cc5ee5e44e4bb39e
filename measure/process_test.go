package measure

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"nestling/program"
)

func TestTailKeepsTheLastLines(t *testing.T) {
	var out tail
	for i := range 10000 {
		fmt.Fprintf(&out, "line %d\n", i)
	}
	if got, want := out.lines(2), "line 9998\nline 9999"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if kept := len(out.lines(1 << 20)); kept > tailBytes {
		t.Errorf("%d bytes are kept", kept)
	}
	n, err := out.Write([]byte(strings.Repeat("x", 10*tailBytes) + "\nend"))
	if n != 10*tailBytes+4 || err != nil || out.lines(1) != "end" {
		t.Errorf("a long write: %d, %v, %q", n, err, out.lines(1))
	}
}

func TestRunLimit(t *testing.T) {
	plan := Plan{}.withDefaults()
	for _, c := range []struct {
		baseline float64
		want     time.Duration
	}{
		{0, time.Minute},
		{1e6, loadAllowance + plan.Budget + baselineFactor*time.Millisecond},
		{1e12, time.Minute},
	} {
		if got := plan.runLimit(c.baseline); got != c.want {
			t.Errorf("baseline %g ns: %v, want %v", c.baseline, got, c.want)
		}
	}
}

// Problems are forgotten, oldest first, when they pass the bound; a problem in
// use survives any size.
func TestProblemsAreForgotten(t *testing.T) {
	sized := func(name string, bytes int) *program.Program {
		return &program.Program{Hash: name, Values: []program.Value{{Shape: []int{bytes / 4}}}, Args: []int{0}}
	}
	ps := problems{known: map[problemKey]*problem{}}
	small, large := sized("small", 4096), sized("large", problemBytes-4096)
	first := ps.entry(small, 1)
	ps.entry(large, 1)
	if ps.entry(small, 1) != first {
		t.Error("forgotten within the bound")
	}
	ps.entry(sized("one more", 4), 1)
	if len(ps.known) != 2 || ps.entry(small, 1) == first {
		t.Errorf("%d problems are known; the oldest should be forgotten", len(ps.known))
	}
	ps.entry(sized("huge", 2*problemBytes), 1)
	if len(ps.known) != 1 || len(ps.latest) != 1 {
		t.Errorf("%d problems beside a huge one", len(ps.known)-1)
	}
}
