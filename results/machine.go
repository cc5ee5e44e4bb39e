package results

import (
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/klauspost/cpuid/v2"
)

// MachineInfo says on what a time was taken.
type MachineInfo struct {
	CPU      string   `json:"cpu"`                 // the vendor's name of the model
	Features []string `json:"features"`            // vector and matrix instructions, lower case
	Cores    int      `json:"cores"`               // logical cores this process may use
	ClockMHz float64  `json:"clock_mhz,omitempty"` // nominal; 0 where the processor does not tell
	OS       string   `json:"os"`                  // distribution, kernel and architecture
}

// Versions names the software that made a time.
type Versions struct {
	Nestling string `json:"nestling"` // git revision, "+" appended when the tree had changes
	Go       string `json:"go"`
	LLVM     string `json:"llvm,omitempty"`
	Torch    string `json:"torch,omitempty"`
	Python   string `json:"python,omitempty"`
	BLAS     string `json:"blas,omitempty"` // what PyTorch's or our products ran on
}

// Machine describes the machine this process runs on.
func Machine() MachineInfo {
	return MachineInfo{
		CPU:      strings.Join(strings.Fields(cpuid.CPU.BrandName), " "),
		Features: vectorFeatures(),
		Cores:    runtime.NumCPU(),
		ClockMHz: float64(cpuid.CPU.Hz) / 1e6,
		OS:       operatingSystem(),
	}
}

// vectorFeatures keeps the features that decide how fast float32 code can be.
func vectorFeatures() []string {
	features := []string{}
	for _, f := range cpuid.CPU.FeatureSet() {
		f = strings.ToLower(f)
		vector := slices.ContainsFunc([]string{"sse4", "avx", "fma3", "amx", "asimd", "sve", "sme"}, func(prefix string) bool {
			return strings.HasPrefix(f, prefix)
		})
		if vector {
			features = append(features, f)
		}
	}
	slices.Sort(features)
	return features
}

func operatingSystem() string {
	name := runtime.GOOS
	release, _ := os.ReadFile("/etc/os-release")
	for line := range strings.Lines(string(release)) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); found {
			name = strings.Trim(value, `"`)
		}
	}
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		name += ", kernel " + strings.TrimSpace(string(kernel))
	}
	return name + ", " + runtime.GOARCH
}

// ThisBuild is the part of Versions that the running binary knows of itself.
func ThisBuild() Versions {
	v := Versions{Nestling: "unknown", Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			v.Nestling = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			v.Nestling += "+"
		}
	}
	return v
}
