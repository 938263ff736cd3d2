package wire

// Event is one lifecycle event as the API stores and streams it. Fields are
// those of the journal entry in lower case without CLAUSTER_, as far as they
// are typed in docs/events.md; all text is redacted by the keeper.
type Event struct {
	ID       string            `json:"id"`  // UUIDv7 of the journal entry: a repeat carries the same one
	Seq      int64             `json:"seq"` // this store's own order, without holes within one store
	Host     string            `json:"host"`
	At       Time              `json:"at"`
	Kind     string            `json:"kind"` // bridge.Event, or one of the API's own: gap, alert
	Instance string            `json:"instance,omitempty"`
	Project  string            `json:"project,omitempty"`
	Label    string            `json:"label,omitempty"`
	Run      string            `json:"run,omitempty"`
	Status   string            `json:"status,omitempty"`
	Message  string            `json:"message"`
	Fields   map[string]string `json:"fields,omitempty"`
}

// Events is a page of events, newest first unless asked otherwise.
type Events struct {
	Host   string  `json:"host"`
	Events []Event `json:"events"`
	Next   string  `json:"next,omitempty"` // value of ?before= for the next page
}
