package env

import (
	"testing"

	"nestling/schedule/scheduletest"
)

// Loops that are arranged stay so; where only rewrites are, the others' come in.
func TestArranged(t *testing.T) {
	known := scheduletest.Parse(t, "conv0: FN\nconv0.gemm: T(8,0) V\nmap1: G(0)\n")
	usual := scheduletest.Parse(t, "conv0: T(2) V\nconv0.gemm: T(4,0) V\nmap1: T(2) V\n")
	want := "conv0: FN\nconv0.gemm: T(8,0) V\nmap1: G(0)\nconv0: T(2) V\nmap1: T(2) V\n"
	if got := arranged(known, usual).String(); got != want {
		t.Errorf("arranged\n%swant\n%s", got, want)
	}
}
