package database

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"strconv"
	"time"
)

// A line is {"crc32c":"0123abcd","record":{…}}: valid JSON for anyone's tools,
// and of fixed layout, so that the checksum is over exact bytes.
const (
	linePrefix = `{"crc32c":"`
	lineMiddle = `","record":`
	lineSuffix = `}`
	lineHead   = len(linePrefix) + 8 + len(lineMiddle)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frame makes a line, with its newline, of an encoded record.
func frame(text []byte) []byte {
	line := fmt.Appendf(nil, "%s%08x%s", linePrefix, crc32.Checksum(text, castagnoli), lineMiddle)
	line = append(line, text...)
	return append(line, lineSuffix+"\n"...)
}

// unframe checks a line, without its newline, and returns the encoded record.
func unframe(line []byte) ([]byte, error) {
	if len(line) < lineHead+len(lineSuffix) || !bytes.HasPrefix(line, []byte(linePrefix)) ||
		string(line[lineHead-len(lineMiddle):lineHead]) != lineMiddle || !bytes.HasSuffix(line, []byte(lineSuffix)) {
		return nil, errors.New("not a line of a tuning database")
	}
	text := line[lineHead : len(line)-len(lineSuffix)]
	if got := fmt.Sprintf("%08x", crc32.Checksum(text, castagnoli)); got != string(line[len(linePrefix):len(linePrefix)+8]) {
		return nil, errors.New("checksum does not match")
	}
	return text, nil
}

// number is a float64 whose infinities and NaN survive JSON, as strings.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	if x := float64(n); math.IsInf(x, 0) || math.IsNaN(x) {
		return json.Marshal(strconv.FormatFloat(x, 'g', -1, 64))
	}
	return json.Marshal(float64(n))
}

func (n *number) UnmarshalJSON(text []byte) error {
	x, err := strconv.ParseFloat(string(bytes.Trim(text, `"`)), 64)
	*n = number(x)
	return err
}

// encoded is Record as it is stored.
type encoded struct {
	Key
	Status              string    `json:"status"`
	Error               string    `json:"error,omitempty"`
	Nanoseconds         number    `json:"nanoseconds"`
	Ratio               number    `json:"ratio"`
	Samples             []number  `json:"samples,omitempty"`
	MaxError            number    `json:"max_error"`
	PrepareNanoseconds  number    `json:"prepare_nanoseconds"`
	CompileMilliseconds number    `json:"compile_milliseconds"`
	Time                time.Time `json:"time"`
}

func encode(r Record) ([]byte, error) {
	return json.Marshal(encoded{
		Key: r.Key, Status: r.Status, Error: r.Error,
		Nanoseconds: number(r.Nanoseconds), Ratio: number(r.Ratio), Samples: convert[number](r.Samples),
		MaxError: number(r.MaxError), PrepareNanoseconds: number(r.PrepareNanoseconds),
		CompileMilliseconds: number(r.CompileMilliseconds), Time: r.Time.UTC(),
	})
}

func decode(text []byte) (Record, error) {
	var e encoded
	if err := json.Unmarshal(text, &e); err != nil {
		return Record{}, err
	}
	return Record{
		Key: e.Key, Status: e.Status, Error: e.Error,
		Nanoseconds: float64(e.Nanoseconds), Ratio: float64(e.Ratio), Samples: convert[float64](e.Samples),
		MaxError: float64(e.MaxError), PrepareNanoseconds: float64(e.PrepareNanoseconds),
		CompileMilliseconds: float64(e.CompileMilliseconds), Time: e.Time,
	}, nil
}

func convert[T, S number | float64](in []S) []T {
	if in == nil {
		return nil
	}
	out := make([]T, len(in))
	for i, x := range in {
		out[i] = T(x)
	}
	return out
}

// readLines hands on the records of a file from an offset on, reports lines
// that are no records, and returns the offset after the last whole line.
func readLines(path string, from int64, record func(Record, []byte) bool, damaged func(Damage)) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return from, err
	}
	defer f.Close()
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return from, err
	}
	in := bufio.NewReader(f)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			if len(line) > 0 {
				damaged(Damage{path, from, "cut short"})
			}
			if err == io.EOF {
				err = nil
			}
			return from, err
		}
		if r, text, err := parse(line[:len(line)-1]); err != nil {
			damaged(Damage{path, from, err.Error()})
		} else {
			record(r, text)
		}
		from += int64(len(line))
	}
}

func parse(line []byte) (Record, []byte, error) {
	text, err := unframe(line)
	if err != nil {
		return Record{}, nil, err
	}
	r, err := decode(text)
	return r, text, err
}
