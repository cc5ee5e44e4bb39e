// The C side of package mlir: what is clumsy or slow to say through cgo.
#ifndef NESTLING_MLIR_BRIDGE_H
#define NESTLING_MLIR_BRIDGE_H

#include <llvm-c/Core.h>
#include <llvm-c/Error.h>
#include <llvm-c/IRReader.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Linker.h>
#include <llvm-c/Orc.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <mlir-c/AffineExpr.h>
#include <mlir-c/AffineMap.h>
#include <mlir-c/BuiltinAttributes.h>
#include <mlir-c/BuiltinTypes.h>
#include <mlir-c/Diagnostics.h>
#include <mlir-c/Dialect/Linalg.h>
#include <mlir-c/Dialect/Transform.h>
#include <mlir-c/Dialect/Transform/Interpreter.h>
#include <mlir-c/IR.h>
#include <mlir-c/Pass.h>
#include <mlir-c/RegisterEverything.h>
#include <mlir-c/Target/LLVMIR.h>
#include <stdlib.h>
#include <string.h>

// A growing text. Filled by MLIR's print callbacks.
typedef struct {
  char *data;
  size_t length, capacity;
} NestlingText;

void nestlingTextFree(NestlingText *text);
void nestlingTextAppend(NestlingText *text, MlirStringRef piece);

// Parses a pass pipeline; what is wrong with it is appended to `problems`.
MlirLogicalResult nestlingParsePipeline(MlirOpPassManager into,
                                        MlirStringRef pipeline,
                                        NestlingText *problems);

// Appends every operation below `op`, in pre-order, to a malloc'ed array.
size_t nestlingCollectOperations(MlirOperation op, MlirOperation **out);

// What MLIR said since the text was last emptied: errors as lines
// "file:line:column: message", notes indented below them.
MlirDiagnosticHandlerID nestlingCollectDiagnostics(MlirContext context,
                                                   NestlingText *into);

void nestlingPrintOperation(MlirOperation op, int generic, NestlingText *into);
void nestlingPrintAttribute(MlirAttribute attribute, NestlingText *into);
void nestlingPrintType(MlirType type, NestlingText *into);
void nestlingPrintLocation(MlirLocation location, NestlingText *into);

// The first operation in the module's body whose symbol is `name`; null if none.
MlirOperation nestlingFindSymbol(MlirModule module, MlirStringRef name);

// LLVM's messages are handed over as malloc'ed C strings, NULL when all is well.
char *nestlingErrorMessage(LLVMErrorRef error);

#endif
