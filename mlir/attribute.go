package mlir

/*
#include "bridge.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// String prints the attribute.
func (a Attribute) String() string {
	return text(func(b *C.NestlingText) { C.nestlingPrintAttribute(a.raw, b) })
}

// Text is a string attribute's content.
func (a Attribute) Text() (string, bool) {
	if !bool(C.mlirAttributeIsAString(a.raw)) {
		return "", false
	}
	return goString(C.mlirStringAttrGetValue(a.raw)), true
}

// Float is a float attribute's value.
func (a Attribute) Float() (float64, bool) {
	if !bool(C.mlirAttributeIsAFloat(a.raw)) {
		return 0, false
	}
	return float64(C.mlirFloatAttrGetValueDouble(a.raw)), true
}

// Integer is an integer attribute's value (index, signless or signed).
func (a Attribute) Integer() (int64, bool) {
	if !bool(C.mlirAttributeIsAInteger(a.raw)) {
		return 0, false
	}
	return int64(C.mlirIntegerAttrGetValueInt(a.raw)), true
}

// TypeValue is the type that a type attribute holds.
func (a Attribute) TypeValue() (Type, bool) {
	if !bool(C.mlirAttributeIsAType(a.raw)) {
		return Type{}, false
	}
	return Type{C.mlirTypeAttrGetValue(a.raw)}, true
}

// Elements are an array attribute's elements.
func (a Attribute) Elements() []Attribute {
	if !bool(C.mlirAttributeIsAArray(a.raw)) {
		return nil
	}
	out := make([]Attribute, C.mlirArrayAttrGetNumElements(a.raw))
	for i := range out {
		out[i] = Attribute{C.mlirArrayAttrGetElement(a.raw, C.intptr_t(i))}
	}
	return out
}

// Lookup finds an entry of a dictionary attribute.
func (a Attribute) Lookup(name string) (Attribute, bool) {
	if !bool(C.mlirAttributeIsADictionary(a.raw)) {
		return Attribute{}, false
	}
	v := Attribute{C.mlirDictionaryAttrGetElementByName(a.raw, view(name))}
	return v, v.raw.ptr != nil
}

// Integers64 are a DenseI64ArrayAttr's elements.
func (a Attribute) Integers64() ([]int, bool) {
	if !bool(C.mlirAttributeIsADenseI64Array(a.raw)) {
		return nil, false
	}
	out := make([]int, C.mlirDenseArrayGetNumElements(a.raw))
	for i := range out {
		out[i] = int(C.mlirDenseI64ArrayGetElement(a.raw, C.intptr_t(i)))
	}
	return out, true
}

// DenseFloats is the content of a dense float32 elements attribute: either one
// splat value, or the elements as little-endian bytes.
func (a Attribute) DenseFloats(elements int) (splat float32, isSplat bool, data []byte, err error) {
	switch {
	case bool(C.mlirAttributeIsADenseElements(a.raw)):
		if bool(C.mlirDenseElementsAttrIsSplat(a.raw)) {
			return float32(C.mlirDenseElementsAttrGetFloatSplatValue(a.raw)), true, nil, nil
		}
		raw := C.mlirDenseElementsAttrGetRawData(a.raw)
		return 0, false, append([]byte(nil), unsafe.Slice((*byte)(raw), 4*elements)...), nil
	case bool(C.mlirAttributeIsADenseResourceElements(a.raw)):
		data = make([]byte, 4*elements)
		out := unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(data))), elements)
		for i := range out {
			out[i] = float32(C.mlirDenseFloatResourceElementsAttrGetValue(a.raw, C.intptr_t(i)))
		}
		return 0, false, data, nil
	}
	return 0, false, nil, fmt.Errorf("constant %.60s: expected dense float32 elements", a.String())
}

// LinearMap is an affine map as matrices: result d is
// Σ Coefficients[d][i]·input[i] + Offsets[d]. Inputs are dimensions, then symbols.
type LinearMap struct {
	Coefficients [][]int
	Offsets      []int
}

// AffineMap reads an affine map attribute; maps with mod or div are an error.
func (a Attribute) AffineMap() (LinearMap, error) {
	if !bool(C.mlirAttributeIsAAffineMap(a.raw)) {
		return LinearMap{}, errors.New("expected an affine map")
	}
	m := C.mlirAffineMapAttrGetValue(a.raw)
	dimensions, results := int(C.mlirAffineMapGetNumDims(m)), int(C.mlirAffineMapGetNumResults(m))
	inputs := dimensions + int(C.mlirAffineMapGetNumSymbols(m))
	out := LinearMap{Coefficients: make([][]int, results), Offsets: make([]int, results)}
	for d := range results {
		row := make([]int, inputs)
		offset, err := linear(C.mlirAffineMapGetResult(m, C.intptr_t(d)), dimensions, 1, row)
		if err != nil {
			return LinearMap{}, fmt.Errorf("access map %s: %w", a, err)
		}
		out.Coefficients[d], out.Offsets[d] = row, offset
	}
	return out, nil
}

// linear adds scale·e to row, where symbols come after so many dimensions, and returns the
// constant part.
func linear(e C.MlirAffineExpr, dimensions, scale int, row []int) (constant int, err error) {
	switch {
	case bool(C.mlirAffineExprIsASymbol(e)):
		row[dimensions+int(C.mlirAffineSymbolExprGetPosition(e))] += scale
		return 0, nil
	case bool(C.mlirAffineExprIsADim(e)):
		row[int(C.mlirAffineDimExprGetPosition(e))] += scale
		return 0, nil
	case bool(C.mlirAffineExprIsAConstant(e)):
		return scale * int(C.mlirAffineConstantExprGetValue(e)), nil
	case bool(C.mlirAffineExprIsAAdd(e)):
		l, err := linear(C.mlirAffineBinaryOpExprGetLHS(e), dimensions, scale, row)
		if err != nil {
			return 0, err
		}
		r, err := linear(C.mlirAffineBinaryOpExprGetRHS(e), dimensions, scale, row)
		return l + r, err
	case bool(C.mlirAffineExprIsAMul(e)):
		// MLIR keeps the constant of a product on the right.
		factor := C.mlirAffineBinaryOpExprGetRHS(e)
		if bool(C.mlirAffineExprIsAConstant(factor)) {
			return linear(C.mlirAffineBinaryOpExprGetLHS(e), dimensions, scale*int(C.mlirAffineConstantExprGetValue(factor)), row)
		}
	}
	return 0, errors.New("only sums of loops times constants are supported")
}
