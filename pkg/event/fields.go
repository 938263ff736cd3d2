package event

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"clauster/pkg/bridge"
	"clauster/pkg/journal"
	"clauster/pkg/wire"

	"github.com/google/uuid"
)

// Bounds of what is kept of one event, in bytes. Anyone may write a requested
// event, so that its size is anyone's.
const (
	maxMessage = 2 << 10
	maxField   = 1 << 10
	maxScreen  = 4 << 10
)

const fieldPrefix = "CLAUSTER_"

// typedFields lists the fields of docs/events.md that are kept in
// wire.Event.Fields; those that a wire.Event has a place of its own for are
// not among them.
func typedFields() []string {
	return []string{bridge.FieldMode, bridge.FieldSpawnMode, bridge.FieldSessionRef, bridge.FieldPermissionMode,
		bridge.FieldHealth, bridge.FieldReason, bridge.FieldHint, bridge.FieldVerdict, bridge.FieldCause,
		bridge.FieldExitCode, bridge.FieldExitSignal, bridge.FieldOOMKills, bridge.FieldMemoryPeak, bridge.FieldMemoryMax,
		bridge.FieldPID, bridge.FieldClaudeVersion, bridge.FieldRestarts, bridge.FieldDelay, bridge.FieldDroppedLines,
		bridge.FieldLastScreen, bridge.FieldVerb, bridge.FieldActorUID, bridge.FieldActorLogin, bridge.FieldPeerUnit}
}

// requestedFields are those that are kept of a requested event.
func requestedFields() []string {
	return []string{bridge.FieldVerb, bridge.FieldActorUID, bridge.FieldActorLogin, bridge.FieldPeerUnit}
}

// readFields are the journal fields that an event is made and judged by;
// journalctl is asked for no others.
func readFields() []string {
	return append(typedFields(), bridge.FieldSchema, bridge.FieldEvent, bridge.FieldEventID, bridge.FieldInstance,
		bridge.FieldProject, bridge.FieldLabel, bridge.FieldRun, bridge.FieldStatus,
		"MESSAGE", "MESSAGE_ID", "_UID", "_AUDIT_LOGINUID", "_SYSTEMD_UNIT", "_SYSTEMD_USER_UNIT")
}

// FromEntry makes an event of a journal entry, false where it is none that may
// be believed, or has no proper id. own is the uid of the API, whose words
// about a request are believed, as root's are. Seq and Host are the store's to
// set.
func FromEntry(e journal.Entry, o journal.Origin, own int) (wire.Event, bool) {
	kind := e.Event()
	instance, err := bridge.ParseInstance(e.Get(bridge.FieldInstance))
	if kind == "" || err != nil || !journal.Trusted(e, instance, o) {
		return wire.Event{}, false
	}
	id, err := uuid.Parse(e.Get(bridge.FieldEventID))
	if err != nil || id.String() != e.Get(bridge.FieldEventID) { // one spelling of each
		return wire.Event{}, false
	}
	ev := wire.Event{ID: id.String(), At: wire.Time{Time: e.Time}, Kind: string(kind),
		Instance: instance.String(), Project: instance.Project,
		Label: tidy(e.Get(bridge.FieldLabel), maxField), Message: tidy(e.Get("MESSAGE"), maxMessage)}
	if kind == bridge.EventRequested {
		return requested(ev, e, own), true
	}
	ev.Run, ev.Status = tidy(e.Get(bridge.FieldRun), maxField), tidy(e.Get(bridge.FieldStatus), maxField)
	ev.Fields = keep(e, typedFields())
	return ev, true
}

// requested keeps of a requested event what journald vouches for: who sent it,
// from which unit. Of anybody but root and ourselves the text is replaced, as
// it could name somebody else.
func requested(ev wire.Event, e journal.Entry, own int) wire.Event {
	who := journal.RequesterOf(e)
	ev.Fields = keep(e, requestedFields())
	delete(ev.Fields, fieldName(bridge.FieldPeerUnit))
	if who.Unit != "" {
		ev.Fields[fieldName(bridge.FieldPeerUnit)] = tidy(who.Unit, maxField)
	}
	if who.LoginUID >= 0 {
		ev.Fields["actor_login_uid"] = strconv.Itoa(who.LoginUID)
	}
	if who.UID != 0 && who.UID != own {
		delete(ev.Fields, fieldName(bridge.FieldActorLogin))
		ev.Label = ""
		ev.Message = "requested by uid " + strconv.Itoa(who.UID)
		if verb := ev.Fields[fieldName(bridge.FieldVerb)]; verb == "start" || verb == "stop" || verb == "restart" {
			ev.Message = verb + " of " + ev.Instance + " " + ev.Message
		} else {
			delete(ev.Fields, fieldName(bridge.FieldVerb))
		}
	}
	return ev
}

func keep(e journal.Entry, names []string) map[string]string {
	kept := map[string]string{}
	for _, name := range names {
		value := e.Get(name)
		if name == bridge.FieldLastScreen {
			value = tail(value, maxScreen)
		} else {
			value = tidy(value, maxField)
		}
		if value != "" {
			kept[fieldName(name)] = value
		}
	}
	return kept
}

// fieldName is a journal field's name on the wire.
func fieldName(name string) string {
	return strings.ToLower(strings.TrimPrefix(name, fieldPrefix))
}

// tidy gives the beginning of a text as UTF-8.
func tidy(s string, most int) string {
	if len(s) > most {
		s = s[:most]
		for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
			s = s[:len(s)-1]
		}
		if r, n := utf8.DecodeLastRuneInString(s); r == utf8.RuneError && n == 1 {
			s = s[:len(s)-1] // the first byte of what was cut
		}
	}
	return strings.ToValidUTF8(s, "�")
}

// tail gives the end of a screen as UTF-8, from the beginning of a line where
// there is one.
func tail(s string, most int) string {
	if len(s) > most {
		s = s[len(s)-most:]
		if _, rest, ok := strings.Cut(s, "\n"); ok && rest != "" {
			s = rest
		}
	}
	return strings.ToValidUTF8(s, "�")
}

// gapEvent is an event of our own: the journal has lost something.
func gapEvent(from, to time.Time) wire.Event {
	const layout = time.RFC3339
	ev := wire.Event{ID: newID(), At: wire.Time{Time: to}, Kind: KindGap,
		Message: "the journal was cut off after what was read last: events between " + from.Format(layout) + " and " + to.Format(layout) + " may be missing",
		Fields:  map[string]string{"from": from.Format(layout), "to": to.Format(layout)}}
	if from.IsZero() {
		ev.Message, ev.Fields = "the journal was cut off after what was read last: events before "+to.Format(layout)+" may be missing", map[string]string{"to": to.Format(layout)}
	}
	return ev
}

// newID is a UUIDv7. It fails only where the kernel gives no random bytes,
// and then nothing works.
func newID() string { return uuid.Must(uuid.NewV7()).String() }
