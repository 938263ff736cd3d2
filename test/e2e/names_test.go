package e2e

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
)

const (
	longProject = "the-longest-project-name.that-is-allowed_it-has-64-bytes_0123456"
	longLabel   = "the-longest-label_with-32-bytes."
)

// TestLongestNames: 64 and 32 bytes work in both modes and in both managers. A
// unix socket's address holds 108 bytes; the path of the control socket is
// longer than that.
func TestLongestNames(t *testing.T) {
	t.Parallel()
	if len(longProject) != 64 || len(longLabel) != 32 {
		t.Fatal("the names are not the longest")
	}
	b := onShared(t)
	instance := longProject + ":" + longLabel
	b.newUserProject(longProject, map[string]string{"scale": "0.05"})
	unit := "clauster@" + instance + ".service"
	t.Cleanup(func() {
		b.MustRun("systemctl", "stop", unit)
		b.MustRunAs("op", "systemctl", "--user", "stop", unit)
	})
	for _, mode := range []string{"standard", "pty"} {
		for _, user := range []string{"root", "op"} {
			ctl := []string{"clauster-ctl"}
			if user == "op" {
				ctl = append(ctl, "--user")
			}
			run := func(args ...string) string {
				t.Helper()
				return b.MustRunAs(user, append(append([]string{}, ctl...), args...)...)
			}
			run("start", "--mode", mode, instance)
			var s status
			if err := json.Unmarshal([]byte(run("status", instance, "--json")), &s); err != nil {
				t.Fatal(err)
			}
			if s.Status != "running" || s.Instance != instance || s.Project != longProject || s.Label != longLabel || s.Mode != mode {
				t.Errorf("%s as %s: %+v", mode, user, s)
			}
			// The link is asked for at the control socket.
			if link := run("open", instance); !strings.HasPrefix(link, "https://claude.ai/") {
				t.Errorf("%s as %s: link %q", mode, user, link)
			}
			run("restart", instance)
			run("stop", instance)
			run("forget", instance)
		}
	}
}

// TestStrangeNames: each name that is allowed works and stays itself; nothing
// takes one for another or for a file of its own.
func TestStrangeNames(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	names := []string{"names-a", "names-a.request", "names-a.json", "names-a..b", "0", "_", "names-A-B.service", "names-a:b", "names-a:b.c-d"}
	for _, name := range names {
		project, _, _ := strings.Cut(name, ":")
		b.newProject(project, nil)
		// Not systemctl: it takes a last «.service» for the type of the unit.
		b.MustRun("clauster-ctl", "start", name)
	}
	t.Cleanup(func() {
		for _, name := range names {
			b.MustRun("systemctl", "stop", "clauster@"+name+".service")
		}
	})
	for _, name := range names {
		project, label, labelled := strings.Cut(name, ":")
		if !labelled {
			label = project
		}
		s := b.status(name)
		if s.Status != "running" || s.Instance != name || s.Project != project || s.Label != label {
			t.Errorf("%s: %+v", name, s)
		}
		if got := strings.TrimSpace(b.MustSh(`readlink "/proc/$1/cwd"`, strconv.Itoa(s.PID))); got != "/home/op/projects/"+project {
			t.Errorf("%s works in %s", name, got)
		}
	}
	for _, name := range names {
		b.MustRun("clauster-ctl", "restart", name)
	}
	for _, name := range names {
		b.MustRun("clauster-ctl", "stop", name)
		b.waitRuns(name, "spawn ready stop", "spawn ready stop")
	}
}

// TestNamesRefused: a name that breaks the rules is refused with a sentence, by
// clauster-ctl before it asks anybody and by the keeper in the unit's status.
// (a/b is not here: systemd-escape makes it a-b, which is a name.)
func TestNamesRefused(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	for _, name := range []string{"a b", "é", ".hidden", "-dash", "..", "a:", ":b", "a:b:c", "$(id)", "a;id", "a\nb", "%i", `a\x2fb`,
		longProject + "x", longProject + ":" + longLabel + "x"} {
		for _, verb := range []string{"start", "stop", "status", "logs"} {
			r := b.result("clauster-ctl", verb, "--", name)
			if r.Code != 2 || !strings.Contains(r.Stderr, "cannot use ") || r.Stdout != "" {
				t.Errorf("clauster-ctl %s %q: exit code %d\n%s%s", verb, name, r.Code, r.Stdout, r.Stderr)
			}
		}
		unit := strings.TrimSpace(b.MustRun("systemd-escape", "--template=clauster@.service", "--", name))
		if r := b.result("systemctl", "start", "--", unit); r.Code == 0 {
			t.Errorf("systemctl start %s succeeded", unit)
		}
		if code, text := b.MustShow(unit, "ExecMainStatus"), b.MustShow(unit, "StatusText"); code != "78" || !strings.HasPrefix(text, "error: cannot use ") {
			t.Errorf("%s: exit code %s, StatusText=%s", unit, code, text)
		}
		b.MustRun("systemctl", "reset-failed", unit)
	}
}

// TestProjectsRootWithSpaces: the root of the projects may have any name, and
// may be a link; a project may not.
func TestProjectsRootWithSpaces(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	const root = "/home/op/Mes projets – 测试 $(id) 'q' \"d\" %i"
	const name = "names-spaces"
	b.newProject(name, nil)
	b.MustWriteFile(root+"/"+name+"/.fakeclaude", "scale=0.05\n", 0o644, "op")
	b.MustSh(`ln -sfn "$1" /home/op/linked; ln -sfn /etc "$1"/names-link; ln -sfn names-spaces "$1"/names-alias`, root)
	toml := "user = \"op\"\nprojects_root = " + tomlString(root) + "\n"
	b.MustWriteFile("/etc/clauster/spaces.toml", toml, 0o640, "")
	b.dropIn(name, "Environment=CLAUSTER_CONFIG=/etc/clauster/spaces.toml\n")
	check := func(where string) {
		t.Helper()
		b.mustStart(name)
		if got := strings.TrimSuffix(b.MustSh(`readlink "/proc/$1/cwd"`, strconv.Itoa(b.status(name).PID)), "\n"); got != root+"/"+name {
			t.Errorf("%s: the bridge works in %q", where, got)
		}
		b.stop(name)
	}
	check("a root with a strange name")
	out := b.MustRun("clauster-ctl", "-c", "/etc/clauster/spaces.toml", "projects")
	if !strings.Contains(out, name) {
		t.Errorf("projects:\n%s", out)
	}
	for _, link := range []string{"names-link", "names-alias"} {
		if i := strings.Index(out, link); i < 0 || !strings.Contains(strings.SplitN(out[i:], "\n", 2)[0], "it is a link") {
			t.Errorf("projects does not say that no bridge starts in %s:\n%s", link, out)
		}
	}
	// The command in the hint is to be pasted into a shell.
	r := b.result("clauster-ctl", "-c", "/etc/clauster/spaces.toml", "start", "names-absent")
	if _, hint, found := strings.Cut(r.Stderr, "hint: sudo -iu op "); r.Code != 3 || !found {
		t.Errorf("start of a project that is not there: exit code %d\n%s", r.Code, r.Stderr)
	} else {
		command, _, _ := strings.Cut(strings.TrimSpace(hint), ", or ")
		if out := b.asOp("sh", "-c", command); out.Code != 0 || b.result("test", "-d", root+"/names-absent").Code != 0 {
			t.Errorf("the hint %s does not make the project: %s", command, out.Stderr)
		}
	}
	b.MustWriteFile("/etc/clauster/spaces.toml", "user = \"op\"\nprojects_root = \"~op/linked\"\n", 0o640, "")
	check("a linked root")
	for _, link := range []string{"names-link", "names-alias"} {
		b.dropIn(link, "Environment=CLAUSTER_CONFIG=/etc/clauster/spaces.toml\n")
		b.newProject(link, nil)
		if r := b.start(link); r.Code == 0 {
			t.Errorf("%s, a link, started", link)
		}
		if got := b.MustShow("clauster@"+link+".service", "StatusText"); !strings.HasPrefix(got, "error: ") || !strings.Contains(got, link) {
			t.Errorf("%s: StatusText=%s", link, got)
		}
	}
	b.MustSh(`rm -rf "$1" /home/op/linked /etc/clauster/spaces.toml`, root)
}

func tomlString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
