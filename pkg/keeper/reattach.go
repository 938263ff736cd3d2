package keeper

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"clauster/pkg/bridge"
	"clauster/pkg/control"
)

// reattach takes over a living bridge after the death of a keeper, or after a
// reload in place.
func (k *keeper) reattach() int {
	r := k.st.Run
	k.openRing()
	k.relisten()
	// systemd has forgotten what the predecessor told. Before the drop, after
	// which an agent could stop this keeper until the start times out, and the
	// bridge with it.
	switch {
	case !r.Ready.IsZero():
		k.tell(string(r.Health), r.Why, "READY=1")
	case r.Why != "":
		k.tell(string(r.Health), r.Why, extend(r.Settings.Grace+intWait+termWait+launchWait))
	}
	if err := k.drop(); err != nil {
		k.say(journalErr, err.Error())
		return tryAgain()
	}
	r.Asked = false // whoever asked, the bridge has outlived it
	if k.handed {
		k.again(unix.SIGTERM) // one may have come just before the exec; it is checked like any
	} else {
		r.Reattaches++
		k.mustSave()
		failpoint("reattaching")
		k.event(bridge.EventReattached, fmt.Sprintf("a new keeper took over the living bridge (pid %d), takeover %d of this run", r.ClaudePID, r.Reattaches),
			fields{bridge.FieldPID: fmt.Sprint(r.ClaudePID), bridge.FieldHealth: string(r.Health)})
	}
	failpoint("reattached")
	return k.serve()
}

// relisten makes the control socket anew where its name is gone: somebody has
// cleaned /run by hand, and nobody could attach until the bridge was stopped.
// A keeper killed in the middle leaves no listener, which is the same case.
func (k *keeper) relisten() {
	_, have := k.fds[fdListen]
	_, err := os.Lstat(filepath.Join(k.dirs.runtime, control.SocketName))
	if have && !errors.Is(err, fs.ErrNotExist) {
		return
	}
	fd, err := k.listen()
	if err != nil {
		k.warn(err.Error()) // also after a reload, which has no right to: the old one stays
		return
	}
	_ = k.notify.Unstore(fdListen)
	if err := k.notify.Store(fdListen, fd); err != nil {
		k.warn(err.Error())
	}
	if have {
		unix.Close(k.fds[fdListen])
		k.warn("the control socket was gone and is made anew")
	}
	k.fds[fdListen] = fd
}

// answerReload tells the client of the image before that the new one serves.
func (k *keeper) answerReload() {
	f, err := dupFile(k.fds[fdAnswer], "answer")
	unix.Close(k.fds[fdAnswer])
	delete(k.fds, fdAnswer)
	if err != nil {
		return
	}
	k.event(bridge.EventReloaded, "the keeper re-executed itself as version "+k.params.Version, nil)
	conn, err := control.AdoptConn(f)
	if err != nil {
		return
	}
	failpoint("reload-answering")
	go func() {
		_ = conn.Send(control.TypeReloaded, control.Reloaded{Version: k.params.Version, PID: os.Getpid()})
		time.AfterFunc(time.Second, func() { conn.Close() })
	}()
}
