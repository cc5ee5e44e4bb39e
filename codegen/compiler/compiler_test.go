package compiler

import (
	"testing"

	"nestling/codegen"
	"nestling/suite"
)

// plain is the script of a program without any schedule.
const plain = `module attributes {transform.with_named_sequence} {
  transform.named_sequence @tensor_seq(%m: !transform.any_op {transform.readonly}) { transform.yield }
  transform.named_sequence @buffer_seq(%m: !transform.any_op {transform.readonly}) { transform.yield }
}`

func TestNineCompileUnscheduled(t *testing.T) {
	c := New()
	defer c.Close()
	for _, b := range suite.Nine() {
		for _, threads := range []int{1, 2} {
			p, err := c.Analyse([]byte(b.Module), b.Name+".mlir")
			if err != nil {
				t.Fatal(err)
			}
			r, err := c.Compile(codegen.Request{Module: p.Module, Script: plain, Threads: threads, Assembly: true})
			if err != nil {
				t.Fatalf("%s: %v", b.Name, err)
			}
			names := ""
			for _, o := range p.Ops {
				names += o.Name + " "
			}
			t.Logf("%s: %d bytes, workspace %d, prepared %d, %s, %v", b.Name, len(r.Object), r.WorkspaceBytes, r.PreparedBytes, names, r.Timings)
		}
	}
}
