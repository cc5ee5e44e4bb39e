package env

import (
	"testing"

	"nestling/program"
	"nestling/schedule"
)

// The strips of 4 images of 64 channels, 58×56, into 128 channels: 15 rows of 14 tiles.
func TestStrips(t *testing.T) {
	conv := program.Op{Name: "conv0"}
	for _, bound := range []int{4, 128, 58, 56, 64, 3, 3} {
		conv.Loops = append(conv.Loops, program.Loop{Bound: bound})
	}
	asked := func(kind schedule.Kind, words ...int) strip {
		e := Episode{stage: &stage{program: &program.Program{Ops: []program.Op{conv}}}, order: []int{0}}
		e.open.kind, e.open.words = kind, words[:len(words)-1]
		return e.stripWith(option{word: words[len(words)-1]})
	}
	wasted := func(rows int) float64 { return 1 - 58*56/float64(rows*4*56) }
	for _, c := range []struct {
		got, want strip
	}{
		{asked(schedule.Winograd, 4), strip{14, 60, 144 * 64 * 14, 144 * 128 * 14, 144 * 64 * 128, wasted(15)}},
		{asked(schedule.Winograd, 4, 2), strip{28, 32, 144 * 64 * 28, 144 * 128 * 28, 144 * 64 * 128, wasted(16)}},
		{asked(schedule.Winograd, 4, 2, 4), strip{112, 8, 144 * 64 * 112, 144 * 128 * 112, 144 * 64 * 128, wasted(16)}},
		{asked(schedule.Winograd, 4, 2, 4, 3), strip{112, 8, 144 * 64 * 112, 144 * 128 * 112, 144 * 64 * 128, wasted(16)}},
		{asked(schedule.WinogradChain, 4, 1, 3), strip{14, 60, 144 * 64 * 14, 144 * 128 * 14, 144 * 64 * 128, wasted(15)}},
		{asked(schedule.Winograd, 2), strip{28, 116, 64 * 64 * 28, 64 * 128 * 28, 64 * 64 * 128, 0}},
	} {
		if c.got != c.want {
			t.Errorf("strip %+v, want %+v", c.got, c.want)
		}
	}
}
