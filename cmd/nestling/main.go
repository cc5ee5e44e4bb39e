// Command nestling learns to arrange the loop nests of tensor programs, compiles
// them with MLIR and LLVM, and sets them beside PyTorch. This package is the
// command line and nothing else.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"nestling/measure"
)

// interrupted is the exit code of a command that Ctrl-C ended.
const interrupted = 130

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first Ctrl-C stops cleanly; a second one ends the process at once.
	context.AfterFunc(ctx, stop)
	// Past a limit on file sizes a write fails, like on a full disk, and says so.
	signal.Ignore(syscall.SIGXFSZ)
	os.Exit(execute(ctx))
}

func execute(ctx context.Context) int {
	err := root().ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "nestling: stopped; what was measured is kept")
		return interrupted
	}
	fmt.Fprintln(os.Stderr, "nestling:", oneLine(err))
	return 1
}

// oneLine brings an error to one line. Where several were joined, each line is
// one of them; indented lines explain the one above, and whatever follows a note
// of MLIR's is a print of a whole operation.
func oneLine(err error) string {
	text, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n  note: ")
	var parts []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			parts = append(parts, line)
		}
	}
	return strings.Join(parts, "; ")
}

// settings are the flags that most commands share.
type settings struct {
	threads   int
	results   string
	python    string
	tolerance float64
	json      bool
}

// check refuses settings that no command can work with. Threads are the
// laboratory's to judge.
func (s *settings) check() error {
	if !(s.tolerance > 0) {
		return fmt.Errorf("--tolerance %g: results of float32 arithmetic are never exact; the default is 1e-4", s.tolerance)
	}
	return nil
}

func root() *cobra.Command {
	s := &settings{}
	c := &cobra.Command{
		Use:   "nestling",
		Short: "Learns to arrange loop nests, and sets the result beside PyTorch",
		Long: `Nestling reads a tensor program (MLIR, linalg on tensors), lets a policy trained by
reinforcement learning choose its schedule, compiles it with MLIR and LLVM, checks
every result, times it, and sets it beside PyTorch on nine benchmarks.`,
		Example: `  nestling run                         # everything: benchmark the agent and PyTorch, compare
  nestling train --model lstm          # train an agent
  nestling bench agent                 # the nine benchmarks with the latest agent
  nestling optimize model.mlir         # any program: schedule, object code, report`,
		SilenceUsage: true, SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) error { return s.check() },
	}
	c.CompletionOptions.HiddenDefaultCmd = true
	flags := c.PersistentFlags()
	flags.IntVar(&s.threads, "threads", 0, "threads that kernels and PyTorch use (0: the cores this process may use)")
	flags.StringVar(&s.results, "results", "results", "folder of the runs")
	flags.StringVar(&s.python, "python", "", "Python with PyTorch (default: the first of python3, /usr/bin/python3 that has it)")
	flags.Float64Var(&s.tolerance, "tolerance", 1e-4, "largest error of a result, relative to the sum of its terms' sizes")
	flags.BoolVar(&s.json, "json", false, "print JSON for programs instead of text for people")
	c.AddCommand(runCommand(s), trainCommand(s), benchCommand(s), compareCommand(s), optimizeCommand(s),
		applyCommand(s), shipCommand(), refitCommand(s), genCommand(s), evalCommand(s), curveCommand(s), dbCommand(s), fuzzCommand(s), doctorCommand(s))
	return c
}

// printFiles tells which files a command wrote.
func (s *settings) printFiles(paths ...string) error {
	if s.json {
		return json.NewEncoder(os.Stdout).Encode(map[string][]string{"files": paths})
	}
	_, err := fmt.Println(strings.Join(paths, "\n"))
	return err
}

// openLab starts the laboratory with the command's settings.
func (s *settings) openLab() (*measure.Lab, error) { return openLab(s.labOptions()) }

// openTrainingLab starts one that gives up early on what takes long to compile:
// among thousands of candidates it is not worth the wait.
func (s *settings) openTrainingLab() (*measure.Lab, error) {
	o := s.labOptions()
	o.CompileLimit = 2 * time.Second
	o.Bind = true
	return openLab(o)
}

func openLab(o measure.Options) (*measure.Lab, error) {
	lab, err := measure.Open(o)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%w; --results names another folder", err)
	}
	return lab, err
}

// tuning is the folder of the tuning database.
func (s *settings) tuning() string { return s.results + "/tuning" }

func (s *settings) labOptions() measure.Options {
	return measure.Options{
		Threads:    s.threads,
		Tolerance:  s.tolerance,
		Database:   s.tuning(),
		FailureDir: s.results + "/failures",
	}
}
