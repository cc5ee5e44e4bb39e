package compiler

import (
	"fmt"

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
