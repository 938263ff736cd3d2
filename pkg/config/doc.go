// Package config reads clauster.toml: what the machine's administrator wants.
//
// Values come in layers, each over the one before: built-in defaults, the
// main file, its drop-ins (clauster.toml.d/*.toml in name order), systemd
// credentials (clauster.KEY), environment variables (CLAUSTER_KEY), and files
// named by CLAUSTER_KEY_FILE. Each value remembers where it came from.
//
// One table, Keys, is the whole truth about the keys: their type, default,
// rule and documentation. The decoder, the environment names, `config show`,
// docs/configuration.md and packaging/clauster.toml are all made from it.
//
// Load never stops at the first fault and never prints a secret: neither the
// value of a secret key nor the content of a file named by a _FILE variable
// appears in any message. Nothing here looks at users, groups or projects on
// the machine; the keeper does, as the one who must not be fooled.
//
// The package is linked into the keeper, which lives for months: no cobra, no
// net/http, nothing kept open.
package config
