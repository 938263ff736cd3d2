package api

import (
	"strings"
	"testing"
)

// TestCapacityIsNamedAsSent: 0 was refused as «capacity -1», which nobody sent.
func TestCapacityIsNamedAsSent(t *testing.T) {
	f := &fakeFleet{}
	send := serveInstances(t, f, nil)
	for sent, code := range map[string]int{"0": 422, "-3": 422, "1025": 422, "1024": 201} {
		for _, c := range [][2]string{{"/api/v1/instances", `{"project":"blog","capacity":` + sent + `}`}, {"/api/v1/instances/blog/restart", `{"capacity":` + sent + `}`}} {
			f.running = false
			rec := send(writer(), "POST", c[0], c[1])
			if rec.Code != code || code == 422 && !strings.Contains(rec.Body.String(), "cannot use capacity "+sent+": it must be between 1 and 1024") {
				t.Errorf("%s %s: %d %s", c[0], c[1], rec.Code, rec.Body)
			}
		}
	}
}

// TestRoutesWithoutABodyReadNone: a resume took any fields, and did nothing
// about them.
func TestRoutesWithoutABodyReadNone(t *testing.T) {
	for _, path := range []string{"/api/v1/instances/blog/resume", "/api/v1/instances/blog/forget"} {
		for body, want := range map[string]string{`{"mode":"pty"}`: `there is no field \"mode\"`, `[1]`: "it has to be a JSON object", `{`: "it is not JSON", "": "", "{}": ""} {
			f := &fakeFleet{}
			rec := serveInstances(t, f, nil)(writer(), "POST", path, body)
			if refused := rec.Code == 400; refused != (want != "") || refused != (len(f.asked) == 0) || !strings.Contains(rec.Body.String(), want) {
				t.Errorf("POST %s %q: %d %s, asked %v", path, body, rec.Code, rec.Body, f.asked)
			}
		}
	}
}
