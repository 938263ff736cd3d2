package records

import (
	"testing"
	"time"

	"clauster/pkg/bridge"
)

// TestNamesDoNotMeet: "a.request" is a good project name. With requests in
// INSTANCE.request.json its record was taken for a request for "a", which then
// did not start.
func TestNamesDoNotMeet(t *testing.T) {
	d := Dir{Path: t.TempDir(), UID: -1, GID: -1}
	names := []string{"a", "a.request", "a.json", "a.json.request", "a.request:json"}
	now := time.Now().UTC()
	for _, name := range names {
		i, err := bridge.ParseInstance(name)
		if err != nil {
			t.Fatal(err)
		}
		r := bridge.Record{Schema: bridge.RecordSchema, Kind: bridge.KindBridge, Instance: name, Path: "/srv/" + i.Project, Created: now, Launched: now,
			Label: i.DisplayName(), Run: "0123456789abcdef0123456789abcdef",
			Options: bridge.Options{Mode: bridge.Standard, SpawnMode: bridge.SameDir, PermissionMode: bridge.PermDefault}}
		if err := d.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range names {
		i, _ := bridge.ParseInstance(name) // parsed above
		if request, err := d.ReadRequest(i, now); request != nil || err != nil {
			t.Errorf("a request for %s that nobody wrote: %+v, %v", name, request, err)
		}
		if r, err := d.Read(i); err != nil || r.Instance != name {
			t.Errorf("record of %s: %+v, %v", name, r, err)
		}
	}
	if all, err := d.List(); err != nil || len(all) != len(names) {
		t.Errorf("%d records, %v", len(all), err)
	}
}
