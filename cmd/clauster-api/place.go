package main

import (
	"os"
	"path/filepath"

	"clauster/pkg/cgroup"
	"clauster/pkg/fleet"
	"clauster/pkg/journal"
	"clauster/pkg/records"
	"clauster/pkg/systemd"
)

// place is where the facts about the bridges are.
func (d *daemon) place() *fleet.Place {
	p := &fleet.Place{Host: d.host, Cgroups: cgroup.System(), Origin: journal.Origin{User: d.userMode, UID: os.Getuid()},
		Records:  records.Dir{Path: "/var/lib/clauster/instances", UID: -1, GID: -1},
		UnitDirs: systemd.UnitDirs(d.manager, d.configHome(), d.getenv("XDG_RUNTIME_DIR"))}
	if d.userMode {
		p.Records.Path = filepath.Join(d.stateHome(), "clauster/instances")
	}
	return p
}

// configHome is where a user's configuration is, and the links of units that
// the user enabled.
func (d *daemon) configHome() string {
	if dir := d.getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(d.getenv("HOME"), ".config")
}

// runtimeDir holds the sockets.
func (d *daemon) runtimeDir() string {
	if d.userMode {
		return filepath.Join(d.getenv("XDG_RUNTIME_DIR"), "clauster")
	}
	return "/run/clauster"
}

// stateHome is where a user's programs keep their state.
func (d *daemon) stateHome() string {
	if dir := d.getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(d.getenv("HOME"), ".local/state")
}
