package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// askTLS calls the web socket over TLS and tells whose certificate it showed.
func (b *bed) askTLS(path string, headers ...string) (a answer, peer string) {
	b.t.Helper()
	args := append([]string{callerPath, "call"}, with(headers, "")...)
	r, err := b.RunAs("admin", append(args, "GET", "https://127.0.0.1:7621"+path)...)
	if err != nil {
		b.t.Fatal(err)
	}
	a.exit = r.Code
	var shown struct{ Peer string }
	if r.Code == 0 && (json.Unmarshal([]byte(r.Stdout), &a) != nil || json.Unmarshal([]byte(r.Stdout), &shown) != nil) {
		b.t.Fatalf("cannot read what the caller prints: %s", r.Stdout)
	}
	return a, shown.Peer
}

// certify makes a certificate of a name in a directory.
func (b *bed) certify(dir, name string) {
	b.t.Helper()
	b.MustSh(`install -d -m 0750 -g clauster "$1" && cd "$1" && openssl req -quiet -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$2" -keyout key -out cert 2>/dev/null ||
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$2" -keyout key -out cert; chgrp clauster key cert; chmod 0640 key cert`, dir, name)
}

// restartDoors starts API and web socket anew, as after a change of the unit.
func (b *bed) restartDoors() {
	b.t.Helper()
	b.MustSh(`systemctl daemon-reload; systemctl stop clauster-api.service clauster-web.socket; systemctl start clauster-web.socket`)
	b.must("GET", "/healthz", "")
}

// TestAPITLSFiles: the web door with a certificate of the configuration.
func TestAPITLSFiles(t *testing.T) {
	t.Parallel()
	b := withAPI(t)
	const dir = "/etc/clauster/tls"
	b.certify(dir, "first.example")
	settings := "[tls]\ncert_file = \"" + dir + "/cert\"\nkey_file = \"" + dir + "/key\"\n[api]\nallowed_hosts = [\"host.example:7621\"]\n"
	b.must("GET", "/healthz", "")
	b.withPassword(settings)
	// The door that was opened without TLS does not go on without.
	if a := b.askWeb("admin", "GET", "/api/v1/whoami", ""); a.Status != 503 || a.problem().Kind != "door-closed" || a.problem().Hint != "systemctl restart clauster-api" {
		t.Errorf("the plain door: %d %s", a.Status, a.Body)
	}
	b.restartDoors()
	a, peer := b.askTLS("/healthz", "Host: host.example:7621")
	if a.Status != 200 || peer != "first.example" || a.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("over TLS: %d %s from %q, %v", a.Status, a.Body, peer, a.Header)
	}
	// Browsers keep HSTS for a name whatever the port: not for localhost.
	if a, _ := b.askTLS("/healthz"); a.Header.Get("Strict-Transport-Security") != "" {
		t.Error("HSTS for 127.0.0.1")
	}
	if a := b.askWeb("admin", "GET", "/healthz", ""); a.exit == 0 && a.Status == 200 {
		t.Errorf("plain HTTP on the TLS door: %d %s", a.Status, a.Body)
	}
	// The cookie is for TLS only, and nobody on the way can plant it.
	body := `{"password":"` + password + `"}`
	in := b.call("admin", with([]string{"Origin: https://127.0.0.1:7621"}, body), "POST", "https://127.0.0.1:7621/api/v1/login")
	cookie := in.Header.Get("Set-Cookie")
	for _, want := range []string{"__Host-clauster_session=", "; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("%q is not in the cookie %q (%d %s)", want, cookie, in.Status, in.Body)
		}
	}
	pair, _, _ := strings.Cut(cookie, ";")
	if a, _ := b.askTLS("/api/v1/whoami", "Cookie: "+pair); a.Status != 200 {
		t.Errorf("with the cookie: %d %s", a.Status, a.Body)
	}
	// Another certificate with a reload: no connection is refused meanwhile.
	b.certify(dir, "second.example")
	b.MustRun("systemctl", "reload", "clauster-api")
	if _, peer := b.askTLS("/healthz"); peer != "second.example" {
		t.Errorf("after the reload: %s", peer)
	}
	// A key that is not the certificate's fails the reload; the pair in force and
	// all else stays, and every surface says so.
	b.MustSh(`openssl ecparam -name prime256v1 -genkey -noout >"$1/key"`, dir)
	if r := b.result("systemctl", "reload", "clauster-api"); r.Code == 0 {
		t.Error("a reload with a broken pair succeeds")
	}
	if a, peer := b.askTLS("/api/v1/whoami"); a.Status != 401 || peer != "second.example" {
		t.Errorf("under a broken pair: %d %s from %q", a.Status, a.Body, peer)
	}
	for _, said := range []string{b.must("GET", "/health", "").Body, b.MustRun("journalctl", "-u", "clauster-api", "-o", "cat", "-n", "20"), b.MustShow("clauster-api.service", "StatusText")} {
		if !strings.Contains(said, "cannot use the certificate") || !strings.Contains(said, dir+"/key") {
			t.Errorf("a broken pair is not told: %s", said)
		}
	}
	// Broken at the start as well: closed, and it says why.
	b.restartDoors()
	if a := b.askWeb("admin", "GET", "/api/v1/whoami", ""); a.Status != 503 || a.problem().Kind != "door-closed" {
		t.Errorf("broken at the start: %d %s", a.Status, a.Body)
	}
	b.certify(dir, "third.example")
	_ = b.result("systemctl", "reload", "clauster-api")
	if a := b.askWeb("admin", "GET", "/api/v1/whoami", ""); a.Status != 503 {
		t.Errorf("repaired under a plain door: %d %s", a.Status, a.Body)
	}
	b.MustRun("systemctl", "restart", "clauster-api")
	if a, peer := b.askTLS("/api/v1/whoami"); a.Status != 401 || peer != "third.example" {
		t.Errorf("after the restart: %d %s from %q", a.Status, a.Body, peer)
	}
}

// TestAPITLSCredentials: the key is root's alone; systemd hands it over.
func TestAPITLSCredentials(t *testing.T) {
	t.Parallel()
	b := withAPI(t)
	const dir = "/root/tls"
	b.certify(dir, "secret.example")
	b.MustSh(`chown root:root "$1" "$1"/*; chmod 0700 "$1"; chmod 0600 "$1"/*`, dir)
	b.MustWriteFile("/etc/systemd/system/clauster-api.service.d/tls.conf",
		"[Service]\nLoadCredential=clauster.tls.cert:"+dir+"/cert\nLoadCredential=clauster.tls.key:"+dir+"/key\n", 0o644, "")
	b.withPassword("")
	b.restartDoors()
	a, peer := b.askTLS("/api/v1/whoami")
	if a.Status != 401 || peer != "secret.example" {
		t.Errorf("%d %s from %q", a.Status, a.Body, peer)
	}
	// A cookie that is stolen from plain HTTP by name does not exist.
	if a := b.askWeb("admin", "GET", "/api/v1/whoami", ""); a.exit == 0 && a.Status == 200 {
		t.Errorf("plain HTTP: %d %s", a.Status, a.Body)
	}
	b.must("GET", "/healthz", "")
}
