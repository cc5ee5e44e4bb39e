package winograd

import (
	"fmt"
	"slices"
	"strings"
)

// lanes is how many channels, or pixels of a row, one vector holds.
const lanes = 16

// vectorType and maskType are the only vector types of the written code.
const (
	vectorType = "vector<16xf32>"
	maskType   = "vector<16xi1>"
)

// emitter writes MLIR statements, one a line, and names their values.
type emitter struct {
	prefix    string // of every name
	body      strings.Builder
	next      int
	constants map[int]bool
	floats    map[float64]bool
}

// newEmitter makes an emitter whose names no other code has: they begin with the
// name of the operation that is written.
func newEmitter(operation string) *emitter {
	return &emitter{prefix: "%" + strings.ReplaceAll(operation, ".", "_") + "_", constants: map[int]bool{}, floats: map[float64]bool{}}
}

// line writes one statement.
func (e *emitter) line(format string, arguments ...any) {
	fmt.Fprintf(&e.body, format+"\n", arguments...)
}

// value writes a statement that defines a value, and returns its name.
func (e *emitter) value(format string, arguments ...any) string {
	name := fmt.Sprintf("%s%d", e.prefix, e.next)
	e.next++
	e.line("%s = %s", name, fmt.Sprintf(format, arguments...))
	return name
}

// constant names an index constant.
func (e *emitter) constant(n int) string {
	e.constants[n] = true
	return fmt.Sprintf("%sc%d", e.prefix, n)
}

// splat names a vector of equal numbers.
func (e *emitter) splat(x float64) string {
	e.floats[x] = true
	return e.splatName(x)
}

func (e *emitter) splatName(x float64) string {
	return e.prefix + "k" + strings.ReplaceAll(fmt.Sprint(x), "-", "m")
}

// affine writes an affine expression of d0, d1, … which are the given values.
func (e *emitter) affine(expression string, values ...string) string {
	if expression == "d0" {
		return values[0]
	}
	names := make([]string, len(values))
	for i := range names {
		names[i] = fmt.Sprintf("d%d", i)
	}
	return e.value("affine.apply affine_map<(%s)->(%s)>(%s)", strings.Join(names, ","), expression, strings.Join(values, ","))
}

// loop writes a loop from 0 up to a constant, whose body is written by body.
func (e *emitter) loop(count int, body func(i string)) {
	e.loopBetween(e.constant(0), e.constant(count), body)
}

// loopBetween writes a loop over the indices from low up to high.
func (e *emitter) loopBetween(low, high string, body func(i string)) {
	name := fmt.Sprintf("%si%d", e.prefix, e.next)
	e.next++
	e.line("scf.for %s = %s to %s step %s {", name, low, high, e.constant(1))
	body(name)
	e.line("} {llvm.loop_annotation = #llvm.loop_annotation<unroll = <disable = true>>}")
}

// either writes a conditional; otherwise may be nil.
func (e *emitter) either(condition string, then, otherwise func()) {
	e.line("scf.if %s {", condition)
	then()
	if otherwise != nil {
		e.line("} else {")
		otherwise()
	}
	e.line("}")
}

// atMost is the smaller of an index and a constant.
func (e *emitter) atMost(index string, limit int) string {
	return e.value("arith.minsi %s, %s : index", index, e.constant(limit))
}

// buffer is a memref with the type it is known by.
type buffer struct{ name, typ string }

func (e *emitter) load(b buffer, index ...string) string {
	return e.value("vector.load %s[%s] : %s, %s", b.name, strings.Join(index, ","), b.typ, vectorType)
}

func (e *emitter) store(v string, b buffer, index ...string) {
	e.line("vector.store %s, %s[%s] : %s, %s", v, b.name, strings.Join(index, ","), b.typ, vectorType)
}

// loadMasked reads the lanes of a mask, and zeros for the others.
func (e *emitter) loadMasked(mask string, b buffer, index ...string) string {
	return e.value("vector.maskedload %s[%s], %s, %s : %s, %s, %s into %s",
		b.name, strings.Join(index, ","), mask, e.splat(0), b.typ, maskType, vectorType, vectorType)
}

func (e *emitter) storeMasked(v, mask string, b buffer, index ...string) {
	e.line("vector.maskedstore %s[%s], %s, %s : %s, %s, %s", b.name, strings.Join(index, ","), mask, v, b.typ, maskType, vectorType)
}

func (e *emitter) add(a, b string) string { return e.binary("addf", a, b) }
func (e *emitter) sub(a, b string) string { return e.binary("subf", a, b) }

func (e *emitter) binary(op, a, b string) string {
	return e.value("arith.%s %s, %s : %s", op, a, b, vectorType)
}

// scaleAdd is a·factor + b.
func (e *emitter) scaleAdd(a string, factor float64, b string) string {
	return e.value("vector.fma %s, %s, %s : %s", a, e.splat(factor), b, vectorType)
}

// relu keeps what is not below zero; written so, one instruction keeps NaN too.
func (e *emitter) relu(v string) string {
	below := e.value("arith.cmpf olt, %s, %s : %s", v, e.splat(0), vectorType)
	return e.value("arith.select %s, %s, %s : %s, %s", below, e.splat(0), v, maskType, vectorType)
}

// alloc makes a buffer that lives as long as the function.
func (e *emitter) alloc(shape ...int) buffer {
	t := memref(shape...)
	return buffer{e.value("memref.alloc() {alignment = 64 : i64} : %s", t), t}
}

// slice is b[i] for a buffer of the given shape: the part of one thread, or of
// one frequency.
func (e *emitter) slice(b buffer, shape []int, i string) buffer {
	zeros, ones := slices.Repeat([]string{"0"}, len(shape)-1), slices.Repeat([]string{"1"}, len(shape))
	t := strided(shape[1:])
	name := e.value("memref.subview %s[%s][1,%s][%s] : %s to %s", b.name, strings.Join(append([]string{i}, zeros...), ","),
		dimensions(shape[1:], ","), strings.Join(ones, ","), b.typ, t)
	return buffer{name, t}
}

// statements are the constants and all that was written, each line indented.
func (e *emitter) statements() string {
	var head strings.Builder
	for _, n := range sortedKeys(e.constants) {
		fmt.Fprintf(&head, "%sc%d = arith.constant %d : index\n", e.prefix, n, n)
	}
	for _, x := range sortedKeys(e.floats) {
		fmt.Fprintf(&head, "%s = arith.constant dense<%.9e> : %s\n", e.splatName(x), x, vectorType)
	}
	return head.String() + e.body.String()
}

func sortedKeys[K int | float64](m map[K]bool) []K {
	var keys []K
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func dimensions(shape []int, separator string) string {
	words := make([]string, len(shape))
	for i, n := range shape {
		words[i] = fmt.Sprint(n)
	}
	return strings.Join(words, separator)
}

func tensor(shape ...int) string { return "tensor<" + dimensions(shape, "x") + "xf32>" }
func memref(shape ...int) string { return "memref<" + dimensions(shape, "x") + "xf32>" }

// strided is the type of a dense part of a larger buffer.
func strided(shape []int) string {
	strides := make([]int, len(shape))
	step := 1
	for d := len(shape) - 1; d >= 0; d-- {
		strides[d] = step
		step *= shape[d]
	}
	return fmt.Sprintf("memref<%sxf32, strided<[%s], offset: ?>>", dimensions(shape, "x"), dimensions(strides, ","))
}
