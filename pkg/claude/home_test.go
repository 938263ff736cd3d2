package claude

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"clauster/pkg/bridge"

	"github.com/google/go-cmp/cmp"
)

func TestSlug(t *testing.T) {
	for path, want := range map[string]string{
		"/srv/sl/My_Proj.v1 (x)é-日本": "-srv-sl-My-Proj-v1--x-----",
		"/home/op/projects/hello":    "-home-op-projects-hello",
		"/a/😀":                       "-a---",
	} {
		if got, whole := Slug(path); got != want || !whole {
			t.Errorf("Slug(%q) = %q %v, want %q", path, got, whole, want)
		}
	}
	if got, whole := Slug("/" + strings.Repeat("a", 300)); len(got) != 200 || whole {
		t.Errorf("a long path gives %d bytes, whole %v", len(got), whole)
	}
}

func TestPointer(t *testing.T) {
	d := Dirs{Home: t.TempDir()}
	const path = "/srv/hello"
	if _, err := ReadPointer(d, path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no pointer: %v", err)
	}
	if cleared, err := ClearPointer(d, path); cleared || err != nil {
		t.Errorf("no pointer to clear: %v %v", cleared, err)
	}
	file := filepath.Join(d.Home, ".claude/projects/-srv-hello/bridge-pointer.json")
	write(t, file, `{"sessionId":"session_01HelloSession00000000BB","environmentId":"env_01HelloWorld0000000000AA","source":"standalone","pid":81750,"procStart":"2590192","activeSessionIds":["x"]}`)
	p, err := ReadPointer(d, path)
	if err != nil || p.Changed.IsZero() {
		t.Fatal(p, err)
	}
	p.Changed = p.Changed.Truncate(0)
	want := Pointer{"session_01HelloSession00000000BB", "env_01HelloWorld0000000000AA", 81750, "2590192", p.Changed}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
	for range 2 {
		write(t, file, "{}")
		if cleared, err := ClearPointer(d, path); !cleared || err != nil {
			t.Errorf("%v %v", cleared, err)
		}
	}
	if _, err := os.Stat(file + ".bak"); err != nil {
		t.Error(err)
	}
	if err := os.Symlink("/etc/passwd", file); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadPointer(d, path); err == nil {
		t.Error("a link was followed")
	}
}

func TestPointerOfALongPath(t *testing.T) {
	d := Dirs{Home: t.TempDir()}
	path := "/" + strings.Repeat("long", 60)
	slug, _ := Slug(path)
	if _, err := ReadPointer(d, path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none yet: %v", err)
	}
	write(t, filepath.Join(d.Home, ".claude/projects", slug+"-h59vy5", "bridge-pointer.json"), `{"pid":7}`)
	if p, err := ReadPointer(d, path); err != nil || p.PID != 7 {
		t.Errorf("%+v %v", p, err)
	}
	mkdir(t, filepath.Join(d.Home, ".claude/projects", slug+"-aaaaaa"))
	if _, err := ReadPointer(d, path); err == nil {
		t.Error("two directories for one slug: which?")
	}
}

func FuzzPointer(f *testing.F) {
	f.Add([]byte(`{"sessionId":"session_01HelloSession00000000BB","pid":-1,"procStart":"x"}`))
	f.Add([]byte(`{"pid":1e99}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := parsePointer(data); err == nil {
			if p.PID < 0 || p.SessionID != ID(p.SessionID) || strings.Trim(p.ProcStart, "0123456789") != "" {
				t.Fatalf("%q gives %+v", data, p)
			}
		}
		if s, err := parseSession(data); err == nil {
			if s.Bridge != ID(s.Bridge) || s.ID != "" && !bridge.IsUUID(s.ID) {
				t.Fatalf("%q gives %+v", data, s)
			}
		}
		Slug(string(data))
	})
}

func TestReadSession(t *testing.T) {
	d := Dirs{Home: t.TempDir()}
	file := filepath.Join(d.Home, ".claude/sessions/4711.json")
	const entry = `{"pid":4711,"sessionId":"7d4df7a3-0000-4000-8000-0123456789ab","procStart":"123","status":"waiting","version":"2.1.330","bridgeSessionId":BRIDGE}`
	write(t, file, strings.Replace(entry, "BRIDGE", `"session_01HelloSession00000000BB"`, 1))
	s, err := ReadSession(d, 4711)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Session{4711, "123", "7d4df7a3-0000-4000-8000-0123456789ab", "session_01HelloSession00000000BB", "waiting", "2.1.330"}, s); diff != "" {
		t.Error(diff)
	}
	write(t, file, strings.Replace(entry, "BRIDGE", "null", 1))
	if s, err = ReadSession(d, 4711); err != nil || s.Bridge != "" {
		t.Errorf("disconnected: %+v %v", s, err)
	}
	write(t, file, `{"pid":1}`)
	if _, err = ReadSession(d, 4711); err == nil {
		t.Error("another process's entry was taken")
	}
	if _, err = ReadSession(d, 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}

func TestDefaultMode(t *testing.T) {
	d, project := home(t, nil)
	managed := filepath.Join(d.Home, "managed.json")
	user := filepath.Join(d.Home, ".claude/settings.json")
	shared := filepath.Join(project, ".claude/settings.json")
	local := filepath.Join(project, ".claude/settings.local.json")
	mode := func(m string) string { return `{"permissions":{"defaultMode":"` + m + `"}}` }
	check := func(want bridge.PermissionMode, source, doubt string) {
		t.Helper()
		if diff := cmp.Diff(DefaultMode{want, source, doubt}, ReadDefaultMode(d, project, managed)); diff != "" {
			t.Error(diff)
		}
	}
	check(bridge.PermDefault, "", "")
	write(t, user, mode("plan"))
	check(bridge.PermPlan, user, "")
	write(t, shared, mode("bypassPermissions"))
	check(bridge.PermBypass, shared, "")
	if !ReadDefaultMode(d, project, managed).MayBypass() {
		t.Error("bypass is bypass")
	}
	write(t, local, `{"permissions":{"allow":[]}}`)
	check(bridge.PermBypass, shared, "")
	write(t, local, mode("acceptEdits"))
	check(bridge.PermAcceptEdits, local, "")
	write(t, managed, mode("default"))
	check(bridge.PermDefault, managed, "")

	// Attempts to hide the mode from us and not from claude.
	if err := os.Remove(managed); err != nil {
		t.Fatal(err)
	}
	write(t, local, `{"permissions":{"defaultMode":"bypassPermissions","DefaultMode":"plan"},"Permissions":{"defaultMode":"plan"}}`)
	check(bridge.PermBypass, local, "")
	write(t, local, mode("bypassPermissions")+" // x")
	check(bridge.PermBypass, shared, local)
	write(t, local, "{ not json")
	write(t, shared, strings.Repeat(" ", maxSettings+1))
	check(bridge.PermPlan, user, shared)
	if !ReadDefaultMode(d, project, managed).MayBypass() {
		t.Error("a file that cannot be judged may say bypass")
	}
	for _, file := range []string{local, shared} {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(shared, 0o600); err != nil {
		t.Fatal(err)
	}
	check(bridge.PermPlan, user, shared)
	if err := os.Remove(shared); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(d.Home, "dotfiles"), mode("bypassPermissions"))
	if err := os.Symlink(filepath.Join(d.Home, "dotfiles"), local); err != nil {
		t.Fatal(err)
	}
	check(bridge.PermBypass, local, "")
}

func TestNodeFromNVM(t *testing.T) {
	h := t.TempDir()
	node := func(version string) string {
		bin := filepath.Join(h, ".nvm/versions/node", version, "bin")
		mkdir(t, bin)
		if err := os.WriteFile(filepath.Join(bin, "node"), nil, 0o755); err != nil {
			t.Fatal(err)
		}
		return bin
	}
	alias := func(name, to string) { write(t, filepath.Join(h, ".nvm/alias", name), to+"\n") }
	check := func(want string) {
		t.Helper()
		if dir, ok := NodeFromNVM(h); dir != want || ok != (want != "") {
			t.Errorf("got %q %v, want %q", dir, ok, want)
		}
	}
	check("")
	v20, v22, v9 := node("v20.11.1"), node("v22.3.0"), node("v9.11.2")
	mkdir(t, filepath.Join(h, ".nvm/versions/node/v23.0.0")) // interrupted installation
	if err := os.Symlink("/usr", filepath.Join(h, ".nvm/versions/node/v24.0.0")); err != nil {
		t.Fatal(err)
	}
	check("")
	alias("lts/*", "lts/iron")
	alias("lts/iron", "v20.11.1")
	alias("mine", "lts/*")
	alias("a", "b")
	alias("b", "a")
	for to, want := range map[string]string{
		"node": v22, "stable": v22, "22": v22, "v20": v20, "20.11": v20, "v9.11.2": v9, "lts/*": v20, "mine": v20,
		"21": "", "system": "", "a": "", "default": "", "../../x": "", "": "", "/etc/passwd": "", "$(id)": "", "v20.11.1.1": "",
	} {
		alias("default", to)
		t.Run(to, func(t *testing.T) { check(want) })
	}
	if err := os.Remove(filepath.Join(h, ".nvm/alias/default")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(h, ".nvm/alias/default"), 0o600); err != nil {
		t.Fatal(err)
	}
	check("")
}
