package ctl

import (
	"fmt"
	osuser "os/user"
	"slices"
	"strconv"
	"strings"
)

// apiGroup is the group whose members may do everything here.
const apiGroup = "clauster"

func itoa(n int) string { return strconv.Itoa(n) }

func lookupGroup(name string) (int, error) {
	g, err := osuser.LookupGroup(name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(g.Gid)
}

// entitled reports whether the caller may do everything: root, a member of
// group clauster, and in user mode the user. What it forbids, systemd, polkit
// and file modes forbid as well; asking first makes the sentence a good one.
func (a *App) entitled() bool {
	if a.userMode || a.UID == 0 {
		return true
	}
	gid, err := a.LookupGroup(apiGroup)
	return err == nil && slices.Contains(a.Groups, gid)
}

// needEntitled is the refusal for everybody else. what is the command line to
// be repeated with sudo, without the program's name.
func (a *App) needEntitled(verb string, what ...string) error {
	if a.entitled() {
		return nil
	}
	return unreachable(a.sudoHint(what...), "cannot %s: only root and the members of group %s may", verb, apiGroup)
}

func (a *App) sudoHint(what ...string) string {
	return fmt.Sprintf("sudo clauster-ctl %s, or for good, where no bridge runs as you: sudo usermod -aG %s %s and a new login",
		strings.Join(what, " "), apiGroup, a.userName())
}

func journalGroupHint(a *App) string {
	return "sudo usermod -aG systemd-journal " + a.userName() + " and a new login, or use sudo"
}

// userName is who asks, for hints.
func (a *App) userName() string {
	if name := a.Getenv("USER"); name != "" {
		return name
	}
	return "$USER"
}
