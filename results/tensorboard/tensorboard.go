// Package tensorboard writes event files that TensorBoard draws curves from.
//
// An event file is a sequence of TFRecords, each a length, a payload and their
// checksums (tensorflow/core/lib/io/record_writer.cc); a payload is an Event
// message (tensorflow/core/util/event.proto), of which three fields and one
// kind of summary are enough for curves.
package tensorboard

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Writer appends to one event file. It is not for use by several goroutines.
type Writer struct{ file *os.File }

// Create makes a new event file in dir. Training that was taken up again at
// firstStep gives that step: TensorBoard then forgets what earlier files in the
// folder say of it and of later steps.
func Create(dir string, firstStep int64) (*Writer, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("cannot write event files: %w", err)
	}
	file, err := createUnique(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot write event files: %w", err)
	}
	w := &Writer{file}
	now := time.Now()
	err = w.record(event(now, 0, bytesField(3, []byte("brain.Event:2"))))
	if err == nil && firstStep > 0 {
		const start = 1 // SessionLog.START
		err = w.record(event(now, firstStep, bytesField(7, varintField(1, start))))
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return w, nil
}

// createUnique names the file as TensorFlow does, time first: TensorBoard reads
// a folder's files in the order of their names.
func createUnique(dir string) (*os.File, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	now := time.Now()
	name := fmt.Sprintf("events.out.tfevents.%010d.%s.%d.%d", now.Unix(), host, os.Getpid(), now.Nanosecond())
	return os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o644)
}

// Scalars writes one point of each named curve at a step.
func (w *Writer) Scalars(step int64, values map[string]float64) error {
	var summary []byte
	for _, tag := range slices.Sorted(maps.Keys(values)) {
		value := append(bytesField(1, []byte(tag)), floatField(2, float32(values[tag]))...)
		summary = append(summary, bytesField(1, value)...)
	}
	return w.record(event(time.Now(), step, bytesField(5, summary)))
}

// Close closes the file.
func (w *Writer) Close() error { return w.file.Close() }

// record frames a payload. It goes out in a single write, so that a kill leaves
// at most one short record at the end, which readers pass over.
func (w *Writer) record(payload []byte) error {
	frame := binary.LittleEndian.AppendUint64(nil, uint64(len(payload)))
	frame = binary.LittleEndian.AppendUint32(frame, maskedCRC(frame))
	frame = append(frame, payload...)
	frame = binary.LittleEndian.AppendUint32(frame, maskedCRC(payload))
	if _, err := w.file.Write(frame); err != nil {
		return fmt.Errorf("cannot write event file: %w", err)
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// maskedCRC is rotated and shifted, as TFRecord wants: a checksum of data that
// holds its own checksum would be weak.
func maskedCRC(data []byte) uint32 {
	crc := crc32.Checksum(data, castagnoli)
	return (crc>>15 | crc<<17) + 0xa282ead8
}

// event encodes an Event: wall_time = 1, step = 2, and what it says.
func event(at time.Time, step int64, what []byte) []byte {
	seconds := float64(at.UnixMicro()) / 1e6
	message := binary.LittleEndian.AppendUint64([]byte{1<<3 | 1}, math.Float64bits(seconds))
	message = append(message, varintField(2, uint64(step))...)
	return append(message, what...)
}

// The three wire types of protocol buffers that are needed here.

func varintField(number, value uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, number<<3), value)
}

func bytesField(number uint64, content []byte) []byte {
	field := binary.AppendUvarint(nil, number<<3|2)
	return append(binary.AppendUvarint(field, uint64(len(content))), content...)
}

func floatField(number uint64, value float32) []byte {
	field := binary.AppendUvarint(nil, number<<3|5)
	return binary.LittleEndian.AppendUint32(field, math.Float32bits(value))
}
