#include "bridge.h"

#include <stdio.h>

static void append(NestlingText *text, const char *data, size_t length) {
  if (text->length + length + 1 > text->capacity) {
    size_t capacity = 2 * (text->length + length + 1);
    char *grown = realloc(text->data, capacity);
    if (!grown)
      return;
    text->data = grown;
    text->capacity = capacity;
  }
  memcpy(text->data + text->length, data, length);
  text->length += length;
  text->data[text->length] = 0;
}

static void appendCallback(MlirStringRef piece, void *text) {
  append(text, piece.data, piece.length);
}

void nestlingTextFree(NestlingText *text) {
  free(text->data);
  memset(text, 0, sizeof *text);
}

void nestlingTextAppend(NestlingText *text, MlirStringRef piece) {
  append(text, piece.data, piece.length);
}

MlirLogicalResult nestlingParsePipeline(MlirOpPassManager into,
                                        MlirStringRef pipeline,
                                        NestlingText *problems) {
  return mlirParsePassPipeline(into, pipeline, appendCallback, problems);
}

typedef struct {
  MlirOperation *ops;
  size_t length, capacity;
} Operations;

static MlirWalkResult collectOperation(MlirOperation op, void *data) {
  Operations *list = data;
  if (list->length == list->capacity) {
    size_t capacity = list->capacity ? 2 * list->capacity : 64;
    MlirOperation *grown = realloc(list->ops, capacity * sizeof *grown);
    if (!grown)
      return MlirWalkResultInterrupt;
    list->ops = grown;
    list->capacity = capacity;
  }
  list->ops[list->length++] = op;
  return MlirWalkResultAdvance;
}

size_t nestlingCollectOperations(MlirOperation op, MlirOperation **out) {
  Operations list = {0};
  mlirOperationWalk(op, collectOperation, &list, MlirWalkPreOrder);
  *out = list.ops;
  return list.length;
}

void nestlingPrintLocation(MlirLocation location, NestlingText *into) {
  if (mlirLocationIsAFileLineColRange(location)) {
    MlirStringRef file = mlirIdentifierStr(
        mlirLocationFileLineColRangeGetFilename(location));
    char position[64];
    int n = snprintf(position, sizeof position, ":%d:%d",
                     mlirLocationFileLineColRangeGetStartLine(location),
                     mlirLocationFileLineColRangeGetStartColumn(location));
    append(into, file.data, file.length);
    append(into, position, (size_t)n);
    return;
  }
  mlirLocationPrint(location, appendCallback, into);
}

static void appendDiagnostic(MlirDiagnostic diagnostic, const char *indent,
                             NestlingText *text) {
  append(text, indent, strlen(indent));
  nestlingPrintLocation(mlirDiagnosticGetLocation(diagnostic), text);
  append(text, ": ", 2);
  mlirDiagnosticPrint(diagnostic, appendCallback, text);
  append(text, "\n", 1);
}

static MlirLogicalResult collect(MlirDiagnostic diagnostic, void *text) {
  if (mlirDiagnosticGetSeverity(diagnostic) == MlirDiagnosticError) {
    appendDiagnostic(diagnostic, "", text);
    for (intptr_t i = 0; i < mlirDiagnosticGetNumNotes(diagnostic); ++i)
      appendDiagnostic(mlirDiagnosticGetNote(diagnostic, i), "  note: ", text);
  }
  return mlirLogicalResultSuccess();
}

MlirDiagnosticHandlerID nestlingCollectDiagnostics(MlirContext context,
                                                   NestlingText *into) {
  return mlirContextAttachDiagnosticHandler(context, collect, into, NULL);
}

void nestlingPrintOperation(MlirOperation op, int generic, NestlingText *into) {
  MlirOpPrintingFlags flags = mlirOpPrintingFlagsCreate();
  if (generic)
    mlirOpPrintingFlagsPrintGenericOpForm(flags);
  mlirOperationPrintWithFlags(op, flags, appendCallback, into);
  mlirOpPrintingFlagsDestroy(flags);
}

void nestlingPrintAttribute(MlirAttribute attribute, NestlingText *into) {
  mlirAttributePrint(attribute, appendCallback, into);
}

void nestlingPrintType(MlirType type, NestlingText *into) {
  mlirTypePrint(type, appendCallback, into);
}

MlirOperation nestlingFindSymbol(MlirModule module, MlirStringRef name) {
  MlirStringRef key = mlirStringRefCreateFromCString("sym_name");
  MlirOperation op = mlirBlockGetFirstOperation(mlirModuleGetBody(module));
  for (; !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op)) {
    MlirAttribute symbol = mlirOperationGetAttributeByName(op, key);
    if (!mlirAttributeIsNull(symbol) && mlirAttributeIsAString(symbol) &&
        mlirStringRefEqual(mlirStringAttrGetValue(symbol), name))
      break;
  }
  return op;
}

char *nestlingErrorMessage(LLVMErrorRef error) {
  if (!error)
    return NULL;
  char *message = LLVMGetErrorMessage(error);
  char *copy = strdup(message);
  LLVMDisposeErrorMessage(message);
  return copy;
}
