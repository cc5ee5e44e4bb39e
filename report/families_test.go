package report

import (
	"strings"
	"testing"

	"nestling/results"
)

func TestFamiliesTable(t *testing.T) {
	rows := []results.FamilyRow{
		{Name: "matmul_100x100x100", UnscheduledMS: 0.6, DefaultMS: 0.03, Speedup: 20, GFLOPS: 66, PeakShare: 0.6, MaxError: 2e-7},
		{Name: "copy_3072x4096", UnscheduledMS: 5.8, DefaultMS: 6.2, Speedup: 0.9, MemoryBound: true, Bytes: 1e8, GBs: 16, StreamGBs: 20, StreamShare: 0.8},
		{Name: "copy_64x256", UnscheduledMS: 0.001, DefaultMS: 0.001, Speedup: 1, MemoryBound: true, Bytes: 1e5, GBs: 40, StreamGBs: 80, StreamShare: 0.5},
		{Name: "sum_all_96x7", Schedule: []string{"reduce0: NT", "fill0: NT"}, UnscheduledMS: 0.00013, DefaultMS: 0.00018, Speedup: 0.74},
		{Name: "sum_rows_96x700", Schedule: []string{"reduce0: TF(8,0) NT", "fill0: NT"}, UnscheduledMS: 0.0013, DefaultMS: 0.0011, Speedup: 1.18},
		{Name: "softmax_64x512", Error: "compile: no"},
	}
	var text strings.Builder
	if err := Families(rows).Write(&text, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"20.0×", "60 %", "80 %", "failed", "softmax_64x512: compile: no", "same code", "1.18×",
		"6 programs: 1 failed, 1 slower than unscheduled, 1 the same code; of 1 that move more than 40 MB, 1 below 85 % of a plain loop's bandwidth"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}
