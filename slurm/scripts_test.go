package slurm

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The batch scripts and what each makes of its arguments.
var batchScripts = []struct{ script, command string }{
	{"lstm/train_lstm_baseline.sh", "train --model lstm"},
	{"distilbert/train_distilbert.sh", "train --model distilbert"},
	{"gpt-2/train_gpt-2.sh", "train --model gpt-2"},
	{"convnext/train_convnext.sh", "train --model convnext"},
	{"run_rl_optimized.sh", "bench agent"},
	{"run_pytorch_default.sh", "bench pytorch"},
	{"run_pytorch_jit.sh", "bench pytorch-jit"},
}

func TestBatchScriptsWithoutSlurm(t *testing.T) {
	t.Parallel()
	root := project(t, `echo "nestling $* in $PWD"; exit 3`)
	for _, test := range batchScripts {
		cmd := exec.Command("bash", filepath.Join(root, "scripts", test.script), "--threads", "1")
		cmd.Dir = t.TempDir()
		out, _ := cmd.CombinedOutput()
		if want := "nestling " + test.command + " --threads 1 in " + root + "\n"; string(out) != want {
			t.Errorf("%s said %q, want %q", test.script, out, want)
		}
		if code := cmd.ProcessState.ExitCode(); code != 3 {
			t.Errorf("%s ended with %d, want nestling's own 3", test.script, code)
		}
	}
}

// The guide submits scripts by hand, from the project's folder; a folder inside
// it does as well.
func TestBatchScriptsBySbatch(t *testing.T) {
	t.Parallel()
	root := project(t, `echo "nestling $* in $PWD"; exit 3`)
	for _, folder := range []string{root, filepath.Join(root, "scripts", "lstm")} {
		log := filepath.Join(t.TempDir(), "log")
		cmd := exec.Command("sbatch", "--wait", "--output="+log, filepath.Join(root, "scripts", "distilbert", "train_distilbert.sh"))
		cmd.Dir = folder
		if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 3 {
			t.Errorf("from %s: the job ended with %d, want nestling's own 3\n%s", folder, cmd.ProcessState.ExitCode(), out)
		}
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), "nestling train --model distilbert") || !strings.HasSuffix(string(text), " in "+root+"\n") {
			t.Errorf("from %s: the job said %q", folder, text)
		}
	}
}

func TestBatchScriptOutsideProject(t *testing.T) {
	t.Parallel()
	root := project(t, "")
	log := filepath.Join(t.TempDir(), "log")
	cmd := exec.Command("sbatch", "--wait", "--output="+log, filepath.Join(root, "scripts", "compare_all.sh"))
	cmd.Dir = t.TempDir()
	if cmd.Run(); cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("the job ended with %d, want 1", cmd.ProcessState.ExitCode())
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if want := "submit this script from inside the Nestling folder\n"; string(text) != want {
		t.Errorf("the job said %q, want %q", text, want)
	}
}

func TestCompareAll(t *testing.T) {
	t.Parallel()
	root := project(t, `echo "nestling $*"`)
	m := submit(t, root, root, "compare_all.sh")
	m.ends(0)
	m.said("nestling bench agent\nnestling bench pytorch\nnestling bench pytorch-jit\nnestling compare\n", "COMPLETED")

	m = submit(t, root, root, "compare_all.sh", "results/lstm/run 1")
	m.ends(0)
	m.said("nestling bench agent --run results/lstm/run 1\n", "pytorch --run", "pytorch-jit --run", "nestling compare results/lstm/run 1/benchmarks\n")
}

func TestCompareAllStopsAtFailure(t *testing.T) {
	t.Parallel()
	root := project(t, `echo "nestling $*"; [ "$2" != pytorch ] || exit 5`)
	m := submit(t, root, root, "compare_all.sh")
	m.ends(5)
	m.said("nestling bench agent\nnestling bench pytorch\n==", "FAILED", "exit code 5")
}

func TestNotBuilt(t *testing.T) {
	t.Parallel()
	root := project(t, "")
	if err := os.Remove(filepath.Join(root, "bin", "nestling")); err != nil {
		t.Fatal(err)
	}
	m := submit(t, root, root, "train_lstm_baseline.sh")
	m.ends(1)
	m.said("not built yet: run `make build` in "+root, "FAILED")
}

// A job that Slurm starts again goes on in the run folder it began with.
func TestRequeuedTrainingResumes(t *testing.T) {
	t.Parallel()
	root := project(t, `echo "nestling $*"
case "$*" in
  *--run-file*) echo results/lstm/run_3 >"$5"; echo training; sleep 100 ;;
esac`)
	m := submit(t, root, root, "train_lstm_baseline.sh", "--seed", "7")
	m.awaits("training")
	slurm(t, "scontrol", "requeue", m.job())
	m.awaits("PENDING (BeginTime)") // Slurm holds a requeued job back for some minutes
	slurm(t, "scontrol", "update", "JobId="+m.job(), "StartTime=now")
	m.ends(0)
	m.said("nestling train --model lstm --run-file results/slurm/job-"+m.job()+".run --seed 7\n",
		"PENDING", "nestling train --resume results/lstm/run_3 --seed 7\n", "COMPLETED", "exit code 0")
}
