package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// OriginKind says which layer a value comes from.
type OriginKind string

// The layers, lowest first.
const (
	FromDefault         OriginKind = "default"
	FromFile            OriginKind = "file"
	FromCredential      OriginKind = "credential"
	FromEnvironment     OriginKind = "environment"
	FromEnvironmentFile OriginKind = "environment-file"
)

// Origin is where a value comes from.
type Origin struct {
	Kind OriginKind
	Name string // path, "credential NAME", "environment VARIABLE", "PATH (VARIABLE_FILE)"

	locate func() int
}

// Line is the line in a file, 0 where there is none. It is looked up when
// asked for, which takes about a millisecond in the largest files.
func (o Origin) Line() int {
	if o.locate == nil {
		return 0
	}
	return o.locate()
}

// String gives FILE:LINE, the name, or "default".
func (o Origin) String() string {
	if line := o.Line(); line > 0 {
		return fmt.Sprintf("%s:%d", o.Name, line)
	}
	if o.Kind == FromDefault {
		return string(FromDefault)
	}
	return o.Name
}

// MarshalJSON gives kind, name and line.
func (o Origin) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Kind OriginKind `json:"kind"`
		Name string     `json:"name,omitempty"`
		Line int        `json:"line,omitempty"`
	}{o.Kind, o.Name, o.Line()})
}

// Setting is one effective value, as config show prints it.
type Setting struct {
	Key    string `json:"key"`              // dotted, as TOML writes it
	Value  any    `json:"value"`            // sizes in bytes, quotas in µs per second; null for not set, "(hidden)" for a secret
	Text   string `json:"-"`                // as TOML writes it; "" for not set
	Secret bool   `json:"secret,omitempty"` //
	Origin Origin `json:"origin"`
}

// Effective lists every key with its value and origin, in the order of the
// documentation; projects and environment variables by name. No secret is in
// it.
func (c *Config) Effective() []Setting {
	var out []Setting
	seen := map[string]bool{}
	for i := range c.schema.keys {
		k := &c.schema.keys[i]
		if !strings.Contains(k.Name, "."+wildcard) {
			out = append(out, c.setting(k, k.Name))
			continue
		}
		group, _, _ := strings.Cut(k.Name, "."+wildcard)
		if seen[group] {
			continue
		}
		seen[group] = true
		for _, name := range slices.Sorted(maps.Keys(c.values)) {
			if e := c.values[name]; strings.HasPrefix(e.key.Name, group+"."+wildcard) {
				out = append(out, c.setting(e.key, name))
			}
		}
	}
	return out
}

func (c *Config) setting(k *Key, name string) Setting {
	e, set := c.values[name]
	if !set {
		e = entry{key: k, value: k.Default, origin: Origin{Kind: FromDefault}}
	}
	s := Setting{Key: name, Value: e.value, Text: k.literal(e.value), Secret: k.Secret, Origin: e.origin}
	switch {
	case s.Text == "" || s.Text == "[]" && k.Unset != "":
		s.Value, s.Text = nil, ""
	case k.Secret && set:
		s.Value, s.Text = hidden, hidden
	case e.value == uint64(Infinity):
		s.Value = "infinity"
	}
	return s
}

// BridgeHash is 16 hex digits over every setting that decides what a bridge of
// the project is. A launch record keeps it, and `status` says "configuration
// changed since start" where it differs. The restart policy is not in it: it
// decides what follows a bridge.
func (c *Config) BridgeHash(project string) string {
	sum := sha256.New()
	enc := json.NewEncoder(sum) // writes no error: a hash takes everything
	put := func(name string, value any) { _ = enc.Encode([]any{name, value}) }
	for i := range c.schema.keys {
		k := &c.schema.keys[i]
		if !k.Bridge || strings.Contains(k.Name, wildcard) || strings.HasPrefix(k.Name, "limits.") {
			continue
		}
		value := k.Default
		if e, set := c.values[k.Name]; set {
			value = e.value
		}
		put(k.Name, value)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Claude.Env)) {
		put("claude.env."+name, c.Claude.Env[name])
	}
	p := c.ForProject(project)
	put("limits", p.Limits)
	put("allow_bypass_permissions", p.AllowBypassPermissions)
	return hex.EncodeToString(sum.Sum(nil))[:16]
}
