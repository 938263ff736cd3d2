package config

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// SystemPath is the main file in system mode.
const SystemPath = "/etc/clauster/clauster.toml"

// maxFileSize bounds every file that is read, in bytes.
const maxFileSize = 1 << 20

// Source says where a configuration comes from. The zero value is system mode
// with the default file and no environment.
type Source struct {
	Path           string   // main file; "" for DefaultPath
	UserMode       bool     // for systemctl --user
	Environ        []string // NAME=VALUE, as os.Environ gives it
	CredentialsDir string   // $CREDENTIALS_DIRECTORY; "" for none
	FS             fs.FS    // the root directory, "/"; nil for the machine's
}

// DefaultPath is the main file where none was named: CLAUSTER_CONFIG, else
// /etc/clauster/clauster.toml, or $XDG_CONFIG_HOME/clauster/clauster.toml
// (~/.config) in user mode.
func DefaultPath(userMode bool, environ []string) string {
	env := environment(environ)
	switch {
	case env["CLAUSTER_CONFIG"] != "":
		return env["CLAUSTER_CONFIG"]
	case !userMode:
		return SystemPath
	case strings.HasPrefix(env["XDG_CONFIG_HOME"], "/"):
		return filepath.Join(env["XDG_CONFIG_HOME"], "clauster", "clauster.toml")
	}
	return filepath.Join("/", env["HOME"], ".config", "clauster", "clauster.toml")
}

func environment(environ []string) map[string]string {
	env := make(map[string]string, len(environ))
	for _, v := range environ {
		if name, value, found := strings.Cut(v, "="); found {
			env[name] = value
		}
	}
	return env
}

// Load reads and checks everything. The Config is never nil; with faults in
// the Report it holds the defaults in place of the faulty values and must not
// be used to run anything.
func Load(src Source) (*Config, *Report) {
	l := newLoader(src)
	l.files()
	l.credentials()
	l.environ()
	l.bindAll()
	l.crossCheck()
	l.sortFindings()
	return l.cfg, l.report
}

type loader struct {
	src    Source
	named  bool // the main file was named by somebody and so must exist
	fsys   fs.FS
	env    map[string]string
	schema *schema
	cfg    *Config
	report *Report
	faulty map[string]bool // dotted names whose value could not be used
	unread bool            // a file could not be read, so that what is missing may be in it
}

func newLoader(src Source) *loader {
	env := environment(src.Environ)
	named := src.Path != "" || env["CLAUSTER_CONFIG"] != ""
	if src.Path == "" {
		src.Path = DefaultPath(src.UserMode, src.Environ)
	}
	if src.FS == nil {
		src.Path = absolute(src.Path)
	}
	fsys := src.FS
	if fsys == nil {
		fsys = os.DirFS("/")
	}
	s := newSchema()
	return &loader{
		src: src, named: named, fsys: fsys, env: env, schema: s,
		cfg:    &Config{UserMode: src.UserMode, Path: src.Path, schema: s, values: map[string]entry{}},
		report: &Report{Files: []string{}, Faults: []Finding{}, Warnings: []Finding{}}, faulty: map[string]bool{},
	}
}

// absolute makes a path absolute; without a working directory it stays.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// entry is a value that was set somewhere.
type entry struct {
	key    *Key
	path   []string
	value  any
	origin Origin
}

// set checks a value and takes it over whatever an earlier layer said.
func (l *loader) set(k *Key, path []string, value any, broken string, raw any, origin Origin) {
	name := dotted(path)
	if broken != "" {
		l.faulty[name] = true
		l.report.fault(Finding{File: origin.Name, Line: origin.Line(), Key: name, Value: shown(k, raw), Rule: broken})
		return
	}
	l.cfg.values[name] = entry{k, path, value, origin}
}

// bindAll fills the struct: the defaults first, then what was set.
func (l *loader) bindAll() {
	target := reflect.ValueOf(l.cfg).Elem()
	for i := range l.schema.keys {
		k := &l.schema.keys[i]
		path := strings.Split(k.Name, ".")
		if !slices.Contains(path, wildcard) {
			bind(target, path, k.Default)
		}
	}
	names := make([]string, 0, len(l.cfg.values))
	for name := range l.cfg.values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		e := l.cfg.values[name]
		if !bind(target, e.path, e.value) {
			l.report.fault(Finding{File: e.origin.Name, Line: e.origin.Line(), Key: name,
				Rule: fmt.Sprintf("the key has no place in this version (%s): please report it", e.key.Kind)})
		}
	}
}

// sortFindings orders findings as a reader of the files meets them.
func (l *loader) sortFindings() {
	for _, list := range [][]Finding{l.report.Faults, l.report.Warnings} {
		order := map[string]int{}
		for i, f := range l.report.Files {
			order[f] = i - len(l.report.Files)
		}
		slices.SortStableFunc(list, func(a, b Finding) int {
			if d := order[a.File] - order[b.File]; d != 0 {
				return d
			}
			if a.File != b.File {
				return 0
			}
			return a.Line - b.Line
		})
	}
}
