package journal

import (
	"strconv"

	"clauster/pkg/bridge"
)

// Origin tells whose bridges are meant: those of the system manager, or those
// of one user's own.
type Origin struct {
	User bool // user mode
	UID  int  // of the user, in user mode
}

// Matches gives the journalctl matches for entries that come from a unit.
func (o Origin) Matches(unit string) []string {
	if o.User {
		return []string{"_SYSTEMD_USER_UNIT=" + unit, "_UID=" + strconv.Itoa(o.UID)}
	}
	return []string{"_SYSTEMD_UNIT=" + unit}
}

// Trusted reports whether an entry is an event of the instance that may be
// believed. Anyone can write any CLAUSTER_ field; what counts are the fields
// that journald attaches: a keeper's events come from the instance's own unit,
// whose cgroup a bridge cannot enter.
//
// A requested event comes from whoever asked, so it is believed about nobody
// but its sender: the actor it names must be the uid, and the login uid, that
// journald saw.
func Trusted(e Entry, instance bridge.Instance, o Origin) bool {
	name := e.Event()
	if name == "" || e.Get(bridge.FieldSchema) != bridge.EventSchema ||
		e.Get(bridge.FieldInstance) != instance.String() {
		return false
	}
	if name == bridge.EventRequested {
		return e.Get("_UID") != "" && e.Get(bridge.FieldActorUID) == e.Get("_UID") &&
			(!o.User || e.Get("_UID") == strconv.Itoa(o.UID))
	}
	if o.User {
		return e.Get("_SYSTEMD_USER_UNIT") == instance.Unit() && e.Get("_UID") == strconv.Itoa(o.UID)
	}
	return e.Get("_SYSTEMD_UNIT") == instance.Unit()
}

// Requester is who asked, in a requested event, by journald's word alone.
type Requester struct {
	UID      int
	LoginUID int // -1 where the sender had no login session
	Unit     string
}

// RequesterOf reads the sender of a requested event that is Trusted.
func RequesterOf(e Entry) Requester {
	r := Requester{LoginUID: -1, Unit: e.Get("_SYSTEMD_UNIT")}
	r.UID, _ = e.Int("_UID") // Trusted has seen it
	const unset = 1<<32 - 1  // (uid_t)-1, the audit login uid of daemons
	if n, ok := e.Int("_AUDIT_LOGINUID"); ok && n >= 0 && n < unset {
		r.LoginUID = n
	}
	if u := e.Get("_SYSTEMD_USER_UNIT"); u != "" {
		r.Unit = u
	}
	return r
}
