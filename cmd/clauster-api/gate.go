package main

import (
	"fmt"
	"log/slog"
	"os"
	osuser "os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"clauster/pkg/auth"
	"clauster/pkg/cgroup"
	"clauster/pkg/config"
)

// gateOptions tell the gate what it stands on.
func (d *daemon) gateOptions(n *nouns) auth.Options {
	o := auth.Options{Config: d.settings.config, Now: time.Now, UID: os.Geteuid(), Group: -1, UserMode: d.userMode,
		BridgeUID: func() int { return -1 }, Log: d.log}
	if n.store != nil {
		o.Store = n.store
	}
	if d.userMode {
		return o
	}
	if g, err := osuser.LookupGroup("clauster"); err == nil {
		if gid, err := strconv.Atoi(g.Gid); err == nil {
			o.Group = gid
		}
	}
	o.BridgeUID = bridgeUID(d.settings.config, d.log)
	running := &runners{config: d.settings.config, scopes: func() []string { return scopes(n.table) }, cgroups: cgroup.System()}
	o.Running = running.uids
	return o
}

// bridgeUID looks the bridge user up, once for each configuration. One who is
// not there is told once for each, and looked up again.
func bridgeUID(cfg func() *config.Config, log *slog.Logger) func() int {
	type found struct {
		cfg *config.Config
		uid int
	}
	var last atomic.Pointer[found]
	var told atomic.Pointer[config.Config]
	return func() int {
		now := cfg()
		if f := last.Load(); f != nil && f.cfg == now {
			return f.uid
		}
		u, err := osuser.Lookup(now.User)
		if err != nil {
			if told.Swap(now) != now {
				log.Error("cannot find the bridge user: without authentication the web door lets nobody in", "user", now.User, "error", err)
			}
			return -1 // asked again: a user made later must not pass as nobody's
		}
		uid, err := strconv.Atoi(u.Uid)
		if err != nil {
			return -1
		}
		last.Store(&found{now, uid})
		return uid
	}
}

// databasePath is below the directory that systemd made; systemd 252 would put a
// user unit's StateDirectory= under ~/.config, so user mode makes its own.
func (d *daemon) databasePath() (string, error) {
	if dir := d.getenv("STATE_DIRECTORY"); dir != "" && !d.userMode {
		return filepath.Join(dir, "clauster.db"), nil
	}
	base := "/var/lib"
	if d.userMode {
		base = d.stateHome()
	}
	dir := filepath.Join(base, "clauster/api")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("cannot make the API's directory: %w", err)
	}
	return filepath.Join(dir, "clauster.db"), nil
}
