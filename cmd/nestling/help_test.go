package main

import (
	"testing"

	"github.com/spf13/cobra"
)

// Every command says what it is for, and shows how it is called.
func TestCommandsHaveExamples(t *testing.T) {
	var check func(c *cobra.Command)
	check = func(c *cobra.Command) {
		if c.Short == "" || c.Runnable() && c.Example == "" {
			t.Errorf("%s: short %q, example %q", c.CommandPath(), c.Short, c.Example)
		}
		for _, sub := range c.Commands() {
			check(sub)
		}
	}
	check(root())
}
