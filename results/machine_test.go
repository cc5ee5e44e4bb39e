package results

import (
	"os"
	"runtime"
	"strings"
	"testing"
)

func TestMachineIsThisOne(t *testing.T) {
	m := Machine()
	if m.Cores != runtime.NumCPU() || !strings.Contains(m.OS, runtime.GOARCH) {
		t.Errorf("%+v", m)
	}
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOARCH == "amd64" && !strings.Contains(string(info), strings.Fields(m.CPU)[0]) {
		t.Errorf("%q is not in /proc/cpuinfo", m.CPU)
	}
	for _, f := range []string{"avx2", "avx512f"} {
		inKernel := strings.Contains(string(info), " "+f+" ")
		inOurs := strings.Contains(" "+strings.Join(m.Features, " ")+" ", " "+f+" ")
		if inKernel != inOurs {
			t.Errorf("%s: kernel says %t, we %t", f, inKernel, inOurs)
		}
	}
}
