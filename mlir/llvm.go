package mlir

/*
#include "bridge.h"

static void nestlingInitializeTargets(void) {
  LLVMInitializeAllTargetInfos();
  LLVMInitializeAllTargets();
  LLVMInitializeAllTargetMCs();
  LLVMInitializeAllAsmPrinters();
  LLVMInitializeAllAsmParsers();
}

static void nestlingNoInline(LLVMContextRef context, LLVMValueRef function) {
  unsigned kind = LLVMGetEnumAttributeKindForName("noinline", strlen("noinline"));
  LLVMAddAttributeAtIndex(function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                          LLVMCreateEnumAttribute(context, kind, 0));
}
*/
import "C"

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"
)

var initializeTargets = sync.OnceFunc(func() { C.nestlingInitializeTargets() })

// Version is LLVM's version: "22.1.8".
func Version() string {
	var major, minor, patch C.uint
	C.LLVMGetVersion(&major, &minor, &patch)
	return fmt.Sprintf("%d.%d.%d", major, minor, patch)
}

// TargetMachine generates code for one CPU.
type TargetMachine struct {
	raw           C.LLVMTargetMachineRef
	CPU, Features string
}

// HostCPU is LLVM's name for this machine's CPU and its features.
func HostCPU() (cpu, features string) {
	return message(C.LLVMGetHostCPUName()), message(C.LLVMGetHostCPUFeatures())
}

// NewTargetMachine makes one for the host's operating system and the named CPU,
// or for the host itself when cpu is empty. extra features are appended.
func NewTargetMachine(cpu, extra string) (*TargetMachine, error) {
	initializeTargets()
	features := ""
	if cpu == "" {
		cpu, features = HostCPU()
	}
	if extra != "" {
		if features != "" {
			features += ","
		}
		features += extra
	}
	triple := C.LLVMGetDefaultTargetTriple()
	defer C.LLVMDisposeMessage(triple)
	var target C.LLVMTargetRef
	var problem *C.char
	if C.LLVMGetTargetFromTriple(triple, &target, &problem) != 0 {
		return nil, errors.New(message(problem))
	}
	ccpu, cfeatures := C.CString(cpu), C.CString(features)
	defer C.free(unsafe.Pointer(ccpu))
	defer C.free(unsafe.Pointer(cfeatures))
	raw := C.LLVMCreateTargetMachine(target, triple, ccpu, cfeatures,
		C.LLVMCodeGenLevelAggressive, C.LLVMRelocPIC, C.LLVMCodeModelDefault)
	if raw == nil {
		return nil, fmt.Errorf("LLVM has no code generator for cpu %q", cpu)
	}
	return &TargetMachine{raw: raw, CPU: cpu, Features: features}, nil
}

// Close frees the target machine.
func (t *TargetMachine) Close() { C.LLVMDisposeTargetMachine(t.raw) }

// LLVMModule is a module of LLVM IR with its own context.
type LLVMModule struct {
	context C.LLVMContextRef
	raw     C.LLVMModuleRef
}

// ToLLVM translates a module in the LLVM dialect.
func (m *Module) ToLLVM() (*LLVMModule, error) {
	context := C.LLVMContextCreate()
	raw := C.mlirTranslateModuleToLLVMIR(C.mlirModuleGetOperation(m.raw), context)
	if raw == nil {
		C.LLVMContextDispose(context)
		return nil, m.context.complaint("translation to LLVM IR")
	}
	return &LLVMModule{context: context, raw: raw}, nil
}

// ParseLLVM reads textual LLVM IR.
func ParseLLVM(source string) (*LLVMModule, error) {
	context := C.LLVMContextCreate()
	csource, cname := C.CString(source), C.CString("input.ll")
	defer C.free(unsafe.Pointer(csource))
	defer C.free(unsafe.Pointer(cname))
	buffer := C.LLVMCreateMemoryBufferWithMemoryRangeCopy(csource, C.size_t(len(source)), cname)
	var raw C.LLVMModuleRef
	var problem *C.char
	if C.LLVMParseIRInContext2(context, buffer, &raw, &problem) != 0 {
		C.LLVMContextDispose(context)
		return nil, errors.New(message(problem))
	}
	return &LLVMModule{context: context, raw: raw}, nil
}

// Close frees the module.
func (l *LLVMModule) Close() {
	C.LLVMDisposeModule(l.raw)
	C.LLVMContextDispose(l.context)
}

// String prints the module as LLVM IR.
func (l *LLVMModule) String() string { return message(C.LLVMPrintModuleToString(l.raw)) }

// Link moves every definition of other, which is used up, into l.
func (l *LLVMModule) Link(source string) error {
	csource, cname := C.CString(source), C.CString("entry.ll")
	defer C.free(unsafe.Pointer(csource))
	defer C.free(unsafe.Pointer(cname))
	buffer := C.LLVMCreateMemoryBufferWithMemoryRangeCopy(csource, C.size_t(len(source)), cname)
	var other C.LLVMModuleRef
	var problem *C.char
	if C.LLVMParseIRInContext2(l.context, buffer, &other, &problem) != 0 {
		return fmt.Errorf("parsing IR to link: %s", message(problem))
	}
	if C.LLVMLinkModules2(l.raw, other) != 0 {
		return errors.New("linking IR: symbols clash")
	}
	return nil
}

// Rename renames a function and makes it private to the module.
func (l *LLVMModule) Rename(function, to string) error {
	cname := C.CString(function)
	defer C.free(unsafe.Pointer(cname))
	f := C.LLVMGetNamedFunction(l.raw, cname)
	if f == nil {
		return fmt.Errorf("no function %q in the LLVM module", function)
	}
	cto := C.CString(to)
	defer C.free(unsafe.Pointer(cto))
	C.LLVMSetValueName2(f, cto, C.size_t(len(to)))
	return nil
}

// Seclude makes a function private to the module and keeps it out of its
// callers. Inlined, its arguments' promises not to overlap become metadata on
// every access, on which LLVM's passes can spend minutes.
func (l *LLVMModule) Seclude(function string) {
	cname := C.CString(function)
	defer C.free(unsafe.Pointer(cname))
	f := C.LLVMGetNamedFunction(l.raw, cname)
	if f == nil {
		return
	}
	C.LLVMSetLinkage(f, C.LLVMInternalLinkage)
	C.nestlingNoInline(l.context, f)
}

// Optimize runs LLVM's pass pipeline ("default<O3>") for the target.
func (l *LLVMModule) Optimize(t *TargetMachine, pipeline string) error {
	triple := C.LLVMGetTargetMachineTriple(t.raw)
	C.LLVMSetTarget(l.raw, triple)
	C.LLVMDisposeMessage(triple)
	layout := C.LLVMCreateTargetDataLayout(t.raw)
	C.LLVMSetModuleDataLayout(l.raw, layout)
	C.LLVMDisposeTargetData(layout)
	options := C.LLVMCreatePassBuilderOptions()
	defer C.LLVMDisposePassBuilderOptions(options)
	C.LLVMPassBuilderOptionsSetLoopVectorization(options, 1)
	C.LLVMPassBuilderOptionsSetSLPVectorization(options, 1)
	C.LLVMPassBuilderOptionsSetLoopInterleaving(options, 1)
	C.LLVMPassBuilderOptionsSetLoopUnrolling(options, 1)
	cpipeline := C.CString(pipeline)
	defer C.free(unsafe.Pointer(cpipeline))
	if problem := C.nestlingErrorMessage(C.LLVMRunPasses(l.raw, cpipeline, t.raw, options)); problem != nil {
		defer C.free(unsafe.Pointer(problem))
		return fmt.Errorf("LLVM passes %q: %s", pipeline, C.GoString(problem))
	}
	return nil
}

// EmitObject generates a relocatable object file.
func (l *LLVMModule) EmitObject(t *TargetMachine) ([]byte, error) {
	return l.emit(t, C.LLVMObjectFile)
}

// EmitAssembly generates assembly text.
func (l *LLVMModule) EmitAssembly(t *TargetMachine) (string, error) {
	b, err := l.emit(t, C.LLVMAssemblyFile)
	return string(b), err
}

func (l *LLVMModule) emit(t *TargetMachine, kind C.LLVMCodeGenFileType) ([]byte, error) {
	var problem *C.char
	var buffer C.LLVMMemoryBufferRef
	// Code generation changes the module, so it works on a copy.
	clone := C.LLVMCloneModule(l.raw)
	defer C.LLVMDisposeModule(clone)
	if C.LLVMTargetMachineEmitToMemoryBuffer(t.raw, clone, kind, &problem, &buffer) != 0 {
		return nil, fmt.Errorf("emitting code: %s", message(problem))
	}
	defer C.LLVMDisposeMemoryBuffer(buffer)
	return C.GoBytes(unsafe.Pointer(C.LLVMGetBufferStart(buffer)), C.int(C.LLVMGetBufferSize(buffer))), nil
}

// message takes over a string that LLVM allocated.
func message(s *C.char) string {
	if s == nil {
		return ""
	}
	defer C.LLVMDisposeMessage(s)
	return C.GoString(s)
}
