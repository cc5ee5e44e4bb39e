package nn

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSafetensorsRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	arrays := []Array{
		{"weight", []int{2, 3}, []float32{1, -2, 3.5, float32(math.Inf(1)), 1e-40, 0}},
		{"empty", []int{0, 4}, nil},
		{"scalar", []int{}, []float32{7}},
	}
	if err := WriteSafetensors(path, arrays, map[string]string{"made by": "a \"test\""}); err != nil {
		t.Fatal(err)
	}
	file, err := ReadSafetensors(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range arrays {
		got := file.Arrays[a.Name]
		if !slices.Equal(got.Shape, a.Shape) || !slices.Equal(got.Data, a.Data) {
			t.Errorf("%s: read %v, wrote %v", a.Name, got, a)
		}
	}
	if diff := cmp.Diff(map[string]string{"made by": "a \"test\""}, file.Metadata); diff != "" {
		t.Error(diff)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

// TestSafetensorsLayout pins the bytes: other programs read these files.
func TestSafetensorsLayout(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	if err := WriteSafetensors(path, []Array{{"x", []int{2}, []float32{1, 2}}}, map[string]string{"k": "v"}); err != nil {
		t.Fatal(err)
	}
	head := `{"__metadata__":{"k":"v"},"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`
	want := "\x50\x00\x00\x00\x00\x00\x00\x00" + head + strings.Repeat(" ", 0x50-len(head)) + "\x00\x00\x80\x3f\x00\x00\x00\x40"
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
}

func TestBadSafetensors(t *testing.T) {
	file := func(head string, data int) string {
		return string(binary.LittleEndian.AppendUint64(nil, uint64(len(head)))) + head + strings.Repeat("\x00", data)
	}
	tests := []struct{ name, content, want string }{
		{"empty", "", "not a safetensors file"},
		{"text", "#!/bin/sh\necho this is something else\n", "not a safetensors file"},
		{"header cut", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 0)[:30], "cut short"},
		{"header not JSON", file(`{"a":`, 4), "not a safetensors file"},
		{"metadata not strings", file(`{"__metadata__":{"a":1}}`, 0), "metadata"},
		{"data cut", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 7), `tensor "a": cut short: data ends at byte 7 of 8`},
		{"data too long", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 8), "8 bytes of data"},
		{"other type", file(`{"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}`, 4), "BF16"},
		{"offsets not of shape", file(`{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,4]}}`, 4), "do not hold shape [3]"},
		{"negative offset", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}`, 4), "do not hold shape"},
		{"overflowing shape", file(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0), "do not hold shape"},
	}
	for _, test := range tests {
		path := filepath.Join(t.TempDir(), "bad.safetensors")
		if err := os.WriteFile(path, []byte(test.content), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := ReadSafetensors(path)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v; want one line with %q and the path", test.name, err, test.want)
		}
	}
}

func TestCopyToWantsTheSameTensors(t *testing.T) {
	file := &Safetensors{Path: "f", Arrays: map[string]Array{
		"a": {"a", []int{2}, []float32{1, 2}},
		"b": {"b", []int{1, 2}, []float32{3, 4}},
	}}
	array := func(name string, shape ...int) Array { return Array{name, shape, make([]float32, product(shape))} }
	tests := []struct {
		name   string
		arrays []Array
		want   string
	}{
		{"missing", []Array{array("a", 2), array("c", 2)}, `no tensor "c"`},
		{"shape", []Array{array("a", 2), array("b", 2, 1)}, `tensor "b" has shape [1 2], want [2 1]`},
		{"too many", []Array{array("a", 2)}, "2 tensors, want 1"},
	}
	for _, test := range tests {
		err := file.CopyTo(test.arrays)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
		if test.arrays[0].Data[0] != 0 {
			t.Errorf("%s: something was copied", test.name)
		}
	}
}

func TestWriteSafetensorsKeepsTheOldFileOnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	if err := WriteSafetensors(path, []Array{{"x", []int{1}, []float32{1}}}, nil); err != nil {
		t.Fatal(err)
	}
	if err := WriteSafetensors(path, []Array{{"x", []int{2}, []float32{1}}}, nil); err == nil {
		t.Error("one element for shape [2] was written")
	}
	if file, err := ReadSafetensors(path); err != nil || file.Arrays["x"].Data[0] != 1 {
		t.Errorf("the old file is gone: %v", err)
	}
	if err := WriteSafetensors(filepath.Join(path, "below", "a"), nil, nil); err == nil {
		t.Error("written below a file")
	}
}
