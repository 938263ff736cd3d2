// Package ctl is clauster-ctl: its commands, their output and their words.
//
// It talks to systemd (package systemd), the journal (package journal), the
// cgroup files of the scopes and the keepers' sockets (package control)
// directly, so it works while nothing else of ours runs. What it shows of a
// bridge is put together in world.go out of these sources and nowhere else.
//
// Manners: stdout is data, stderr is talk; colours and progress only on a
// terminal; errors are printed by one function as "error:" and "hint:"; text
// that anybody else wrote is cleaned before it is printed (clean.go). One
// command, one file.
package ctl
