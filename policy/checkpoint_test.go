package policy

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nestling/nn"
)

func TestCheckpointRoundTrip(t *testing.T) {
	each(t, func(t *testing.T, model string) {
		dir := t.TempDir()
		p := newPolicy(t, model)
		updates(p, 2)
		if err := Save(p, dir); err != nil {
			t.Fatal(err)
		}
		loaded, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		restored, err := New(model, small[model], seeded(99))
		if err != nil {
			t.Fatal(err)
		}
		if err := Restore(restored, dir); err != nil {
			t.Fatal(err)
		}
		episodes := started(9, seeded(20))
		want := p.Act(clones(episodes), seeded(21), false)
		for name, q := range map[string]*Policy{"Load": loaded, "Restore": restored} {
			got := q.Act(clones(episodes), seeded(21), false)
			for i := range want {
				if !slices.Equal(got[i].Answers, want[i].Answers) || got[i].Value != want[i].Value || q.Name() != model {
					t.Errorf("%s: another policy than the one that was saved", name)
				}
			}
		}
	})
}

func TestRestoreNamesBothArchitectures(t *testing.T) {
	dir := t.TempDir()
	if err := Save(newPolicy(t, "lstm"), dir); err != nil {
		t.Fatal(err)
	}
	other := small["lstm"]
	other.Trunk = 24
	p, err := New("lstm", other, seeded(1))
	if err != nil {
		t.Fatal(err)
	}
	before := slices.Clone(p.Parameters()[0].Data)
	wantError(t, Restore(p, dir), "Trunk:11", "Trunk:24")
	if !slices.Equal(before, p.Parameters()[0].Data) {
		t.Error("weights changed")
	}
}

// wantError wants one line with every text in it.
func wantError(t *testing.T, err error, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err == nil || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v; want one line with %q", err, text)
		}
	}
}

func TestBadCheckpoints(t *testing.T) {
	saved := t.TempDir()
	if err := Save(newPolicy(t, "lstm"), saved); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(saved, "policy.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	edit := func(old, new string) []byte {
		if len(old) != len(new) || !strings.Contains(string(whole), old) {
			t.Fatalf("cannot replace %q by %q", old, new)
		}
		return []byte(strings.Replace(string(whole), old, new, 1))
	}
	tests := []struct {
		name    string
		content []byte
		want    string
	}{
		{"truncated", whole[:len(whole)-100], "cut short"},
		{"truncated header", whole[:200], "cut short"},
		{"empty", nil, "not a safetensors file"},
		{"another environment", edit(`\"interface\":[34`, `\"interface\":[35`), "another architecture: lstm of"},
		{"model not there", edit(`\"model\":\"lstm\"`, `\"model\":\"gpt5\"`), `no model "gpt5"`},
		{"impossible size", edit(`\"trunk\":11`, `\"trunk\":-1`), "sizes must be 1 or more"},
		{"without metadata", edit("nestling.policy", "something.else!"), "not a policy of Nestling"},
		{"renamed tensor", edit(`"critic.value.bias"`, `"critic.value.biax"`), `no tensor "critic.value.bias"`},
	}
	for _, test := range tests {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "policy.safetensors"), test.content, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Load(dir)
		wantError(t, err, test.want, dir)
	}
	_, err = Load(t.TempDir())
	wantError(t, err, "no such file")
}

func TestForeignSafetensors(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "policy.safetensors")
	if err := nn.WriteSafetensors(path, nil, map[string]string{"format": "pt"}); err != nil {
		t.Fatal(err)
	}
	_, err := Load(dir)
	wantError(t, err, "not a policy of Nestling", path)
}
