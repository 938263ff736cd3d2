package journal

import (
	"context"
	"path/filepath"

	"clauster/pkg/bridge"

	"golang.org/x/sys/unix"
)

// lifeEvents are those that say where an instance's life stands.
var lifeEvents = [...]bridge.Event{bridge.EventSpawn, bridge.EventReady, bridge.EventStop,
	bridge.EventCrash, bridge.EventError}

// LastEvents gives the newest trusted spawn, ready, stop, crash or error of
// each instance, in one run of journalctl that reads backwards and ends with
// the last instance found. Instances without one are left out. A spawn or
// ready as the newest event of an instance that is not loaded means that its
// machine went down, or its journal away, without a goodbye.
func LastEvents(ctx context.Context, o Origin, instances []bridge.Instance) (map[bridge.Instance]Entry, error) {
	found := make(map[bridge.Instance]Entry, len(instances))
	if len(instances) == 0 {
		return found, nil
	}
	byName := make(map[string]bridge.Instance, len(instances))
	for _, i := range instances {
		byName[i.String()] = i
	}
	// Not limited to some fields: an event has few, and a reader wants all.
	q := Query{Reverse: true, Matches: lastMatches(o, instances)}
	err := Read(ctx, q, func(e Entry) error {
		i, wanted := byName[e.Get(bridge.FieldInstance)]
		if _, have := found[i]; !wanted || have || !Trusted(e, i, o) {
			return nil
		}
		found[i] = e
		if len(found) == len(instances) {
			return ErrStop
		}
		return nil
	})
	return found, err
}

// lastMatches ands the events' ids with the instances' units; journalctl ors
// matches of one field.
func lastMatches(o Origin, instances []bridge.Instance) []string {
	var m []string
	for _, e := range lifeEvents {
		m = append(m, "MESSAGE_ID="+e.MessageID())
	}
	for n, i := range instances {
		unit := o.Matches(i.Unit())
		if n > 0 {
			unit = unit[:1] // the uid needs no repeating
		}
		m = append(m, unit...)
	}
	return m
}

// Readable reports whether this process may read the system's journal. What a
// user may not read is missing from the answers without an error, so an empty
// answer means something only when this is true. The system journal is open to
// root and to the groups adm and systemd-journal.
func Readable() bool {
	return readableUnder("/var/log/journal", "/run/log/journal")
}

func readableUnder(roots ...string) bool {
	for _, root := range roots {
		// A glob fails on a bad pattern only, and this one is fixed.
		files, _ := filepath.Glob(filepath.Join(root, "*", "system.journal"))
		for _, f := range files {
			if unix.Access(f, unix.R_OK) == nil {
				return true
			}
		}
	}
	return false
}
