package ctl

import (
	"clauster/pkg/bridge"
	"clauster/pkg/fleet"
)

// View is what is shown of one instance: the object of `list --json` and
// `status --json`. All text in it is clean.
type View struct{ fleet.Bridge }

// paintStatus colours a status word by how well it is.
func paintStatus(s style, status bridge.Status, health bridge.Health) func(string) string {
	switch {
	case status == bridge.Crashed, status == bridge.Failed:
		return s.bad
	case status == bridge.Stopped:
		return s.dim
	case status == bridge.Starting, health != bridge.OK && health != "":
		return s.warn
	}
	return s.good
}
