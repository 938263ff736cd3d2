package config

import (
	"fmt"
	"slices"
	"strings"
)

// Kind is the type of a key's value, as written in TOML or as text.
type Kind string

// The kinds. The limits (Size, Quota, Weight, Tasks) are held as uint64, the
// type systemd's D-Bus properties have, with 0 for "not set".
const (
	String Kind = "string"
	Enum   Kind = "word"            // one of Key.Values
	Bool   Kind = "true or false"   //
	Int    Kind = "integer"         // Min to Max
	Float  Kind = "number"          // Min to Max
	List   Kind = "list of strings" // comma separated in text form
	Size   Kind = "size"            // bytes; K M G T P E are powers of 1024; "infinity"
	Quota  Kind = "percentage"      // of one CPU, "150%"; held as µs of CPU time per second
	Weight Kind = "weight"          // 1 to 10000
	Tasks  Kind = "number of tasks" // or "infinity"
)

// Surface names the program that first uses a key.
type Surface string

// The surfaces. Keys of later surfaces are read and checked already, so that
// one file serves every version.
const (
	Keeper Surface = "keeper"
	Ctl    Surface = "ctl"
	API    Surface = "api"   // clauster-api: the HTTP API, webhooks, notifications, metrics
	Later  Surface = "later" // pages, clone, usage: on top of the API
)

// Key describes one configuration key.
type Key struct {
	Name    string   // dotted; NAME stands for a name chosen by the administrator
	Kind    Kind     //
	Default any      // string, bool, int64, float64, []string, uint64; the zero value for "not set"
	Unset   string   // what "not set" means, where the default is the zero value
	Example string   // as TOML writes it, where the default shows nothing
	Values  []string // of an Enum
	Min     float64  // of an Int or Float
	Max     float64  //
	Above   bool     // Min itself is not allowed
	Rule    string   // the rule in words, where Kind, Values, Min and Max do not say it all
	Doc     string   // what it does, one or two sentences
	Surface Surface  //
	Secret  bool     // never printed
	Bridge  bool     // part of BridgeHash: changes what a bridge is
	NoEnv   bool     // has no environment variable and no credential
	Ours    bool     // the Python Clauster has no such key

	check func(value any) string // further rule: "" or what is broken
}

// Env is the environment variable that overrides the key, "" for none.
func (k *Key) Env() string {
	if k.NoEnv {
		return ""
	}
	return "CLAUSTER_" + strings.ToUpper(strings.ReplaceAll(k.Name, ".", "_"))
}

// Credential is the name of the systemd credential that overrides the key, ""
// for none.
func (k *Key) Credential() string {
	if k.NoEnv {
		return ""
	}
	return credentialPrefix + k.Name
}

const credentialPrefix = "clauster."

// RuleText is the key's rule in words: what a value must be.
func (k *Key) RuleText() string {
	if k.Rule != "" {
		return k.Rule
	}
	switch k.Kind {
	case Enum:
		return "one of " + strings.Join(k.Values, ", ")
	case Bool:
		return "true or false"
	case Int, Float:
		return k.rangeText()
	case List:
		return "a list of strings"
	case Size:
		return `a size such as "2G" (K, M, G, T: powers of 1024) or "infinity"`
	case Quota:
		return `a percentage of one CPU such as "150%", or "infinity"`
	case Weight:
		return "an integer from 1 to 10000"
	case Tasks:
		return `an integer of at least 1, or "infinity"`
	}
	return "a string"
}

func (k *Key) rangeText() string {
	what := "an integer"
	if k.Kind == Float {
		what = "a number"
	}
	low := "from"
	if k.Above {
		low = "above"
	}
	if k.Max == 0 {
		if k.Above {
			return fmt.Sprintf("%s above %s", what, number(k.Min))
		}
		return fmt.Sprintf("%s of at least %s", what, number(k.Min))
	}
	return fmt.Sprintf("%s %s %s to %s", what, low, number(k.Min), number(k.Max))
}

// schema is the lookup form of Keys and Dropped.
type schema struct {
	keys    []Key
	byName  map[string]*Key
	dropped map[string]*DroppedKey
	tables  map[string]bool // dotted prefixes of keys
	byEnv   map[string]*Key
}

// wildcard is the segment of a Key.Name that stands for a chosen name.
const wildcard = "NAME"

func newSchema() *schema {
	s := &schema{
		keys: Keys(), byName: map[string]*Key{}, dropped: map[string]*DroppedKey{},
		tables: map[string]bool{}, byEnv: map[string]*Key{},
	}
	addTables := func(name string) {
		for i := strings.LastIndexByte(name, '.'); i > 0; i = strings.LastIndexByte(name[:i], '.') {
			s.tables[name[:i]] = true
		}
	}
	for i := range s.keys {
		k := &s.keys[i]
		s.byName[k.Name] = k
		if env := k.Env(); env != "" {
			s.byEnv[env] = k
		}
		addTables(k.Name)
	}
	dropped := Dropped()
	for i := range dropped {
		s.dropped[dropped[i].Name] = &dropped[i]
		addTables(dropped[i].Name)
	}
	return s
}

// template turns the path of a key in a file into the dotted name in the
// table: projects.blog.restart becomes projects.NAME.restart.
func template(path []string) string {
	p := slices.Clone(path)
	switch {
	case len(p) >= 2 && p[0] == "projects":
		p[1] = wildcard
	case len(p) == 3 && p[0] == "claude" && p[1] == "env":
		p[2] = wildcard
	}
	for _, segment := range p {
		// A dot inside a quoted segment must not look like two segments.
		if strings.Contains(segment, ".") {
			return ""
		}
	}
	return strings.Join(p, ".")
}
