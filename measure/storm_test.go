package measure

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nestling/schedule/scheduletest"
)

// Workers are killed at random moments, starting up, compiling, waiting and
// running. The batch goes through; what was hit says so.
func TestStormOfKills(t *testing.T) {
	l := openLab(t, func(o *Options) { o.Compilers = 2 })
	p, matmul := product(t, l)
	var batch []Candidate
	for _, m := range []int{2, 4, 8, 16, 32} {
		for _, n := range []int{2, 4, 8, 16} {
			batch = append(batch, Candidate{Program: p, Schedule: scheduletest.Parse(t, fmt.Sprintf("%s: T(%d,%d,0) NT", matmul, m, n))})
		}
	}
	calm, stopped := make(chan struct{}), make(chan int)
	go func() {
		rng, kills := rand.New(rand.NewPCG(1, 1)), 0
		for {
			select {
			case <-calm:
				stopped <- kills
				return
			case <-time.After(time.Duration(50+rng.IntN(150)) * time.Millisecond):
				if children := childrenOf(os.Getpid()); len(children) > 0 {
					_ = unix.Kill(children[rng.IntN(len(children))], unix.SIGKILL)
					kills++
				}
			}
		}
	}()
	outcomes := evaluate(t, l, quick, batch...)
	close(calm)
	kills, hit := <-stopped, 0
	for i, o := range outcomes {
		if o.Status == OK {
			continue
		}
		hit++
		if !strings.Contains(o.Error, "killed by SIGKILL") {
			t.Errorf("candidate %d: %+v", i, o)
		}
	}
	if kills == 0 || hit > kills {
		t.Errorf("%d kills cost %d candidates", kills, hit)
	}
	again := evaluate(t, l, quick, batch...)
	for i, o := range again {
		if o.Status != OK {
			t.Errorf("after the storm, candidate %d: %+v", i, o)
		}
	}
}

func childrenOf(pid int) []int {
	var children []int
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if fields[1] == strconv.Itoa(pid) && strings.HasPrefix(string(stat[strings.IndexByte(string(stat), '('):]), "(nestling") {
			children = append(children, child)
		}
	}
	return children
}
