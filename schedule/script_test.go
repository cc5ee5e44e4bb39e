package schedule

import (
	"flag"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// TestScripts compares scripts with testdata/NAME.mlir.
func TestScripts(t *testing.T) {
	for name, c := range map[string]struct{ program, schedule string }{
		"matmul":      {"matmul", "matmul0: I(1,0,2) TF(32,8,0) T(0,0,4) V\nfill0: V"},
		"convolution": {"conv", "relu0: TF(1,8,2,14) V\nadd0: V\nconv0: T(0,0,0,0,4,1,1) V\nfill1: V\ncopy0: TP(1,1,1,0) V\nfill0: T(1,1,1,0) V"},
		"blocked":     {"matmul", "matmul0: TP(64,64,0) T(0,0,64) T(8,32,0) T(0,0,4) V\nfill0: T(1,0) V"},
		"pooling":     {"pool", "pool0: I(0,1,2,4,5,3) TF(1,4,1,0,0,14) NT\nfill0: V"},
		"packed":      {"matmul", "matmul0: I(1,0,2) TF(32,0,0) P(1) T(0,8,0) T(0,0,4) U(2) V\nfill0: T(8,0) V"},
		"fetched":     {"transpose", "generic0: TP(64,64) T(16,16) PF(1) V"},
		"untouched":   {"matmul", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Script(programs[c.program], parsed(t, c.schedule), Options{Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("testdata", name+".mlir"), got)
		})
	}
}

func TestScriptErrors(t *testing.T) {
	p := programs["matmul"]
	if _, err := Script(p, parsed(t, "matmul0: T(7,0,0) NT"), Options{Threads: 1}); err == nil || !strings.Contains(err.Error(), "matmul0: tile size 7 does not divide 256 (loop 0)") {
		t.Errorf("illegal schedule: error %v", err)
	}
	if _, err := Script(p, nil, Options{}); err == nil || !strings.Contains(err.Error(), "the least is 1") {
		t.Errorf("no threads: error %v", err)
	}
}

// TestVectorOrder: the dimensions of a vector do not depend on an I before it.
func TestVectorOrder(t *testing.T) {
	for _, c := range []struct {
		program, schedule string
		want              []int // of the last operation
	}{
		{"matmul", "matmul0: T(8,32,4)", nil},
		{"matmul", "matmul0: I(2,1,0) T(4,32,8)", []int{2, 1, 0}},
		{"linear", "relu0: I(1,0) T(32,8)", []int{1, 0}},
		{"pool", "pool0: I(0,1,2,4,5,3) T(1,1,1,1,1,0)", []int{0, 1, 2, 5, 3, 4}},
	} {
		p := programs[c.program]
		s, op := NewState(p), len(p.Ops)-1
		for _, a := range parsed(t, c.schedule)[0].Actions {
			if err := s.Apply(op, a); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(c.want, s.vectorOrder(op)); diff != "" {
			t.Errorf("%s: %s", c.schedule, diff)
		}
	}
	s := NewState(programs["conv"])
	if diff := cmp.Diff([]int{0, 2, 3, 1, 4, 5, 6}, s.vectorOrder(3)); diff != "" {
		t.Errorf("a convolution's pixels come first, as its image is the first operand: %s", diff)
	}
}
