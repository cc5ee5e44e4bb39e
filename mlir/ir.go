package mlir

/*
#include "bridge.h"
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// Operation is a reference to an operation; it owns nothing.
type Operation struct{ raw C.MlirOperation }

// Block is a reference to a block.
type Block struct{ raw C.MlirBlock }

// Value is a reference to an SSA value. Values compare equal when they are the same.
type Value struct{ raw C.MlirValue }

// Type is a reference to a type.
type Type struct{ raw C.MlirType }

// Attribute is a reference to an attribute.
type Attribute struct{ raw C.MlirAttribute }

// IsNull tells a reference to nothing.
func (o Operation) IsNull() bool { return o.raw.ptr == nil }

// Name is the operation's full name: "linalg.generic".
func (o Operation) Name() string {
	return goString(C.mlirIdentifierStr(C.mlirOperationGetName(o.raw)))
}

// String prints the operation in its custom form.
func (o Operation) String() string {
	return text(func(t *C.NestlingText) { C.nestlingPrintOperation(o.raw, 0, t) })
}

// Location is where the operation stands in the source: "file:line:column".
func (o Operation) Location() string {
	return text(func(t *C.NestlingText) { C.nestlingPrintLocation(C.mlirOperationGetLocation(o.raw), t) })
}

// Nested lists every operation below this one, itself first, in source order.
func (o Operation) Nested() []Operation {
	var list *C.MlirOperation
	n := C.nestlingCollectOperations(o.raw, &list)
	defer C.free(unsafe.Pointer(list))
	out := make([]Operation, n)
	for i, raw := range unsafe.Slice(list, n) {
		out[i] = Operation{raw}
	}
	return out
}

// Parent is the operation around this one.
func (o Operation) Parent() Operation { return Operation{C.mlirOperationGetParentOperation(o.raw)} }

// Block is the block that holds the operation.
func (o Operation) Block() Block { return Block{C.mlirOperationGetBlock(o.raw)} }

// Operands lists the operation's operands.
func (o Operation) Operands() []Value {
	out := make([]Value, C.mlirOperationGetNumOperands(o.raw))
	for i := range out {
		out[i] = Value{C.mlirOperationGetOperand(o.raw, C.intptr_t(i))}
	}
	return out
}

// SetOperand replaces one operand.
func (o Operation) SetOperand(i int, v Value) {
	C.mlirOperationSetOperand(o.raw, C.intptr_t(i), v.raw)
}

// Results lists the operation's results.
func (o Operation) Results() []Value {
	out := make([]Value, C.mlirOperationGetNumResults(o.raw))
	for i := range out {
		out[i] = o.Result(i)
	}
	return out
}

// Result is one of the operation's results.
func (o Operation) Result(i int) Value { return Value{C.mlirOperationGetResult(o.raw, C.intptr_t(i))} }

// Regions is the number of regions.
func (o Operation) Regions() int { return int(C.mlirOperationGetNumRegions(o.raw)) }

// Body is the first block of the first region; null when there is none.
func (o Operation) Body() Block {
	if o.Regions() == 0 {
		return Block{}
	}
	return Block{C.mlirRegionGetFirstBlock(C.mlirOperationGetRegion(o.raw, 0))}
}

// Erase removes the operation, which must have no uses left.
func (o Operation) Erase() { C.mlirOperationDestroy(o.raw) }

// Attribute looks up an inherent or discardable attribute by name.
func (o Operation) Attribute(name string) (Attribute, bool) {
	a := Attribute{C.mlirOperationGetAttributeByName(o.raw, view(name))}
	return a, a.raw.ptr != nil
}

// SetAttribute sets an attribute.
func (o Operation) SetAttribute(name string, a Attribute) {
	C.mlirOperationSetAttributeByName(o.raw, view(name), a.raw)
}

// RemoveAttribute removes an attribute; it tells whether there was one.
func (o Operation) RemoveAttribute(name string) bool {
	return bool(C.mlirOperationRemoveAttributeByName(o.raw, view(name)))
}

// FillNamedRegion gives a linalg named operation, built without one, its region.
func (o Operation) FillNamedRegion() { C.mlirLinalgFillBuiltinNamedOpRegion(o.raw) }

// IndexingMaps returns a linalg operation's access maps; ok is false when the
// operation is not a structured linalg operation.
func (o Operation) IndexingMaps() (maps Attribute, ok bool) {
	maps = Attribute{C.mlirLinalgGetIndexingMapsAttribute(o.raw)}
	return maps, maps.raw.ptr != nil
}

// IsNull tells a reference to nothing.
func (b Block) IsNull() bool { return b.raw.ptr == nil }

// Operations lists the block's operations in order.
func (b Block) Operations() []Operation {
	var out []Operation
	for op := C.mlirBlockGetFirstOperation(b.raw); op.ptr != nil; op = C.mlirOperationGetNextInBlock(op) {
		out = append(out, Operation{op})
	}
	return out
}

// Arguments lists the block's arguments.
func (b Block) Arguments() []Value {
	out := make([]Value, C.mlirBlockGetNumArguments(b.raw))
	for i := range out {
		out[i] = Value{C.mlirBlockGetArgument(b.raw, C.intptr_t(i))}
	}
	return out
}

// AddArgument appends an argument of a type.
func (b Block) AddArgument(c *Context, t Type) Value {
	return Value{C.mlirBlockAddArgument(b.raw, t.raw, C.mlirLocationUnknownGet(c.raw))}
}

// InsertBefore inserts a detached operation before one of the block.
func (b Block) InsertBefore(anchor, op Operation) {
	C.mlirBlockInsertOwnedOperationBefore(b.raw, anchor.raw, op.raw)
}

// IsNull tells a reference to nothing.
func (v Value) IsNull() bool { return v.raw.ptr == nil }

// Type is the value's type.
func (v Value) Type() Type { return Type{C.mlirValueGetType(v.raw)} }

// Defining is the operation that the value is a result of, and which result;
// null for a block argument.
func (v Value) Defining() (op Operation, result int) {
	if !bool(C.mlirValueIsAOpResult(v.raw)) {
		return Operation{}, 0
	}
	return Operation{C.mlirOpResultGetOwner(v.raw)}, int(C.mlirOpResultGetResultNumber(v.raw))
}

// ReplaceAllUses makes every user of v use with instead.
func (v Value) ReplaceAllUses(with Value) { C.mlirValueReplaceAllUsesOfWith(v.raw, with.raw) }

// Uses lists the operations that use the value, one entry a use.
func (v Value) Uses() []Operation {
	var out []Operation
	for use := C.mlirValueGetFirstUse(v.raw); use.ptr != nil; use = C.mlirOpOperandGetNextUse(use) {
		out = append(out, Operation{C.mlirOpOperandGetOwner(use)})
	}
	return out
}

// String prints the type.
func (t Type) String() string {
	return text(func(b *C.NestlingText) { C.nestlingPrintType(t.raw, b) })
}

// IsF32 tells float32.
func (t Type) IsF32() bool { return bool(C.mlirTypeIsAF32(t.raw)) }

// IsTensor tells a ranked tensor.
func (t Type) IsTensor() bool { return bool(C.mlirTypeIsARankedTensor(t.raw)) }

// IsMemRef tells a memref.
func (t Type) IsMemRef() bool { return bool(C.mlirTypeIsAMemRef(t.raw)) }

// Element is a shaped type's element type.
func (t Type) Element() Type { return Type{C.mlirShapedTypeGetElementType(t.raw)} }

// Shape returns a ranked shaped type's dimensions; static is false when one is dynamic.
func (t Type) Shape() (shape []int, static bool) {
	shape = make([]int, C.mlirShapedTypeGetRank(t.raw))
	static = bool(C.mlirShapedTypeHasStaticShape(t.raw))
	for i := range shape {
		shape[i] = int(C.mlirShapedTypeGetDimSize(t.raw, C.intptr_t(i)))
	}
	return shape, static
}

// Inputs are a function type's argument types.
func (t Type) Inputs() []Type {
	out := make([]Type, C.mlirFunctionTypeGetNumInputs(t.raw))
	for i := range out {
		out[i] = Type{C.mlirFunctionTypeGetInput(t.raw, C.intptr_t(i))}
	}
	return out
}

// Results are a function type's result types.
func (t Type) Results() []Type {
	out := make([]Type, C.mlirFunctionTypeGetNumResults(t.raw))
	for i := range out {
		out[i] = Type{C.mlirFunctionTypeGetResult(t.raw, C.intptr_t(i))}
	}
	return out
}

// ParseType reads a type.
func (c *Context) ParseType(source string) (Type, error) {
	t := Type{C.mlirTypeParseGet(c.raw, view(source))}
	if t.raw.ptr == nil {
		return t, c.complaint(fmt.Sprintf("type %q", source))
	}
	return t, nil
}

// ParseAttribute reads an attribute.
func (c *Context) ParseAttribute(source string) (Attribute, error) {
	a := Attribute{C.mlirAttributeParseGet(c.raw, view(source))}
	if a.raw.ptr == nil {
		return a, c.complaint(fmt.Sprintf("attribute %q", source))
	}
	return a, nil
}

// StringAttribute makes a string attribute.
func (c *Context) StringAttribute(s string) Attribute {
	return Attribute{C.mlirStringAttrGet(c.raw, view(s))}
}

// TypeAttribute makes an attribute of a type.
func TypeAttribute(t Type) Attribute { return Attribute{C.mlirTypeAttrGet(t.raw)} }

// Named is an attribute with its name.
type Named struct {
	Name  string
	Value Attribute
}

// Create makes a detached operation. regions is how many empty regions it gets.
func (c *Context) Create(name string, operands []Value, results []Type, attributes []Named, regions int) (Operation, error) {
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	state := C.mlirOperationStateGet(C.mlirStringRefCreateFromCString(cname), C.mlirLocationUnknownGet(c.raw))
	// The lists are copied by MLIR, one call each, so that no Go pointer is
	// stored in the C struct.
	for _, v := range operands {
		C.mlirOperationStateAddOperands(&state, 1, &v.raw)
	}
	for _, t := range results {
		C.mlirOperationStateAddResults(&state, 1, &t.raw)
	}
	for _, a := range attributes {
		n := C.mlirNamedAttributeGet(C.mlirIdentifierGet(c.raw, view(a.Name)), a.Value.raw)
		C.mlirOperationStateAddAttributes(&state, 1, &n)
	}
	for range regions {
		region := C.mlirRegionCreate()
		C.mlirOperationStateAddOwnedRegions(&state, 1, &region)
	}
	op := Operation{C.mlirOperationCreate(&state)}
	if op.IsNull() {
		return op, c.complaint("creating " + name)
	}
	return op, nil
}

// Clone makes a detached copy of the operation, with the same operands.
func (o Operation) Clone() Operation { return Operation{C.mlirOperationClone(o.raw)} }

// MoveBefore takes the operation out of its block and puts it before another.
func (o Operation) MoveBefore(other Operation) { C.mlirOperationMoveBefore(o.raw, other.raw) }

// AddBlock appends a block with arguments of the given types to a region of the
// operation.
func (c *Context) AddBlock(o Operation, region int, arguments []Type) Block {
	block := Block{C.mlirBlockCreate(0, nil, nil)}
	for _, t := range arguments {
		block.AddArgument(c, t)
	}
	C.mlirRegionAppendOwnedBlock(C.mlirOperationGetRegion(o.raw, C.intptr_t(region)), block.raw)
	return block
}

// Append puts a detached operation at the block's end.
func (b Block) Append(op Operation) { C.mlirBlockAppendOwnedOperation(b.raw, op.raw) }

// IsVector tells a vector.
func (t Type) IsVector() bool { return bool(C.mlirTypeIsAVector(t.raw)) }
