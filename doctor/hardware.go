package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/klauspost/cpuid/v2"
	"golang.org/x/sys/unix"

	"nestling/results"
)

const gibibyte = 1 << 30

// What the nine benchmarks and the training of an agent were seen to need.
const (
	wantedMemory = 4 * gibibyte
	wantedDisk   = 2 * gibibyte
)

func hardware() []check {
	return []check{
		{"processor", false, "", processor},
		{"vector instructions", false, "kernels will be right, but far from the speeds in the docs", vectors},
		{"memory", false, "close other programs; the large convolutions may be ended for want of memory", memory},
		{"disk", false, "make room here, or choose another folder with --results", disk},
	}
}

func processor(context.Context) (string, error) {
	m := results.Machine()
	return fmt.Sprintf("%s, %d cores for this process", m.CPU, m.Cores), nil
}

func vectors(context.Context) (string, error) {
	found := strings.Join(results.Machine().Features, " ")
	if runtime.GOARCH == "amd64" && !cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3) {
		return "", shortage{"no AVX2 with FMA; there is " + found}
	}
	return found, nil
}

func memory(context.Context) (string, error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return "", err
	}
	available, err := meminfo(string(text), "MemAvailable")
	if err != nil {
		return "", err
	}
	if room, limited := containerRoom("/sys/fs/cgroup"); limited {
		available = min(available, room)
	}
	return enough(available, wantedMemory, "available")
}

// meminfo reads one value of /proc/meminfo, in bytes.
func meminfo(text, name string) (int64, error) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[0] == name+":" {
			kilobytes, err := strconv.ParseInt(fields[1], 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/meminfo has no line %s", name)
}

// containerRoom is what the container's own limit leaves, in bytes.
func containerRoom(cgroup string) (room int64, limited bool) {
	limit, err := readNumber(filepath.Join(cgroup, "memory.max"))
	if err != nil { // no file, or "max"
		return 0, false
	}
	used, err := readNumber(filepath.Join(cgroup, "memory.current"))
	return limit - used, err == nil
}

func readNumber(path string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}

func disk(context.Context) (string, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(".", &s); err != nil {
		return "", fmt.Errorf("this folder's file system: %w", err)
	}
	return enough(int64(s.Bavail)*s.Bsize, wantedDisk, "free in this folder")
}

// enough weighs what there is, in bytes, against what is wanted.
func enough(have, want int64, where string) (string, error) {
	said := fmt.Sprintf("%.1f GiB %s", float64(have)/gibibyte, where)
	if have < want {
		return "", shortage{fmt.Sprintf("%s; %d GiB are wanted", said, want/gibibyte)}
	}
	return said, nil
}
