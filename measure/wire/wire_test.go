package wire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFramesSurviveTheWay(t *testing.T) {
	var pipe bytes.Buffer
	sent := []RunRequest{
		{Symbol: "matmul", Object: []byte{0, 1, 2}, Inputs: []Tensor{{Offset: 64, Elements: 9}}, Threads: 2},
		{Symbol: "other", WorkspaceBytes: 7},
	}
	for _, m := range sent {
		if err := Write(&pipe, m); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range sent {
		var got RunRequest
		if err := Read(&pipe, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	var none RunRequest
	if err := Read(&pipe, &none); err != io.EOF {
		t.Errorf("at the end: %v, want io.EOF", err)
	}
}

func TestCutFrame(t *testing.T) {
	var pipe bytes.Buffer
	if err := Write(&pipe, RunRequest{Object: make([]byte, 1000)}); err != nil {
		t.Fatal(err)
	}
	whole := pipe.Bytes()
	for _, n := range []int{1, 4, len(whole) / 2, len(whole) - 1} {
		var m RunRequest
		if err := Read(bytes.NewReader(whole[:n]), &m); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut after %d bytes: %v", n, err)
		}
	}
}

func TestBrokenHeader(t *testing.T) {
	var m RunRequest
	err := Read(strings.NewReader("\xff\xff\xff\xff"), &m)
	if err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("oversized frame: %v", err)
	}
	if err := Read(strings.NewReader("\x00\x00\x00\x03abc"), &m); err == nil {
		t.Error("three bytes of garbage were decoded")
	}
}
