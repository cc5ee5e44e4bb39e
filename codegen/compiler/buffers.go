package compiler

import (
	"fmt"
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
		for i, value := range last.Operands() {
			whole, err := j.inShape(value)
			if err != nil {
				return err
			}
			last.SetOperand(i, whole)
		}
	}
	return nil
}

// inShape gives an allocation the shape in which a value, a chain of reshapes of
// it, shows it, and its other users a view. Any other value stays what it is.
func (j *job) inShape(value mlir.Value) (mlir.Value, error) {
	var chain []mlir.Operation
	source := value
	for {
		op, _ := source.Defining()
		if op.IsNull() {
			return value, nil
		}
		if op.Name() == "memref.alloc" {
			if len(chain) == 0 {
				return value, nil
			}
			return j.reshapeAllocation(op, value.Type(), chain)
		}
		if op.Name() != "memref.collapse_shape" && op.Name() != "memref.expand_shape" {
			return value, nil
		}
		chain = append(chain, op)
		source = op.Operands()[0]
	}
}

// reshapeAllocation replaces an allocation by one of another type, seen through
// the inverse of each reshape of the chain, which leads from the type to it.
func (j *job) reshapeAllocation(old mlir.Operation, t mlir.Type, chain []mlir.Operation) (mlir.Value, error) {
	c := j.compiler.context
	alignment, _ := old.Attribute("alignment")
	segments, err := c.ParseAttribute("array<i32: 0, 0>")
	if err != nil {
		return mlir.Value{}, err
	}
	alloc, err := c.Create("memref.alloc", nil, []mlir.Type{t},
		[]mlir.Named{{Name: "alignment", Value: alignment}, {Name: "operandSegmentSizes", Value: segments}}, 0)
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

// placeWorkspace lays out the buffers that the function allocates at its top
// level in one workspace, which becomes its last argument, so that a run
// allocates nothing. Buffers of inner loops stay with their iteration: they may
// belong to different threads.
func (j *job) placeWorkspace() error {
	f, _, err := functions(j.module)
	if err != nil {
		return err
	}
	var allocations []mlir.Operation
	var offsets []int64
	total := int64(0)
	for _, op := range f.Body().Operations() {
		if op.Name() != "memref.alloc" {
			continue
		}
		shape, static := op.Result(0).Type().Shape()
		if !static || !op.Result(0).Type().Element().IsF32() {
			continue
		}
		allocations = append(allocations, op)
		offsets = append(offsets, total)
		total += align(tensor{shape: shape}.bytes())
	}
	j.result.WorkspaceBytes = total
	if total == 0 {
		return nil
	}
	workspace, err := j.addWorkspace(f, total)
	if err != nil {
		return err
	}
	for i, op := range allocations {
		if err := j.replaceByView(op, workspace, offsets[i]); err != nil {
			return err
		}
	}
	return nil
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
