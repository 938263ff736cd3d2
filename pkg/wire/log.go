package wire

// LogLine is one line of an instance's log: what claude wrote to its debug file
// or showed as an event line, what the keeper says, and what systemd says of
// the unit. Text is redacted and holds no escape sequence.
type LogLine struct {
	ID       string `json:"id"` // of this line, the same whenever it is read: a stream goes on behind it
	At       Time   `json:"at"`
	Priority int    `json:"priority"`         // syslog's: 3 error, 4 warning, 6 info, 7 debug
	Source   string `json:"source,omitempty"` // debug or terminal, of claude's own lines
	Event    string `json:"event,omitempty"`  // kind, of a lifecycle event
	Text     string `json:"text"`
}

// Log is the answer of GET /api/v1/instances/{instance}/logs.
type Log struct {
	Host     string    `json:"host"`
	Instance string    `json:"instance"`
	Lines    []LogLine `json:"lines"`
}
