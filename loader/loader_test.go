package loader_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"strings"
	"testing"
	"unsafe"

	"nestling/loader"
	"nestling/mlir"
)

// object compiles LLVM IR for this machine.
func object(t *testing.T, ir string) []byte {
	t.Helper()
	target, err := mlir.NewTargetMachine("", "")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	module, err := mlir.ParseLLVM(ir)
	if err != nil {
		t.Fatal(err)
	}
	defer module.Close()
	if err := module.Optimize(target, "default<O1>"); err != nil {
		t.Fatal(err)
	}
	code, err := module.EmitObject(target)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// Code with everything that objects are made of: a function of a library, one that may be
// missing, a variable that keeps its value, one that is another's, constants of vectors and
// a table of jumps.
const everything = `
@calls = global i32 40
@zeros = global [1000 x i32] zeroinitializer
@environ = external global ptr
@table = constant [2 x ptr] [ptr @calls, ptr @zeros]
declare double @exp2(double)
declare extern_weak void @nobody_has_this()
define i32 @choose(i32 %which, ptr %p) noinline {
  switch i32 %which, label %other [
    i32 0, label %a
    i32 1, label %b
    i32 2, label %c
    i32 3, label %d
    i32 4, label %e
  ]
a:
  store volatile i32 7, ptr %p
  ret i32 11
b:
  store volatile i32 9, ptr %p
  br label %c
c:
  store volatile i32 3, ptr %p
  ret i32 23
d:
  %x = load volatile i32, ptr %p
  ret i32 %x
e:
  %y = load volatile i32, ptr %p
  %z = mul i32 %y, %y
  ret i32 %z
other:
  ret i32 -1
}
define void @run(ptr %args) {
  %out = load ptr, ptr %args
  %slot = load volatile ptr, ptr @table
  %n = load i32, ptr %slot
  %more = add i32 %n, 1
  store i32 %more, ptr @calls
  %far = getelementptr i32, ptr @zeros, i32 999
  %zero = load volatile i32, ptr %far
  %sum = add i32 %more, %zero
  %asDouble = sitofp i32 %sum to double
  store double %asDouble, ptr %out
  %second = getelementptr double, ptr %out, i32 1
  %which = load double, ptr %second
  %exact = fptosi double %which to i32
  %power = call double @exp2(double %which)
  store double %power, ptr %second
  %third = getelementptr double, ptr %out, i32 2
  %scratch = getelementptr double, ptr %out, i32 3
  store i32 5, ptr %scratch
  %chosen = call i32 @choose(i32 %exact, ptr %scratch)
  %chosenDouble = sitofp i32 %chosen to double
  store double %chosenDouble, ptr %third
  %has = icmp ne ptr @nobody_has_this, null
  %environment = load ptr, ptr @environ
  %there = icmp ne ptr %environment, null
  %vector = getelementptr double, ptr %out, i32 4
  store <4 x double> <double 1.5, double 2.5, double 3.5, double 4.5>, ptr %vector, align 8
  %flags = getelementptr double, ptr %out, i32 8
  %hasDouble = uitofp i1 %has to double
  %thereDouble = uitofp i1 %there to double
  store double %hasDouble, ptr %flags
  %last = getelementptr double, ptr %out, i32 9
  store double %thereDouble, ptr %last
  ret void
}
`

func TestLoad(t *testing.T) {
	code, err := loader.Load(object(t, everything))
	if err != nil {
		t.Fatal(err)
	}
	chosen := []float64{11, 23, 23, 5, 25, -1}
	for i := range chosen {
		out := loader.Memory(10)
		out[1] = float64(i)
		if err := code.Call("run", unsafe.Pointer(&out[0])); err != nil {
			t.Fatal(err)
		}
		out[3] = 0
		want := []float64{41 + float64(i), float64(int(1) << i), chosen[i], 0, 1.5, 2.5, 3.5, 4.5, 0, 1}
		for j := range want {
			if out[j] != want[j] {
				t.Errorf("call %d: number %d is %v, want %v", i, j, out[j], want[j])
			}
		}
	}
}

// changed is an object with another first relocation of its code.
func changed(t *testing.T, object []byte, change func(*elf.Rela64)) []byte {
	t.Helper()
	file, err := elf.NewFile(bytes.NewReader(object))
	if err != nil {
		t.Fatal(err)
	}
	at := object[file.Section(".rela.text").Offset:]
	var r elf.Rela64
	if err := binary.Read(bytes.NewReader(at), binary.LittleEndian, &r); err != nil {
		t.Fatal(err)
	}
	change(&r)
	var out bytes.Buffer
	if err := binary.Write(&out, binary.LittleEndian, r); err != nil {
		t.Fatal(err)
	}
	copy(at, out.Bytes())
	return object
}

func TestLoadRefuses(t *testing.T) {
	missing := object(t, `
declare void @nobody_has_this()
define void @run(ptr %args) {
  call void @nobody_has_this()
  ret void
}`)
	for _, test := range []struct {
		object []byte
		says   string
	}{
		{nil, "loading object code"},
		{[]byte("not an object, but long enough to be looked at for one by its first bytes"), "bad magic number"},
		{missing[:len(missing)/2], "loading object code"},
		{missing, "nobody_has_this is not defined"},
	} {
		if _, err := loader.Load(test.object); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("an object of %d bytes: %v; expected to read %q", len(test.object), err, test.says)
		}
	}
	for says, change := range map[string]func(*elf.Rela64){
		"not known here": func(r *elf.Rela64) { r.Info |= 0xff },
		"beyond the end": func(r *elf.Rela64) { r.Off = 1 << 40 },
		"by symbol":      func(r *elf.Rela64) { r.Info |= 1 << 60 },
		"32 bits reach":  func(r *elf.Rela64) { r.Addend = 1 << 40 },
	} {
		if _, err := loader.Load(changed(t, object(t, everything), change)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v; expected to read %q", err, says)
		}
	}
	code, err := loader.Load(object(t, everything))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := code.Symbol("walk"); err == nil || !strings.Contains(err.Error(), "walk") {
		t.Errorf("a symbol that is not there: %v", err)
	}
}
