package compiler

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"nestling/mlir"
)

// alignment of every buffer of the C interface, in bytes: a cache line and a
// 512-bit vector.
const alignment = 64

// tensor is one argument or result of a function.
type tensor struct {
	shape  []int
	weight bool
}

func (t tensor) bytes() int64 {
	n := int64(4)
	for _, d := range t.shape {
		n *= int64(d)
	}
	return n
}

// signature is a function's interface: arguments and results in order.
type signature struct {
	symbol    string
	arguments []tensor
	results   []tensor
}

// identifier is a name in C that may begin another.
var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// readSignature reads the interface of a function on ranked static f32 tensors.
func readSignature(f mlir.Operation) (signature, error) {
	name, _ := f.Attribute("sym_name")
	symbol, _ := name.Text()
	s := signature{symbol: symbol}
	if !identifier.MatchString(symbol) {
		return s, fmt.Errorf("%s: func.func @%q: the functions of the object file are named after it, so it must be a name in C: letters, digits and _", f.Location(), symbol)
	}
	a, ok := f.Attribute("function_type")
	if !ok {
		return s, fmt.Errorf("%s: function @%s has no type", f.Location(), symbol)
	}
	ft, _ := a.TypeValue()
	weights := argumentWeights(f)
	for i, t := range ft.Inputs() {
		shape, err := floatTensor(t)
		if err != nil {
			return s, fmt.Errorf("%s: func.func @%s: argument %d: %w", f.Location(), symbol, i, err)
		}
		s.arguments = append(s.arguments, tensor{shape: shape, weight: i < len(weights) && weights[i]})
	}
	for i, t := range ft.Results() {
		shape, err := floatTensor(t)
		if err != nil {
			return s, fmt.Errorf("%s: func.func @%s: result %d: %w", f.Location(), symbol, i, err)
		}
		s.results = append(s.results, tensor{shape: shape})
	}
	if len(s.results) == 0 {
		return s, fmt.Errorf("%s: func.func @%s returns nothing; expected at least one tensor", f.Location(), symbol)
	}
	return s, nil
}

// argumentWeights tells which arguments carry `nestling.weight`.
func argumentWeights(f mlir.Operation) []bool {
	attributes, ok := f.Attribute("arg_attrs")
	if !ok {
		return nil
	}
	var out []bool
	for _, dictionary := range attributes.Elements() {
		_, weight := dictionary.Lookup("nestling.weight")
		out = append(out, weight)
	}
	return out
}

// floatTensor checks that a type is a ranked static f32 tensor and returns its shape.
func floatTensor(t mlir.Type) ([]int, error) {
	if !t.IsTensor() {
		return nil, fmt.Errorf("type %s is not supported; expected a ranked tensor of f32", t)
	}
	if !t.Element().IsF32() {
		return nil, fmt.Errorf("element type %s in %s is not supported; expected f32", t.Element(), t)
	}
	shape, static := t.Shape()
	if !static {
		return nil, fmt.Errorf("dynamic shape %s is not supported; give every dimension a size", t)
	}
	for _, d := range shape {
		if d == 0 {
			return nil, errors.New("a tensor without elements is not supported")
		}
	}
	return shape, nil
}

func align(n int64) int64 { return (n + alignment - 1) / alignment * alignment }

// preparedBytes is the size of the area that prepare fills: the weights, one
// after the other, aligned.
func (s signature) preparedBytes() int64 {
	total := int64(0)
	for _, a := range s.arguments {
		if a.weight {
			total += align(a.bytes())
		}
	}
	return total
}

// entryPoints is the LLVM IR of the C interface around the kernel, whose
// parameters are every argument, every result and, if it has any, the workspace.
func (s signature) entryPoints(workspace int64) string {
	var b strings.Builder
	kernel := make([]string, len(s.arguments)+len(s.results))
	for i := range kernel {
		kernel[i] = "ptr"
	}
	if workspace > 0 {
		kernel = append(kernel, "ptr")
	}
	fmt.Fprintf(&b, "declare void @%s_kernel(%s)\n", s.symbol, strings.Join(kernel, ", "))
	b.WriteString("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)\n")
	fmt.Fprintf(&b, `define void @%s_sizes(ptr %%prepared, ptr %%workspace) {
  store i64 %d, ptr %%prepared
  store i64 %d, ptr %%workspace
  ret void
}
`, s.symbol, s.preparedBytes(), workspace)
	s.writePrepare(&b)
	s.writeRun(&b, workspace > 0)
	return b.String()
}

// writePrepare writes NAME_prepare, which copies the weights, and its packed form.
func (s signature) writePrepare(b *strings.Builder) {
	var parameters []string
	for i, a := range s.arguments {
		if a.weight {
			parameters = append(parameters, fmt.Sprintf("ptr %%a%d", i))
		}
	}
	parameters = append(parameters, "ptr %prepared")
	fmt.Fprintf(b, "define void @%s_prepare(%s) {\n", s.symbol, strings.Join(parameters, ", "))
	offset := int64(0)
	for i, a := range s.arguments {
		if !a.weight {
			continue
		}
		fmt.Fprintf(b, "  %%p%d = getelementptr i8, ptr %%prepared, i64 %d\n", i, offset)
		fmt.Fprintf(b, "  call void @llvm.memcpy.p0.p0.i64(ptr %%p%d, ptr %%a%d, i64 %d, i1 false)\n", i, i, a.bytes())
		offset += align(a.bytes())
	}
	b.WriteString("  ret void\n}\n")
	s.writePacked(b, "prepare", len(parameters))
}

// writeRun writes NAME_run and its packed form.
func (s signature) writeRun(b *strings.Builder, workspace bool) {
	var parameters, kernel []string
	var weights strings.Builder
	offset := int64(0)
	for i, a := range s.arguments {
		name := fmt.Sprintf("ptr %%a%d", i)
		kernel = append(kernel, name)
		if a.weight {
			fmt.Fprintf(&weights, "  %%a%d = getelementptr i8, ptr %%prepared, i64 %d\n", i, offset)
			offset += align(a.bytes())
			continue
		}
		parameters = append(parameters, name)
	}
	parameters = append(parameters, "ptr %prepared", "ptr %workspace")
	for i := range s.results {
		name := fmt.Sprintf("ptr %%r%d", i)
		parameters = append(parameters, name)
		kernel = append(kernel, name)
	}
	if workspace {
		kernel = append(kernel, "ptr %workspace")
	}
	fmt.Fprintf(b, "define void @%s_run(%s) {\n%s  call void @%s_kernel(%s)\n  ret void\n}\n",
		s.symbol, strings.Join(parameters, ", "), weights.String(), s.symbol, strings.Join(kernel, ", "))
	s.writePacked(b, "run", len(parameters))
}

// writePacked writes the form of an entry point that takes its n pointers as an array.
func (s signature) writePacked(b *strings.Builder, entry string, n int) {
	fmt.Fprintf(b, "define void @%s_%s_packed(ptr %%args) {\n", s.symbol, entry)
	list := make([]string, n)
	for i := range n {
		fmt.Fprintf(b, "  %%s%d = getelementptr ptr, ptr %%args, i64 %d\n  %%v%d = load ptr, ptr %%s%d\n", i, i, i, i)
		list[i] = fmt.Sprintf("ptr %%v%d", i)
	}
	fmt.Fprintf(b, "  call void @%s_%s(%s)\n  ret void\n}\n", s.symbol, entry, strings.Join(list, ", "))
}

// header is the C header of the interface.
func (s signature) header() string {
	var weights, inputs, outputs []string
	var about strings.Builder
	for i, a := range s.arguments {
		kind := "input"
		if a.weight {
			kind = "weight"
			weights = append(weights, fmt.Sprintf("const float *weight%d", i))
		} else {
			inputs = append(inputs, fmt.Sprintf("const float *input%d", i))
		}
		fmt.Fprintf(&about, " *   %s%d: %s\n", kind, i, dimensions(a.shape))
	}
	for i, r := range s.results {
		outputs = append(outputs, fmt.Sprintf("float *output%d", i))
		fmt.Fprintf(&about, " *   output%d: %s\n", i, dimensions(r.shape))
	}
	guard := strings.ToUpper(s.symbol) + "_H"
	return fmt.Sprintf(`#ifndef %[1]s
#define %[1]s
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/* %[2]s: tensors are row-major float32, every pointer aligned to %[3]d bytes,
 * and no two buffers overlap.
%[4]s */

/* How many bytes `+"`prepared` and `workspace`"+` must have. */
void %[2]s_sizes(int64_t *prepared_bytes, int64_t *workspace_bytes);

/* Once, before the first run, and again when a weight changes. */
void %[2]s_prepare(%[5]s);

/* A workspace serves one call at a time; what it holds does not matter. */
void %[2]s_run(%[6]s);

/* The same with the pointers in an array, in the order above. */
void %[2]s_prepare_packed(void **arguments);
void %[2]s_run_packed(void **arguments);

#ifdef __cplusplus
}
#endif
#endif
`, guard, s.symbol, alignment, about.String(),
		strings.Join(append(weights, "void *prepared"), ", "),
		strings.Join(append(append(inputs, "const void *prepared", "void *workspace"), outputs...), ", "))
}

func dimensions(shape []int) string {
	if len(shape) == 0 {
		return "scalar"
	}
	parts := make([]string, len(shape))
	for i, d := range shape {
		parts[i] = fmt.Sprint(d)
	}
	return strings.Join(parts, " x ")
}
