package mlir

import (
	"strings"
	"testing"

	"nestling/loader"
)

func TestParseErrorNamesPlace(t *testing.T) {
	c := NewContext()
	defer c.Close()
	_, err := c.Parse("module {\n  func.func @f() { bogus.op }\n}", "bad.mlir")
	if err == nil || !strings.HasPrefix(err.Error(), "bad.mlir:2:") {
		t.Fatalf("got %v, want an error at bad.mlir:2", err)
	}
}

func TestObjectRoundTrip(t *testing.T) {
	l, err := ParseLLVM("define i32 @seven() { ret i32 7 }")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tm, err := NewTargetMachine("", "")
	if err != nil {
		t.Fatal(err)
	}
	defer tm.Close()
	if err := l.Optimize(tm, "default<O3>"); err != nil {
		t.Fatal(err)
	}
	object, err := l.EmitObject(tm)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := loader.Load(object)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := loaded.Symbol("seven"); err != nil || p == nil {
		t.Fatalf("symbol seven: %v, %v", p, err)
	}
	if _, err := loaded.Symbol("eight"); err == nil {
		t.Fatal("a symbol that does not exist was found")
	}
}
