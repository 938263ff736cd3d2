package ctl

import (
	"errors"
	"strings"

	"clauster/pkg/bridge"
	"clauster/pkg/fleet"
)

// resolve finds the known instance that a name means.
func (w *world) resolve(name string) (bridge.Instance, error) {
	i, err := fleet.Resolve(w.Known(), name)
	var unknown *fleet.UnknownError
	var several *fleet.AmbiguousError
	switch {
	case err == nil:
		return i, nil
	case errors.As(err, &unknown):
		return i, noInstance("clauster-ctl list, or clauster-ctl start "+name, "%w", err)
	case errors.As(err, &several):
		return i, noInstance("name one of them: "+strings.Join(several.Candidates, ", "), "%w", err)
	}
	return i, &fault{ExitUsage, err, "an instance is PROJECT or PROJECT:LABEL"}
}
