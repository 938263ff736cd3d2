package tail

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"unicode/utf8"

	"clauster/pkg/bridge"
	"clauster/pkg/control"
	"clauster/pkg/journal"
	"clauster/pkg/redact"
	"clauster/pkg/terminal"
	"clauster/pkg/wire"
)

// Bounds of one line's text. Keepers write 48 KiB at most, anybody else an
// entry of some megabytes.
const (
	maxText = 16 << 10 // is shown
	maxRaw  = 64 << 10 // is looked at
	blind   = 1 << 10  // at the end of a maxRaw that is cut: part of a secret has no shape
)

// Matches select the keeper's entries, what systemd says about the unit, and
// who asked for what.
func Matches(o journal.Origin, i bridge.Instance) []string {
	about := []string{"_PID=1", "UNIT=" + i.Unit()}
	if o.User {
		about = append(o.Matches("init.scope")[1:], "USER_UNIT="+i.Unit())
	}
	m := append(append(o.Matches(i.Unit()), "+"), about...)
	return append(m, "+", "MESSAGE_ID="+bridge.EventRequested.MessageID(), bridge.FieldInstance+"="+i.String())
}

// idOf names a line for resuming: by its keeper's number, which the line has
// before the journal has it, else by its place in the journal. Both are hashed:
// an id goes into a stream's framing, where foreign bytes have no place.
func idOf(n number, cursor string) string {
	h := fnv.New64a()
	if n.n == 0 {
		h.Write([]byte(cursor))
		return "j" + strconv.FormatUint(h.Sum64(), 16)
	}
	h.Write([]byte(n.run))
	return "k" + strconv.FormatUint(h.Sum64(), 16) + "-" + strconv.FormatUint(n.n, 10)
}

// IDPattern is what the ids of lines look like.
const IDPattern = "^[jk][0-9a-f]{1,16}(-[0-9]{1,20})?$"

// shown reports whether an entry belongs into the log. Whoever has an account
// may write a requested event about any instance: such a one is a line where it
// is believed about its sender, and nothing where it names another.
func shown(e journal.Entry, i bridge.Instance, o journal.Origin) bool {
	return e.Get("MESSAGE_ID") != bridge.EventRequested.MessageID() || journal.Trusted(e, i, o)
}

// line makes an entry fit for a viewer.
func line(e journal.Entry, i bridge.Instance, o journal.Origin) wire.LogLine {
	l := wire.LogLine{ID: idOf(numbered(e, i, o), e.Cursor), At: wire.Time{Time: e.Time}, Priority: int(e.Priority()), Text: textOf(e.Get("MESSAGE"))}
	if source := e.Get(bridge.FieldSource); source == "debug" || source == "terminal" {
		l.Source = source
	}
	if journal.Trusted(e, i, o) {
		l.Event = string(e.Event())
	}
	return l
}

// numbered is the number that the instance's keeper gave an entry. Anyone can
// write that field, so it is read in entries of the keeper's own unit only.
func numbered(e journal.Entry, i bridge.Instance, o journal.Origin) number {
	for _, match := range o.Matches(i.Unit()) {
		if name, want, _ := strings.Cut(match, "="); e.Get(name) != want {
			return number{}
		}
	}
	n, err := strconv.ParseUint(e.Get(bridge.FieldLine), 10, 64)
	if err != nil {
		return number{}
	}
	return number{e.Get(bridge.FieldRun), n}
}

// lineOfKeeper makes a keeper's line fit for a viewer, as the journal's is.
func lineOfKeeper(l control.Line) wire.LogLine {
	out := wire.LogLine{ID: idOf(number{l.Run, l.Number}, ""), At: wire.Time{Time: l.At}, Priority: l.Priority, Text: textOf(l.Text)}
	if bridge.Event(l.Event).MessageID() != "" { // else no event of ours, and of any length
		out.Event = l.Event
	}
	if l.Source == "debug" || l.Source == "terminal" {
		out.Source = l.Source
	}
	return out
}

// textOf makes a text fit for a viewer: plain, without secrets, and cut with a
// word on how much is missing. What is far behind the end is cut first, for the
// sake of memory; the rest of the cutting is done last, when nothing is left
// that a cut in the middle would hide from redaction.
func textOf(raw string) string {
	text, more := raw, 0
	if len(raw) > maxRaw {
		text, more = raw[:maxRaw], len(raw)-maxRaw
	}
	text = redact.String(terminal.StripString(text))
	keep := len(text)
	if more > 0 {
		keep = max(0, keep-blind)
	}
	keep = min(keep, maxText)
	for keep > 0 && keep < len(text) && !utf8.RuneStart(text[keep]) {
		keep--
	}
	if more += len(text) - keep; more == 0 {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes more)", text[:keep], more) // a copy: the whole is let go
}
