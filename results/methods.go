package results

import (
	"path/filepath"
	"slices"
)

// Names of the methods, as the results files spell them.
const (
	Agent          = "RL-Optimized"
	PyTorchDefault = "PyTorch-Default"
	PyTorchJIT     = "PyTorch-JIT"
	PyTorchCompile = "PyTorch-Compile"
	// PyTorchChannelsLast is PyTorch-Default on images given channels-last, which
	// stay so.
	PyTorchChannelsLast = "PyTorch-Channels-Last"
)

// Method is one way to run a benchmark, and where its results live.
type Method struct {
	Name     string `json:"name"`     // key in comparison_results.json: "RL-Optimized"
	File     string `json:"file"`     // in a run's benchmarks folder: "agent_output.json"
	Command  string `json:"command"`  // what a user types to make the file
	Optional bool   `json:"optional"` // not on every machine; a comparison goes without it
}

// Methods lists every method, in the order tables and plots show them.
var Methods = []Method{
	{Name: Agent, File: "agent_output.json", Command: "nestling bench agent"},
	{Name: PyTorchDefault, File: "pytorch_output.json", Command: "nestling bench pytorch"},
	{Name: PyTorchJIT, File: "pytorch_jit_output.json", Command: "nestling bench pytorch-jit"},
	{Name: PyTorchCompile, File: "pytorch_compile_output.json", Command: "nestling bench pytorch-compile", Optional: true},
	{Name: PyTorchChannelsLast, File: "pytorch_channels_last_output.json", Command: "nestling bench pytorch-channels-last", Optional: true},
}

// MethodNamed finds a method by its name.
func MethodNamed(name string) (Method, bool) {
	return findMethod(func(m Method) bool { return m.Name == name })
}

// methodOfFile finds the method whose results a path holds, by its file name.
func methodOfFile(path string) (Method, bool) {
	return findMethod(func(m Method) bool { return m.File == filepath.Base(path) })
}

func findMethod(is func(Method) bool) (Method, bool) {
	if i := slices.IndexFunc(Methods, is); i >= 0 {
		return Methods[i], true
	}
	return Method{}, false
}
