// Command check prints what `nestling doctor` prints, on machines where nestling
// cannot be built yet; set-up runs it there. It ends with 1 where something is
// missing that Nestling cannot do without.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"nestling/doctor"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	findings := doctor.Check(ctx, "")
	stop()
	if err := doctor.Write(os.Stdout, findings, false); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if !doctor.Healthy(findings) {
		os.Exit(1)
	}
}
