package delivery

import (
	"bytes"
	"encoding/json"

	"clauster/pkg/bridge"
	"clauster/pkg/redact"
	"clauster/pkg/wire"
)

// bridgePayload is the body of spawn, ready, stop and crash. Names, order and
// the null are those of the Python Clauster: receivers rely on them.
type bridgePayload struct {
	Event      string  `json:"event"`
	Project    string  `json:"project"`
	Label      string  `json:"label"`
	Status     string  `json:"status"`
	ResumeMode string  `json:"resume_mode"`
	SpawnMode  string  `json:"spawn_mode"`
	SessionRef *string `json:"session_ref"`
}

// judgedPayload is the body of error and alert, which are ours.
type judgedPayload struct {
	bridgePayload
	Reason  string `json:"reason"`
	Hint    string `json:"hint"`
	Verdict string `json:"verdict"`
}

type settledPayload struct {
	Event     string  `json:"event"`
	EventType string  `json:"event_type"`
	ID        string  `json:"id"`
	Settled   bool    `json:"settled"`
	Removed   bool    `json:"removed"`
	Detail    *string `json:"detail"`
}

type permissionPayload struct {
	Event     string `json:"event"`
	EventType string `json:"event_type"`
	ProcessID string `json:"process_id"`
	Subtype   string `json:"subtype"`
}

type clonePayload struct {
	Event     string  `json:"event"`
	EventType string  `json:"event_type"`
	Project   string  `json:"project"`
	Status    string  `json:"status"`
	Error     *string `json:"error"`
}

// webhookBody is what is posted for an event; ok is false for one that
// webhooks do not carry.
func webhookBody(e wire.Event) (body string, ok bool) {
	var v any
	switch e.Kind {
	case "spawn", "ready", "stop", "crash":
		v = bridgeBody(e)
	case "error", "alert":
		v = judgedPayload{bridgeBody(e), redact.String(e.Fields["reason"]), redact.String(e.Fields["hint"]), e.Fields["verdict"]}
	case "bg-settled":
		v = settledPayload{e.Kind, e.Kind, e.Fields["job_id"], e.Fields["settled"] == "true", e.Fields["removed"] == "true", text(e.Fields["detail"])}
	case "permission-needed":
		v = permissionPayload{e.Kind, e.Kind, e.Fields["process_id"], e.Fields["subtype"]}
	case "clone-done":
		v = clonePayload{e.Kind, e.Kind, e.Project, e.Status, text(e.Fields["error"])}
	default:
		return "", false
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", false // strings and bools: it cannot happen
	}
	return string(bytes.TrimSpace(b.Bytes())), true
}

func bridgeBody(e wire.Event) bridgePayload {
	p := bridgePayload{Event: e.Kind, Project: e.Project, Label: e.Label, Status: e.Status,
		ResumeMode: e.Fields["resume_mode"], SpawnMode: e.Fields["spawn_mode"]}
	if p.Label == "" { // of a run that ended before its launch was settled
		p.Label = unnamed(e)
	}
	if ref := e.Fields["session_ref"]; ref != "" {
		p.SessionRef = &ref
	}
	return p
}

// unnamed is the label of a bridge for which no name was chosen: LABEL of
// PROJECT:LABEL, else the project. Several bridges of one project differ by it.
func unnamed(e wire.Event) string {
	if i, err := bridge.ParseInstance(e.Instance); err == nil {
		return i.DisplayName()
	}
	return e.Project
}

// text is a redacted text, nil for none.
func text(s string) *string {
	if s == "" {
		return nil
	}
	s = redact.String(s)
	return &s
}
