package journal

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"strconv"
	"strings"
	"time"

	"clauster/pkg/bridge"
)

// Bounds of what one entry may hold when it is read.
const (
	MaxEntry  = 4 << 20 // bytes of its JSON; longer entries are passed over
	MaxFields = 512     // fields of one entry, journald's own bound is 1024
)

// Entry is one journal entry. Values are what was written, bytes that may be
// neither UTF-8 nor harmless to a terminal.
type Entry struct {
	Cursor string
	Time   time.Time // when journald received it, microseconds, UTC
	fields map[string]string
}

// NewEntry makes an entry out of fields, for tests and for what is not read
// from journalctl.
func NewEntry(at time.Time, fields map[string]string) Entry {
	return Entry{Time: at, fields: fields}
}

// Get gives a field's value, "" where it is absent; of a repeated field the
// first value.
func (e Entry) Get(name string) string { return e.fields[name] }

// All gives every field with its value, in no order.
func (e Entry) All() iter.Seq2[string, string] { return maps.All(e.fields) }

// Int gives a field as a decimal number.
func (e Entry) Int(name string) (int, bool) {
	n, err := strconv.Atoi(e.fields[name])
	return n, err == nil
}

// Priority gives the syslog priority, Info where the entry has none.
func (e Entry) Priority() Priority {
	if n, ok := e.Int("PRIORITY"); ok && n >= 0 && n <= 7 {
		return Priority(n)
	}
	return Info
}

// Event gives the entry's event, "" where it is not one of ours. Whether to
// believe it is another question: Trusted.
func (e Entry) Event() bridge.Event {
	name := bridge.Event(e.Get(bridge.FieldEvent))
	if id := name.MessageID(); id == "" || id != e.Get("MESSAGE_ID") {
		return ""
	}
	return name
}

// DecodeEntry reads one line of journalctl -o json. Every shape that
// journalctl gives a value is understood: a string, null (too large to be
// shown), an array of integers (bytes that are not printable UTF-8), and an
// array of those three (a repeated field). The error names what broke; such a
// line is passed over.
func DecodeEntry(line []byte) (Entry, error) {
	if len(line) > MaxEntry {
		return Entry{}, fmt.Errorf("cannot read journal entry: it is longer than %d bytes", MaxEntry)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(line, &raw); err != nil {
		return Entry{}, fmt.Errorf("cannot read journal entry: %w", err)
	}
	if len(raw) > MaxFields {
		return Entry{}, fmt.Errorf("cannot read journal entry: it has %d fields", len(raw))
	}
	e := Entry{fields: make(map[string]string, len(raw))}
	for name, value := range raw {
		v, err := decodeValue(value)
		if err != nil {
			return Entry{}, fmt.Errorf("cannot read journal field %.64s: %w", name, err)
		}
		switch name {
		case "__CURSOR":
			e.Cursor = v
		case "__REALTIME_TIMESTAMP":
			us, err := strconv.ParseInt(v, 10, 64)
			if err != nil {
				return Entry{}, fmt.Errorf("cannot read journal field %s: %w", name, err)
			}
			e.Time = time.UnixMicro(us).UTC()
		default:
			e.fields[name] = v
		}
	}
	return e, nil
}

// decodeValue gives the value, or of a repeated field the first one.
func decodeValue(raw json.RawMessage) (string, error) {
	if len(raw) == 0 {
		return "", fmt.Errorf("no value")
	}
	switch raw[0] {
	case '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err
	case 'n':
		return "", nil
	case '[':
		if numbers(raw) {
			return decodeBytes(raw)
		}
		var values []json.RawMessage
		if err := json.Unmarshal(raw, &values); err != nil {
			return "", err
		}
		if len(values) == 0 || values[0][0] == '[' && !numbers(values[0]) {
			return "", fmt.Errorf("unknown shape %.20s", raw)
		}
		return decodeValue(values[0])
	}
	return "", fmt.Errorf("unknown shape %.20s", raw)
}

// numbers tells an array of integers, an empty one included, from an array of
// values.
func numbers(raw json.RawMessage) bool {
	inside := strings.TrimLeft(string(raw[1:min(len(raw), 64)]), " \t\r\n")
	return inside != "" && (inside[0] == ']' || inside[0] >= '0' && inside[0] <= '9')
}

func decodeBytes(raw json.RawMessage) (string, error) {
	var wide []uint16 // []uint8 would be read as base64
	if err := json.Unmarshal(raw, &wide); err != nil {
		return "", err
	}
	value := make([]byte, len(wide))
	for i, n := range wide {
		if n > 255 {
			return "", fmt.Errorf("%d is not a byte", n)
		}
		value[i] = byte(n)
	}
	return string(value), nil
}
