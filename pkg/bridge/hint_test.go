package bridge

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

func TestForUser(t *testing.T) {
	for in, want := range map[string]string{
		"": "",
		"clauster-ctl trust blog, then: clauster-ctl start blog":      "clauster-ctl --user trust blog, then: clauster-ctl --user start blog",
		"its scope is frozen: systemctl thaw clauster-bridge-x.scope": "its scope is frozen: systemctl --user thaw clauster-bridge-x.scope",
		"sudo clauster-ctl token list shows them":                     "clauster-ctl --user token list shows them",
		"loginctl enable-linger op":                                   "loginctl enable-linger op",
	} {
		if got := ForUser(in); got != want || ForUser(got) != want {
			t.Errorf("%q gives %q and then %q, want %q", in, got, ForUser(got), want)
		}
	}
}

// A hint is typed as it stands: one word stays one, and nothing needs a
// backslash, which systemd takes out of a status text.
func TestWord(t *testing.T) {
	for in, want := range map[string]string{
		"/home/op/projects/blog": "/home/op/projects/blog",
		"":                       "''",
		"/srv/my proj's":         `'/srv/my proj'"'"'s'`,
		"/srv/$(reboot)":         "'/srv/$(reboot)'",
		`"d" \ %i`:               `'"d" \ %i'`,
		"é\n-x":                  "'é\n-x'",
		"~":                      "'~'",
		"*":                      "'*'",
	} {
		out, err := exec.Command("/bin/sh", "-c", "printf %s "+Word(in)).Output()
		if got := Word(in); got != want || err != nil || string(out) != in || strings.Count(got, "\\") != strings.Count(in, "\\") {
			t.Errorf("%q gives %q, which a shell reads as %q", in, got, out)
		}
	}
}

// The hint once was a table's head and a key on one line, which is no TOML.
func TestAllowBypassIsTyped(t *testing.T) {
	config := filepath.Join(t.TempDir(), "my config", "clauster.toml")
	if out, err := exec.Command("/bin/sh", "-c", AllowBypass(config, "a.b", true)).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	path := config + ".d/bypass-a.b.toml"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Projects map[string]map[string]bool
	}
	if err := toml.Unmarshal(data, &c); err != nil || !c.Projects["a.b"]["allow_bypass_permissions"] {
		t.Errorf("%s: %v", data, err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", st.Mode(), err)
	}
	if got := AllowBypass("/etc/clauster/clauster.toml", "blog", false); !strings.Contains(got, "sudo install -D -m 0640 -g clauster /dev/stdin /etc/clauster/clauster.toml.d/bypass-blog.toml") {
		t.Errorf("%s", got)
	}
}
