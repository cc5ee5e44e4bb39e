package policy

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"nestling/env"
	"nestling/nn"
)

const (
	fileName    = "policy.safetensors"
	metadataKey = "nestling.policy"
)

// architecture is everything that weights depend on: the model, its sizes, and
// the interface to the environment.
type architecture struct {
	Model     string `json:"model"`
	Config    Config `json:"config"`
	Interface []int  `json:"interface"` // sizes of what is seen and of what can be done
}

func describe(model string, cfg Config) architecture {
	return architecture{model, cfg, []int{
		env.OpSize, env.LoopSize, env.OperandSize, env.AccessSize, env.CellSize, env.PastSize, env.OptionSize,
		env.MaxOps, env.MaxLoops, env.MaxOperands, env.MaxDimensions, env.MaxPast,
	}}
}

func (a architecture) String() string {
	return fmt.Sprintf("%s of sizes %+v that sees %v", a.Model, a.Config, a.Interface)
}

// Save writes a policy into the folder dir, as policy.safetensors: the weights,
// and what is needed to load them again as metadata.
func Save(p *Policy, dir string) error {
	text, err := json.Marshal(describe(p.Name(), p.Config()))
	if err != nil {
		return err
	}
	return nn.WriteSafetensors(filepath.Join(dir, fileName), nn.Arrays(p.Parameters()), map[string]string{metadataKey: string(text)})
}

// Load makes the policy that Save wrote into dir.
func Load(dir string) (*Policy, error) {
	file, saved, err := read(dir)
	if err != nil {
		return nil, err
	}
	p, err := build(saved.Model, saved.Config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file.Path, err)
	}
	return p, restore(p, file, saved)
}

// Restore gives p the weights that Save wrote into dir. The checkpoint must be
// of p's architecture; otherwise p is left as it is.
func Restore(p *Policy, dir string) error {
	file, saved, err := read(dir)
	if err != nil {
		return err
	}
	return restore(p, file, saved)
}

func read(dir string) (*nn.Safetensors, architecture, error) {
	var saved architecture
	file, err := nn.ReadSafetensors(filepath.Join(dir, fileName))
	if err != nil {
		return nil, saved, err
	}
	if err := json.Unmarshal([]byte(file.Metadata[metadataKey]), &saved); err != nil {
		return nil, saved, fmt.Errorf("%s: not a policy of Nestling: its metadata has no readable %q", file.Path, metadataKey)
	}
	return file, saved, nil
}

func restore(p *Policy, file *nn.Safetensors, saved architecture) error {
	if want := describe(p.Name(), p.Config()); saved.String() != want.String() {
		return fmt.Errorf("%s: the checkpoint is of another architecture: %v; wanted is %v", file.Path, saved, want)
	}
	return file.CopyTo(nn.Arrays(p.Parameters()))
}
