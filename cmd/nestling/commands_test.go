package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	_ "image/png"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"nestling/ppo"
	"nestling/results"
)

// commands are what scripts have besides testscript's own.
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"refused":    refused,
	"ordinary":   ordinary,
	"trained":    copyTrained,
	"size":       size,
	"iterations": iterations,
	"parses":     parses,
	"keys":       keys,
	"picture":    picture,
	"smalldisk":  smallDisk,
}

// refused PATTERN ARGS... runs nestling, which has to fail with one line, all of
// which matches, and nothing else.
func refused(ts *testscript.TestScript, neg bool, args []string) {
	checkRefusal(ts, neg, args[0], ts.Exec("nestling", args[1:]...))
}

// ordinary PATTERN ARGS... is refused, run by a user who is not root.
func ordinary(ts *testscript.TestScript, neg bool, args []string) {
	if os.Geteuid() != 0 {
		refused(ts, neg, args)
		return
	}
	nobody := []string{"--reuid=65534", "--regid=65534", "--clear-groups", "nestling"}
	checkRefusal(ts, neg, args[0], ts.Exec("setpriv", append(nobody, args[1:]...)...))
}

func checkRefusal(ts *testscript.TestScript, neg bool, pattern string, err error) {
	line, named := strings.CutPrefix(strings.TrimSuffix(ts.ReadFile("stderr"), "\n"), "nestling: ")
	var exit *exec.ExitError
	switch {
	case neg:
		ts.Fatalf("a refusal cannot be negated")
	case err == nil:
		ts.Fatalf("not refused")
	case !errors.As(err, &exit) || exit.ExitCode() != 1:
		ts.Fatalf("ended otherwise than with exit code 1: %v", err)
	case ts.ReadFile("stdout") != "":
		ts.Fatalf("refused, but not without words on standard output")
	case !named || strings.Contains(line, "\n"):
		ts.Fatalf("want one line from nestling")
	case !regexp.MustCompile("^(?:" + pattern + ")$").MatchString(line):
		ts.Fatalf("the line does not match %s", pattern)
	}
}

// trained RUN puts a trained run there.
func copyTrained(ts *testscript.TestScript, _ bool, args []string) {
	run, err := trained()
	ts.Check(err)
	ts.Check(os.CopyFS(ts.MkAbs(args[0]), os.DirFS(run)))
}

// size FILE BYTES cuts a file short, or makes one as long, without using disk.
func size(ts *testscript.TestScript, _ bool, args []string) {
	bytes, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	file, err := os.OpenFile(ts.MkAbs(args[0]), os.O_WRONLY|os.O_CREATE, 0o644)
	ts.Check(err)
	ts.Check(errors.Join(file.Truncate(bytes), file.Close()))
}

// iterations RUN N checks that a training's log has the iterations 1 to N, each
// once, and the run a checkpoint of the last.
func iterations(ts *testscript.TestScript, _ bool, args []string) {
	run, err := results.OpenRun(ts.MkAbs(args[0]))
	ts.Check(err)
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(checkIterations(run, want))
}

// parses FILE checks that a file ("stdout" is the last command's output) holds
// one JSON value or several.
func parses(ts *testscript.TestScript, _ bool, args []string) {
	decoder, values := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0]))), 0
	for ; ; values++ {
		var value any
		err := decoder.Decode(&value)
		if err == io.EOF {
			break
		}
		ts.Check(err)
	}
	if values == 0 {
		ts.Fatalf("%s holds no JSON", args[0])
	}
}

// keys FILE NAME KEY... checks that an object of a JSON file has keys.
func keys(ts *testscript.TestScript, _ bool, args []string) {
	var objects map[string]map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &objects))
	for _, key := range args[2:] {
		if _, found := objects[args[1]][key]; !found {
			ts.Fatalf("%s of %s has no %s: %v", args[1], args[0], key, objects[args[1]])
		}
	}
}

// picture FILE checks that a file is an image to look at.
func picture(ts *testscript.TestScript, _ bool, args []string) {
	content, format, err := image.Decode(bytes.NewReader([]byte(ts.ReadFile(args[0]))))
	ts.Check(err)
	if b := content.Bounds(); format != "png" || b.Dx() < 200 || b.Dy() < 200 {
		ts.Fatalf("%s: %s of %d×%d", args[0], format, b.Dx(), b.Dy())
	}
}

// smalldisk DIR COMMAND... runs a command while DIR, with what is in it, is a
// disk with room for half as much again. Who may not mount one, not even in a
// name space of their own, gets a limit below the largest file instead, at which
// writes fail just so.
func smallDisk(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.MkAbs(args[0])
	used, largest := usage(ts, dir)
	var err error
	if space := nameSpace(); space != nil {
		ts.Setenv("DISK", dir)
		ts.Setenv("BYTES", strconv.FormatInt(used*3/2, 10))
		err = ts.Exec(space[0], append(append(space[1:], "sh", "-c", onSmallDisk, "sh"), args[1:]...)...)
	} else {
		ts.Logf("no right to mount a small disk: a limit on the size of files instead")
		err = ts.Exec("prlimit", append([]string{"--fsize=" + strconv.FormatInt(largest-1, 10)}, args[1:]...)...)
	}
	if (err == nil) == neg {
		ts.Fatalf("ended with %v", err)
	}
}

// onSmallDisk runs its arguments while $DISK is a disk of $BYTES. What they left
// there is brought back by way of a folder beside it.
const onSmallDisk = `
cp -r "$DISK" "$DISK.before" &&
mount -t tmpfs -o size="$BYTES" tmpfs "$DISK" &&
cp -r "$DISK.before/." "$DISK" || exit 99
"$@"
code=$?
cp -r "$DISK" "$DISK.after" && umount "$DISK" && rm -r "$DISK" && mv "$DISK.after" "$DISK" && exit $code`

// nameSpace is the command that gives a command mounts of its own, nil where
// there is none.
func nameSpace() []string {
	for _, space := range [][]string{{"unshare", "--mount"}, {"unshare", "--mount", "--map-root-user"}} {
		if exec.Command(space[0], append(space[1:], "mount", "-t", "tmpfs", "tmpfs", os.TempDir())...).Run() == nil {
			return space
		}
	}
	return nil
}

// usage is how many bytes the files in a folder hold, and the largest of them.
func usage(ts *testscript.TestScript, dir string) (used, largest int64) {
	ts.Check(filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			used, largest = used+info.Size(), max(largest, info.Size())
		}
		return err
	}))
	return used, largest
}

// checkIterations is what the script command iterations does.
func checkIterations(run *results.Run, want int) error {
	log, err := results.ReadLog[ppo.Metrics](filepath.Join(run.Logs(), ppo.LogFile))
	if err != nil {
		return err
	}
	var got []int
	for _, m := range log {
		got = append(got, m.Iteration)
	}
	for i := range max(want, len(got)) {
		if len(got) != want || got[i] != i+1 {
			return fmt.Errorf("the log holds iterations %v, want 1 to %d, each once", got, want)
		}
	}
	checkpoint, err := run.LatestCheckpoint()
	if err != nil {
		return err
	}
	if name := fmt.Sprintf("checkpoint_%06d", want); filepath.Base(checkpoint) != name {
		return fmt.Errorf("the newest checkpoint is %s, want %s", checkpoint, name)
	}
	unfinished, err := filepath.Glob(filepath.Join(run.Models(), ".*"))
	if len(unfinished) > 0 {
		return fmt.Errorf("left behind: %v", unfinished)
	}
	return err
}
