package compiler

import (
	"fmt"
	"strings"
)

// entry is the C interface around the two functions of a module that
// program.Print wrote.
type entry struct {
	run  signature
	once *signature // nil if nothing is prepared
}

// weights are what the function that runs once reads.
func (e entry) weights() []tensor {
	if e.once == nil {
		return nil
	}
	return e.once.arguments
}

// preparedBytes is the size of the area that prepare fills: what it computes,
// one after the other, aligned.
func (e entry) preparedBytes() int64 {
	total := int64(0)
	for _, a := range e.run.arguments {
		if a.prepared {
			total += align(a.bytes())
		}
	}
	return total
}

// kernel is the name of the function that the entry point `run` calls.
func (e entry) kernel() string { return e.run.symbol + "_kernel" }

// prepareKernel is the same for `prepare`.
func (e entry) prepareKernel() string { return e.run.symbol + "_prepare_kernel" }

// llvm is the LLVM IR of the C interface. The kernel's parameters are every
// argument, every result and, if it has any, the workspace; those of the kernel
// that prepares, weights and what it computes.
func (e entry) llvm(workspace int64, streams bool) string {
	var b strings.Builder
	pointers := len(e.run.arguments) + len(e.run.results)
	if workspace > 0 {
		pointers++
	}
	fmt.Fprintf(&b, "declare void @%s(%s)\n", e.kernel(), repeat("ptr", pointers))
	if e.once != nil {
		fmt.Fprintf(&b, "declare void @%s(%s)\n", e.prepareKernel(), repeat("ptr", len(e.once.arguments)+len(e.once.results)))
	}
	fmt.Fprintf(&b, `define void @%s_sizes(ptr %%prepared, ptr %%workspace) {
  store i64 %d, ptr %%prepared
  store i64 %d, ptr %%workspace
  ret void
}
`, e.run.symbol, e.preparedBytes(), workspace)
	e.writePrepare(&b)
	e.writeRun(&b, workspace > 0, streams)
	return b.String()
}

func repeat(word string, n int) string {
	return strings.TrimSuffix(strings.Repeat(word+", ", n), ", ")
}

// writePrepare writes NAME_prepare and its packed form.
func (e entry) writePrepare(b *strings.Builder) {
	var parameters, kernel []string
	for i := range e.weights() {
		parameters = append(parameters, fmt.Sprintf("ptr %%w%d", i))
	}
	kernel = append(kernel, parameters...)
	parameters = append(parameters, "ptr %prepared")
	places, text := e.preparedPlaces()
	fmt.Fprintf(b, "define void @%s_prepare(%s) {\n", e.run.symbol, strings.Join(parameters, ", "))
	if e.once != nil {
		fmt.Fprintf(b, "%s  call void @%s(%s)\n", text, e.prepareKernel(), strings.Join(append(kernel, places...), ", "))
	}
	b.WriteString("  ret void\n}\n")
	e.writePacked(b, "prepare", len(parameters))
}

// preparedPlaces are pointers to each part of the prepared area, with the
// instructions that make them.
func (e entry) preparedPlaces() (places []string, text string) {
	offset := int64(0)
	for i, a := range e.run.arguments {
		if !a.prepared {
			continue
		}
		text += fmt.Sprintf("  %%p%d = getelementptr i8, ptr %%prepared, i64 %d\n", i, offset)
		places = append(places, fmt.Sprintf("ptr %%p%d", i))
		offset += align(a.bytes())
	}
	return places, text
}

// writeRun writes NAME_run and its packed form. What was stored past the caches may
// arrive late, unless it is waited for.
func (e entry) writeRun(b *strings.Builder, workspace, streams bool) {
	var parameters, kernel []string
	places, text := e.preparedPlaces()
	for i, a := range e.run.arguments {
		if a.prepared {
			continue
		}
		parameters = append(parameters, fmt.Sprintf("ptr %%a%d", i))
	}
	kernel = append(append(kernel, parameters...), places...)
	parameters = append(parameters, "ptr %prepared", "ptr %workspace")
	for i := range e.run.results {
		name := fmt.Sprintf("ptr %%r%d", i)
		parameters = append(parameters, name)
		kernel = append(kernel, name)
	}
	if workspace {
		kernel = append(kernel, "ptr %workspace")
	}
	wait := ""
	if streams {
		wait = "  fence seq_cst\n"
	}
	fmt.Fprintf(b, "define void @%s_run(%s) {\n%s  call void @%s(%s)\n%s  ret void\n}\n",
		e.run.symbol, strings.Join(parameters, ", "), text, e.kernel(), strings.Join(kernel, ", "), wait)
	e.writePacked(b, "run", len(parameters))
}

// writePacked writes the form of an entry point that takes its n pointers as an array.
func (e entry) writePacked(b *strings.Builder, name string, n int) {
	symbol := e.run.symbol
	fmt.Fprintf(b, "define void @%s_%s_packed(ptr %%args) {\n", symbol, name)
	list := make([]string, n)
	for i := range n {
		fmt.Fprintf(b, "  %%s%d = getelementptr ptr, ptr %%args, i64 %d\n  %%v%d = load ptr, ptr %%s%d\n", i, i, i, i)
		list[i] = fmt.Sprintf("ptr %%v%d", i)
	}
	fmt.Fprintf(b, "  call void @%s_%s(%s)\n  ret void\n}\n", symbol, name, strings.Join(list, ", "))
}

// header is the C header of the interface.
func (e entry) header() string {
	var weights, inputs, outputs []string
	var about strings.Builder
	for _, a := range e.run.arguments {
		if !a.prepared {
			inputs = append(inputs, fmt.Sprintf("const float *input%d", a.number))
			fmt.Fprintf(&about, " *   input%d: %s\n", a.number, dimensions(a.shape))
		}
	}
	for _, a := range e.weights() {
		weights = append(weights, fmt.Sprintf("const float *weight%d", a.number))
		fmt.Fprintf(&about, " *   weight%d: %s\n", a.number, dimensions(a.shape))
	}
	for i, r := range e.run.results {
		outputs = append(outputs, fmt.Sprintf("float *output%d", i))
		fmt.Fprintf(&about, " *   output%d: %s\n", i, dimensions(r.shape))
	}
	guard := strings.ToUpper(e.run.symbol) + "_H"
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
`, guard, e.run.symbol, alignment, about.String(),
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
