package wire

import (
	"encoding/json"
	"time"
)

// Time is a moment that prints as RFC 3339 in UTC with milliseconds at most.
// The zero value is unknown; fields of this type are omitzero.
type Time struct{ time.Time }

// MarshalJSON prints the time in UTC.
func (t Time) MarshalJSON() ([]byte, error) {
	return json.Marshal(t.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano))
}
