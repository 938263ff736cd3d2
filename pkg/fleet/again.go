package fleet

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"

	"clauster/pkg/bridge"
)

// Again completes the request of a restart: what is not chosen anew is as the
// last launch had it, so that the same bridge comes up again. A restart without
// choices once took the configuration's, and a bridge of mode plan went on
// without asking anybody.
func (p *Place) Again(i bridge.Instance, r bridge.Request) (bridge.Request, error) {
	if r.Resume {
		return r, nil // the keeper itself takes what is recorded
	}
	record, err := p.Records.Read(i)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return r, nil
	case err != nil && r.PermissionMode != "":
		return r, nil // the keeper says what is wrong with the record, and goes without
	case err != nil:
		return r, fmt.Errorf("cannot tell with which choices %s runs: %w", i, err)
	}
	old := record.Options
	if r.Fork == "" { // a fork settles the mode
		r.Mode = cmp.Or(r.Mode, old.Mode)
	}
	r.PermissionMode = cmp.Or(r.PermissionMode, old.PermissionMode)
	r.Name = cmp.Or(r.Name, old.Name)
	if old.SpawnMode != bridge.Session || r.Mode != bridge.PTY && r.Fork == "" {
		r.SpawnMode = cmp.Or(r.SpawnMode, old.SpawnMode) // mode pty has no spawn mode session
	}
	r.Capacity = cmp.Or(r.Capacity, old.Capacity)
	r.Prefix = cmp.Or(r.Prefix, old.Prefix)
	r.Verbose = r.Verbose || old.Verbose
	return r, nil
}
