package policy

import (
	"fmt"
	"slices"
	"strings"

	"nestling/nn"
)

// LoadPretrained gives a policy's encoder the weights of its namesake, as Hugging Face's
// transformers writes them (model.safetensors of DistilBERT, GPT-2 or ConvNeXt): every
// parameter that the file has in the same shape. What a namesake reads, words or pixels,
// is not what this one reads: embeddings and heads stay as they are. It returns the names
// of the parameters it loaded; a file that fits none is an error.
func LoadPretrained(p *Policy, path string) (loaded []string, err error) {
	file, err := nn.ReadSafetensors(path)
	if err != nil {
		return nil, err
	}
	for _, q := range p.encoder.parameters() {
		if data := pretrained(file, q); data != nil {
			copy(q.Data, data)
			loaded = append(loaded, q.Name)
		}
	}
	if len(loaded) == 0 {
		return nil, fmt.Errorf("%s: none of its %d tensors has the name and shape of one of the %s of sizes %+v; sizes of the namesake are --size full",
			path, len(file.Arrays), p.name, p.config)
	}
	return loaded, nil
}

// pretrained finds a parameter in a namesake's file, nil if it is not there.
func pretrained(file *nn.Safetensors, q *nn.Parameter) []float32 {
	name := strings.TrimPrefix(q.Name, "encoder.")
	if i := slices.IndexFunc([]string{".attn.q.", ".attn.k.", ".attn.v."}, func(part string) bool { return strings.Contains(name, part) }); i >= 0 {
		return part(file, name, i, q)
	}
	a, ok := find(file, name)
	if !ok {
		return nil
	}
	if strings.Contains(name, ".c_") && strings.HasSuffix(name, ".weight") { // GPT-2 keeps weights [in, out]
		return transposed(a, q.Shape)
	}
	if !slices.Equal(a.Shape, q.Shape) {
		return nil
	}
	return a.Data
}

// find looks a name up below whatever the file calls the whole model.
func find(file *nn.Safetensors, name string) (nn.Array, bool) {
	for _, prefix := range []string{"", "distilbert.", "transformer.", "convnext.", "convnext.encoder.", "encoder."} {
		if a, ok := file.Arrays[prefix+name]; ok {
			return a, true
		}
	}
	return nn.Array{}, false
}

// part is the i-th third of GPT-2's c_attn, which holds queries, keys and values side by
// side.
func part(file *nn.Safetensors, name string, i int, q *nn.Parameter) []float32 {
	at := strings.Index(name, ".attn.") + len(".attn.")
	a, ok := find(file, name[:at]+"c_attn"+name[at+1:])
	width := q.Shape[0]
	if !ok || a.Shape[len(a.Shape)-1] != 3*width {
		return nil
	}
	if len(a.Shape) == 1 {
		return a.Data[i*width : (i+1)*width]
	}
	var columns []float32
	for r := range a.Shape[0] {
		columns = append(columns, a.Data[r*3*width+i*width:r*3*width+(i+1)*width]...)
	}
	return transposed(nn.Array{Shape: []int{a.Shape[0], width}, Data: columns}, q.Shape)
}

// transposed is a matrix in the other order, nil unless it then has the shape.
func transposed(a nn.Array, shape []int) []float32 {
	if len(a.Shape) != 2 || len(shape) != 2 || a.Shape[0] != shape[1] || a.Shape[1] != shape[0] {
		return nil
	}
	out := make([]float32, len(a.Data))
	for r := range a.Shape[0] {
		for c := range a.Shape[1] {
			out[c*a.Shape[0]+r] = a.Data[r*a.Shape[1]+c]
		}
	}
	return out
}
