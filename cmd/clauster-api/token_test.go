package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clauster/pkg/auth"
	"clauster/pkg/store"
)

// shell runs words of clauster-api over one database.
type shell struct {
	t   *testing.T
	dir string
}

func (s shell) run(stdin string, args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	var out, talk bytes.Buffer
	w := world{stdin: strings.NewReader(stdin), stdout: &out, stderr: &talk, getenv: func(name string) string {
		if name == "STATE_DIRECTORY" {
			return s.dir
		}
		return ""
	}}
	code = report(&talk, dispatch(s.t.Context(), w, args))
	return out.String(), talk.String(), code
}

func TestTokenWords(t *testing.T) {
	sh := shell{t, t.TempDir()}
	out, talk, code := sh.run("", "token", "issue", "ci", "--scope", "write", "--expires", "90d")
	first := strings.TrimSpace(out)
	if code != 0 || !strings.HasPrefix(first, auth.TokenPrefix) || len(first) != len(auth.TokenPrefix)+43 || strings.Contains(talk, first) {
		t.Fatal(code, out, talk)
	}
	if _, talk, code := sh.run("", "token", "issue", "ci"); code != exitFailed || !strings.Contains(talk, "token rotate ci") {
		t.Error(code, talk)
	}
	out, _, code = sh.run("", "token", "rotate", "ci", "--json")
	var made shownToken
	if err := json.Unmarshal([]byte(out), &made); err != nil || code != 0 || made.Label != "ci" || made.Scope != "write" || made.Token == first {
		t.Error(err, out)
	}
	if life := made.Expires.Sub(made.Created.Time); life != 90*24*time.Hour {
		t.Errorf("lives for %v", life)
	}
	raw, err := os.ReadFile(filepath.Join(sh.dir, "clauster.db"))
	if err != nil {
		t.Fatal(err)
	}
	wal, _ := os.ReadFile(filepath.Join(sh.dir, "clauster.db-wal"))
	if bytes.Contains(append(raw, wal...), []byte(first)) {
		t.Error("the token is in the database")
	}
	db, err := store.Open(t.Context(), filepath.Join(sh.dir, "clauster.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for token, live := range map[string]bool{first: false, made.Token: true} {
		if n, err := db.TokenByHash(t.Context(), auth.HashToken(token)); err != nil || n.Live(time.Now()) != live {
			t.Error(n, err)
		}
	}
	if _, _, code := sh.run("", "token", "revoke", made.ID); code != 0 {
		t.Error(code)
	}
	if _, talk, code := sh.run("", "token", "revoke", "ci"); code != exitNotFound || !strings.Contains(talk, "token list") {
		t.Error(code, talk)
	}
	out, _, _ = sh.run("", "token", "list", "--json")
	var all []shownToken
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 2 || all[0].State != "revoked" || strings.Contains(out, auth.TokenPrefix) {
		t.Error(err, out)
	}
	for _, args := range [][]string{{"token"}, {"token", "x"}, {"token", "issue"}, {"token", "issue", "a", "b"}, {"token", "issue", "a", "--scope", "root"}, {"token", "issue", ""},
		{"token", "issue", "x\n"}, {"token", "issue", "a", "--expires", "0d"}, {"token", "issue", "a", "--expires", "1y"}, {"token", "issue", "a", "--expires", "9999999d"},
		{"token", "rotate", "a", "--scope", "read"}, {"token", "list", "a"}, {"token", "revoke", "a", "--expires", "1d"}} {
		if _, _, code := sh.run("", args...); code != exitUsage {
			t.Errorf("%v: %d", args, code)
		}
	}
}

// Another user's directory is not opened: root's files would lock the API out.
func TestTokenWordsNeedTheOwner(t *testing.T) {
	if _, talk, code := (shell{t, filepath.Join(t.TempDir(), "none")}).run("", "token", "list"); code != exitUnreachable || !strings.Contains(talk, "systemctl restart clauster-api") {
		t.Error(code, talk)
	}
	if os.Geteuid() == 0 {
		dir := t.TempDir()
		if err := os.Chown(dir, 12345, 12345); err != nil {
			t.Skip(err)
		}
		if _, talk, code := (shell{t, dir}).run("", "token", "list"); code != exitUnreachable || !strings.Contains(talk, "sudo clauster-ctl") {
			t.Error(code, talk)
		}
		return
	}
	if _, talk, code := (shell{t, "/"}).run("", "token", "list"); code != exitUnreachable || !strings.Contains(talk, "another user") {
		t.Error(code, talk)
	}
}

func TestHashWords(t *testing.T) {
	sh := shell{t, t.TempDir()}
	if out, _, code := sh.run("long enough\n", "hash-password"); code != 0 || !strings.HasPrefix(out, "$argon2id$v=19$m=19456,t=2,p=1$") || strings.Count(out, "\n") != 1 {
		t.Error(code, out)
	}
	if _, talk, code := sh.run("short\n", "hash-password"); code != exitUsage || !strings.Contains(talk, "10 characters") {
		t.Error(code, talk)
	}
	if _, _, code := sh.run("", "hash-password", "secret-on-the-line"); code != exitUsage {
		t.Error(code)
	}
	out, talk, code := sh.run("", "hash-metrics-token")
	if token := strings.TrimSpace(out); code != 0 || !strings.HasPrefix(token, auth.ScrapeTokenPrefix) || !strings.Contains(talk, auth.HashToken(token)) {
		t.Error(code, out, talk)
	}
}
