package claude

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// home makes a home directory with a project and, unless nil, a ~/.claude.json.
func home(t *testing.T, config *string) (d Dirs, project string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	project = filepath.Join(dir, "projects", "hello")
	mkdir(t, project)
	if config != nil {
		write(t, filepath.Join(dir, ".claude.json"), *config)
	}
	return Dirs{Home: dir}, project
}

func mkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	mkdir(t, filepath.Dir(path))
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

const someConfig = `{
  "numStartups": 12345678901234567890,
  "cachedGrowthBookFeatures": {"z": 1.10, "a": [1, {"projects": {}}]},
  "projects": {
    "/else\u0077here": {"hasTrustDialogAccepted": true, "allowedTools": []}
  },
  "unknown": "ü \" } \\"
}
`

func TestGrantKeepsForeignBytes(t *testing.T) {
	config := someConfig
	d, project := home(t, &config)
	if err := os.Chmod(d.Config(), 0o640); err != nil {
		t.Fatal(err)
	}
	changed, err := Grant(context.Background(), d, project)
	if err != nil || !changed {
		t.Fatal(changed, err)
	}
	want := strings.Replace(someConfig, `"allowedTools": []}`, `"allowedTools": []},`+"\n    "+`"`+project+`": {"hasTrustDialogAccepted": true}`, 1)
	want = strings.Replace(want, `\\"`+"\n", `\\",`+"\n"+`  "hasUsedRemoteControl": true,`+"\n"+`  "remoteDialogSeen": true`+"\n", 1)
	if diff := cmp.Diff(want, read(t, d.Config())); diff != "" {
		t.Error(diff)
	}
	if got := read(t, d.Config()+".clauster-backup"); got != someConfig {
		t.Errorf("the backup is %q", got)
	}
	info, err := os.Stat(d.Config())
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v %v, want 0640 as before", info.Mode(), err)
	}
	if changed, err = Grant(context.Background(), d, project); err != nil || changed {
		t.Errorf("a second grant changed the file: %v", err)
	}
	tr, err := ReadTrust(d, project)
	if err != nil || !tr.Trusted || !tr.Consent || tr.By != project {
		t.Errorf("trust %+v %v", tr, err)
	}
	names, _ := filepath.Glob(d.Config() + "*")
	if diff := cmp.Diff([]string{d.Config(), d.Config() + ".clauster-backup"}, names); diff != "" {
		t.Errorf("left behind: %s", diff)
	}
}

func TestGrantBacksUpOnce(t *testing.T) {
	config := "{}"
	d, project := home(t, &config)
	for range 2 {
		if _, err := Grant(context.Background(), d, project); err != nil {
			t.Fatal(err)
		}
		project = filepath.Join(filepath.Dir(project), "other")
		mkdir(t, project)
	}
	if got := read(t, d.Config()+".clauster-backup"); got != "{}" {
		t.Errorf("the backup is %q, want the file as it first was", got)
	}
}

func TestGrantInANewHome(t *testing.T) {
	d, project := home(t, nil)
	for _, d := range []Dirs{d, {Home: d.Home, ConfigDir: filepath.Join(d.Home, "alt")}} {
		if tr, err := ReadTrust(d, project); err != nil || tr.Trusted || tr.Existing {
			t.Errorf("trust %+v %v", tr, err)
		}
		if _, err := Grant(context.Background(), d, project); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(d.Config())
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info, err)
		}
		if tr, err := ReadTrust(d, project); err != nil || !tr.Trusted {
			t.Errorf("trust %+v %v", tr, err)
		}
	}
}

func TestConsentAlone(t *testing.T) {
	config := `{"a": 1}`
	d, project := home(t, &config)
	if changed, err := Consent(context.Background(), d); err != nil || !changed {
		t.Fatal(changed, err)
	}
	if tr, err := ReadTrust(d, project); err != nil || tr.Trusted || !tr.Consent {
		t.Errorf("trust %+v %v", tr, err)
	}
	if changed, err := Consent(context.Background(), d); err != nil || changed {
		t.Errorf("a second consent changed the file: %v", err)
	}
}

// A file that cannot be understood, or is not what it seems, stays as it is.
func TestGrantRefuses(t *testing.T) {
	for name, config := range map[string]string{
		"corrupt":               `{"projects": {`,
		"no object":             `[]`,
		"projects is an array":  `{"projects": []}`,
		"project is a string":   `{"projects": {"PROJECT": "x"}}`,
		"two documents":         `{} {}`,
		"comment":               "{} // x",
		"projects in two cases": `{"Projects": {}, "projects": 3}`,
	} {
		t.Run(name, func(t *testing.T) {
			d, project := home(t, nil)
			config := strings.ReplaceAll(config, "PROJECT", project)
			write(t, d.Config(), config)
			if _, err := Grant(context.Background(), d, project); err == nil || !strings.Contains(err.Error(), d.Config()) {
				t.Errorf("error %v", err)
			}
			if got := read(t, d.Config()); got != config {
				t.Errorf("it was changed to %q", got)
			}
			if _, err := os.Lstat(d.Config() + ".lock"); err == nil {
				t.Error("the lock is left behind")
			}
		})
	}
	t.Run("link", func(t *testing.T) {
		d, project := home(t, nil)
		write(t, filepath.Join(d.Home, "target"), "{}")
		if err := os.Symlink("target", d.Config()); err != nil {
			t.Fatal(err)
		}
		if _, err := Grant(context.Background(), d, project); err == nil || read(t, filepath.Join(d.Home, "target")) != "{}" {
			t.Errorf("a link was followed: %v", err)
		}
	})
	t.Run("pipe", func(t *testing.T) {
		d, project := home(t, nil)
		if err := syscall.Mkfifo(d.Config(), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Grant(context.Background(), d, project); err == nil {
			t.Error("a pipe was written to")
		}
		if _, err := ReadTrust(d, project); err == nil {
			t.Error("a pipe was read")
		}
	})
}

func TestLock(t *testing.T) {
	config := "{}"
	d, project := home(t, &config)
	lock := d.Config() + ".lock"

	// Held: wait, then give up.
	mkdir(t, lock)
	ctx, cancel := context.WithTimeout(context.Background(), 3*lockTick)
	defer cancel()
	if _, err := Grant(ctx, d, project); err == nil || read(t, d.Config()) != "{}" {
		t.Errorf("a held lock was not respected: %v", err)
	}
	// Left behind: broken.
	old := time.Now().Add(-2 * lockStale)
	if err := os.Chtimes(lock, old, old); err != nil {
		t.Fatal(err)
	}
	if _, err := Grant(context.Background(), d, project); err != nil {
		t.Errorf("an orphaned lock: %v", err)
	}
	// A flat file of that name: said, with the remedy, and not removed.
	write(t, lock, "")
	if _, err := Grant(context.Background(), d, project); err == nil || !strings.Contains(err.Error(), "rm "+lock) {
		t.Errorf("error %v", err)
	}
}

func TestTrustInheritance(t *testing.T) {
	d, project := home(t, nil)
	parent := filepath.Dir(project)
	grantTo := func(path string) {
		config, _ := json.Marshal(map[string]any{"projects": map[string]any{path: map[string]any{"hasTrustDialogAccepted": true}}})
		write(t, d.Config(), string(config))
	}
	by := func(path string) string {
		t.Helper()
		tr, err := ReadTrust(d, path)
		if err != nil {
			t.Fatal(err)
		}
		return tr.By
	}
	grantTo(parent)
	if got := by(project); got != parent {
		t.Errorf("a plain directory inherits: got %q", got)
	}
	mkdir(t, filepath.Join(project, ".git"))
	if got := by(project); got != "" {
		t.Errorf("a nested repository does not inherit: got %q", got)
	}
	sub := filepath.Join(project, "sub")
	mkdir(t, sub)
	if got := by(sub); got != "" {
		t.Errorf("nor does a directory in it: got %q", got)
	}
	grantTo(project)
	if got := by(sub); got != project {
		t.Errorf("its own key reaches below it: got %q", got)
	}
	link := filepath.Join(d.Home, "link")
	if err := os.Symlink(project, link); err != nil {
		t.Fatal(err)
	}
	if got := by(link); got != project {
		t.Errorf("a link is its target: got %q", got)
	}
	for _, lie := range []string{`"true"`, `1`, `null`, `false`} {
		write(t, d.Config(), `{"projects":{"`+project+`":{"hasTrustDialogAccepted":`+lie+`,"HasTrustDialogAccepted":true}}}`)
		if got := by(project); got != "" {
			t.Errorf("%s is taken for true", lie)
		}
	}
	if _, err := ReadTrust(d, filepath.Join(d.Home, "none")); err == nil {
		t.Error("a missing project has trust")
	}
}

func FuzzTrustFile(f *testing.F) {
	f.Add([]byte(someConfig))
	f.Add([]byte(`{"projects":{"/p":{"hasTrustDialogAccepted":false},"/p":{}},"remoteDialogSeen":null}`))
	f.Add([]byte(""))
	f.Add([]byte(`{"a":[{"b":"\"}"}],"projects":{}}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		out, err := granted(doc, "/p")
		if err != nil {
			return
		}
		var before, after map[string]json.RawMessage
		if json.Unmarshal(out, &after) != nil {
			t.Fatalf("%q gives %q", doc, out)
		}
		if !isBlank(doc) {
			if err := json.Unmarshal(doc, &before); err != nil {
				t.Fatalf("%q was not refused: %v", doc, err)
			}
		}
		for key, value := range before {
			switch key {
			case "projects", "hasUsedRemoteControl", "remoteDialogSeen":
			default:
				if string(after[key]) != string(value) {
					t.Fatalf("%q gives %q: %s changed", doc, out, key)
				}
			}
		}
		if again, err := granted(out, "/p"); err != nil || string(again) != string(out) {
			t.Fatalf("%q, then %q, then %q (%v)", doc, out, again, err)
		}
	})
}

func TestReadForeign(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "big"), strings.Repeat("x", 11))
	if _, err := readForeign(filepath.Join(dir, "big"), 10, false); err == nil {
		t.Error("a file over the limit was read")
	}
	if _, err := readForeign("/dev/zero", 10, false); err == nil {
		t.Error("a device was read")
	}
	if _, err := readForeign(dir, 10, false); err == nil {
		t.Error("a directory was read")
	}
	if _, err := readForeign(filepath.Join(dir, "none"), 10, false); !os.IsNotExist(err) {
		t.Errorf("missing: %v", err)
	}
	var mode fs.FileMode = 0o600
	if f, err := readForeign(filepath.Join(dir, "big"), 11, false); err != nil || f.mode != mode || len(f.data) != 11 {
		t.Errorf("%+v %v", f, err)
	}
}
