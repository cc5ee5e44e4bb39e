package measure

import (
	"testing"

	"nestling/codegen"
)

// What is measured anew is not compiled anew, and the code of another schedule is another's.
func TestCodeIsKept(t *testing.T) {
	l := openLab(t, nil)
	p := analyse(t, l, sumModule)
	fresh := quick
	fresh.Fresh = true
	first := evaluate(t, l, fresh, Candidate{Program: p})[0]
	if first.Status != OK {
		t.Fatalf("%+v", first)
	}
	s := <-l.slots
	served := s.compiler.served
	l.slots <- s
	again := evaluate(t, l, fresh, Candidate{Program: p})[0]
	if again.Status != OK || again.Cached {
		t.Errorf("%+v, want a new measurement", again)
	}
	s = <-l.slots
	if s.compiler.served != served {
		t.Errorf("the compiler was asked %d times more", s.compiler.served-served)
	}
	l.slots <- s
}

func TestObjectsAreBounded(t *testing.T) {
	var o objects
	large := &codegen.Result{Object: make([]byte, maxObjectBytes/2+1)}
	ids := []identity{{"a", "1"}, {"a", "2"}, {"b", "1"}}
	for i, id := range ids {
		if o.get(id) != nil {
			t.Errorf("%v is there before it was put", id)
		}
		o.put(id, large)
		if o.get(id) != large {
			t.Errorf("%v is not there", id)
		}
		if i == 1 && o.get(ids[0]) == nil {
			t.Error("the first had to go too soon")
		}
	}
	if o.get(ids[0]) != nil || o.get(ids[1]) != nil {
		t.Error("more is kept than there is room for")
	}
}
