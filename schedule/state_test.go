package schedule

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"nestling/program"
)

// programs are what the property tests draw from.
var programs = map[string]*program.Program{
	"chain":     chainProgram(64),
	"conv":      convProgram(2, 16, 32, 28, 1),
	"linear":    linearProgram(64, 64, 128),
	"matmul":    matmulProgram(256, 256, 256),
	"pool":      poolProgram(2, 16, 56),
	"prime":     matmulProgram(37, 41, 13),
	"single":    matmulProgram(1, 1, 1),
	"softmax":   rowsProgram(256, 512),
	"transpose": transposeProgram(128),
	"strided":   convProgram(2, 16, 32, 28, 2),
}

func anyProgram(t *rapid.T) *program.Program {
	names := make([]string, 0, len(programs))
	for name := range programs {
		names = append(names, name)
	}
	slices.Sort(names)
	return programs[rapid.SampledFrom(names).Draw(t, "program")]
}

// parsed is the schedule of a text that is known to be well-formed.
func parsed(t *testing.T, text string) Schedule {
	t.Helper()
	s, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ program, schedule, want string }{
		{"matmul", "conv7: V", `no operation "conv7"; the program has [fill0 matmul0]`},
		{"matmul", "matmul0: T(8,32,4)", "matmul0: the last action must be V or NT"},
		{"matmul", "matmul0: V T(8,32,4) V", "matmul0: action V unrolls 256×256×256 iterations into 1048576 vectors, more than 128; tile first"},
		{"matmul", "matmul0: NT V", "matmul0: no action can follow NT, which ends the operation"},
		{"matmul", "matmul0: T(8,32,4) I(1,0,2) V", "matmul0: action I must be the first action, it comes after T(8,32,4)"},
		{"matmul", "matmul0: I(1,0,2) I(1,0,2) NT", "matmul0: action I must be the first action, it comes after I(1,0,2)"},
		{"matmul", "matmul0: I(1,0) NT", "matmul0: I(1,0) is not a permutation of its 3 loops; each of 0 1 2 must occur once"},
		{"matmul", "matmul0: I(0,1,1) NT", "is not a permutation of its 3 loops"},
		{"matmul", "matmul0: I(0,1,3) NT", "is not a permutation of its 3 loops"},
		{"softmax", "fill0: I(0) NT", "fill0: action I needs two loops or more, there are 1"},
		{"matmul", "matmul0: T(8,32) V", "matmul0: T(8,32) has 2 tile sizes, needs one for each of 3 loops (0 leaves a loop whole)"},
		{"conv", "conv0: T(0,0,6,0,0,0,0) NT", "conv0: tile size 6 does not divide 28 (loop 2); allowed: 1 2 4 7 14 28"},
		{"matmul", "matmul0: T(512,0,0) NT", "matmul0: tile size 512 does not divide 256 (loop 0); allowed: 1 2 4 8 16 32 64 128 256"},
		{"matmul", "matmul0: T(64,0,0) T(48,0,0) NT", "matmul0: tile size 48 does not divide 64 (loop 0)"},
		{"matmul", "matmul0: T(0,256,0) NT", "matmul0: T(0,256,0) tiles no loop of 256×256×256; at least one size must be smaller than its loop"},
		{"matmul", "matmul0: TP(8,32,4) NT", "matmul0: TP cannot tile loop 2, a reduction; parallel loops: 0 1"},
		{"matmul", "matmul0: TP(8,0,0) TP(4,0,0) NT", "matmul0: TP makes parallel loops, and it already runs inside its own; use T"},
		{"matmul", "matmul0: TF(8,32,0) NT\nfill0: TP(1,0) NT", "fill0: TP makes parallel loops, and it already runs inside those of matmul0; use T"},
		{"matmul", "matmul0: TF(8,32,0) TF(4,0,0) NT", "matmul0: TF makes parallel loops, and it already runs inside its own; use T"},
		{"matmul", "matmul0: T(64,0,0) TF(8,32,0) NT", "matmul0: TF must be the first tiling; after T(64,0,0) the producers are out of reach"},
		{"matmul", "fill0: TF(8,32) NT", "fill0: TF finds no producer to fuse"},
		{"chain", "add0: TF(8,32) NT", "add0: TF finds no producer to fuse"}, // relu0 has another reader
		{"matmul", "matmul0: TF(8,32,4) NT", "matmul0: TF cannot tile loop 2, a reduction; parallel loops: 0 1"},
		{"softmax", "exp0: TF(8,16) NT", "exp0: TF cannot tile loop 1, over which the producer would be computed again; loops it can tile: 0"},
		{"matmul", "matmul0: T(0,0,1) T(128,0,0) T(64,0,0) T(32,0,0) T(16,0,0) T(8,0,0) T(4,0,0) T(2,0,0) T(1,0,0) T(0,128,0) T(0,64,0) T(0,32,0) T(0,16,0) T(0,8,0) T(0,4,0) T(0,2,0) NT", "matmul0: T would be action 16 of at most 16; only V or NT can be the last"},
		{"matmul", "matmul0: P(1) NT", "matmul0: P is about the current tile, and nothing is tiled yet"},
		{"matmul", "matmul0: T(0,32,0) P(2) NT", "matmul0: P(2) is not of the form P(operand); the operands read are 0 to 1"},
		{"matmul", "matmul0: T(0,32,0) P(1) P(0) P(1) NT", "matmul0: P(1): operand 1 was copied for this tile already"},
		{"matmul", "fill0: T(8,0) P(0) NT", "fill0: P(0) copies a scalar"},
		{"matmul", "matmul0: TP(8,0,0) U(2) NT", "matmul0: no loop for U, which unrolls the innermost one of the T before it, once"},
		{"matmul", "matmul0: T(0,0,4) U(2) U(2) NT", "matmul0: no loop for U, which unrolls the innermost one of the T before it, once"},
		{"matmul", "matmul0: T(0,0,4) U(3) NT", "matmul0: U(3) is not of the form U(factor); the loop goes round 64 times, its divisors from 2 are allowed: 2 4 8 16 32 64"},
		{"matmul", "matmul0: TP(8,32,0) PF(1) V", "matmul0: PF fetches ahead in the innermost loop of the T before it, and there is none, or U has unrolled it"},
		{"matmul", "matmul0: TF(8,32,0) T(0,0,4) U(2) PF(1) V", "matmul0: PF fetches ahead in the innermost loop of the T before it, and there is none, or U has unrolled it"},
		{"matmul", "matmul0: TF(8,32,0) P(1) T(0,0,4) PF(1) V", "matmul0: PF(1): operand 1 is copied by P, and read from the copy"},
		{"transpose", "generic0: TP(64,64) T(16,16) PF(0) PF(1) V", "generic0: PF(1): once is enough"}, // one argument
		{"matmul", "matmul0: T(64,64,64) PF(1) V", "matmul0: PF fetches for vectors, and action V unrolls"},
		{"matmul", "matmul0: TF(8,32,0) T(0,0,4) PF(2) V", "matmul0: PF(2) is not of the form PF(operand); the operands read are 0 to 1"},
		{"matmul", "matmul0: TF(8,32,0) T(0,0,4) PF(1) PF(1) V", "matmul0: PF(1): once is enough"},
		{"matmul", "matmul0: TF(8,32,0) T(0,0,4) PF(1) T(0,0,1) V", "matmul0: after PF only V, NT or another PF can follow, not T"},
		{"softmax", "exp0: T(4,16) PF(1) V", "exp0: PF(1): operand 1 is no argument or weight, which alone come from memory at run time"},
		{"matmul", "matmul0: T(1,1,1) V", "matmul0: action V finds no loop of more than one iteration; use NT"},
		{"softmax", "sum0: T(16,64) V", "sum0: action V shuffles all of 16×64 = 1024 elements, more than 512; tile first"},
		{"matmul", "matmul0: TF(8,32,0) T(0,0,4) U(8) V", "matmul0: action V makes 64 vectors of 8×32×4 iterations, and U(8) of it more than 256"},
		{"conv", "relu0: T(0,0,0,1) V", "relu0: action V finds no two of 2×32×28×1 results side by side in memory, and takes 256 at most one by one; tile others"},
		{"transpose", "generic0: T(64,64) V", "generic0: action V unrolls 64×64 iterations into 256 vectors, more than 128; tile first"},
		{"softmax", "exp0: T(4,64) V", "exp0: action V would unroll 256 library calls, more than 128; tile first"},
		{"conv", "conv0: T(1,8,1,7,4,1,0) V", "conv0: action V cannot read operand 0: its dimension 3 moves with loops 3 6 at once; tile all but one of them to 1"},
		{"strided", "conv0: T(1,8,1,7,4,1,1) V", "conv0: action V cannot read operand 0: its dimension 3 moves with stride 2 along loop 3; tile that loop to 1"},
	} {
		err := Check(programs[c.program], parsed(t, c.schedule))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s: error %v, want %s", c.program, c.schedule, err, c.want)
		}
	}
}

// The refusals that need programs of their own.
func TestVectorizeRefusesWhatHasNoVectorForm(t *testing.T) {
	for _, c := range []struct {
		name, nest, index string
		shape             []int
		body              []program.Instruction
		want              string
	}{
		{"diagonal", "i=16", "i,i", []int{16, 16}, addIn, "its dimensions 0 and 1 both move with loop 0"},
		{"offset", "i=16", "i+3", []int{19}, addIn, "its dimension 0 is read at an offset of 3"},
		{"column", "i=16", "i,0", []int{16, 5}, addIn, "its dimension 1 is larger than what the loops read of it"},
		{"foreign", "i=16", "i", []int{16}, []program.Instruction{{Op: "scf.if", Args: []int{0, 1}}}, "action V has no vector form of scf.if"},
		{"difference", "i=16 [j=4]", "i,j", []int{16, 4}, []program.Instruction{{Op: "arith.subf", Args: []int{1, 0}}}, "action V needs a reduction by a sum, product, maximum or minimum"},
		{"twice", "i=16 [j=4]", "i,j", []int{16, 4}, []program.Instruction{{Op: "arith.mulf", Args: []int{0, 1}}, {Op: "arith.addf", Args: []int{1, 2}}}, "action V needs a reduction by a sum"},
	} {
		var b builder
		x, y := b.argument(c.shape...), b.argument(16)
		r := b.op("op0", program.Generic, c.nest, c.body, use{x, c.index}, use{y, "i"})
		err := NewState(b.done(r)).Check(0, Action{Kind: Vectorize})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
	}
}

// addIn accumulates operand 0 into operand 1.
var addIn = []program.Instruction{{Op: "arith.addf", Args: []int{1, 0}}}

func TestScheduleMayNotNameAnOperationTwice(t *testing.T) {
	s := Schedule{{Op: "fill0", Actions: []Action{{Kind: NoTransform}}}, {Op: "fill0", Actions: []Action{{Kind: NoTransform}}}}
	if err := Check(programs["matmul"], s); err == nil || err.Error() != "fill0 is scheduled twice" {
		t.Errorf("error %v", err)
	}
}

func TestOperationsComeInOrder(t *testing.T) {
	s := NewState(programs["matmul"])
	err := s.Apply(0, Action{Kind: NoTransform})
	if want := "fill0: operations are scheduled last to first; matmul0 comes before it and has not ended"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if s.Legal(0, NoTransform) {
		t.Error("fill0 may end before matmul0")
	}
	if diff := cmp.Diff([]int{1, 0}, s.Order()); diff != "" {
		t.Error(diff)
	}
}

// bounds is what Loops says of an operation, without the rest.
func bounds(s *State, op int) []int {
	var out []int
	for _, l := range s.Loops(op) {
		out = append(out, l.Bound)
	}
	return out
}

// TestFusion follows a whole epilogue into the tile of its last operation.
func TestFusion(t *testing.T) {
	p := programs["conv"] // fill0 copy0 fill1 conv0 add0 relu0
	s := NewState(p)
	if err := s.Apply(5, parsed(t, "relu0: TF(1,8,2,14)")[0].Actions[0]); err != nil {
		t.Fatal(err)
	}
	for op, want := range [][]int{{2, 16, 30, 30}, {2, 16, 28, 28}, {1, 8, 2, 14}, {1, 8, 2, 14, 16, 3, 3}, {1, 8, 2, 14}, {1, 8, 2, 14}} {
		if diff := cmp.Diff(want, bounds(s, op)); diff != "" {
			t.Errorf("%s: %s", p.Ops[op].Name, diff)
		}
		fused := op >= 2 && op <= 4
		if got := s.FusedInto(op); fused && got != 5 || !fused && got != -1 {
			t.Errorf("%s is fused into %d", p.Ops[op].Name, got)
		}
		if got := s.Loops(op)[0].Parallel; got != (op >= 2) {
			t.Errorf("%s: Parallel is %t", p.Ops[op].Name, got)
		}
	}
}

// TestFusionFollowsTheInterchange tiles by the loops' new places.
func TestFusionFollowsTheInterchange(t *testing.T) {
	s := NewState(programs["linear"]) // fill0 matmul0 add0 relu0
	for _, a := range parsed(t, "relu0: I(1,0) TF(32,8)")[0].Actions {
		if err := s.Apply(3, a); err != nil {
			t.Fatal(err)
		}
	}
	for op, want := range [][]int{{8, 32}, {8, 32, 128}, {8, 32}, {32, 8}} {
		if diff := cmp.Diff(want, bounds(s, op)); diff != "" {
			t.Errorf("operation %d: %s", op, diff)
		}
	}
}

// TestNothingIsComputedTwice: a producer read by every column stays outside.
func TestNothingIsComputedTwice(t *testing.T) {
	var b builder
	x, y := b.argument(64, 64), b.argument(64, 64)
	r := b.relu("relu0", "m=64 k=64", "m,k", x)
	f := b.fill("fill0", 0, "m=64 n=64", "m,n", 64, 64)
	m := b.op("matmul0", program.Matmul, "m=64 n=64 [k=64]", multiplyAdd, use{r, "m,k"}, use{y, "k,n"}, use{f, "m,n"})
	p := b.done(m)
	for text, relu := range map[string]int{"matmul0: TF(8,32,0)": -1, "matmul0: TF(8,0,0)": 2} {
		s := NewState(p)
		if err := s.Apply(2, parsed(t, text)[0].Actions[0]); err != nil {
			t.Fatal(err)
		}
		if s.FusedInto(0) != relu || s.FusedInto(1) != 2 {
			t.Errorf("%s: relu0 in %d, fill0 in %d", text, s.FusedInto(0), s.FusedInto(1))
		}
	}
}

func TestTileSizes(t *testing.T) {
	s := NewState(programs["conv"])
	for _, c := range []struct {
		op, loop int
		kind     Kind
		want     []int
	}{
		{5, 2, Tile, []int{1, 2, 4, 7, 14}},
		{5, 2, TileFuse, []int{1, 2, 4, 7, 14}},
		{5, 0, TileParallel, []int{1}},
		{3, 0, Tile, nil}, // not its turn
	} {
		if diff := cmp.Diff(c.want, s.TileSizes(c.op, c.loop, c.kind)); diff != "" {
			t.Errorf("%+v: %s", c, diff)
		}
	}
	matmul := NewState(programs["matmul"])
	for _, k := range []Kind{TileParallel, TileFuse} {
		if sizes := matmul.TileSizes(1, 2, k); sizes != nil {
			t.Errorf("%s tiles a reduction to %v", k, sizes)
		}
	}
}

// TestCopiesDoNotFuse: a copy is often into the middle of a padded image.
func TestCopiesDoNotFuse(t *testing.T) {
	var b builder
	x := b.argument(16, 16)
	r := b.relu("relu0", "i=16 j=16", "i,j", x)
	p := b.done(b.op("copy0", program.Copy, "i=16 j=16", nil, use{r, "i,j"}, use{b.empty(16, 16), "i,j"}))
	err := Check(p, parsed(t, "copy0: TF(1,0) V"))
	if want := "copy0: TF cannot fuse into a copy, whose tile would go through memory all the same; use TP"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// anyLegal draws an action that is legal now, or one that TileSizes claims to be.
func anyLegal(t *rapid.T, s *State, op int) Action {
	var kinds []Kind
	for _, k := range Kinds {
		if s.Legal(op, k) {
			kinds = append(kinds, k)
		}
	}
	if !slices.Contains(kinds, NoTransform) {
		t.Fatal("no way to end the operation")
	}
	a := Action{Kind: rapid.SampledFrom(kinds).Draw(t, "kind")}
	loops := s.Loops(op)
	switch {
	case a.Kind == Interchange:
		var order []int
		for l := range loops {
			order = append(order, l)
		}
		a.Order = rapid.Permutation(order).Draw(t, "order")
	case a.Kind.tiles():
		for l := range loops {
			sizes := append([]int{0, loops[l].Bound}, s.TileSizes(op, l, a.Kind)...)
			a.Sizes = append(a.Sizes, rapid.SampledFrom(sizes).Draw(t, "size"))
		}
		if len(s.tiledLoops(op, a.Sizes)) == 0 {
			return Action{Kind: NoTransform}
		}
	}
	return a
}

// walk builds a whole schedule of what is offered; seen sees the state before and after each
// action of an operation.
func walk(t *rapid.T, p *program.Program, seen func(before, after *State, op int)) *State {
	s := NewState(p)
	for _, op := range s.Order() {
		for !s.Done(op) {
			before := s.Clone()
			if err := s.Apply(op, anyLegal(t, s, op)); err != nil {
				t.Fatal(err)
			}
			seen(before, s, op)
		}
	}
	return s
}

// TestWalks: whatever is offered is accepted, never more than MaxActions of it,
// and what was built passes Check, becomes text and back, and becomes a script.
func TestWalks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyProgram(t)
		s := walk(t, p, func(before, after *State, op int) { checkStep(t, before, after, op) })
		schedule := s.Schedule()
		again, err := Parse(schedule.String())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(schedule, again); diff != "" {
			t.Fatal(diff)
		}
		if _, err := Script(p, again, Options{Threads: 1}); err != nil {
			t.Fatal(err)
		}
	})
}

// checkStep holds for every action: only op and what it fuses change, bounds only
// shrink, to divisors, and reductions are never fused away.
func checkStep(t *rapid.T, before, after *State, op int) {
	if n := len(after.Actions(op)); n != len(before.Actions(op))+1 || n > MaxActions {
		t.Fatalf("%d actions", n)
	}
	for other := range after.ops {
		interchanged := other == op && after.Actions(op)[len(after.Actions(op))-1].Kind == Interchange
		for l, loop := range after.Loops(other) {
			old := before.Loops(other)[l]
			switch {
			case interchanged:
			case old.Bound%loop.Bound != 0 || old.Iterator != loop.Iterator:
				t.Fatalf("%s: loop %d went from %+v to %+v", after.program.Ops[other].Name, l, old, loop)
			case other != op && loop != old && after.FusedInto(other) != op:
				t.Fatalf("%s changed without being fused", after.program.Ops[other].Name)
			case other != op && loop.Bound != old.Bound && loop.Iterator == program.Reduction:
				t.Fatalf("%s: fusion tiled a reduction", after.program.Ops[other].Name)
			}
		}
	}
}

// TestRefusedActionsChangeNothing: Apply and Check agree on arbitrary actions.
func TestRefusedActionsChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := NewState(anyProgram(t))
		op := rapid.SampledFrom(s.Order()).Draw(t, "op")
		a := anyAction(t)
		checked := s.Check(op, a)
		before := s.Clone()
		applied := s.Apply(op, a)
		if (checked == nil) != (applied == nil) {
			t.Fatalf("Check says %v, Apply %v", checked, applied)
		}
		if applied != nil && !cmp.Equal(before, s, cmp.AllowUnexported(State{}, opState{})) {
			t.Fatal("a refused action changed the state")
		}
	})
}

// TestStepsAreLimited: schedules built step by step are shorter than those given
// as a whole.
func TestStepsAreLimited(t *testing.T) {
	s := NewState(programs["matmul"])
	actions := parsed(t, "matmul0: T(128,0,0) T(64,0,0) T(32,0,0) T(16,0,0) T(8,0,0) T(4,0,0) NT")[0].Actions
	for _, a := range actions[:MaxActions-1] {
		if err := s.Apply(1, a); err != nil {
			t.Fatal(err)
		}
	}
	want := "matmul0: T would be action 6 of at most 6; only V or NT can be the last"
	if err := s.Check(1, actions[MaxActions-1]); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if err := Check(programs["matmul"], Schedule{{Op: "matmul0", Actions: actions}}); err != nil {
		t.Error(err)
	}
}

func TestCloneIsIndependent(t *testing.T) {
	s := NewState(programs["matmul"])
	c := s.Clone()
	if err := c.Apply(1, Action{Kind: TileFuse, Sizes: []int{8, 32, 0}}); err != nil {
		t.Fatal(err)
	}
	if s.FusedInto(0) != -1 || len(s.Actions(1)) != 0 || bounds(s, 1)[0] != 256 || s.Schedule() != nil {
		t.Error("the original follows its clone")
	}
}
