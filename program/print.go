package program

import (
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Attributes of the module that Print writes.
const (
	// AttributeOp names an operation: nestling.op = "matmul0".
	AttributeOp = "nestling.op"
	// AttributePrepare marks the function that runs once.
	AttributePrepare = "nestling.prepare"
	// AttributePrepared marks the arguments that it computes.
	AttributePrepared = "nestling.prepared"
	// AttributeArgument tells which argument of the program another one is.
	AttributeArgument = "nestling.argument"
)

// Print writes a program as an MLIR module of up to two functions,
//
//	func.func @NAME(inputs..., prepared...) -> results
//	func.func @NAME_prepare(weights...) -> prepared
//
// The second computes what depends on weights alone, as far as the first reads
// it; a program without weights does without. Operations are tagged
// linalg.generic, except those that are written out.
func Print(p *Program) string {
	prepared := p.Prepared()
	var b strings.Builder
	b.WriteString("module {\n")
	run := printer{program: p, prepared: prepared, names: map[int]string{}}
	run.function(&b)
	if p.prepares() {
		once := printer{program: p, once: true, prepared: prepared, names: map[int]string{}}
		once.function(&b)
	}
	b.WriteString("}\n")
	return b.String()
}

// Prepared lists the values that are computed ahead of time and read at run
// time, in the order in which the prepare function returns them.
func (p *Program) Prepared() []int {
	var out []int
	need := func(v int) {
		if p.ahead(v) && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	for i := range p.Ops {
		if p.Values[p.Ops[i].Result].Weight || p.Ops[i].Inside > 0 {
			continue
		}
		for _, o := range p.Ops[i].Operands {
			need(o.Value)
		}
	}
	for _, v := range p.Values {
		if v.Weight {
			continue
		}
		switch v.Kind {
		case ValueInsert:
			need(v.Source)
			need(v.Base)
		case ValueSlice, ValueReshape:
			need(v.Base)
		}
	}
	for _, r := range p.Results {
		need(r)
	}
	return out
}

// ahead reports whether a value is known ahead of time and has to be kept:
// constants are in the code.
func (p *Program) ahead(v int) bool {
	return p.Values[v].Weight && p.Values[v].Kind != ValueConstant
}

// prepares reports whether there is anything to do ahead of time.
func (p *Program) prepares() bool {
	return len(p.Prepared()) > 0 || slices.ContainsFunc(p.Args, func(v int) bool { return p.Values[v].Weight })
}

// printer writes one of the two functions.
type printer struct {
	program  *Program
	once     bool // the function that runs once
	prepared []int
	prefix   string
	names    map[int]string // SSA name of each value defined so far
	text     strings.Builder
}

// PrintPart writes operations as statements, for the code of a written-out
// operation. names holds the SSA names of what they read from outside, and gets
// those of what they compute, which begin with a prefix of their own.
func PrintPart(p *Program, ops []int, names map[int]string, prefix string) string {
	w := printer{program: p, prefix: prefix, names: names}
	for _, op := range ops {
		w.op(&p.Ops[op])
	}
	return w.text.String()
}

func (w *printer) line(format string, arguments ...any) {
	fmt.Fprintf(&w.text, "    "+format+"\n", arguments...)
}

func (w *printer) function(b *strings.Builder) {
	parameters := w.parameters()
	for i := range w.program.Ops {
		o := &w.program.Ops[i]
		if o.Inside == 0 && w.program.Values[o.Result].Weight == w.once {
			w.op(o)
		}
	}
	results, symbol, attributes := w.program.Results, w.program.Name, ""
	if w.once {
		results, symbol, attributes = w.prepared, symbol+"_prepare", " attributes {"+AttributePrepare+"}"
	}
	names, types := make([]string, len(results)), make([]string, len(results))
	for i, r := range results {
		names[i], types[i] = w.value(r), w.typ(r)
	}
	fmt.Fprintf(b, "  func.func @%s(%s) -> (%s)%s {\n%s", symbol, parameters, strings.Join(types, ", "), attributes, w.text.String())
	if len(results) == 0 {
		b.WriteString("    return\n  }\n")
		return
	}
	fmt.Fprintf(b, "    return %s : %s\n  }\n", strings.Join(names, ", "), strings.Join(types, ", "))
}

// parameters declares the function's arguments and names them.
func (w *printer) parameters() string {
	var list []string
	for i, v := range w.program.Args {
		if w.program.Values[v].Weight != w.once {
			continue
		}
		w.names[v] = fmt.Sprintf("%%a%d", i)
		list = append(list, fmt.Sprintf("%s: %s {%s = %d : i64}", w.names[v], w.typ(v), AttributeArgument, i))
	}
	if !w.once {
		for i, v := range w.prepared {
			w.names[v] = fmt.Sprintf("%%p%d", i)
			list = append(list, fmt.Sprintf("%s: %s {%s}", w.names[v], w.typ(v), AttributePrepared))
		}
	}
	return strings.Join(list, ", ")
}

// value is the name of a value; it is defined first if need be, with all that it
// is made of.
func (w *printer) value(index int) string {
	if name, known := w.names[index]; known {
		return name
	}
	v := &w.program.Values[index]
	name := fmt.Sprintf("%%%sv%d", w.prefix, index)
	switch v.Kind {
	case ValueConstant:
		w.line("%s = arith.constant %s : %s", name, w.literal(v), w.typ(index))
	case ValueEmpty:
		w.line("%s = tensor.empty() : %s", name, w.typ(index))
	case ValueReshape:
		w.reshape(name, index)
	case ValueSlice:
		base := w.value(v.Base)
		w.line("%s = tensor.extract_slice %s%s : %s to %s", name, base, window(v, v.Shape), w.typ(v.Base), w.typ(index))
	case ValueInsert:
		source, base := w.value(v.Source), w.value(v.Base)
		w.line("%s = tensor.insert_slice %s into %s%s : %s into %s", name, source, base,
			window(v, w.program.Values[v.Source].Shape), w.typ(v.Source), w.typ(v.Base))
	default:
		panic(fmt.Sprintf("program %s: value %d (%s) is used before it is defined", w.program.Name, index, v.Kind))
	}
	w.names[index] = name
	return name
}

// window is where a slice lies in its base: offsets, sizes, strides.
func window(v *Value, sizes []int) string {
	return "[" + list(v.Offsets) + "] [" + list(sizes) + "] [" + list(v.Strides) + "]"
}

func (w *printer) literal(v *Value) string {
	switch {
	case v.Scalar:
		return float(v.Splat)
	case v.IsSplat:
		return "dense<" + float(v.Splat) + ">"
	}
	return `dense<"0x` + strings.ToUpper(hex.EncodeToString(v.Data)) + `">`
}

// float is exact: the bits, which MLIR takes for a float32.
func float(x float32) string { return fmt.Sprintf("0x%08X", math.Float32bits(x)) }

// reshape writes a value of the same elements in another shape: expanded or
// collapsed, or one after the other.
func (w *printer) reshape(name string, index int) {
	v := &w.program.Values[index]
	base := w.value(v.Base)
	from := w.program.Values[v.Base].Shape
	if groups, ok := regroup(v.Shape, from); ok {
		w.line("%s = tensor.expand_shape %s %s output_shape [%s] : %s into %s", name, base, groups, list(v.Shape), w.typ(v.Base), w.typ(index))
		return
	}
	if groups, ok := regroup(from, v.Shape); ok {
		w.line("%s = tensor.collapse_shape %s %s : %s into %s", name, base, groups, w.typ(v.Base), w.typ(index))
		return
	}
	flat := TensorType([]int{v.Elements()})
	all := func(rank int) string {
		dimensions := make([]int, rank)
		for d := range dimensions {
			dimensions[d] = d
		}
		return "[[" + list(dimensions) + "]]"
	}
	w.line("%s_flat = tensor.collapse_shape %s %s : %s into %s", name, base, all(len(from)), w.typ(v.Base), flat)
	w.line("%s = tensor.expand_shape %s_flat %s output_shape [%s] : %s into %s", name, name, all(len(v.Shape)), list(v.Shape), flat, w.typ(index))
}

// regroup finds which neighbouring dimensions of the longer shape make up each
// of the shorter, in MLIR's notation; false if there is no such grouping.
func regroup(long, short []int) (string, bool) {
	groups := make([]string, len(short))
	d := 0
	for i, want := range short {
		var group []int
		product := 1
		// Ones that no later dimension needs go with the earlier.
		for d < len(long) && (len(group) == 0 || product < want || long[d] == 1 && len(long)-d > len(short)-i-1) {
			product *= long[d]
			group = append(group, d)
			d++
		}
		if product != want || len(group) == 0 {
			return "", false
		}
		groups[i] = "[" + list(group) + "]"
	}
	scalar := len(short) == 0 && !slices.ContainsFunc(long, func(n int) bool { return n != 1 })
	return "[" + strings.Join(groups, ", ") + "]", d == len(long) || scalar
}

// op writes an operation.
func (w *printer) op(o *Op) {
	operands, types := make([]string, len(o.Operands)), make([]string, len(o.Operands))
	for i, operand := range o.Operands {
		operands[i], types[i] = w.value(operand.Value), w.typ(operand.Value)
	}
	name := fmt.Sprintf("%%%sv%d", w.prefix, o.Result)
	if o.Code != "" {
		w.written(o, name, operands)
	} else {
		w.generic(o, name, operands, types)
	}
	w.names[o.Result] = name
}

// written puts the names of this function into an operation that is written out.
func (w *printer) written(o *Op, name string, operands []string) {
	pairs := []string{"%out", name}
	for i, operand := range slices.Backward(operands) { // %in10 before %in1
		pairs = append(pairs, fmt.Sprintf("%%in%d", i), operand)
	}
	w.text.WriteString(strings.NewReplacer(pairs...).Replace(o.Code))
}

func (w *printer) generic(o *Op, name string, operands, types []string) {
	n := len(operands) - 1
	maps, iterators := make([]string, n+1), make([]string, len(o.Loops))
	for i, operand := range o.Operands {
		maps[i] = "affine_map<" + operand.Map.text(len(o.Loops)) + ">"
	}
	for l, loop := range o.Loops {
		iterators[l] = `"` + string(loop.Iterator) + `"`
	}
	inputs := ""
	if n > 0 {
		inputs = fmt.Sprintf("ins(%s : %s) ", strings.Join(operands[:n], ", "), strings.Join(types[:n], ", "))
	}
	w.line("%s = linalg.generic {indexing_maps = [%s], iterator_types = [%s]} %souts(%s : %s) attrs = {%s = %q} {",
		name, strings.Join(maps, ", "), strings.Join(iterators, ", "), inputs, operands[n], types[n], AttributeOp, o.Name)
	w.body(o)
	w.line("} -> %s", w.typ(o.Result))
}

// body writes the scalar computation. Registers are %r0, %r1, …
func (w *printer) body(o *Op) {
	arguments := make([]string, len(o.Operands))
	for i := range arguments {
		arguments[i] = fmt.Sprintf("%%r%d: f32", i)
	}
	w.line("^bb0(%s):", strings.Join(arguments, ", "))
	for i, in := range o.Body {
		w.instruction(fmt.Sprintf("%%r%d", len(o.Operands)+i), in)
	}
	w.line("  linalg.yield %%r%d : f32", o.Yield)
}

func (w *printer) instruction(name string, in Instruction) {
	registers := make([]string, len(in.Args))
	for i, a := range in.Args {
		registers[i] = fmt.Sprintf("%%r%d", a)
	}
	all := strings.Join(registers, ", ")
	switch in.Op {
	case "constant":
		w.line("  %s = arith.constant %s : f32", name, float(float32(in.Const)))
	case "index":
		w.line("  %s_index = linalg.index %d : index", name, in.Args[0])
		w.line("  %s_integer = arith.index_cast %s_index : index to i64", name, name)
		w.line("  %s = arith.sitofp %s_integer : i64 to f32", name, name)
	case "arith.cmpf":
		w.line("  %s = arith.cmpf %s, %s : f32", name, in.Predicate, all)
	default:
		w.line("  %s = %s %s : f32", name, in.Op, all)
	}
}

// text is the map in MLIR's notation: (d0, d1) -> (d0 + d1 * 2, 0).
func (m AccessMap) text(loops int) string {
	names := make([]string, loops)
	for l := range names {
		names[l] = fmt.Sprintf("d%d", l)
	}
	results := make([]string, len(m.Coefficients))
	for d, row := range m.Coefficients {
		var terms []string
		for l, c := range row {
			switch c {
			case 0:
			case 1:
				terms = append(terms, names[l])
			default:
				terms = append(terms, fmt.Sprintf("%s * %d", names[l], c))
			}
		}
		if m.Offsets[d] != 0 || len(terms) == 0 {
			terms = append(terms, fmt.Sprint(m.Offsets[d]))
		}
		results[d] = strings.Join(terms, " + ")
	}
	return "(" + strings.Join(names, ", ") + ") -> (" + strings.Join(results, ", ") + ")"
}

func (w *printer) typ(value int) string {
	if v := &w.program.Values[value]; v.Scalar {
		return "f32"
	}
	return TensorType(w.program.Values[value].Shape)
}

// TensorType is MLIR's name of a tensor: tensor<4x8xf32>.
func TensorType(shape []int) string {
	var b strings.Builder
	for _, d := range shape {
		fmt.Fprintf(&b, "%dx", d)
	}
	return "tensor<" + b.String() + "f32>"
}

func list(numbers []int) string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(numbers)), ", "), "[]")
}
