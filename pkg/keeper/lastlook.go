package keeper

import (
	"context"
	"time"

	"golang.org/x/sys/unix"

	"clauster/pkg/claude"
)

// lastLookTime bounds what reading the rest of a dead bridge may take.
const lastLookTime = 2 * time.Second

// lastLook reads what a bridge has left that ended while no keeper looked: its
// last words are still in the terminal and in the debug file, and without them
// a login that was revoked would look like a crash to start again after.
func (k *keeper) lastLook() {
	r := k.st.Run
	k.openRing()
	fd, ok := k.fds[fdPTY]
	if k.ring == nil || !ok {
		return
	}
	err := unix.SetNonblock(fd, true)
	if err == nil {
		k.pty, err = dupFile(fd, "pty")
	}
	if err != nil {
		k.warn("the last words of the bridge are lost: " + err.Error())
		return
	}
	defer func() {
		k.pty.Close()
		k.pty = nil
	}()
	var screen claude.ScreenState
	err = r.User.As(func() error {
		var err error
		screen, err = k.readRest(time.Now().Add(lastLookTime))
		return err
	})
	if err != nil {
		k.warn("the last lines of the bridge are lost: " + err.Error())
	}
	e := evidence{mode: r.Record.Mode, log: r.Log, screen: screen}
	if r.Ready.IsZero() && !r.Asked && !r.Held && e.ready() {
		r.Ready, r.Link = time.Now().UTC(), e.link(r.Record.SpawnMode)
		r.Health, r.Why = e.health()
		k.st.Intent = nil
	}
	k.mustSave()
}

// readRest is lastLook's reading.
func (k *keeper) readRest(deadline time.Time) (claude.ScreenState, error) {
	over, cancel := context.WithCancel(context.Background())
	cancel() // nobody waits for markers and news
	r := k.st.Run
	c, err := newChronicle(over, k, nil, nil)
	if err != nil {
		return claude.ScreenState{}, err
	}
	defer c.spool.Close()
	p := newPump(k, r.Record.Mode, nil)
	p.event = c.eventLine
	p.drain(deadline)
	p.scan(over, make([]byte, 4096))
	c.finish(r.Log.Add, deadline)
	return p.screen.State(), nil
}
