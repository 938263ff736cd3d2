package keeper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"clauster/pkg/bridge"
	"clauster/pkg/journal"
	"clauster/pkg/systemd"
	"clauster/pkg/terminal"
)

// Params is how a keeper is called.
type Params struct {
	Instance   string
	ConfigPath string // "" for the manager's default
	Version    string // of the release
}

// Names of the descriptors in the fd store.
const (
	fdState  = "state"
	fdPTY    = "pty"
	fdReaper = "reaper" // pidfd
	fdStory  = "story"  // socket with the reaper's reports
	fdRing   = "ring"
	fdListen = "listen"
	fdWatch  = "watch" // inotify, handed on from run to run: see spool.Options.Watch
)

// runFDs are the stored descriptors that belong to one run.
func runFDs() []string { return []string{fdPTY, fdReaper, fdStory, fdRing, fdListen} }

const barrierWait = 5 * time.Second

// keeper is one keeper process.
type keeper struct {
	params  Params
	inst    bridge.Instance
	dirs    dirs
	manager systemd.Manager
	run     string // InvocationID of this process's service start
	boot    string
	host    string

	notify  *systemd.Notifier
	journal *ledger
	signals chan os.Signal
	environ map[string]string // the service environment, for a re-exec

	memo *memo
	st   *state
	fds  map[string]int // what the fd store holds of the run
	bus  int            // directory of the system bus's socket, 0 where it is in no secret place

	launchBus  *systemd.Bus       // while a launch needs it: see connect
	limits     []systemd.Property // of the scope to be made
	handed     bool               // this image replaced another one in place
	unattended bool               // nobody asked for this start: a restart after a crash, or a boot

	ring *terminal.Ring
	exit int // decided by report
	pty  *os.File
}

// Run is the life of `clauster-keeper run INSTANCE`. It returns the exit code.
func Run(p Params) int {
	// Before anything else: Go leaves TERM, INT and HUP deadly until Notify,
	// and an agent may send them at any time after the drop of root.
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	stored := strings.Contains(os.Getenv("LISTEN_FDNAMES")+os.Getenv(handoffFDsVariable), fdPTY)
	k, err := wake(p, signals)
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		tellRefused(err)
		var name *bridge.NameError
		switch {
		case stored:
			return tryAgain()
		case errors.As(err, &name), errors.Is(err, errNoSystemd):
			return bridge.ExitConfig
		}
		time.Sleep(time.Second) // no state, so no growing delay
		return bridge.ExitTemporary
	}
	code := k.live()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = k.journal.Close(ctx)
	failpoint("closed")
	if k.st.Over != nil && k.st.Over.Code == code {
		k.forget()
	}
	return code
}

// tryAgain is the end of a keeper that cannot look after a living bridge now:
// like a panic, the bridge stays and the next keeper tries. The pause keeps
// that from going on ten times a second.
func tryAgain() int {
	time.Sleep(time.Second)
	return 2
}

// tellRefused says in the unit's status why there is no keeper, while the
// environment still has the way to systemd: a name that breaks the rules comes
// first of all.
func tellRefused(err error) {
	if n, bad := systemd.NewNotifier(os.Getenv); bad == nil {
		_ = n.Send("STATUS=" + bridge.StatusLine(bridge.Failed, err.Error()))
	}
}

var errNoSystemd = errors.New("cannot run outside systemd")

// wake collects what the process was born with.
func wake(p Params, signals chan os.Signal) (*keeper, error) {
	inst, err := bridge.ParseInstance(p.Instance)
	if err != nil {
		return nil, err
	}
	k := &keeper{params: p, inst: inst, signals: signals, environ: map[string]string{}, fds: map[string]int{}}
	if k.notify, err = systemd.NewNotifier(os.Getenv); err != nil {
		return nil, err
	}
	if k.dirs, k.manager, err = findDirs(inst, os.Getenv, unix.Geteuid() == 0 || os.Getenv(handoffVariable) == "system"); err != nil {
		return nil, err
	}
	k.run = strings.ToLower(os.Getenv("INVOCATION_ID"))
	if k.run == "" {
		return nil, fmt.Errorf("%w: start it with systemctl start %s", errNoSystemd, inst.Unit())
	}
	k.boot = oneLine("/proc/sys/kernel/random/boot_id")
	k.host, _ = os.Hostname()
	k.journal = newLedger(journal.NewWriter(journal.Options{Identifier: "clauster-keeper", Base: journal.Fields{
		bridge.FieldInstance: inst.String(), bridge.FieldProject: inst.Project,
	}}))
	k.fds = systemd.StoredFDs(os.Getenv)
	if handed, ok := handedFDs(os.Getenv); ok {
		k.fds, k.handed = handed, true
		k.adoptBus()
	}
	for _, name := range append(systemd.ServiceEnviron(), handoffVariables()...) {
		if v := os.Getenv(name); v != "" && !strings.HasPrefix(name, "LISTEN_") && !strings.HasPrefix(name, "CLAUSTER_HANDOFF") {
			k.environ[name] = v
		}
		os.Unsetenv(name)
	}
	failpoint("woken")
	return k, k.recall()
}

// recall finds the state memory of a predecessor or makes a new one. A memory
// that cannot be read is given up with what it described: a bridge whose
// state is unknown cannot be judged.
func (k *keeper) recall() error {
	k.st = &state{Version: stateVersion, Instance: k.inst.String(), Boot: k.boot, Unsettled: true}
	if fd, ok := k.fds[fdState]; ok {
		k.st.Unsettled = false
		delete(k.fds, fdState)
		m, err := openMemo(fd)
		if err == nil {
			var st state
			var found bool
			if found, err = m.load(&st); found && err == nil {
				k.memo, k.st = m, &st
				return k.understand()
			}
		}
		if err != nil {
			k.warn("the state of a predecessor is lost: " + err.Error())
		}
	}
	m, err := newMemo()
	if err != nil {
		return err
	}
	k.memo = m
	_ = k.notify.Unstore(fdState)
	if err := k.notify.Store(fdState, m.fd); err != nil {
		return err
	}
	return k.save()
}

// understand takes a predecessor's state as this program's own. One of a newer
// release is used as far as it makes sense.
func (k *keeper) understand() error {
	if k.st.Version > stateVersion {
		k.warn(fmt.Sprintf("the state of a newer keeper (version %d, this one knows %d) is used as far as it is understood", k.st.Version, stateVersion))
		if r := k.st.Run; r != nil && r.Record.Validate() != nil {
			return errors.New("cannot understand the state of a newer keeper: install the newer version again")
		}
	}
	k.st.Version = stateVersion
	if k.handed {
		return k.save()
	}
	pause := k.st.brake(time.Now())
	err := k.save()
	time.Sleep(pause)
	return err
}

func (k *keeper) save() error { return k.memo.save(k.st) }

// live decides between reattaching, settling a predecessor's end and
// launching, and gives the exit code.
func (k *keeper) live() int {
	if r := k.st.Run; r != nil {
		if k.haveRun() && !k.reaperGone() {
			return k.reattach()
		}
		if code, done := k.settleDead(); done {
			return code
		}
	}
	if o := k.st.Over; o != nil && !k.startedByHand() {
		k.tell(string(o.Status), o.Sentence) // systemd forgot it when it started this process
		return o.Code
	}
	k.st.Over = nil
	k.dropStored()
	return k.launchAndServe()
}

// haveRun reports whether every descriptor of the run came back that cannot be
// made anew.
func (k *keeper) haveRun() bool {
	for _, name := range runFDs() {
		if _, ok := k.fds[name]; !ok && name != fdListen {
			return false
		}
	}
	return true
}

// dropStored closes what is left of an earlier run, here and in the store:
// with FDPOLL=0 stale descriptors survive even a restart, and the next keeper
// would reattach to a corpse for ever.
func (k *keeper) dropStored() {
	for _, name := range runFDs() {
		if fd, ok := k.fds[name]; ok {
			unix.Close(fd)
			delete(k.fds, name)
		}
		_ = k.notify.Unstore(name)
	}
	if err := k.notify.Barrier(barrierWait); err != nil {
		k.warn(err.Error())
	}
}

// dirs are the places of one instance.
type dirs struct {
	runtime string // of the control socket
	spool   string // of the debug file; the bridge user's own
	state   string // of records and key
	wake    string // socket of the API that is woken after an event
}

// findDirs takes the directories from systemd, with the defaults of the
// manager's tree.
func findDirs(i bridge.Instance, getenv func(string) string, system bool) (dirs, systemd.Manager, error) {
	if system {
		d := dirs{"/run/clauster/bridges/" + i.String(), "/run/clauster/spool/" + i.String(), "/var/lib/clauster", "/run/clauster/wake.sock"}
		if r := getenv("RUNTIME_DIRECTORY"); r != "" {
			d.runtime = r
		}
		return d, systemd.System, nil
	}
	run, home := getenv("XDG_RUNTIME_DIR"), getenv("HOME")
	if run == "" || home == "" {
		return dirs{}, systemd.User, errors.New("cannot find the user's directories: XDG_RUNTIME_DIR or HOME is not set")
	}
	stateHome := getenv("XDG_STATE_HOME")
	if !strings.HasPrefix(stateHome, "/") {
		stateHome = home + "/.local/state"
	}
	return dirs{run + "/clauster/bridges/" + i.String(), run + "/clauster/spool/" + i.String(), stateHome + "/clauster", run + "/clauster/wake.sock"}, systemd.User, nil
}

func oneLine(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}
