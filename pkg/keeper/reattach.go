package keeper

import (
	"fmt"
	"os"
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
	if err := k.drop(); err != nil {
		k.say(journalErr, err.Error())
		return 2
	}
	r.Asked = false // whoever asked, the bridge has outlived it
	if _, reloaded := k.fds[fdAnswer]; reloaded {
		k.answerReload()
	} else {
		r.Reattaches++
		k.mustSave()
		failpoint("reattaching")
		k.event(bridge.EventReattached, fmt.Sprintf("a new keeper took over the living bridge (pid %d) for the %d. time", r.ClaudePID, r.Reattaches),
			fields{bridge.FieldPID: fmt.Sprint(r.ClaudePID), bridge.FieldHealth: string(r.Health)})
	}
	switch { // systemd has forgotten what the predecessor told
	case !r.Ready.IsZero():
		k.tell(string(r.Health), r.Why, "READY=1")
	case r.Why != "":
		k.tell(string(r.Health), r.Why, extend(r.Settings.Grace+intWait+termWait+launchWait))
	}
	failpoint("reattached")
	return k.serve()
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
