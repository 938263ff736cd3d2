package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"clauster/test/machine"
)

// TestAPIAttackedByNames: whoever may start bridges may still not name files
// with them. Names go into unit names, file names, the journal and addresses.
func TestAPIAttackedByNames(t *testing.T) {
	t.Parallel()
	b := withAPI(t)
	b.newProject("names", nil)
	const files = `find /etc/clauster /var/lib/clauster /run/clauster /home/op/projects /run/systemd/transient -not -path '*/clauster.db*' -not -name '.#*' | sort`
	b.must("GET", "/api/v1/projects/names", "")
	before := b.MustSh(files)
	// As a path: each is one segment, or a path that goes elsewhere.
	for _, name := range []string{"..", "../..", "..%2f..%2fetc%2fpasswd", "%2e%2e%2fetc", "names%2f..%2fx", "names%00", "%00", "names%0aUNIT=x", "names%0d%0aX-Evil:%20yes",
		"%25n%25s", "names%25i", "names@x", "-names", ".names", "names%20x", "names%5cx", "n%C3%A4mes", "%ff%fe", "names:..", "names:a%2fb", strings.Repeat("a", 200), "*", "%2a", "clauster@names.service"} {
		for _, path := range []string{"/api/v1/instances/" + name, "/api/v1/instances/" + name + "/logs", "/api/v1/instances/" + name + "/qr", "/api/v1/projects/" + name, "/api/v1/projects/" + name + "/metrics", "/api/v1/deliveries/" + name} {
			a := b.ask("root", "GET", path, "")
			// 404 for a name that is none, and for a path with dots.
			if a.Status != 404 && a.Status != 400 || a.Header.Get("X-Evil") != "" {
				t.Errorf("GET %s: %d %.300s", path, a.Status, a.Body)
			}
		}
		for _, path := range []string{"/restart", "/resume", "/forget"} {
			if a := b.ask("root", "POST", "/api/v1/instances/"+name+path, ""); a.Status/100 == 2 || a.Status >= 500 {
				t.Errorf("POST %s%s: %d %.300s", name, path, a.Status, a.Body)
			}
		}
	}
	// As a value.
	for _, name := range []string{"", ".", "..", "../names", "/etc", "names/../x", "names\x00", "names\nx", "names\r", "%n", "names%i", "-names", ".x", "names x", "nämes", "\u202enames", strings.Repeat("a", 65)} {
		for _, field := range []string{"project", "label"} {
			body := map[string]string{"project": "names", field: name}
			if field == "label" && name == "" {
				continue
			}
			text, _ := json.Marshal(body)
			if a := b.ask("root", "POST", "/api/v1/instances", string(text)); a.Status != 422 && a.Status != 400 {
				t.Errorf("%s %q: %d %.300s", field, name, a.Status, a.Body)
			}
		}
	}
	for _, body := range []string{`{"project":"names","resume_session_id":"../../x"}`, `{"project":"names","resume_session_id":"x\ny"}`, `{"project":"names","name":"a\nb"}`, `{"project":"names","name":"a\u0000b"}`,
		`{"project":"names","mode":"--help"}`, `{"project":"names","spawn_mode":"../x"}`, `{"project":"names","permission_mode":"bypassPermissions\n"}`, `{"project":"names","capacity":-1}`, `{"project":"names","capacity":1e99}`,
		`{"project":"names","binary":"/bin/sh"}`, `{"project":["names"]}`, `[]`, `null`, `"x"`, `{"project":"names"}{}`, `{"project":"names"`, strings.Repeat(`{"a":`, 5000)} {
		if a := b.ask("root", "POST", "/api/v1/instances", body); a.Status != 422 && a.Status != 400 {
			t.Errorf("%.100s: %d %.300s", body, a.Status, a.Body)
		}
	}
	// As what to look for.
	for _, query := range []string{"kind=%00", "instance=..%2f", "instance=a%0a", "project=%27%20OR%201%3d1--", "since=now%00", "before=-1", "before=99999999999999999999", "limit=-1", "limit=1e9", "order=;", "limit=%zz", "a=;b", "last_event_id=x"} {
		for _, path := range []string{"events", "deliveries"} {
			if a := b.ask("root", "GET", "/api/v1/"+path+"?"+query, ""); a.Status >= 500 {
				t.Errorf("%s?%s: %d %s", path, query, a.Status, a.Body)
			}
		}
	}
	if after := b.MustSh(files); after != before {
		t.Errorf("files: before\n%s\nafter\n%s", before, after)
	}
	if units := b.MustSh(`systemctl list-units --all --plain --no-legend 'clauster@*' 'clauster-bridge*'`); strings.TrimSpace(units) != "" {
		t.Errorf("units: %s", units)
	}
	for _, e := range b.MustJournal("_SYSTEMD_UNIT=clauster-api.service") {
		if text := e.Get("MESSAGE"); strings.Contains(text, "panic") || strings.ContainsAny(text, "\x00\x1b\r") {
			t.Errorf("the journal: %q", text)
		}
	}
}

// TestAPIAttackedBySize: what is too large is refused and costs nothing.
func TestAPIAttackedBySize(t *testing.T) {
	t.Parallel()
	b := withAPI(t)
	b.must("GET", "/healthz", "")
	host := "Host: 127.0.0.1:7621"
	large := `{"project":"` + strings.Repeat("a", 80<<10) + `"}`
	for what, out := range map[string]string{
		"413 of a body":         b.rawWeb("POST /api/v1/instances HTTP/1.1", []string{host, "Content-Type: application/json", fmt.Sprint("Content-Length: ", len(large))}, large),
		"413 in chunks":         b.rawWeb("POST /api/v1/instances HTTP/1.1", []string{host, "Content-Type: application/json", "Transfer-Encoding: chunked"}, fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(large), large)),
		"431 of one header":     b.rawWeb("GET /healthz HTTP/1.1", []string{host, "X-A: " + strings.Repeat("a", 64<<10)}, ""),
		"431 of many headers":   b.rawWeb("GET /healthz HTTP/1.1", append([]string{host}, strings.Split(strings.Repeat("X-Abcdefghij: klmnopqrst\n", 3000), "\n")[:3000]...), ""),
		"431 of the address":    b.rawWeb("GET /"+strings.Repeat("a", 64<<10)+" HTTP/1.1", []string{host}, ""),
		"400 of two lengths":    b.rawWeb("POST /api/v1/instances HTTP/1.1", []string{host, "Content-Length: 5", "Content-Length: 6"}, "hello"),
		"400 of two hosts":      b.rawWeb("GET /healthz HTTP/1.1", []string{host, "Host: evil.example"}, ""),
		"400 of no host":        b.rawWeb("GET /healthz HTTP/1.1", []string{"X: y"}, ""),
		"400 of a folded line":  b.rawWeb("GET /healthz HTTP/1.1", []string{host, "X y: z"}, ""),
		"400 of a NUL":          b.rawWeb("GET /health\x00z HTTP/1.1", []string{host}, ""),
		"501 of a smuggled one": b.rawWeb("POST /api/v1/instances HTTP/1.1", []string{host, "Transfer-Encoding: xchunked", "Content-Length: 5"}, "hello"),
		"421 of a whole URL":    b.rawWeb("GET http://evil.example/healthz HTTP/1.1", []string{host}, ""),
	} {
		if status, _, _ := strings.Cut(strings.TrimPrefix(out, "HTTP/1.1 "), " "); !strings.HasPrefix(what, status) || status == "" {
			t.Errorf("%s: %.200q", what, out)
		}
	}
	var peak int // kB
	_, _ = fmt.Sscan(b.MustSh(`awk '/^VmHWM/ { print $2 }' /proc/$(systemctl show -P MainPID clauster-api)/status`), &peak)
	if peak == 0 || peak > 80<<10 {
		t.Errorf("the most memory it used: %d kB", peak)
	}
	b.must("GET", "/api/v1/instances", "")
	if n := b.MustShow("clauster-api.service", "NRestarts"); n != "0" {
		t.Errorf("the service was restarted %s times", n)
	}
}

// TestAPIAttackedSlowly: more clients than the web door has places never finish
// their request (slow loris), or hold on to a connection that was answered, and
// come back as soon as they are cut off.
func TestAPIAttackedSlowly(t *testing.T) {
	t.Parallel()
	b := withAPI(t)
	b.must("GET", "/healthz", "")
	seconds := soak(20, 120)
	loris := b.MustStart(machine.Command{User: "admin", Args: []string{callerPath, "loris", "127.0.0.1:7621", fmt.Sprint(soak(700, 2000)), fmt.Sprint(seconds)}, Timeout: time.Hour})
	b.MustWaitFor("the places to be taken", settle, func() bool {
		return strings.Count(b.MustSh(`cat /proc/net/tcp`), ":1DC5 ") > 1000
	})
	end := time.Now().Add(time.Duration(seconds-8) * time.Second)
	var unix, web []time.Duration
	for time.Now().Before(end) {
		begun := time.Now()
		if a := b.ask("root", "GET", "/api/v1/instances", ""); a.Status != 200 {
			t.Fatalf("the unix door: %d %s", a.Status, a.Body)
		}
		unix = append(unix, time.Since(begun))
		begun = time.Now()
		if a := b.askWeb("admin", "GET", "/healthz", ""); a.Status != 200 {
			t.Fatalf("the web door: %d %s", a.Status, a.Body)
		}
		web = append(web, time.Since(begun))
	}
	r, err := loris.Wait()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s; %d requests; the slowest took %v on the unix door, %v on the web door", strings.TrimSpace(r.Stdout), len(unix), slices.Max(unix), slices.Max(web))
	if slices.Max(unix) > 2*time.Second || slices.Max(web) > 5*time.Second {
		t.Errorf("unix %v, web %v", slices.Max(unix), slices.Max(web))
	}
	var count struct{ Made, Lost int }
	if err := json.Unmarshal([]byte(r.Stdout), &count); err != nil || count.Lost < 500 {
		t.Errorf("%s: nobody was cut off (%v)", r.Stdout, err)
	}
	b.askWeb("admin", "GET", "/healthz", "")
	if n := b.MustShow("clauster-api.service", "NRestarts"); n != "0" {
		t.Errorf("the service was restarted %s times", n)
	}
}
