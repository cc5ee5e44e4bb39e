package wire

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Ends are a worker's ends of the pipes that it was started with. A program that
// somebody started by hand has none, which is an error. Core dumps are forbidden
// from here on: crashes are expected, and their cores of no use to anyone.
func Ends() (requests, responses *os.File, err error) {
	if !isPipe(RequestFD) || !isPipe(ResponseFD) {
		return nil, nil, errors.New("descriptors 3 and 4 are no pipes; nestling starts this program by itself")
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return nil, nil, fmt.Errorf("forbid core dumps: %w", err)
	}
	return os.NewFile(RequestFD, "requests"), os.NewFile(ResponseFD, "responses"), nil
}

func isPipe(fd int) bool {
	var stat unix.Stat_t
	return unix.Fstat(fd, &stat) == nil && stat.Mode&unix.S_IFMT == unix.S_IFIFO
}
