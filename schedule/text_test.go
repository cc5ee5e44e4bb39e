package schedule

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	got, err := Parse("# a product\nmatmul0: I(1, 0, 2) TF(8,32,0)\tT(0,0,4) V # in registers\n\nfill0:NT\n")
	if err != nil {
		t.Fatal(err)
	}
	want := Schedule{
		{Op: "matmul0", Actions: []Action{
			{Kind: Interchange, Order: []int{1, 0, 2}},
			{Kind: TileFuse, Sizes: []int{8, 32, 0}},
			{Kind: Tile, Sizes: []int{0, 0, 4}},
			{Kind: Vectorize},
		}},
		{Op: "fill0", Actions: []Action{{Kind: NoTransform}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if text := got.String(); text != "matmul0: I(1,0,2) TF(8,32,0) T(0,0,4) V\nfill0: NT\n" {
		t.Errorf("String is %q", text)
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"matmul0 V", "line 1: \"matmul0 V\" is not of the form `operation: actions`"},
		{": V", "line 1: \": V\" is not of the form"},
		{"a: V\na: NT", "line 2: a is scheduled twice"},
		{"\n\na:", "line 3: a: no actions"},
		{"a: T(8", "line 1: a: a parenthesis is not closed"},
		{"a: T 8)", "line 1: a: a parenthesis closes that was not opened"},
		{"a: T)8( V", "line 1: a: a parenthesis closes that was not opened"},
		{"a: X(8)", `line 1: a: no action "X(8)"; there are [I T TP TF V NT`},
		{"a: v", `line 1: a: no action "v"`},
		{"a: V(8)", `line 1: a: V takes no numbers, got "V(8)"`},
		{"a: T", `line 1: a: T needs numbers, as in T(8,32,0), got "T"`},
		{"a: I(0,1)V", `line 1: a: I needs numbers, as in I(1,0,2), got "I(0,1)V"`},
		{"a: T()", `line 1: a: T(): "" is not a whole number of 0 or more`},
		{"a: T(8,-1)", `line 1: a: T(8,-1): "-1" is not a whole number of 0 or more`},
		{"a: T(8,x)", `"x" is not a whole number`},
		{"a: T(99999999999999999999)", `is not a whole number`},
	} {
		_, err := Parse(c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want %s", c.text, err, c.want)
		}
	}
}

// anyAction draws an action of any kind, legal or not.
func anyAction(t *rapid.T) Action {
	a := Action{Kind: rapid.SampledFrom(Kinds).Draw(t, "kind")}
	numbers := rapid.SliceOfN(rapid.IntRange(0, 4096), 1, 12)
	switch {
	case a.Kind == Interchange:
		a.Order = numbers.Draw(t, "order")
	case a.Kind.tiles():
		a.Sizes = numbers.Draw(t, "sizes")
	}
	return a
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfDistinct(rapid.StringMatching(`[a-z][a-z0-9_.]*`), rapid.ID).Draw(t, "names")
		var want Schedule
		for _, name := range names {
			want = append(want, OpSchedule{Op: name, Actions: rapid.SliceOfN(rapid.Custom(anyAction), 1, MaxActions).Draw(t, "actions")})
		}
		got, err := Parse(want.String())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("matmul0: TF(8,32,0) T(0,0,4) V\nfill0: V\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(s.String())
		if err != nil {
			t.Fatalf("%q became %q: %v", text, s.String(), err)
		}
		if diff := cmp.Diff(s, again); diff != "" {
			t.Fatal(diff)
		}
	})
}
