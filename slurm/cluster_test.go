// Package slurm tests Nestling's batch scripts on a real Slurm: a cluster of one
// node, this machine, with a configuration, ports and a MUNGE socket of its own,
// so that it neither needs nor disturbs an installed one.
package slurm

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"
)

// cluster is a running Slurm of one node.
type cluster struct {
	dir     string // configuration, logs, spool folders
	guard   io.Closer
	daemons []*daemon
}

// daemon is a process that the cluster started, in the foreground.
type daemon struct {
	name   string
	cmd    *exec.Cmd
	exited chan struct{}
}

var configuration = template.Must(template.New("slurm.conf").Parse(`
ClusterName=nestling
SlurmctldHost={{.Host}}(127.0.0.1)
SlurmctldPort={{.ControlPort}}
SlurmdPort={{.NodePort}}
SlurmUser={{.User}}
SlurmdUser={{.User}}
AuthType=auth/munge
AuthInfo=socket={{.Dir}}/munge.socket
CredType=cred/munge
StateSaveLocation={{.Dir}}/state
SlurmdSpoolDir={{.Dir}}/spool
SlurmctldPidFile={{.Dir}}/slurmctld.pid
SlurmdPidFile={{.Dir}}/slurmd.pid
# More CPUs than the machine may have: the tests' jobs sleep side by side.
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
SchedulerParameters=batch_sched_delay=0,sched_interval=1
ReturnToService=2
KillWait=2
NodeName={{.Host}} NodeAddr=127.0.0.1 CPUs=32 State=UNKNOWN
PartitionName=main Nodes={{.Host}} Default=YES MaxTime=INFINITE State=UP
`))

// cgroups is the configuration of control groups. Nothing here uses them, but
// slurmd loads their plugin all the same: finding out which to load fails where no
// such file system is mounted, and the one of version 2 wants systemd.
const cgroups = "CgroupPlugin=cgroup/v1\n"

// init keeps TestMain on the process's first thread: the kernel ends a daemon
// with the thread that started it (Pdeathsig), and that one lives as long as we.
func init() { runtime.LockOSThread() }

func TestMain(m *testing.M) {
	if dir := os.Getenv(guarded); dir != "" {
		io.Copy(io.Discard, os.Stdin)
		sweep(dir)
		return
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	c, err := start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "no Slurm to test with:", err)
		return 1
	}
	code := m.Run()
	if left := c.stop(); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "processes were left by the jobs, and killed:\n%s\n", strings.Join(left, "\n"))
		code = 1
	}
	return code
}

// start starts MUNGE and Slurm and waits until the node takes jobs. The
// environment of this process then leads Slurm's commands to it.
func start() (c *cluster, err error) {
	if err := programs("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "scancel"); err != nil {
		return nil, err
	}
	c = &cluster{}
	if c.dir, err = os.MkdirTemp("", "nestling-slurm-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, c.logs())
			c.stop()
		}
	}()
	if err := c.setGuard(); err != nil {
		return nil, err
	}
	if err := c.configure(); err != nil {
		return nil, err
	}
	if err := c.launch("munged", "--foreground",
		"--key-file="+c.path("munge.key"), "--socket="+c.path("munge.socket"),
		"--pid-file="+c.path("munge.pid"), "--seed-file="+c.path("munge.seed"),
		"--log-file="+c.path("munged.messages")); err != nil {
		return nil, err
	}
	if err := c.await("MUNGE's socket", func() bool { return exists(c.path("munge.socket")) }); err != nil {
		return nil, err
	}
	if err := c.launch("slurmctld", "-D", "-f", c.path("slurm.conf")); err != nil {
		return nil, err
	}
	if err := c.launch("slurmd", "-D", "-f", c.path("slurm.conf")); err != nil {
		return nil, err
	}
	return c, c.await("an idle node", func() bool {
		out, err := exec.Command("sinfo", "--noheader", "--format=%T").Output()
		return err == nil && strings.TrimSpace(string(out)) == "idle"
	})
}

// programs finds what the tests need; Debian keeps daemons in /usr/sbin, which
// is not in everyone's PATH.
func programs(names ...string) error {
	if err := os.Setenv("PATH", os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin"); err != nil {
		return err
	}
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("%s is not installed; get it with `make setup` or `sudo apt-get install --no-install-recommends slurm-wlm munge`", name)
		}
	}
	return nil
}

// guarded names, in the environment of a guard, the folder of its cluster.
const guarded = "NESTLING_GUARDED_SLURM"

// setGuard starts this program once more to sweep up behind the cluster. It sees
// the end of this process by that of its standard input, however it comes: tests
// that time out, or are killed, stop nothing themselves.
func (c *cluster) setGuard() (err error) {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	guard := exec.Command(program)
	guard.Env = append(os.Environ(), guarded+"="+c.dir)
	guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is not for it
	if c.guard, err = guard.StdinPipe(); err != nil {
		return err
	}
	return guard.Start()
}

func (c *cluster) path(name string) string { return filepath.Join(c.dir, name) }

// configure writes MUNGE's key and Slurm's configuration, and points the
// environment at it.
func (c *cluster) configure() error {
	// MUNGE wants a socket that every user could reach.
	if err := os.Chmod(c.dir, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"state", "spool"} {
		if err := os.Mkdir(c.path(name), 0o755); err != nil {
			return err
		}
	}
	key := make([]byte, 128)
	rand.Read(key)
	if err := os.WriteFile(c.path("munge.key"), key, 0o600); err != nil {
		return err
	}
	text, err := c.configuration()
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{"slurm.conf": text, "cgroup.conf": []byte(cgroups)} {
		if err := os.WriteFile(c.path(name), text, 0o644); err != nil {
			return err
		}
	}
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "SLURM_") || strings.HasPrefix(name, "SBATCH_") {
			os.Unsetenv(name)
		}
	}
	return os.Setenv("SLURM_CONF", c.path("slurm.conf"))
}

func (c *cluster) configuration() ([]byte, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	host, _, _ = strings.Cut(host, ".")
	me, err := user.Current()
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	err = configuration.Execute(&text, map[string]any{
		"Host": host, "User": me.Username, "Dir": c.dir, "ControlPort": ports[0], "NodePort": ports[1],
	})
	return text.Bytes(), err
}

// freePorts finds TCP ports that nobody listens on.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// launch starts a daemon that dies with this process; its output is in NAME.log.
func (c *cluster) launch(name string, args ...string) error {
	out, err := os.Create(c.path(name + ".log"))
	if err != nil {
		return err
	}
	defer out.Close()
	d := &daemon{name: name, cmd: exec.Command(name, args...), exited: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr = out, out
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := d.cmd.Start(); err != nil {
		return err
	}
	go func() {
		d.cmd.Wait()
		close(d.exited)
	}()
	c.daemons = append(c.daemons, d)
	return nil
}

// await waits until something is there, or a daemon has died meanwhile.
func (c *cluster) await(what string, there func() bool) error {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if there() {
			return nil
		}
		for _, d := range c.daemons {
			select {
			case <-d.exited:
				return fmt.Errorf("%s ended by itself: %s", d.name, d.cmd.ProcessState)
			default:
			}
		}
	}
	return fmt.Errorf("waited a minute for %s", what)
}

// logs is what the daemons wrote, for the message of a failed start.
func (c *cluster) logs() string {
	var all strings.Builder
	for _, d := range c.daemons {
		text, err := os.ReadFile(c.path(d.name + ".log"))
		if err != nil {
			text = []byte(err.Error())
		}
		fmt.Fprintf(&all, "-- %s\n%s", d.name, text)
	}
	return all.String()
}

// stop cancels what still runs, ends the daemons, last started first, and sweeps
// up. It returns the processes that had to be killed for that.
func (c *cluster) stop() []string {
	exec.Command("scancel", "--state=PENDING").Run()
	exec.Command("scancel", "--state=RUNNING", "--signal=KILL", "--full").Run()
	c.awaitNoJobs()
	for i := len(c.daemons) - 1; i >= 0; i-- {
		c.daemons[i].stop()
	}
	left := sweep(c.dir)
	if c.guard != nil {
		c.guard.Close()
	}
	return left
}

func (c *cluster) awaitNoJobs() {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		out, err := exec.Command("squeue", "--noheader").Output()
		if err != nil || len(bytes.TrimSpace(out)) == 0 {
			return
		}
	}
}

func (d *daemon) stop() {
	d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.exited:
	case <-time.After(10 * time.Second):
		d.cmd.Process.Kill()
		<-d.exited
	}
}

// sweep kills the processes that carry a cluster's folder in their command line or
// environment, as all of its daemons and jobs do, describes them, and removes the
// folder.
func sweep(dir string) []string {
	var left []string
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		command, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		environment, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), "environ"))
		if !bytes.Contains(command, []byte(dir)) && !bytes.Contains(environment, []byte("SLURM_CONF="+dir)) {
			continue
		}
		if syscall.Kill(pid, syscall.SIGKILL) == nil {
			left = append(left, fmt.Sprintf("%d %s", pid, bytes.ReplaceAll(command, []byte{0}, []byte{' '})))
		}
	}
	os.RemoveAll(dir)
	return left
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}
