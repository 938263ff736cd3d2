package machine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAptSources(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{
		"sources.list": "# comment\ndeb http://one.example/debian bookworm main\n" +
			"deb [signed-by=/k.gpg arch=amd64] http://one.example/debian bookworm-updates main\n" +
			"deb-src http://one.example/debian bookworm main\ndeb http://one.example/debian trixie main\n",
		"sources.list.d/vendor.list": "deb https://two.example/apt cloud-sdk-bookworm main\n",
		"sources.list.d/debian.sources": "Types: deb deb-src\nURIs: http://three.example/debian\n" +
			"Suites: bookworm bookworm-updates\nComponents: main\n\nTypes: deb\nURIs: http://three.example/security\n" +
			"Suites: bookworm-security\nComponents: main\nEnabled: no\n",
		"sources.list.d/node.sources":         "Types: deb\nURIs: https://four.example/\nSuites: nodistro\nComponents: main\n",
		"sources.list.d/old.sources.disabled": "Types: deb\nURIs: http://five.example/\nSuites: bookworm\n",
	}
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	deb822, oneLine, err := aptSources(dir, "bookworm")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(deb822, "URIs:") != 1 || !strings.Contains(deb822, "three.example/debian") {
		t.Errorf("deb822:\n%s", deb822)
	}
	if strings.Count(oneLine, "\n") != 2 || strings.Count(oneLine, "one.example") != 2 {
		t.Errorf("one-line:\n%s", oneLine)
	}
	if _, _, err := aptSources(dir, "sid"); err == nil {
		t.Error("no sources of sid: no error")
	}
}

func TestFindCgroups(t *testing.T) {
	tests := []struct {
		name, mounts, own string
		want              cgroups
	}{
		{"hybrid",
			"tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n" +
				"cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n",
			"9:name=systemd:/a\n1:cpu:/\n0::/b\n",
			cgroups{"/sys/fs/cgroup/unified/b", "/sys/fs/cgroup/systemd/a"}},
		{"unified", "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n", "0::/user.slice/session-1.scope\n",
			cgroups{"/sys/fs/cgroup/user.slice/session-1.scope", ""}},
	}
	for _, tt := range tests {
		got, err := findCgroups(tt.mounts, tt.own)
		if err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v, want %+v", tt.name, got, err, tt.want)
		}
	}
	if _, err := findCgroups("cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n", ""); err == nil {
		t.Error("no v2: no error")
	}
}

// A swept machine's cgroups are killed: only its own names may come out.
func TestDecodeCgroups(t *testing.T) {
	c := cgroups{"/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"}.of("m1")
	if got := decodeCgroups(c.encode(), "m1"); got != c {
		t.Errorf("got %+v, want %+v", got, c)
	}
	for _, text := range []string{"", "/sys/fs/cgroup\n\n", "/sys/fs/cgroup/system.slice\n/\n", c.of("m2").encode()} {
		if got := decodeCgroups(text, "m1"); len(got.all()) != 0 {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestParseJournal(t *testing.T) {
	got, err := parseJournal(`{"MESSAGE":"plain","_PID":"1"}` + "\n" +
		`{"MESSAGE":[27,91,109,255],"TAG":["a","b"],"BIG":null}` + "\n")
	want := []Entry{
		{"MESSAGE": {"plain"}, "_PID": {"1"}},
		{"MESSAGE": {"\x1b[m\xff"}, "TAG": {"a", "b"}, "BIG": {""}},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("err %v (-want +got):\n%s", err, diff)
	}
	if _, err := parseJournal("nonsense\n"); err == nil {
		t.Error("nonsense: no error")
	}
}

func TestOptions(t *testing.T) {
	for _, name := range []string{"Upper", "a/b", "-a", "a-", "..", strings.Repeat("a", 41)} {
		o := Options{Name: name}
		if err := o.settle(false); err == nil {
			t.Errorf("name %q: no error", name)
		}
	}
	o := Options{}
	if err := o.settle(true); err != nil || o.Name == "" || o.MemoryMiB == 0 {
		t.Errorf("%+v, %v", o, err)
	}
}
