package progress

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// untimed takes the clock time off each line, and checks that it was one.
func untimed(t *testing.T, text string) []string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(text) {
		clock, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if _, err := time.Parse(time.TimeOnly, clock); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		lines = append(lines, rest)
	}
	return lines
}

func TestBarWithoutTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		b := NewBar(&out, "benchmarks")
		for i := range 9 {
			b.Update(i, 9, fmt.Sprint("reference ", i))
			time.Sleep(time.Second)
		}
		for i := range 31 {
			b.Update(i, 30, fmt.Sprint("turn ", i))
			time.Sleep(4 * time.Second)
		}
		b.Done()
		b.Done()
		want := []string{
			"benchmarks ░░░░░░░░░░░░░░░░░░░░░░░░  0/9  reference 0",
			"benchmarks ░░░░░░░░░░░░░░░░░░░░░░░░  1/30  15.0/min  1m56s left  turn 1",
			"benchmarks ███░░░░░░░░░░░░░░░░░░░░░  4/30  15.0/min  1m44s left  turn 4",
			"benchmarks █████░░░░░░░░░░░░░░░░░░░  7/30  15.0/min  1m32s left  turn 7",
			"benchmarks ████████░░░░░░░░░░░░░░░░  10/30  15.0/min  1m20s left  turn 10",
			"benchmarks ██████████░░░░░░░░░░░░░░  13/30  15.0/min  1m08s left  turn 13",
			"benchmarks ████████████░░░░░░░░░░░░  16/30  15.0/min  56s left  turn 16",
			"benchmarks ███████████████░░░░░░░░░  19/30  15.0/min  44s left  turn 19",
			"benchmarks █████████████████░░░░░░░  22/30  15.0/min  32s left  turn 22",
			"benchmarks ████████████████████░░░░  25/30  15.0/min  20s left  turn 25",
			"benchmarks ██████████████████████░░  28/30  15.0/min  8s left  turn 28",
			"benchmarks ████████████████████████  30/30  14.5/min  in 2m04s  turn 30",
		}
		if diff := cmp.Diff(want, untimed(t, out.String())); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestTrainingWithoutTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		line := NewTraining(&out, 10*time.Minute, 0)
		for i := range 3 {
			line.Update(Iteration{Number: 40 + i, Elapsed: time.Duration(200+20*i) * time.Second,
				SchedulesPerSecond: 8.25, Reward: 0.1 * float64(i), Speedup: 1.125, Entropy: 2.5, Failed: i})
			time.Sleep(20 * time.Second)
		}
		line.Done() // all was said
		want := []string{
			"iteration 40  8.2 schedules/s  reward 0.000  speedup 1.12×  entropy 2.50  6m40s left",
			"iteration 41  8.2 schedules/s  reward 0.100  speedup 1.12×  entropy 2.50  1 failed  6m20s left",
			"iteration 42  8.2 schedules/s  reward 0.200  speedup 1.12×  entropy 2.50  2 failed  6m00s left",
		}
		if diff := cmp.Diff(want, untimed(t, out.String())); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestTrainingTimeLeft(t *testing.T) {
	for _, test := range []struct {
		budget     time.Duration
		iterations int
		want       string
	}{
		{0, 0, "1m40s"},
		{5 * time.Minute, 0, "3m20s left"},
		{0, 30, "3m20s left"},
		{2 * time.Minute, 30, "20s left"},
		{3 * time.Hour, 15, "50s left"},
		{time.Minute, 0, "0s left"},
		{3 * time.Hour, 0, "2h58m left"},
	} {
		line := &Training{budget: test.budget, iterations: test.iterations, last: Iteration{Number: 10, Elapsed: 100 * time.Second}}
		if got := line.time(line.received); got != test.want {
			t.Errorf("budget %s, %d iterations: %s, want %s", test.budget, test.iterations, got, test.want)
		}
	}
}

func TestNothingToSay(t *testing.T) {
	var out bytes.Buffer
	NewBar(&out, "programs").Done()
	if out.Len() > 0 {
		t.Errorf("wrote %q", out.String())
	}
}

// terminal opens a pseudo-terminal of 60 columns: what is written to the second
// file can be read from the first.
func terminal(t *testing.T) (screen, tty *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { screen.Close() })
	fd := int(screen.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 60}); err != nil {
		t.Fatal(err)
	}
	return screen, tty
}

func TestBarOnTerminal(t *testing.T) {
	t.Setenv("TERM", "xterm")
	screen, tty := terminal(t)
	b := NewBar(tty, "benchmarks")
	b.Update(1, 4, "matmul_small")
	b.Update(3, 4, "a name that is too long for what is left of the line")
	b.Done()
	if err := tty.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(screen)
	if !errors.Is(err, unix.EIO) { // what the end of a terminal reads as
		t.Fatal(err)
	}
	text := string(got) // the line discipline turned \n into \r\n
	if strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\x1b[K\r\n") {
		t.Errorf("not one line written over: %q", text)
	}
	paints := strings.Split(strings.TrimSuffix(text, "\r\n"), "\r")[1:]
	if len(paints) != 3 || !strings.HasPrefix(paints[0], "benchmarks ██████░░░░░░░░░░░░░░░░░░  1/4") {
		t.Errorf("painted %q", paints)
	}
	for _, p := range paints {
		if length := len([]rune(strings.TrimSuffix(p, "\x1b[K"))); length > 59 {
			t.Errorf("%d columns of 60: %q", length, p)
		}
	}
}
