package config

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// go test ./pkg/config -run TestDocs -update writes the generated files.
var update = flag.Bool("update", false, "write the generated documentation")

// TestDocs holds the generated files to the table of keys.
func TestDocs(t *testing.T) {
	for name, page := range map[string]func() string{
		"docs/configuration.md":   referencePage,
		"docs/python-keys.md":     pythonPage,
		"packaging/clauster.toml": defaultFile,
	} {
		path := filepath.Join("..", "..", filepath.FromSlash(name))
		want := page()
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if !bytes.Equal(got, []byte(want)) {
			t.Errorf("%s is not what the table of keys says; run: go test ./pkg/config -run TestDocs -update\n%s", name, cmp.Diff(want, string(got)))
		}
	}
}

// table is the keys of one TOML table, under their names in it.
type table struct {
	name string // "" for the top level
	keys []Key
}

func tables() []table {
	var out []table
	for _, k := range Keys() {
		name := ""
		if i := strings.LastIndexByte(k.Name, '.'); i >= 0 {
			name = k.Name[:i]
		}
		i := slices.IndexFunc(out, func(t table) bool { return t.name == name })
		if i < 0 {
			i, out = len(out), append(out, table{name: name})
		}
		out[i].keys = append(out[i].keys, k)
	}
	return out
}

func local(k Key) string { return k.Name[strings.LastIndexByte(k.Name, '.')+1:] }

const referenceHead = `# Configuration reference

<!-- generated from pkg/config: go test ./pkg/config -run TestDocs -update -->

Clauster is configured by one TOML file: ` + "`/etc/clauster/clauster.toml`" + ` in system mode,
` + "`~/.config/clauster/clauster.toml`" + ` (` + "`$XDG_CONFIG_HOME`" + `) in user mode, or the file named by
` + "`-c FILE`" + ` or ` + "`CLAUSTER_CONFIG`" + `. In system mode one line is required:

` + "```toml" + `
user = "ops"   # whose claude runs the bridges
` + "```" + `

After a change:

` + "```sh" + `
clauster-ctl config check          # every fault at once: file, line, key, value, rule
clauster-ctl config show           # what holds, and where each value came from
clauster-ctl restart INSTANCE      # a change takes effect at a bridge's next start
` + "```" + `

A restart keeps the choices of the launch: what ` + "`launch_mode`" + ` and ` + "`[instance_defaults]`" + ` say of mode, spawn mode, permission
mode, capacity and prefix is taken by a new start: ` + "`clauster-ctl stop INSTANCE && clauster-ctl start INSTANCE`" + `.

A bridge that runs is not touched by a change. ` + "`clauster-ctl status INSTANCE`" + ` says
"configuration changed since start" when its next start would differ.

## Where a value comes from

Each layer overrides those above it:

| Layer | Form |
|---|---|
| default | the tables below |
| main file | ` + "`/etc/clauster/clauster.toml`" + ` |
| drop-ins | ` + "`/etc/clauster/clauster.toml.d/*.toml`" + `, in the order of their names |
| systemd credential | ` + "`LoadCredential=clauster.claude.binary:/path`" + ` in the unit: ` + "`clauster.`" + ` and the key |
| environment | ` + "`CLAUSTER_CLAUDE_BINARY=…`" + `: ` + "`CLAUSTER_`" + `, the key in capitals, ` + "`_`" + ` for each dot |
| file named by the environment | ` + "`CLAUSTER_CLAUDE_BINARY_FILE=/path`" + `: the file's content, without space around it |

- A list in a credential or variable is separated by commas; blanks around items and empty items are dropped.
- Tables merge key by key; lists are replaced as a whole.
- Keys marked *file only* have neither credential nor variable.
- A ` + "`_FILE`" + ` variable that is blank counts as not set. A file or credential that cannot be read, is empty or is
  not UTF-8 is a fault. No message shows any of its content.
- Keys marked *secret* are never printed: not by ` + "`config show`" + `, not in a fault.
- Files are read up to 1 MiB. In system mode they should be ` + "`0640 root:clauster`" + `; one that somebody other than root
  may write is warned about.
- An unknown key is a warning with the nearest known name. A key of the Python Clauster that is gone is answered with
  what replaces it: [every key of the Python Clauster](python-keys.md).

## Faults

A configuration with a fault runs nothing: the keeper exits with status 78 and says the first fault in
` + "`systemctl status`" + `, and ` + "`clauster-ctl config check`" + ` exits with 1 and prints them all. Bridges that run keep running.

## Values

- **Paths** may begin with ` + "`~/`" + ` or ` + "`~USER/`" + `, USER being the bridge user: no other home is looked up.
- **Sizes** are bytes, or text with a suffix K, M, G, T, P or E (powers of 1024): ` + "`\"1.5G\"`" + `. ` + "`\"infinity\"`" + ` lifts a limit.
- **Percentages** of CPU are text: ` + "`\"150%\"`" + ` is one and a half CPUs.

"Used by" names the program that acts on a key: *keeper* (each bridge), *ctl* (clauster-ctl), *api* (clauster-api: HTTP,
webhooks, notifications, metrics), *later* (pages on top of the API). Keys of *api* and *later* are read and checked
by every version, and have no effect until the program that uses them is installed.
`

func referencePage() string {
	var b strings.Builder
	b.WriteString(referenceHead)
	for _, t := range tables() {
		title := "Top level"
		if t.name != "" {
			title = "`[" + t.name + "]`"
		}
		fmt.Fprintf(&b, "\n## %s\n\n", title)
		if note := tableNote(t.name); note != "" {
			b.WriteString(note + "\n\n")
		}
		b.WriteString("| Key | Value | Default | Used by | Meaning |\n|---|---|---|---|---|\n")
		for _, k := range t.keys {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", local(k), cell(k.RuleText()), defaultCell(k), k.Surface, cell(k.Doc+marks(k)))
		}
	}
	return b.String()
}

func tableNote(name string) string {
	switch name {
	case "claude.env":
		return "One key for each variable; NAME is the variable's name."
	case "limits":
		return "Limits of every bridge, set on its scope. One that this machine's systemd refuses is dropped with one warning."
	case "projects.NAME":
		return "What one project has different; NAME is the project's name. A name with a dot needs quotes: `[projects.\"site.v2\"]`."
	case "webhooks.events":
		return "Which events are posted. Any other name is a fault: it would never be sent. Those used by `later` are reserved: nothing makes such events yet."
	}
	return ""
}

func defaultCell(k Key) string {
	if text := k.literal(k.Default); text != "" && (text != `""` || k.Unset == "") {
		return "`" + text + "`"
	}
	return cell(k.Unset)
}

func marks(k Key) string {
	var m []string
	if k.Secret {
		m = append(m, "secret")
	}
	if k.NoEnv {
		m = append(m, "file only")
	}
	if len(m) == 0 {
		return ""
	}
	return " *" + strings.Join(m, ", ") + "*"
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

const pythonHead = `# Keys of the Python Clauster

<!-- generated from pkg/config: go test ./pkg/config -run TestDocs -update -->

Every key of the Python Clauster's ` + "`clauster.yml`" + `, and what became of it in ` + "`clauster.toml`" + `. A **kept** key has its name,
type and rule; where the default differs, it is said. ` + "`clauster-ctl config check`" + ` answers a replaced or dropped key with
the sentence given here; ` + "`host` and `port`" + ` are faults, the others warnings.

The format is TOML instead of YAML: ` + "`claude: {binary: x}`" + ` becomes

` + "```toml" + `
[claude]
binary = "x"
` + "```" + `

New here: `

func pythonPage() string {
	var b strings.Builder
	b.WriteString(pythonHead)
	var ours []string
	for _, k := range Keys() {
		if k.Ours {
			ours = append(ours, "`"+k.Name+"`")
		}
	}
	b.WriteString(strings.Join(ours, ", ") + ".\n\n## Keys\n\n| Key | Here | |\n|---|---|---|\n")
	rows := pythonRows()
	for _, name := range slices.Sorted(mapKeys(rows)) {
		b.WriteString(rows[name])
	}
	b.WriteString("\n## Environment variables outside the schema\n\n| Variable | Here | |\n|---|---|---|\n")
	b.WriteString("| `CLAUSTER_CONFIG` | kept | the main file |\n")
	for _, d := range DroppedVariables() {
		b.WriteString(droppedRow(d))
	}
	b.WriteString("\nEvery key's own variable (`CLAUSTER_CLAUDE_BINARY`) and its `_FILE` form are kept with the key.\n")
	return b.String()
}

func pythonRows() map[string]string {
	rows := map[string]string{}
	for _, k := range Keys() {
		if k.Ours {
			continue
		}
		note := k.Doc
		if k.Surface == API || k.Surface == Later {
			note += " (Used by: " + string(k.Surface) + ")"
		}
		rows[k.Name] = fmt.Sprintf("| `%s` | kept | %s |\n", k.Name, cell(note))
	}
	for _, d := range Dropped() {
		rows[d.Name] = droppedRow(d)
	}
	return rows
}

func droppedRow(d DroppedKey) string {
	here := "dropped"
	if d.Replaced != "" {
		here = "replaced by " + d.Replaced
	}
	return fmt.Sprintf("| `%s` | %s | %s |\n", d.Name, cell(here), cell(d.Because))
}

func mapKeys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

const defaultHead = `# Clauster's configuration. Reference of all keys: clauster.toml(5) and
# docs/configuration.md (/usr/share/doc/clauster).
#
#   clauster-ctl config check   every fault at once
#   clauster-ctl config show    what holds, and where it came from
#
# A change takes effect at a bridge's next start. Files named
# clauster.toml.d/*.toml are read after this one, in the order of their names.
# Lines that begin with #KEY show the default, or an example where it says so.
`

func defaultFile() string {
	var b strings.Builder
	b.WriteString(defaultHead)
	for _, t := range tables() {
		if t.name != "" {
			fmt.Fprintf(&b, "\n\n#[%s]\n", strings.ReplaceAll(t.name, wildcard, "example"))
			if t.keys[0].Surface == Later {
				b.WriteString("# (has no effect yet: a later version uses it)\n")
			}
		}
		for _, k := range t.keys {
			b.WriteString("\n")
			comment(&b, k.Doc)
			comment(&b, "Value: "+k.RuleText()+".")
			value := k.literal(k.Default)
			if k.Example != "" {
				value = k.Example
				unset := k.Unset
				if k.Name == "user" {
					unset = "required"
				}
				comment(&b, "Default: "+unset+". An example:")
			}
			fmt.Fprintf(&b, "#%s = %s\n", local(k), value)
		}
	}
	return b.String()
}

// comment writes a paragraph as comment lines of at most 79 bytes or so.
func comment(b *strings.Builder, text string) {
	line := "#"
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > 79 {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}

// TestDefaultFile takes the comments off the shipped file: every line must be
// a good one, and what is no example must be the default.
func TestDefaultFile(t *testing.T) {
	c := mustLoad(t, Source{FS: machine(uncommented(defaultFile()))})
	byName := newSchema().byName
	for _, s := range c.Effective() {
		name := template(strings.Split(s.Key, "."))
		if name == "projects.example" || strings.HasPrefix(s.Key, "claude.env.") {
			continue
		}
		k := byName[name]
		if s.Origin.Kind == FromDefault {
			t.Errorf("%s is not in the file", s.Key)
		}
		if want := k.literal(k.Default); k.Example == "" && !k.Secret && s.Text != want {
			t.Errorf("%s: the file says %s, the default is %s", s.Key, s.Text, want)
		}
	}
	if c := mustLoad(t, Source{FS: machine(defaultFile() + "\n"), Environ: []string{"CLAUSTER_USER=ops"}}); c.User != "ops" {
		t.Error(c.User)
	}
}

func uncommented(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if rest, found := strings.CutPrefix(line, "#"); found && rest != "" && rest[0] != ' ' {
			lines[i] = rest
		}
	}
	return strings.Join(lines, "\n")
}

// TestPythonKeys holds the code to the inventory of the Python Clauster: every
// key of it is kept, replaced or dropped, and nothing else claims to be of it.
func TestPythonKeys(t *testing.T) {
	data, err := os.ReadFile("testdata/python-keys.txt")
	if err != nil {
		t.Fatal(err)
	}
	inventory := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		if !strings.HasPrefix(line, "#") {
			inventory[line] = true
		}
	}
	said := map[string]bool{"CLAUSTER_CONFIG": true}
	for _, k := range Keys() {
		switch name := k.Name; {
		case k.Ours:
			continue
		case name == "claude.env.NAME":
			said["claude.env"] = true
		case strings.HasPrefix(name, "webhooks.events."):
			said["webhooks.events"] = true
		default:
			said[name] = true
		}
		if strings.HasPrefix(k.Name, "tls.") {
			said["tls"] = true
		}
	}
	for _, d := range append(Dropped(), DroppedVariables()...) {
		if said[d.Name] {
			t.Errorf("%s is both kept and dropped", d.Name)
		}
		said[d.Name] = true
	}
	if d := cmp.Diff(inventory, said); d != "" {
		t.Error(d)
	}
	page := pythonPage()
	for _, d := range Dropped() {
		if !strings.Contains(page, "`"+d.Name+"`") || !strings.Contains(page, d.Because) {
			t.Errorf("%s: the page does not say what config check says", d.Name)
		}
	}
}
