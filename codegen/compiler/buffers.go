package compiler

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"nestling/mlir"
)

// copiesToLoops replaces every memref.copy by linalg.copy: left alone it becomes
// a call into MLIR's runtime for strided buffers.
func (j *job) copiesToLoops() error {
	c := j.compiler.context
	segments, err := c.ParseAttribute("array<i32: 1, 1>")
	if err != nil {
		return err
	}
	for _, op := range j.module.Operation().Nested() {
		if op.Name() != "memref.copy" {
			continue
		}
		loop, err := c.Create("linalg.copy", op.Operands(), nil, []mlir.Named{{Name: "operandSegmentSizes", Value: segments}}, 1)
		if err != nil {
			return err
		}
		loop.FillNamedRegion()
		op.Block().InsertBefore(op, loop)
		op.Erase()
	}
	return nil
}

// returnAllocations lets every function return the buffers that it allocates,
// not views of them in another shape: only those become out parameters, of a
// view a copy would be made.
func (j *job) returnAllocations() error {
	run, once, err := functions(j.module)
	if err != nil {
		return err
	}
	for _, f := range []mlir.Operation{run, once} {
		if f.IsNull() {
			continue
		}
		operations := f.Body().Operations()
		last := operations[len(operations)-1]
		// Reshaping one allocation changes what later operands are: each is read in its turn.
		for i := range last.Operands() {
			if err := j.returnAllocation(last, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// returnAllocation makes operand i of a return an allocation, if it is a chain of
// reshapes of one. A buffer that is returned already, for what computed it twice has
// become one, is returned as a copy: the pass that makes out parameters would erase
// the allocation twice.
func (j *job) returnAllocation(last mlir.Operation, i int) error {
	operands := last.Operands()
	value := operands[i]
	alloc, reshapes := allocationOf(value)
	if alloc.IsNull() {
		return nil
	}
	var err error
	switch returned := slices.Contains(operands[:i], alloc.Result(0)); {
	case returned:
		value, err = j.copied(value, alloc, last)
	case len(reshapes) > 0:
		value, err = j.reshapeAllocation(alloc, value.Type(), reshapes)
	}
	if err != nil {
		return err
	}
	last.SetOperand(i, value)
	return nil
}

// allocationOf is the allocation that a value, a chain of reshapes of it, shows, and
// the chain, from the value to it: no operation if the value is anything else.
func allocationOf(value mlir.Value) (alloc mlir.Operation, reshapes []mlir.Operation) {
	for {
		op, _ := value.Defining()
		if op.IsNull() || op.Name() == "memref.alloc" {
			return op, reshapes
		}
		if op.Name() != "memref.collapse_shape" && op.Name() != "memref.expand_shape" {
			return mlir.Operation{}, nil
		}
		reshapes = append(reshapes, op)
		value = op.Operands()[0]
	}
}

// copied is a buffer of its own with what a value holds, allocated as another is and
// filled before an operation.
func (j *job) copied(value mlir.Value, as, before mlir.Operation) (mlir.Value, error) {
	alloc, err := j.allocateAs(as, value.Type())
	if err != nil {
		return mlir.Value{}, err
	}
	before.Block().InsertBefore(before, alloc)
	copying, err := j.compiler.context.Create("memref.copy", []mlir.Value{value, alloc.Result(0)}, nil, nil, 0)
	if err != nil {
		return mlir.Value{}, err
	}
	before.Block().InsertBefore(before, copying)
	return alloc.Result(0), nil
}

// allocateAs creates an allocation of a type, aligned as another is.
func (j *job) allocateAs(other mlir.Operation, t mlir.Type) (mlir.Operation, error) {
	c := j.compiler.context
	alignment, _ := other.Attribute("alignment")
	segments, err := c.ParseAttribute("array<i32: 0, 0>")
	if err != nil {
		return mlir.Operation{}, err
	}
	return c.Create("memref.alloc", nil, []mlir.Type{t},
		[]mlir.Named{{Name: "alignment", Value: alignment}, {Name: "operandSegmentSizes", Value: segments}}, 0)
}

// reshapeAllocation replaces an allocation by one of another type, seen through
// the inverse of each reshape of the chain, which leads from the type to it.
func (j *job) reshapeAllocation(old mlir.Operation, t mlir.Type, chain []mlir.Operation) (mlir.Value, error) {
	c := j.compiler.context
	alloc, err := j.allocateAs(old, t)
	if err != nil {
		return mlir.Value{}, err
	}
	old.Block().InsertBefore(old, alloc)
	view := alloc.Result(0)
	for _, reshape := range chain {
		groups, _ := reshape.Attribute("reassociation")
		attributes := []mlir.Named{{Name: "reassociation", Value: groups}}
		to, inverse := reshape.Operands()[0].Type(), "memref.collapse_shape"
		if reshape.Name() == inverse {
			inverse = "memref.expand_shape"
			shape, _ := to.Shape()
			sizes, err := c.ParseAttribute("array<i64: " + strings.Trim(strings.Join(strings.Fields(fmt.Sprint(shape)), ", "), "[]") + ">")
			if err != nil {
				return mlir.Value{}, err
			}
			attributes = append(attributes, mlir.Named{Name: "static_output_shape", Value: sizes})
		}
		op, err := c.Create(inverse, []mlir.Value{view}, []mlir.Type{to}, attributes, 0)
		if err != nil {
			return mlir.Value{}, err
		}
		old.Block().InsertBefore(old, op)
		view = op.Result(0)
	}
	old.Result(0).ReplaceAllUses(view)
	old.Erase()
	return alloc.Result(0), nil
}

// stackBytes is the size up to which a buffer is put on the stack.
const stackBytes = 1 << 16

// allocation is a buffer with its place in the workspace, in bytes, and the
// time of its use: indices of operations of the function.
type allocation struct {
	alloc        mlir.Operation
	size, offset int64
	first, last  int
}

// placeWorkspace lays out the buffers that the function allocates at its top
// level in one workspace, which becomes its last argument, so that a run
// allocates nothing. Buffers that are not used at the same time share memory.
// Those of inner loops stay with their iteration: they may belong to different
// threads. Small ones are left to the stack, where LLVM can tell them from all
// others, and keep what is accumulated in them in a register.
func (j *job) placeWorkspace() error {
	f, _, err := functions(j.module)
	if err != nil {
		return err
	}
	buffers := topLevelBuffers(f)
	total := place(buffers)
	j.result.WorkspaceBytes = total
	if total == 0 {
		return nil
	}
	workspace, err := j.addWorkspace(f, total)
	if err != nil {
		return err
	}
	for _, b := range buffers {
		if err := j.replaceByView(b.alloc, workspace, b.offset); err != nil {
			return err
		}
	}
	return nil
}

// topLevelBuffers lists the float32 buffers that a function allocates outside
// all loops.
func topLevelBuffers(f mlir.Operation) []*allocation {
	var buffers []*allocation
	time := map[mlir.Operation]int{}
	operations := f.Body().Operations()
	for i, op := range operations {
		time[op] = i
	}
	for i, op := range operations {
		if op.Name() != "memref.alloc" {
			continue
		}
		shape, static := op.Result(0).Type().Shape()
		if !static || !op.Result(0).Type().Element().IsF32() || (tensor{shape: shape}).bytes() <= stackBytes {
			continue
		}
		b := &allocation{alloc: op, size: align(tensor{shape: shape}.bytes()), first: len(operations), last: i}
		b.extend(op.Result(0), time)
		buffers = append(buffers, b)
	}
	return buffers
}

// extend takes the uses of a value, and of the views of it, into the time of the
// buffer.
func (b *allocation) extend(value mlir.Value, time map[mlir.Operation]int) {
	for _, user := range value.Uses() {
		if user.Name() == "memref.dealloc" {
			continue
		}
		outermost := user
		at, top := time[outermost]
		for !top {
			outermost = outermost.Parent()
			at, top = time[outermost]
		}
		b.first, b.last = min(b.first, at), max(b.last, at)
		for _, r := range user.Results() {
			if r.Type().IsMemRef() {
				b.extend(r, time)
			}
		}
	}
}

// place gives each buffer the lowest place that is free while it is used, large
// ones first, and returns the size of all together.
func place(buffers []*allocation) int64 {
	bySize := slices.Clone(buffers)
	slices.SortStableFunc(bySize, func(a, b *allocation) int { return cmp.Compare(b.size, a.size) })
	total := int64(0)
	var placed []*allocation // by offset
	for _, b := range bySize {
		b.offset = 0
		for _, other := range placed {
			apart := b.last < other.first || other.last < b.first
			if !apart && b.offset < other.offset+other.size && other.offset < b.offset+b.size {
				b.offset = other.offset + other.size
			}
		}
		placed = append(placed, b)
		slices.SortStableFunc(placed, func(a, b *allocation) int { return cmp.Compare(a.offset, b.offset) })
		total = max(total, b.offset+b.size)
	}
	return total
}

// addWorkspace appends the workspace to the function's arguments.
func (j *job) addWorkspace(f mlir.Operation, bytes int64) (mlir.Value, error) {
	c := j.compiler.context
	t, err := c.ParseType(fmt.Sprintf("memref<%dxi8>", bytes))
	if err != nil {
		return mlir.Value{}, err
	}
	workspace := f.Body().AddArgument(c, t)
	list := ""
	for i, a := range f.Body().Arguments() {
		if i > 0 {
			list += ", "
		}
		list += a.Type().String()
	}
	ft, err := c.ParseType("(" + list + ") -> ()")
	if err != nil {
		return mlir.Value{}, err
	}
	f.SetAttribute("function_type", mlir.TypeAttribute(ft))
	f.RemoveAttribute("arg_attrs")
	return workspace, nil
}

// replaceByView makes an allocation a view of the workspace.
func (j *job) replaceByView(alloc mlir.Operation, workspace mlir.Value, offset int64) error {
	c := j.compiler.context
	index, err := c.ParseType("index")
	if err != nil {
		return err
	}
	at, err := c.ParseAttribute(fmt.Sprintf("%d : index", offset))
	if err != nil {
		return err
	}
	constant, err := c.Create("arith.constant", nil, []mlir.Type{index}, []mlir.Named{{Name: "value", Value: at}}, 0)
	if err != nil {
		return err
	}
	view, err := c.Create("memref.view", []mlir.Value{workspace, constant.Result(0)}, []mlir.Type{alloc.Result(0).Type()}, nil, 0)
	if err != nil {
		return err
	}
	alloc.Block().InsertBefore(alloc, constant)
	alloc.Block().InsertBefore(alloc, view)
	for _, user := range alloc.Result(0).Uses() {
		if user.Name() == "memref.dealloc" {
			user.Erase()
		}
	}
	alloc.Result(0).ReplaceAllUses(view.Result(0))
	alloc.Erase()
	return nil
}
