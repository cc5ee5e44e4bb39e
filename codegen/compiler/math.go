package compiler

import (
	_ "embed"
	"regexp"
	"strings"

	"nestling/mlir"
)

// mathFunctions are exp, tanh and erf by arithmetic alone, for a type F of floats, the
// type I of as many integers and B of as many truth values. Their relative error is
// below 1e-6 where the result is no subnormal number.
//
//go:embed math.mlir
var mathFunctions string

// expanded says which function replaces which operation.
var expanded = map[string]string{"math.exp": "nestling.exp", "math.tanh": "nestling.tanh", "math.erf": "nestling.erf"}

// expandMath computes exponentials and the like inline, of scalars as well as of
// vectors: a library takes one element at a time, and no loop with a call in it can
// be vectorized.
func (j *job) expandMath() error {
	suffixes := map[string]string{} // of the functions for a type
	for _, op := range j.module.Operation().Nested() {
		function, known := expanded[op.Name()]
		if !known {
			continue
		}
		t := op.Result(0).Type().String()
		if _, defined := suffixes[t]; !defined {
			suffixes[t] = "." + strings.NewReplacer("<", "", ">", "").Replace(t)
			if err := j.defineMath(t, suffixes[t]); err != nil {
				return err
			}
		}
		if err := j.replaceByCall(op, function+suffixes[t]); err != nil {
			return err
		}
	}
	if len(suffixes) == 0 {
		return nil
	}
	return j.module.Run("builtin.module(inline,symbol-dce)")
}

// replaceByCall calls a function with the operation's operand instead.
func (j *job) replaceByCall(op mlir.Operation, function string) error {
	c := j.compiler.context
	callee, err := c.ParseAttribute("@" + function)
	if err != nil {
		return err
	}
	call, err := c.Create("func.call", op.Operands(), []mlir.Type{op.Result(0).Type()}, []mlir.Named{{Name: "callee", Value: callee}}, 0)
	if err != nil {
		return err
	}
	op.Block().InsertBefore(op, call)
	op.Result(0).ReplaceAllUses(call.Result(0))
	op.Erase()
	return nil
}

// defineMath adds the functions for a type, f32 or vector<4x16xf32>, to the module.
func (j *job) defineMath(t, suffix string) error {
	text, err := j.compiler.context.Parse(mathFor(t, suffix), "math.mlir")
	if err != nil {
		return err
	}
	defer text.Close()
	body := j.module.Operation().Body()
	for _, f := range text.Operation().Body().Operations() {
		f.MoveBefore(body.Operations()[0])
	}
	return nil
}

var (
	typeLetter = regexp.MustCompile(`\b[FIB]\b`)
	symbol     = regexp.MustCompile(`@nestling\.\w+`)
	splat      = regexp.MustCompile(`dense<([^>]*)>`)
)

// mathFor writes the functions for a type.
func mathFor(t, suffix string) string {
	text := symbol.ReplaceAllString(mathFunctions, "$0"+suffix)
	if t == "f32" {
		text = splat.ReplaceAllString(text, "$1")
	}
	types := map[string]string{"F": t, "I": strings.Replace(t, "f32", "i32", 1), "B": strings.Replace(t, "f32", "i1", 1)}
	text = typeLetter.ReplaceAllStringFunc(text, func(letter string) string { return types[letter] })
	return "module {\n" + text + "}\n"
}
