package machine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// execUnit is the machine's unit that holds what tests run in it. Delegate
// lets us put processes into its cgroup from outside; KillMode=process spares
// the commands when the unit itself is stopped.
const execUnit = "machine-exec.service"

const execUnitFile = `[Unit]
Description=Commands of the test bed
DefaultDependencies=no
[Service]
ExecStart=/bin/sleep infinity
Delegate=yes
KillMode=process
LogRateLimitIntervalSec=0
[Install]
WantedBy=sysinit.target
`

// launchScript runs as init of the machine's own PID and mount namespaces, so
// that its death takes every process and every mount with it. Killing nspawn
// alone does not: its leader lived on as a child of the host's init.
//
// nspawn gives up with 133 on a reboot of the machine where it keeps its
// caller's unit; the loop is the reboot. The host's /run is hidden so that
// nspawn's own lock and propagation files vanish as well.
const launchScript = `set -eu
for g in $CGROUPS; do echo 0 > "$g/cgroup.procs"; done
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs -o mode=755 clauster-machine "$RUN/layer"
mkdir "$RUN/layer/upper" "$RUN/layer/work" "$RUN/layer/root"
cp -a "$RUN/skeleton/." "$RUN/layer/upper/"
mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$RUN/layer/upper,workdir=$RUN/layer/work" "$RUN/layer/root"
mount -t tmpfs -o mode=755 clauster-machine /run
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
unset CGROUPS
while :; do
	code=0
	systemd-nspawn --quiet --directory="$RUN/layer/root" --boot --console=pipe --machine="$NAME" \
		--register=no --keep-unit $NETWORK --link-journal=no --resolv-conf=off --timezone=off || code=$?
	[ "$code" -eq 133 ] || exit "$code"
done
`

// container is the nspawn back end.
type container struct {
	name    string
	dirs    dirs
	cgroups cgroups

	init   *os.Process // of the PID namespace; nil when attached
	exited chan struct{}

	mu     sync.Mutex
	leader int // the machine's PID 1, as the host counts
}

// bootContainer starts nspawn over a throwaway layer on root and returns when
// the machine's PID 1 exists.
func bootContainer(ctx context.Context, d dirs, o Options, root string) (*container, error) {
	name := o.Name
	host, err := hostCgroups()
	if err != nil {
		return nil, err
	}
	c := &container{name: name, dirs: d, cgroups: host.of(name), exited: make(chan struct{})}
	if err := os.WriteFile(filepath.Join(d.run(name), "cgroups"), []byte(c.cgroups.encode()), 0o644); err != nil {
		return nil, err
	}
	if err := c.cgroups.make(); err != nil {
		return nil, err
	}
	if err := writeSkeleton(filepath.Join(d.run(name), "skeleton"), name); err != nil {
		return nil, err
	}
	if o.Network {
		// A host without name servers has none to hand on.
		conf, _ := os.ReadFile("/etc/resolv.conf")
		if err := os.WriteFile(filepath.Join(d.run(name), "skeleton/etc/resolv.conf"), conf, 0o644); err != nil {
			return nil, err
		}
	}
	if err := c.launch(root, o.Network); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	if err := c.awaitLeader(ctx, 0); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

// writeSkeleton makes the files that differ from the cached root.
func writeSkeleton(dir, name string) error {
	var id [16]byte
	rand.Read(id[:])
	unit := filepath.Join("etc/systemd/system", execUnit)
	files := map[string]string{
		// Without a machine id systemd takes this for a first boot.
		"etc/machine-id":  hex.EncodeToString(id[:]) + "\n",
		"etc/hostname":    name + "\n",
		"etc/hosts":       "127.0.0.1 localhost " + name + "\n::1 localhost\n",
		"etc/resolv.conf": "",
		unit:              execUnitFile,
		"etc/sudoers.d/machine": "%sudo ALL=(ALL:ALL) NOPASSWD: ALL\n" +
			"Defaults !fqdn\n",
	}
	for path, text := range files {
		p := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			return err
		}
	}
	if err := os.Chmod(filepath.Join(dir, "etc/sudoers.d/machine"), 0o440); err != nil {
		return err
	}
	wants := filepath.Join(dir, "etc/systemd/system/sysinit.target.wants")
	if err := os.MkdirAll(wants, 0o755); err != nil {
		return err
	}
	err := os.Symlink("/"+unit, filepath.Join(wants, execUnit))
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return err
}

// launch starts the namespaces' init. It dies by SIGKILL with this process.
func (c *container) launch(root string, network bool) error {
	run := c.dirs.run(c.name)
	if err := os.MkdirAll(filepath.Join(run, "layer"), 0o755); err != nil {
		return err
	}
	console, err := os.Create(c.dirs.consoleFile(c.name))
	if err != nil {
		return err
	}
	defer console.Close()
	cmd := exec.Command("/bin/sh", "-c", launchScript)
	cmd.Stdout, cmd.Stderr = console, console
	cmd.Env = []string{"PATH=" + systemPath, "RUN=" + run, "LOWER=" + root, "NAME=" + c.name,
		"CGROUPS=" + strings.Join(c.cgroups.all(), " "), "NETWORK=--private-network"}
	if network {
		cmd.Env[len(cmd.Env)-1] = "NETWORK="
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL,
		Setsid:     true, // no terminal, and no Ctrl-C of the test's
	}
	started := make(chan error, 1)
	go func() {
		lockThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in the console log
			close(c.exited)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("cannot start nspawn: %w", err)
	}
	c.init = cmd.Process
	return nil
}

// awaitLeader waits for a machine PID 1 other than old and notes it.
func (c *container) awaitLeader(ctx context.Context, old int) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	leader := 0
	found := waitContext(ctx, func() bool {
		select {
		case <-c.exited:
			return true
		default:
		}
		leader = findLeader(c.init.Pid)
		return leader != 0 && leader != old
	})
	if !found || leader == 0 || leader == old {
		return fmt.Errorf("cannot find the machine's PID 1: %s", strings.TrimSpace(c.console()))
	}
	c.mu.Lock()
	c.leader = leader
	c.mu.Unlock()
	return nil
}

// findLeader looks for the machine's PID 1 below the script: nspawn's child
// that is 1 in its own PID namespace and has become systemd; before that it is
// nspawn itself, still preparing the root.
func findLeader(init int) int {
	for _, nspawn := range children(init) {
		for _, pid := range children(nspawn) {
			comm, _ := os.ReadFile(procPath(pid, "comm"))
			if nsPID(pid) == 1 && strings.TrimSpace(string(comm)) == "systemd" {
				return pid
			}
		}
	}
	return 0
}

func (c *container) reboot(ctx context.Context, ask func() error) error {
	old := c.leaderPID()
	if err := ask(); err != nil {
		return err
	}
	return c.awaitLeader(ctx, old)
}

func (c *container) leaderPID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leader
}

func (c *container) console() string { return readTail(c.dirs.consoleFile(c.name)) }

func (c *container) stop() error {
	if c.init != nil {
		_ = c.init.Kill() // already gone is fine
		<-c.exited
	}
	return nil // the cgroups go with the run directory
}

// children lists the child processes of a process, none when it is gone.
func children(pid int) []int {
	tasks, _ := filepath.Glob(procPath(pid, "task/*/children"))
	var pids []int
	for _, t := range tasks {
		text, _ := os.ReadFile(t)
		for _, f := range strings.Fields(string(text)) {
			if p, err := strconv.Atoi(f); err == nil {
				pids = append(pids, p)
			}
		}
	}
	return pids
}

func procPath(pid int, file string) string {
	return filepath.Join("/proc", strconv.Itoa(pid), file)
}

// nsPID is the PID of a host process in its innermost namespace, 0 when gone.
func nsPID(pid int) int {
	status, _ := os.ReadFile(procPath(pid, "status"))
	for _, line := range strings.Split(string(status), "\n") {
		if rest, ok := strings.CutPrefix(line, "NSpid:"); ok {
			f := strings.Fields(rest)
			p, _ := strconv.Atoi(f[len(f)-1])
			return p
		}
	}
	return 0
}
