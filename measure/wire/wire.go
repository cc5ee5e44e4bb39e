// Package wire is what the main process and its workers say to each other:
// messages, and the frames they travel in. A frame is a big-endian uint32
// length and that many bytes of gob. Every frame carries its own type
// information, so a worker that was restarted needs no memory of the last one.
package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"fmt"
	"io"
)

// Descriptors a worker finds open. Standard output stays free for what
// libraries print.
const (
	RequestFD  = 3
	ResponseFD = 4
	TensorsFD  = 5 // runner only: shared memory, opened for reading
)

// MaxFrame is the longest frame in bytes. Modules carry their constants, so
// frames of hundreds of megabytes are legitimate.
const MaxFrame = 1 << 31

const headerBytes = 4

// Write sends message, a pointer or value that gob can encode, as one frame.
func Write(w io.Writer, message any) error {
	frame := bytes.NewBuffer(make([]byte, headerBytes))
	if err := gob.NewEncoder(frame).Encode(message); err != nil {
		return fmt.Errorf("wire: encode %T: %w", message, err)
	}
	length := frame.Len() - headerBytes
	if length > MaxFrame {
		return fmt.Errorf("wire: %T takes %d bytes; a frame holds at most %d", message, length, MaxFrame)
	}
	binary.BigEndian.PutUint32(frame.Bytes(), uint32(length))
	if _, err := w.Write(frame.Bytes()); err != nil {
		return fmt.Errorf("wire: write %T: %w", message, err)
	}
	return nil
}

// Read receives one frame into message, a pointer. It returns io.EOF when the
// other side closed between frames, and io.ErrUnexpectedEOF inside one.
func Read(r io.Reader, message any) error {
	var header [headerBytes]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return err
	}
	length := int64(binary.BigEndian.Uint32(header[:]))
	if length > MaxFrame {
		return fmt.Errorf("wire: a frame of %d bytes announced; at most %d are allowed", length, MaxFrame)
	}
	// Grown as bytes arrive: a broken header costs no gigabytes.
	var frame bytes.Buffer
	if n, err := io.CopyN(&frame, r, length); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("wire: frame of %d bytes cut after %d: %w", length, n, err)
	}
	if err := gob.NewDecoder(&frame).Decode(message); err != nil {
		return fmt.Errorf("wire: decode %T: %w", message, err)
	}
	return nil
}
