package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// TestNoSecretIsEverPrinted sets every secret key to a value that breaks its
// rule or not, by each way a value can come, and looks for it in everything
// that is printed.
func TestNoSecretIsEverPrinted(t *testing.T) {
	for _, k := range Keys() {
		if !k.Secret {
			continue
		}
		name := strings.Replace(k.Name, wildcard, "TOKEN", 1)
		files := []string{}
		for _, literal := range []string{quote(secretText), `["` + secretText + `"]`, `["https://` + secretText + `/"]`, `{a = "` + secretText + `"}`, `[["` + secretText + `"]]`} {
			files = append(files, "user = \"ops\"\n"+name+" = "+literal+"\n")
		}
		for _, text := range files {
			noSecret(t, Source{FS: machine(text)})
		}
		if k.NoEnv {
			continue
		}
		m := machine("user = \"ops\"", "c/"+k.Credential(), secretText)
		noSecret(t, Source{FS: m, CredentialsDir: "/c"})
		noSecret(t, Source{FS: m, Environ: []string{k.Env() + "=" + secretText}})
		noSecret(t, Source{FS: m, Environ: []string{k.Env() + "_FILE=/c/" + k.Credential()}})
		noSecret(t, Source{FS: m, Environ: []string{k.Env() + "X=" + secretText}})
	}
}

func noSecret(t *testing.T, src Source) {
	t.Helper()
	c, r := load(t, src)
	shown, err := json.Marshal(c.Effective())
	if err != nil {
		t.Fatal(err)
	}
	report, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	text := string(shown) + string(report) + fmt.Sprint(findings(r.Faults), findings(r.Warnings), c.Effective(), r.Err())
	if strings.Contains(text, secretText) {
		t.Errorf("a secret is in %s", text)
	}
}

// TestCredentialFaultNamesItsUnit: its hint was `clauster-ctl config check`,
// which sees no credential and found no fault.
func TestCredentialFaultNamesItsUnit(t *testing.T) {
	const dir = "run/credentials/clauster-api.service"
	m := machine("user = \"ops\"\n[webhooks]\nenabled = true\n", dir+"/clauster.webhooks.secret", "short")
	for _, test := range []struct {
		src  Source
		want string
	}{
		{Source{FS: m, CredentialsDir: "/" + dir}, "systemctl cat clauster-api.service shows what clauster.webhooks.secret is loaded from: correct it there, then restart the unit"},
		{Source{FS: m, CredentialsDir: "/" + dir, UserMode: true}, "systemctl --user cat clauster-api.service"},
		{Source{FS: m, Environ: []string{"CLAUSTER_LOGS_BURST=many"}}, "correct it where it is set"},
		{Source{FS: m, Environ: []string{"CLAUSTER_LOGS_BURST_FILE=/" + dir + "/clauster.webhooks.secret"}}, "correct the file, or the variable that names it"},
	} {
		_, r := load(t, test.src)
		var fault *FaultError
		if !errors.As(r.Err(), &fault) || !strings.HasPrefix(fault.Hint(), test.want) {
			t.Errorf("%v: want %q", r.Err(), test.want)
		}
		hint := "unless a credential of clauster-api does"
		if said := slices.ContainsFunc(r.Warnings, func(f Finding) bool { return strings.HasPrefix(f.Hint, hint) }); said != (test.src.CredentialsDir == "") {
			t.Errorf("%+v", r.Warnings)
		}
	}
}

func TestFileThatOthersMayWrite(t *testing.T) {
	for _, test := range []struct {
		stat syscall.Stat_t
		mode os.FileMode
		want string
	}{
		{syscall.Stat_t{}, 0o640, ""},
		{syscall.Stat_t{Gid: 990}, 0o640, ""},
		{syscall.Stat_t{Gid: 990}, 0o660, "its group, gid 990"},
		{syscall.Stat_t{Uid: 1000}, 0o640, "its owner, uid 1000"},
		{syscall.Stat_t{}, 0o666, "everybody"},
	} {
		m := fstest.MapFS{"etc/clauster/clauster.toml": {Data: []byte(`user = "ops"`), Mode: test.mode, Sys: &test.stat}}
		_, r := load(t, Source{FS: m})
		got := ""
		if len(r.Warnings) == 1 {
			got = r.Warnings[0].Rule
		}
		if (test.want == "") != (got == "") || !strings.Contains(got, test.want) {
			t.Errorf("%+v: %q", test, got)
		}
		if _, r = load(t, Source{FS: m, Path: "/etc/clauster/clauster.toml", UserMode: true}); len(r.Faults) > 0 {
			t.Error(r.Faults)
		}
	}
}

// The machine's own file system: absolute and relative paths, a link, a
// directory where the file should be.
func TestRealFiles(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("my config.toml", "restart = \"never\"\n")
	write("my config.toml.d/a.toml", "log_level = \"debug\"\n")
	write("burst", "700")
	if err := os.Symlink("my config.toml", filepath.Join(dir, "link.toml")); err != nil {
		t.Fatal(err)
	}
	c := mustLoad(t, Source{Path: "my config.toml", UserMode: true, Environ: []string{"CLAUSTER_LOGS_BURST_FILE=burst"}})
	if c.Path != filepath.Join(dir, "my config.toml") || c.Restart != "never" || c.LogLevel != "debug" || c.Logs.Burst != 700 {
		t.Errorf("%+v", c)
	}
	if c = mustLoad(t, Source{Path: "link.toml", UserMode: true}); c.Restart != "never" || c.LogLevel != "info" {
		t.Errorf("%+v", c)
	}
	_, r := load(t, Source{Path: dir, UserMode: true})
	if d := cmp.Diff([]string{dir + ": it cannot be read: it is not a regular file"}, findings(r.Faults)); d != "" {
		t.Error(d)
	}
}

func BenchmarkLoad(b *testing.B) {
	var text strings.Builder
	text.WriteString("user = \"ops\"\n")
	for i := range 100 {
		fmt.Fprintf(&text, "[projects.p%d]\nmemory_max = \"1G\"\ntasks_max = 3\n", i)
	}
	for name, m := range map[string]fstest.MapFS{"small": machine(`user = "ops"`), "100 projects": machine(text.String())} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, r := Load(Source{FS: m}); r.Err() != nil {
					b.Fatal(r.Err())
				}
			}
		})
	}
}
