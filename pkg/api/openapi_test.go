package api

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"clauster/pkg/auth"
)

// A closed list was a free string, headers that are read were no parameters.
func TestDocumentTellsKindsAndHeaders(t *testing.T) {
	doc := NewTable(&Instances{}, &Logs{}, &Events{}, &Deliveries{}).Document("1", auth.UnixDoor)
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Paths map[string]map[string]struct {
			Parameters  []struct{ Name, In string }
			RequestBody *struct{ Required bool }
			Responses   map[string]any
		}
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct{ Enum []string }
				Required   []string
			}
		}
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	kinds := got.Components.Schemas["Problem"].Properties["kind"].Enum
	if len(kinds) < 10 || strings.Contains(strings.Join(kinds, ","), ",,") || kinds[0] == "" {
		t.Errorf("kinds %q", kinds)
	}
	for path, name := range map[string]string{
		"post /api/v1/instances":                    IdempotencyHeader,
		"post /api/v1/instances/{instance}/restart": IdempotencyHeader,
		"post /api/v1/instances/{instance}/resume":  IdempotencyHeader,
		"get /api/v1/instances/{instance}/logs":     "Last-Event-ID",
		"get /api/v1/events/stream":                 "Last-Event-ID",
	} {
		method, path, _ := strings.Cut(path, " ")
		found := false
		for _, p := range got.Paths[path][method].Parameters {
			found = found || p.Name == name && p.In == "header"
		}
		if !found {
			t.Errorf("%s %s has no parameter %s", method, path, name)
		}
	}
	if codes := slices.Sorted(maps.Keys(got.Paths["/api/v1/instances"]["post"].Responses)); strings.Join(codes, " ") != "200 201 400 403 413 415 422 503 default" {
		t.Errorf("codes of a start: %s", codes)
	}
	if b := got.Paths["/api/v1/instances/{instance}/restart"]["post"].RequestBody; b == nil || b.Required {
		t.Errorf("body of a restart: %+v", b)
	}
	if b := got.Paths["/api/v1/instances"]["post"].RequestBody; b == nil || !b.Required {
		t.Errorf("body of a start: %+v", b)
	}
	// Objects of several hosts are told apart by it.
	for _, name := range []string{"Instance", "Started", "Stopped", "Forgotten", "Log", "Event", "Events", "Delivery", "Deliveries", "Target", "NotifyTest"} {
		if s, ok := got.Components.Schemas[name]; ok && !slices.Contains(s.Required, "host") || !ok {
			t.Errorf("%s has no host", name)
		}
	}
}

func TestLogTellsItsHost(t *testing.T) {
	logs := logsOf(1, "x", nil)
	logs.Host = "here"
	if a, ok := logs.get(askLog(t, "blog")).(Text); !ok || !strings.HasPrefix(string(a.Body), `{"host":"here","instance":"blog"`) {
		t.Errorf("%s", a.Body)
	}
}
