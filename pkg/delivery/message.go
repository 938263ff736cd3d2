package delivery

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"clauster/pkg/config"
	"clauster/pkg/redact"
	"clauster/pkg/store"
	"clauster/pkg/wire"
)

// note is the outbox's body of a notification: title and text where it goes
// out alone, the rest where it is summed up with others.
type note struct {
	Title    string `json:"title"`
	Text     string `json:"text"`
	Host     string `json:"host"`
	Instance string `json:"instance"`
	What     string `json:"what"`
	Reason   string `json:"reason"`
}

// Bounds of a message, in bytes. The narrowest service takes 1024 characters.
const (
	maxReason   = 400
	maxLine     = 90
	maxLines    = 8
	maxInstance = 80
)

// happening is what an event means to people, "" where nothing.
func happening(e wire.Event) string {
	switch e.Kind {
	case "crash":
		return "crashed"
	case "error":
		return "could not start"
	case "ready":
		return "is ready"
	case "stop":
		if ended(e) {
			return "ended its session"
		}
		return "was stopped"
	case "permission-needed":
		return "waits for a permission"
	case "health":
		if e.Fields["health"] == "waiting" {
			return "waits for a person"
		}
	case "fallback":
		return "could not reconnect to its conversation"
	}
	return ""
}

// ended reports whether a stop is the end of a session, not one that was asked
// for.
func ended(e wire.Event) bool {
	return e.Kind == "stop" && (e.Fields["verdict"] == "session-ended" || e.Fields["verdict"] == "ended-by-person")
}

// notifies reports whether people want to hear of an event.
func notifies(n config.Notifications, e wire.Event) bool {
	if !n.Enabled || happening(e) == "" {
		return false
	}
	switch e.Kind {
	case "crash":
		return n.NotifyOnCrash
	case "error":
		return n.NotifyOnError
	case "ready":
		return n.NotifyOnReady
	case "stop":
		return n.NotifyOnStop || n.NotifyOnSessionEnd && ended(e)
	case "permission-needed", "health":
		return n.NotifyOnPermission
	case "fallback":
		return n.NotifyOnReconnectFailed
	}
	return false
}

// noteOf words an event. host is the name this machine shows.
func noteOf(host string, e wire.Event) note {
	n := note{Host: host, Instance: cut(presentable(e.Instance), maxInstance), What: happening(e), Reason: cut(presentable(e.Fields["reason"]), maxReason)}
	if n.Instance == "" {
		n.Instance = cut(presentable(e.Project), maxInstance)
	}
	n.Title = fmt.Sprintf("%s: %s %s", host, n.Instance, n.What)
	lines := []string{fmt.Sprintf("Bridge %s on %s %s.", n.Instance, host, n.What)}
	if p := cut(presentable(e.Project), maxInstance); p != "" && p != n.Instance {
		lines = append(lines, "Project: "+p)
	}
	if n.Reason != "" {
		lines = append(lines, "Reason: "+n.Reason)
	}
	if hint := cut(presentable(e.Fields["hint"]), maxReason); hint != "" {
		lines = append(lines, "What to do: "+hint)
	}
	n.Text = strings.Join(lines, "\n")
	return n
}

func (n note) encode() (string, error) {
	body, err := json.Marshal(n)
	return string(body), err
}

// urgency says where a happening stands in a message of many, 0 first. An
// event's kind stands where its happening does: it is what merge has of a body
// that cannot be read.
func urgency(what string) int {
	switch what {
	case "crashed", "could not start", "crash", "error":
		return 0
	case "waits for a permission", "waits for a person", "could not reconnect to its conversation", "permission-needed", "health", "fallback":
		return 1
	}
	return 2
}

// merge makes one message of all notes that are due.
func merge(due []store.Outgoing) (title, text string) {
	notes := make([]note, len(due))
	for i, o := range due {
		if json.Unmarshal([]byte(o.Body), &notes[i]) != nil {
			notes[i] = note{Instance: o.Instance, What: o.Event}
		}
	}
	if len(notes) == 1 {
		return notes[0].Title, notes[0].Text
	}
	// The worst first: two crashes were behind «and 5 more» of stops.
	slices.SortStableFunc(notes, func(a, b note) int { return urgency(a.What) - urgency(b.What) })
	var words, bridges []string
	count := map[string]int{}
	for _, n := range notes {
		if count[n.What]++; count[n.What] == 1 {
			words = append(words, n.What)
		}
		if !slices.Contains(bridges, n.Instance) {
			bridges = append(bridges, n.Instance)
		}
	}
	plural := "s"
	if len(bridges) == 1 {
		plural = ""
	}
	title = fmt.Sprintf("%s: %d events of %d bridge%s", notes[0].Host, len(notes), len(bridges), plural)
	sums := make([]string, len(words))
	for i, w := range words {
		sums[i] = fmt.Sprintf("%d × %s", count[w], w)
	}
	lines := []string{strings.Join(sums, ", ")}
	for _, n := range notes[:min(len(notes), maxLines)] {
		line := n.Instance + " " + n.What
		if n.Reason != "" {
			line += ": " + n.Reason
		}
		lines = append(lines, cut(line, maxLine))
	}
	if more := len(notes) - maxLines; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more: clauster-ctl events", more))
	}
	return title, strings.Join(lines, "\n")
}

// presentable takes out of a text what a chat service would obey: an agent
// chooses reasons and labels, and must not be able to call everybody.
func presentable(s string) string {
	s = strings.Join(strings.Fields(redact.String(s)), " ")
	return strings.NewReplacer("@everyone", "@ everyone", "@here", "@ here", "@channel", "@ channel", "@all", "@ all",
		"<!", "< !", "<@", "< @", "<#", "< #").Replace(s)
}

// cut bounds a text in bytes.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
