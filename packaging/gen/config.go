package main

import (
	"fmt"
	"strconv"
	"strings"

	"clauster/pkg/config"
)

// ConfigPage makes clauster.toml(5) from the table of keys. Keys that only
// programs of later versions use are left to docs/configuration.md.
func ConfigPage(keys []config.Key, footer Footer) []byte {
	p := newPage("clauster.toml", 5, "configuration of Clauster", footer)
	p.section("SYNOPSIS")
	p.WriteString(".nf\n/etc/clauster/clauster.toml\n/etc/clauster/clauster.toml.d/*.toml\n" +
		"~/.config/clauster/clauster.toml\n.fi\n")
	p.section("DESCRIPTION")
	p.text(`The first two are read in system mode, the last (and a clauster.toml.d beside it) by bridges of a user manager.
Files in clauster.toml.d are read after the main file, in the order of their names; a later value replaces an earlier one.
The format is TOML. A dotted name such as claude.binary is the key binary in the table [claude]; NAME stands for a name you choose.

A change takes effect at a bridge's next start. Check it before:

    clauster-ctl config check

What is in effect, and where each value came from:

    clauster-ctl config show

A value can also come from the environment (CLAUSTER_ and the name in capitals, dots as underscores, for the programs started by hand), from a file named by that variable with _FILE behind it, or from a systemd credential named clauster. and the key (LoadCredential= in a drop-in), which suits secrets best.`)
	p.section("KEYS")
	for _, k := range keys {
		if k.Surface != config.Keeper && k.Surface != config.Ctl {
			continue
		}
		p.item(k.Name, keyText(k))
	}
	p.section("EXAMPLE")
	p.text(indent(`user = "alice"
projects_root = "/srv/projects"

[projects.blog]
memory_max = "4G"`))
	p.see("clauster-ctl(1)", "clauster@.service(8)")
	return p.Bytes()
}

func keyText(k config.Key) string {
	value := k.Unset
	if value == "" {
		value = literal(k.Default)
	}
	return fmt.Sprintf("%s\nValue: %s.\nDefault: %s.", k.Doc, k.RuleText(), value)
}

// literal writes a default the way TOML does.
func literal(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(v)
	case []string:
		quoted := make([]string, len(v))
		for i, s := range v {
			quoted[i] = strconv.Quote(s)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	}
	return fmt.Sprint(v)
}
