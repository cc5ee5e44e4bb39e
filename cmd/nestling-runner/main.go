// Nestling-runner is the process that runs compiled code, so that nothing else has
// to: it loads one object, runs it, times it, and ends. It is started by nestling,
// never by hand. Requests come on descriptor 3 and are answered on descriptor 4
// (see measure/wire); tensors pass through the shared memory on descriptor 5.
package main

import (
	"fmt"
	"os"

	"nestling/measure/runner"
	"nestling/measure/wire"
)

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "nestling-runner:", err)
		os.Exit(1)
	}
}

func serve() error {
	requests, responses, err := wire.Ends()
	if err != nil {
		return err
	}
	runner.CrashPlainly()
	return runner.Serve(requests, responses, os.NewFile(wire.TensorsFD, "tensors"))
}
