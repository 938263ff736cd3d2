package records

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"clauster/pkg/bridge"
)

func record(instance string) bridge.Record {
	return bridge.Record{Schema: bridge.RecordSchema, Kind: bridge.KindBridge, Host: "h", Instance: instance,
		Label: "blog", Path: "/srv/blog", Run: "r1", BootID: "b1", Options: bridge.Options{Mode: bridge.PTY}}
}

func TestWriteReadRemove(t *testing.T) {
	d := Dir{t.TempDir(), -1, -1}
	i := bridge.Instance{Project: "blog", Label: "two"}
	if _, err := d.Read(i); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("Read of nothing: %v", err)
	}
	if err := d.Write(record("blog:two")); err != nil {
		t.Fatal(err)
	}
	got, err := d.Read(i)
	if err != nil || got.Path != "/srv/blog" {
		t.Fatalf("Read = %+v, %v", got, err)
	}
	st, err := os.Stat(filepath.Join(d.Path, "blog:two.json"))
	if err != nil || st.Mode().Perm() != 0o640 {
		t.Fatalf("mode %v, %v", st.Mode(), err)
	}
	all, err := d.List()
	if err != nil || len(all) != 1 {
		t.Fatalf("List = %v, %v", all, err)
	}
	if err := d.Remove(i); err != nil {
		t.Fatal(err)
	}
	left, _ := os.ReadDir(d.Path)
	if len(left) != 0 {
		t.Fatalf("left behind: %v", left)
	}
}

func TestRequestIsReadUntilItExpires(t *testing.T) {
	d := Dir{t.TempDir(), -1, -1}
	i := bridge.Instance{Project: "blog"}
	now := time.Now()
	for _, c := range []struct {
		expires time.Time
		want    bool
	}{{now.Add(time.Minute), true}, {now.Add(-time.Minute), false}} {
		if err := d.WriteRequest(bridge.Request{Instance: "blog", Resume: true, Expires: c.expires}); err != nil {
			t.Fatal(err)
		}
		r, err := d.ReadRequest(i, now)
		if err != nil || (r != nil) != c.want {
			t.Fatalf("expires %v: got %v, %v", c.expires, r, err)
		}
		if err := d.RemoveRequest(i); err != nil {
			t.Fatal(err)
		}
		if r, err := d.ReadRequest(i, now); r != nil || err != nil {
			t.Fatalf("still there: %v, %v", r, err)
		}
	}
}

// What an attacker in the directory may plant is refused, never followed.
func TestHostileFiles(t *testing.T) {
	i := bridge.Instance{Project: "blog"}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	plant := map[string]func(path string) error{
		"link":      func(p string) error { return os.Symlink(secret, p) },
		"fifo":      func(p string) error { return unix.Mkfifo(p, 0o600) },
		"directory": func(p string) error { return os.Mkdir(p, 0o700) },
		"huge":      func(p string) error { return os.WriteFile(p, make([]byte, bridge.MaxRecordSize+1), 0o600) },
		"other":     func(p string) error { return os.WriteFile(p, []byte(`{"schema":1}`), 0o600) },
	}
	for name, make := range plant {
		t.Run(name, func(t *testing.T) {
			d := Dir{t.TempDir(), -1, -1}
			if err := make(filepath.Join(d.Path, "blog.json")); err != nil {
				t.Fatal(err)
			}
			if _, err := d.Read(i); err == nil || strings.Contains(err.Error(), "secret") {
				t.Fatalf("Read: %v", err)
			}
			if name == "directory" {
				return
			}
			// A write replaces the plant and does not write through it.
			if err := d.Write(record("blog")); err != nil {
				t.Fatal(err)
			}
			if data, _ := os.ReadFile(secret); string(data) != "{}" {
				t.Fatalf("wrote through the link: %q", data)
			}
		})
	}
}

// Each fault names its file and its instance; two in one line without either
// helped nobody.
func TestListNamesTheBroken(t *testing.T) {
	d := Dir{t.TempDir(), -1, -1}
	for name, text := range map[string]string{"a": "{", "b": `{"schema":9}`} {
		if err := os.WriteFile(filepath.Join(d.Path, name+".json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := d.List()
	want := "cannot use the launch record " + d.Path + "/a.json: unexpected end of JSON input\ncannot use the launch record " + d.Path + "/b.json: schema: version 9 is not known"
	var broken *BrokenError
	if err == nil || err.Error() != want || !errors.As(err, &broken) || broken.Instance.String() != "a" {
		t.Errorf("%v", err)
	}
}
