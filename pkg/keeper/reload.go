package keeper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"clauster/pkg/bridge"
	"clauster/pkg/control"
	"clauster/pkg/systemd"
	"clauster/pkg/terminal"
)

// A reload re-executes the keeper in place: same PID, same children, same
// descriptors, a new program. The new one tests itself on the running state
// first (selfcheck); if it refuses, the old one goes on. After the exec there
// is no way back: a new image that hangs or panics is killed by the watchdog
// and its successor reattaches from the fd store.

// The handoff's variables. Their values are descriptor numbers and a word; the
// state itself is in the memo.
const (
	handoffVariable    = "CLAUSTER_HANDOFF"     // "system" or "user"
	handoffFDsVariable = "CLAUSTER_HANDOFF_FDS" // name=fd,…
)

func handoffVariables() []string {
	return []string{handoffVariable, handoffFDsVariable}
}

const selfcheckWait = 10 * time.Second

// handedFDs gives the descriptors handed over by the image before.
func handedFDs(getenv func(string) string) (map[string]int, bool) {
	list := getenv(handoffFDsVariable)
	if list == "" || getenv(handoffVariable) == "" {
		return nil, false
	}
	fds := map[string]int{}
	for pair := range strings.SplitSeq(list, ",") {
		name, number, _ := strings.Cut(pair, "=")
		fd, err := strconv.Atoi(number)
		if err != nil || fd < 3 {
			continue
		}
		unix.CloseOnExec(fd)
		fds[name] = fd
	}
	return fds, true
}

// fdAnswer is the name under which the asking connection is handed over.
const fdAnswer = "answer"

// checkNew finds the new program and has it test itself on the running state.
func (k *keeper) checkNew() (exe string, err error) {
	if exe, err = newExecutable(); err != nil {
		return "", err
	}
	if err := k.save(); err != nil {
		return "", err
	}
	if err := k.selfcheck(exe); err != nil {
		return "", err
	}
	_ = k.notify.Send("WATCHDOG=1")
	failpoint("reload-checked")
	return exe, nil
}

// reload replaces this image. It returns only if the old image goes on.
func (k *keeper) reload(exe string, answer *control.Conn) error {
	if err := k.save(); err != nil {
		return err
	}
	fds := map[string]int{fdState: k.memo.fd}
	if k.bus != 0 {
		fds[fdBus] = k.bus
	}
	for name, fd := range k.fds {
		fds[name] = fd
	}
	if answer != nil {
		f, err := answer.File()
		if err != nil {
			return fmt.Errorf("cannot hand over the connection: %w", err)
		}
		defer f.Close()
		fd, err := dupOf(f)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		fds[fdAnswer] = fd
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushWait)
	defer cancel()
	if err := k.journal.Flush(ctx); err != nil {
		return fmt.Errorf("cannot reload now: %w", err) // queued events would die with this image
	}
	return k.exec(exe, fds)
}

// newExecutable is the path of the installed keeper: that of the running one,
// whose file a package upgrade has replaced. It must be root's, or the
// caller's own where the running one is.
func newExecutable() (string, error) {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return "", fmt.Errorf("cannot find the own executable: %w", err)
	}
	exe = strings.TrimSuffix(exe, " (deleted)")
	var st unix.Stat_t
	if err := unix.Stat(exe, &st); err != nil {
		return "", fmt.Errorf("cannot find the new keeper %s: %w", exe, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o022 != 0 || st.Uid != 0 {
		return "", fmt.Errorf("cannot trust the new keeper %s: it is not root's alone to write", exe)
	}
	return exe, nil
}

// selfcheck lets the new program read the running state.
func (k *keeper) selfcheck(exe string) error {
	ctx, cancel := context.WithTimeout(context.Background(), selfcheckWait)
	defer cancel()
	state, err := dupFile(k.memo.fd, "state")
	if err != nil {
		return err
	}
	defer state.Close()
	ring, err := dupFile(k.fds[fdRing], "ring")
	if err != nil {
		return err
	}
	defer ring.Close()
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, exe, "selfcheck", k.inst.String())
	cmd.Env = []string{"LANG=C.UTF-8"}
	cmd.Stderr = &said
	cmd.ExtraFiles = []*os.File{state, ring}
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		text := strings.TrimPrefix(strings.TrimSpace(firstN(said.String(), 500)), "error: ")
		return fmt.Errorf("the new keeper refuses the running state, the old one goes on: %w: %s", err, text)
	}
	return nil
}

func dupFile(fd int, name string) (*os.File, error) {
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("cannot duplicate %s: %w", name, err)
	}
	return os.NewFile(uintptr(dup), name), nil
}

// Selfcheck is `clauster-keeper selfcheck INSTANCE`: read the state (fd 3) and
// the ring (fd 4) of a running keeper, change nothing, and fail on anything
// this program would misunderstand.
func Selfcheck(instance string) error {
	m, err := openMemo(3)
	if err != nil {
		return err
	}
	var st state
	found, err := m.load(&st)
	if err != nil {
		return err
	}
	switch {
	case !found || st.Run == nil:
		return errors.New("cannot take over: there is no running bridge in the state")
	case st.Version > stateVersion:
		return fmt.Errorf("cannot take over: the state has version %d, this program knows none above %d", st.Version, stateVersion)
	case st.Instance != instance:
		return fmt.Errorf("cannot take over: the state is of %s", st.Instance)
	}
	if err := st.Run.Record.Validate(); err != nil {
		return err
	}
	_, err = terminal.OpenRing(4)
	return err
}

// exec replaces the process image. Signals stay blocked by nothing: the new
// image calls signal.Notify before anything else.
func (k *keeper) exec(exe string, fds map[string]int) error {
	env := []string{handoffVariable + "=" + k.manager.String()}
	var pairs []string
	for name, fd := range fds {
		pairs = append(pairs, name+"="+strconv.Itoa(fd))
	}
	sort.Strings(pairs)
	env = append(env, handoffFDsVariable+"="+strings.Join(pairs, ","))
	for name, value := range k.environ {
		env = append(env, name+"="+value)
	}
	env = append(env, os.Environ()...)
	argv := []string{"clauster-keeper", "run", k.inst.String()}
	if k.params.ConfigPath != "" {
		argv = []string{"clauster-keeper", "run", "--config", k.params.ConfigPath, k.inst.String()}
	}
	// No child may be forked while descriptors are open for the exec, and the
	// exec itself must run on a locked thread (execve ends all others).
	syscall.ForkLock.Lock()
	defer syscall.ForkLock.Unlock()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, fd := range fds {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
			return fmt.Errorf("cannot hand over descriptor %d: %w", fd, err)
		}
	}
	failpoint("reload-exec")
	err := unix.Exec(exe, argv, env)
	for _, fd := range fds {
		unix.CloseOnExec(fd)
	}
	return fmt.Errorf("cannot execute %s, the old keeper goes on: %w", exe, err)
}

// Reload is `clauster-keeper reload INSTANCE`, run by ExecReload=: it asks the
// running keeper through its socket and waits for the new image's answer.
// systemctl reload fails if the old image stayed.
func Reload(ctx context.Context, instance, version string, out io.Writer) error {
	inst, err := bridge.ParseInstance(instance)
	if err != nil {
		return err
	}
	d, manager, err := findDirs(inst, os.Getenv, syscall.Geteuid() == 0)
	if err != nil {
		return err
	}
	bus, err := systemd.Connect(ctx, manager)
	if err != nil {
		return err
	}
	defer bus.Close()
	check := func(pid int, _ uint32) error {
		main, err := bus.MainPID(ctx, inst.Unit())
		if err == nil && pid != main {
			err = fmt.Errorf("cannot trust the socket of %s: process %d answers, its keeper is %d: %w", inst, pid, main, control.ErrPeer)
		}
		return err
	}
	conn, err := control.Dial(ctx, d.runtime+"/"+control.SocketName, control.Hello{Role: "reload", Program: version, Instance: instance}, check)
	if err != nil {
		return err
	}
	defer conn.Close()
	answer, err := conn.Reload(ctx)
	if err != nil {
		return err
	}
	if answer.Kept {
		return errors.New(answer.Reason)
	}
	fmt.Fprintf(out, "the keeper of %s now runs version %s\n", inst, answer.Version)
	return nil
}
