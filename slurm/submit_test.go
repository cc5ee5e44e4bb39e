package slurm

import (
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestJobThatSucceeds(t *testing.T) {
	t.Parallel()
	root := project(t, "")
	folder := t.TempDir()
	write(t, filepath.Join(folder, "good.sh"), `echo "first $1, $2"; sleep 3; echo "last in $PWD"`)
	m := submit(t, root, folder, "./good.sh", "one two", "three")
	m.awaits("first one two, three")
	if strings.Contains(m.text(), "last in") {
		t.Errorf("the log came at the end, not while the job ran:\n%s", m.text())
	}
	m.ends(0)
	m.said("submitted good.sh", "RUNNING", "last in "+folder, "COMPLETED", "exit code 0")

	log := filepath.Join(root, "results", "slurm", "good-"+m.job()+".log")
	m.said(log)
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if want := "first one two, three\nlast in " + folder + "\n"; string(text) != want {
		t.Errorf("the log holds %q, want %q", text, want)
	}
}

func TestJobThatWaits(t *testing.T) {
	t.Parallel()
	root := project(t, "")
	write(t, filepath.Join(root, "held.sh"), "#SBATCH --hold\nsleep 2")
	m := submit(t, root, root, "held.sh")
	m.awaits("PENDING (JobHeldUser)")
	slurm(t, "scontrol", "release", m.job())
	m.ends(0)
	m.said("PENDING (JobHeldUser)", "RUNNING", "COMPLETED")
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, body, state string
		code              int
	}{
		{"exit", "echo before; exit 7", "FAILED", 7},
		{"signal", "echo before; kill -SEGV $$", "FAILED", 128 + 11},
		{"kill", "echo before; kill -KILL $$", "FAILED", 128 + 9},
		{"child", "echo before; bash -c 'kill -ABRT $$'", "FAILED", 128 + 6},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			root := project(t, "")
			write(t, filepath.Join(root, "bad.sh"), test.body)
			m := submit(t, root, root, "bad.sh")
			m.ends(test.code)
			m.said("before", test.state)
		})
	}
}

func TestJobCancelledElsewhere(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, body string
		state      string
		code       int
	}{
		{"running", "sleep 100", "RUNNING", 128 + 15},
		{"pending", "#SBATCH --hold\ntrue", "PENDING", 1},
		// One that leaves cleanly when told to has still not done its work.
		{"clean", "trap 'exit 0' TERM; echo here; sleep 100 & wait", "RUNNING", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			root := project(t, "")
			write(t, filepath.Join(root, "long.sh"), test.body)
			m := submit(t, root, root, "long.sh")
			m.awaits(test.state)
			if test.name == "clean" {
				m.awaits("here")
			}
			slurm(t, "scancel", m.job())
			m.ends(test.code)
			m.said("CANCELLED")
		})
	}
}

func TestCtrlC(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, answer string
		cancelled    bool
		code         int
	}{
		{"yes", "y\n", true, 128 + 15},
		{"no", "n\n", false, 130},
		{"nothing", "\n", false, 130},
		{"end of input", "\x04", false, 130},
		{"again", "\x03", false, 130},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			root := project(t, "")
			write(t, filepath.Join(root, "long.sh"), "echo here; sleep 100")
			m := submitOnTerminal(t, root, root, "long.sh")
			m.awaits("here")
			m.types("\x03")
			m.awaits("Cancel job", m.job(), "[y/N]")
			m.types(test.answer)
			m.ends(test.code)
			if test.cancelled {
				m.said("CANCELLED")
				return
			}
			m.said("goes on", "tail -F", "long-"+m.job()+".log", "scancel "+m.job())
			running(t, m)
		})
	}
}

func TestInterruptWithoutTerminal(t *testing.T) {
	t.Parallel()
	// What nohup has made ignored stays ignored in children, whose traps bash then
	// leaves out; children of who handles it begin with the default.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			root := project(t, "")
			write(t, filepath.Join(root, "long.sh"), "echo here; sleep 100")
			m := submit(t, root, root, "long.sh")
			m.awaits("here")
			m.cmd.Process.Signal(signal)
			m.ends(130)
			m.said("goes on", "scancel "+m.job())
			running(t, m)
		})
	}
}

// running checks that the job was left running, and ends it.
func running(t *testing.T, m *monitor) {
	t.Helper()
	if state := slurm(t, "squeue", "--noheader", "--format=%T", "--jobs="+m.job()); state != "RUNNING\n" {
		t.Errorf("the job is %q, want it running", state)
	}
	slurm(t, "scancel", m.job())
}

func TestScriptIsFound(t *testing.T) {
	t.Parallel()
	root := project(t, `echo "nestling $*, $SLURM_JOB_NAME"`)
	elsewhere := t.TempDir()
	for _, name := range []string{
		"run_rl_optimized.sh",
		filepath.Join(root, "scripts", "run_rl_optimized.sh"),
	} {
		m := submit(t, root, elsewhere, name, "--run", "results/lstm/run_1")
		m.ends(0)
		m.said("nestling bench agent --run results/lstm/run_1, run_rl_optimized.sh", "COMPLETED")
	}
	for _, name := range []string{"train_distilbert.sh", "distilbert/train_distilbert.sh"} {
		m := submit(t, root, elsewhere, name)
		m.ends(0)
		m.said("nestling train --model distilbert", "COMPLETED")
	}
}

func TestSubmissionRefused(t *testing.T) {
	t.Parallel()
	root := project(t, "")
	write(t, filepath.Join(root, "scripts", "a", "same.sh"), "")
	write(t, filepath.Join(root, "scripts", "b", "same.sh"), "")
	write(t, filepath.Join(root, "impossible.sh"), "#SBATCH --partition=nowhere")
	write(t, filepath.Join(root, "array.sh"), "#SBATCH --array=1-2\n#SBATCH --hold")
	for _, test := range []struct {
		script, message string
		code            int
	}{
		{"nowhere.sh", "no script nowhere.sh", 2},
		{"same.sh", "more than one script is called same.sh", 2},
		{"impossible.sh", "invalid partition specified: nowhere", 1},
		{"array.sh", "is a job array", 2},
	} {
		m := submit(t, root, root, test.script)
		m.ends(test.code)
		m.said(test.message)
	}
	m := submit(t, root, root)
	m.ends(2)
	m.said("usage: submit_and_monitor.sh SCRIPT")
}
