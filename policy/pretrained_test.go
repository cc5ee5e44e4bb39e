package policy

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nestling/nn"
)

// namesake writes some tensors as transformers does, each element its index.
func namesake(t *testing.T, shapes map[string][]int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.safetensors")
	var arrays []nn.Array
	for name, shape := range shapes {
		n := 1
		for _, d := range shape {
			n *= d
		}
		data := make([]float32, n)
		for i := range data {
			data[i] = float32(i)
		}
		arrays = append(arrays, nn.Array{Name: name, Shape: shape, Data: data})
	}
	if err := nn.WriteSafetensors(path, arrays, nil); err != nil {
		t.Fatal(err)
	}
	return path
}

func parameter(t *testing.T, p *Policy, name string) []float32 {
	t.Helper()
	for _, q := range p.Parameters() {
		if q.Name == name {
			return q.Data
		}
	}
	t.Fatalf("no parameter %s", name)
	return nil
}

func TestPretrainedWeightsFindTheirPlaces(t *testing.T) {
	for _, test := range []struct {
		model  string
		file   map[string][]int
		loaded string
		first  []float32 // elements of the loaded parameter
	}{
		{"distilbert", map[string][]int{"distilbert.transformer.layer.1.attention.q_lin.weight": {12, 12}, "distilbert.embeddings.word_embeddings.weight": {7, 12}},
			"encoder.transformer.layer.1.attention.q_lin.weight", []float32{0, 1, 2}},
		{"gpt-2", map[string][]int{"h.0.mlp.c_fc.weight": {12, 48}}, "encoder.h.0.mlp.c_fc.weight", []float32{0, 48, 96}},
		{"gpt-2", map[string][]int{"transformer.h.1.ln_1.bias": {12}}, "encoder.h.1.ln_1.bias", []float32{0, 1, 2}},
		{"convnext", map[string][]int{"convnext.encoder.stages.1.layers.0.dwconv.weight": {12, 1, 7, 7}},
			"encoder.stages.1.layers.0.dwconv.weight", []float32{0, 1, 2}},
	} {
		p := newPolicy(t, test.model)
		loaded, err := LoadPretrained(p, namesake(t, test.file))
		if err != nil || !slices.Equal(loaded, []string{test.loaded}) {
			t.Errorf("%s: %v, loaded %v, want %s", test.model, err, loaded, test.loaded)
			continue
		}
		if got := parameter(t, p, test.loaded)[:3]; !slices.Equal(got, test.first) {
			t.Errorf("%s: it begins with %v, want %v", test.loaded, got, test.first)
		}
	}
}

// GPT-2 keeps queries, keys and values in one matrix [in, 3·out].
func TestPretrainedAttentionIsTakenApart(t *testing.T) {
	p := newPolicy(t, "gpt-2")
	if _, err := LoadPretrained(p, namesake(t, map[string][]int{"h.0.attn.c_attn.weight": {12, 36}, "h.0.attn.c_attn.bias": {36}})); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"q", "k", "v"} {
		weight, bias := parameter(t, p, "encoder.h.0.attn."+name+".weight"), parameter(t, p, "encoder.h.0.attn."+name+".bias")
		for out := range 12 {
			for in := range 12 {
				if got, want := weight[out*12+in], float32(in*36+12*i+out); got != want {
					t.Fatalf("%s: weight from %d to %d is %v, want %v", name, in, out, got, want)
				}
			}
			if got, want := bias[out], float32(12*i+out); got != want {
				t.Fatalf("%s: bias %d is %v, want %v", name, out, got, want)
			}
		}
	}
}

func TestForeignWeightsAreRefused(t *testing.T) {
	p := newPolicy(t, "distilbert")
	_, err := LoadPretrained(p, namesake(t, map[string][]int{"distilbert.transformer.layer.0.attention.q_lin.weight": {768, 768}}))
	if err == nil || !strings.Contains(err.Error(), "--size full") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v", err)
	}
}
