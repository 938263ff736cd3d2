package lint

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// forbidden says what must not be linked into a program, and why.
var forbidden = []struct {
	program string
	imports []string
	because string
}{
	{"./cmd/clauster-keeper", []string{"net/http", "crypto/tls"},
		"a keeper lives for months beside hostile agents: it speaks to systemd, the journal and its socket, never to a network"},
	{"./cmd/clauster-keeper", []string{"database/sql", "modernc.org/sqlite", "clauster/pkg/store"},
		"losing the database must never lose a bridge, and SQLite would be half of a keeper's memory"},
	{"./cmd/clauster-keeper", []string{"github.com/prometheus/client_golang"},
		"whoever wants figures reads the cgroup; the keeper keeps no counters"},
	{"./cmd/clauster-keeper", []string{"github.com/spf13/cobra"},
		"systemd is its only caller: five words need no command-line library in hundreds of processes"},
	{"./cmd/clauster-ctl", []string{"clauster/pkg/store", "database/sql", "modernc.org/sqlite"},
		"what opens the store is a clauster-api subcommand, so that one program owns its migrations"},
}

// TestForbiddenImports asks the linker's view: everything a program contains.
func TestForbiddenImports(t *testing.T) {
	linked := map[string][]string{}
	for _, rule := range forbidden {
		if linked[rule.program] == nil {
			cmd := exec.Command("go", "list", "-deps", rule.program)
			cmd.Dir = repository(t)
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("cannot list the packages of %s: %v", rule.program, err)
			}
			linked[rule.program] = strings.Fields(string(out))
		}
		for _, path := range linked[rule.program] {
			for _, bad := range rule.imports {
				if path == bad || strings.HasPrefix(path, bad+"/") {
					t.Errorf("%s links %s: %s", rule.program, path, rule.because)
				}
			}
		}
	}
}

// owned says which packages alone may import something, and why.
var owned = []struct {
	path    string
	by      []string
	because string
}{
	{"github.com/godbus/dbus", []string{"pkg/systemd"},
		"one seam to the bus: deadlines on every call and closed connections are easy to forget"},
	{"github.com/coreos/go-systemd", []string{"pkg/systemd", "pkg/journal"},
		"the two seams to systemd; everything else speaks their words"},
	{"github.com/creack/pty", []string{"pkg/terminal", "pkg/keeper", "pkg/gate", "test"},
		"who owns a terminal owns the bridge: that is the keeper"},
	{"os/exec", []string{"pkg/journal", "pkg/keeper", "pkg/gate", "pkg/claude", "pkg/ctl", "packaging", "test"},
		"a subprocess is the point there: journalctl, the gate, claude itself, a pager or an editor"},
}

// TestOwnedImports: production files only; a test may reach around a seam.
func TestOwnedImports(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.isTest() {
			continue
		}
		for _, path := range f.imports() {
			for _, rule := range owned {
				if path != rule.path && !strings.HasPrefix(path, rule.path+"/") {
					continue
				}
				if !slices.ContainsFunc(rule.by, func(dir string) bool { return below(f.dir, dir) }) {
					t.Errorf("%s imports %s, which only %s may: %s", f.path, path, strings.Join(rule.by, ", "), rule.because)
				}
			}
		}
	}
}

func below(dir, parent string) bool {
	return dir == parent || strings.HasPrefix(dir, parent+"/")
}

// layers lists our packages from the words upwards. A package imports only
// packages of lower rows: what is above can be replaced without what is below
// knowing, and there is one place to look for each thing.
var layers = [][]string{
	{"pkg/bridge", "pkg/address"}, // the words; standard library only
	{"pkg/account", "pkg/wire", "pkg/terminal", "pkg/systemd", "pkg/journal", "pkg/cgroup", "pkg/records", "pkg/spool", "pkg/config", "pkg/control"},
	{"pkg/claude", "pkg/redact", "pkg/store", "pkg/client", "pkg/door"}, // read terminals; keep what systemd cannot know
	{"pkg/lines", "pkg/gate", "pkg/auth", "pkg/project"},
	{"pkg/keeper", "pkg/fleet", "pkg/event", "pkg/home", "pkg/tail"},
	{"pkg/delivery", "pkg/metrics"},
	{"pkg/api", "pkg/ctl"},
	{"cmd/clauster-keeper", "cmd/clauster-ctl", "cmd/clauster-api", "packaging/gen"},
}

// TestLayers: imports go downwards only. A package that is in no row is an
// error, so that its place is decided when it is made.
func TestLayers(t *testing.T) {
	row := map[string]int{}
	for i, names := range layers {
		for _, name := range names {
			row[name] = i
		}
	}
	for _, f := range goFiles(t) {
		if f.isTest() || below(f.dir, "test") {
			continue
		}
		from, ok := row[f.dir]
		if !ok {
			t.Errorf("%s: package %s has no place in the layers of test/lint/imports_test.go", f.path, f.dir)
			continue
		}
		for _, path := range f.imports() {
			name, ours := strings.CutPrefix(path, module+"/")
			if to, known := row[name]; ours && (!known || to >= from) {
				t.Errorf("%s imports %s, which is not below it", f.path, name)
			}
		}
	}
}

// TestWordsAreStandardLibrary: pkg/bridge is imported by everything, so it
// drags nothing along.
func TestWordsAreStandardLibrary(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.dir != "pkg/bridge" || f.isTest() {
			continue
		}
		for _, path := range f.imports() {
			if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") || first == module {
				t.Errorf("%s imports %s", f.path, path)
			}
		}
	}
}

// TestFakeClaudeKnowsNothingOfUs: the stand-in speaks the reference's literals.
// With our own constants it would prove us right with our own words.
func TestFakeClaudeKnowsNothingOfUs(t *testing.T) {
	for _, f := range goFiles(t) {
		if !below(f.dir, "test/fakeclaude") {
			continue
		}
		for _, path := range f.imports() {
			if path == module+"/test/realclaude" && strings.HasSuffix(f.path, "_test.go") {
				continue // the real CLI, to be compared with
			}
			if strings.HasPrefix(path, module+"/") && !strings.HasPrefix(path, module+"/test/fakeclaude") {
				t.Errorf("%s imports %s", f.path, path)
			}
		}
	}
}
