package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/BurntSushi/toml"

	"clauster/pkg/bridge"
)

// files reads the main file and its drop-ins.
func (l *loader) files() {
	l.file(l.src.Path, l.named)
	dir := l.src.Path + ".d"
	entries, err := fs.ReadDir(l.fsys, fsName(dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.unread = true
		l.report.fault(Finding{File: dir, Rule: "it cannot be read: " + systemError(err), Hint: accessHint(err), Err: err})
	}
	for _, e := range entries { // ReadDir sorts by name
		if strings.HasSuffix(e.Name(), ".toml") && !strings.HasPrefix(e.Name(), ".") {
			l.file(filepath.Join(dir, e.Name()), true)
		}
	}
}

// file reads one file into the layer above what was read before. A default
// file that is not there is no fault: everything may come from elsewhere.
func (l *loader) file(name string, mustExist bool) {
	data, info, err := readBounded(l.fsys, name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !mustExist:
		return
	case err != nil:
		l.unread = true
		l.report.fault(Finding{File: name, Rule: "it cannot be read: " + systemError(err), Hint: accessHint(err), Err: err})
		return
	}
	l.report.Files = append(l.report.Files, name)
	l.checkOwner(name, info)
	f := &parsedFile{name: name}
	var top map[string]toml.Primitive
	if f.meta, err = toml.Decode(string(data), &top); err != nil {
		l.unread = true
		l.report.fault(syntaxFault(name, err))
		return
	}
	l.walk(f, nil, top)
}

// parsedFile is a file whose keys can still be asked for their line. The
// library finds a key's line only while decoding it, and changes the metadata
// as it does, hence the lock.
type parsedFile struct {
	name string
	mu   sync.Mutex
	meta toml.MetaData
}

// line is the line of a value, 0 where the library does not know it.
func (f *parsedFile) line(p toml.Primitive) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	var at toml.ParseError
	if errors.As(f.meta.PrimitiveDecode(p, locator{}), &at) {
		return at.Position.Line
	}
	return 0
}

// locator fails to decode anything, to be told where.
type locator struct{}

var errLocate = errors.New("located")

// UnmarshalTOML implements toml.Unmarshaler.
func (locator) UnmarshalTOML(any) error { return errLocate }

// walk takes over the values of a table.
func (l *loader) walk(f *parsedFile, prefix []string, table map[string]toml.Primitive) {
	for _, name := range slices.Sorted(maps.Keys(table)) {
		p := append(slices.Clone(prefix), name)
		l.node(f, p, table[name])
	}
}

func (l *loader) node(f *parsedFile, p []string, prim toml.Primitive) {
	var raw any
	if err := f.meta.PrimitiveDecode(prim, &raw); err != nil {
		l.report.fault(Finding{File: f.name, Line: f.line(prim), Key: dotted(p), Rule: "it cannot be decoded"})
		return
	}
	origin := Origin{Kind: FromFile, Name: f.name, locate: func() int { return f.line(prim) }}
	name := template(p)
	if k := l.schema.byName[name]; k != nil {
		value, broken := k.fromTOML(raw)
		if broken == "" {
			broken = checkNames(p)
		}
		l.set(k, p, value, broken, raw, origin)
		return
	}
	if d := l.schema.dropped[name]; d != nil {
		l.droppedKey(*d, dotted(p), origin)
		return
	}
	if !l.schema.tables[name] {
		l.unknown(p, origin)
		return
	}
	var inner map[string]toml.Primitive
	if _, isTable := raw.(map[string]any); !isTable {
		l.report.fault(Finding{File: f.name, Line: origin.Line(), Key: dotted(p), Rule: "it must be a table, not " + typeName(raw),
			Hint: "write [" + dotted(p) + "] on a line of its own and its keys below"})
		return
	}
	if broken := checkNames(p); broken != "" {
		l.report.fault(Finding{File: f.name, Line: origin.Line(), Key: dotted(p), Rule: broken})
		return
	}
	if err := f.meta.PrimitiveDecode(prim, &inner); err != nil {
		l.report.fault(Finding{File: f.name, Line: origin.Line(), Key: dotted(p), Rule: "it cannot be decoded"})
		return
	}
	l.walk(f, p, inner)
}

// checkNames checks the names an administrator chose: of projects and of
// environment variables.
func checkNames(p []string) string {
	switch {
	case len(p) == 2 && p[0] == "projects":
		var broken *bridge.NameError
		if errors.As(bridge.CheckProject(p[1]), &broken) {
			return "it cannot be the name of a project: " + broken.Rule
		}
	case len(p) == 3 && p[0] == "claude" && p[1] == "env":
		valid := func(c rune) bool {
			return c == '_' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		}
		if p[2] == "" || p[2][0] >= '0' && p[2][0] <= '9' || strings.ContainsFunc(p[2], func(c rune) bool { return !valid(c) }) {
			return "it cannot be the name of an environment variable: only letters, digits and _ are allowed, and no digit first"
		}
	}
	return ""
}

func (l *loader) droppedKey(d DroppedKey, name string, origin Origin) {
	finding := Finding{File: origin.Name, Line: origin.Line(), Key: name, Rule: d.Sentence()}
	if d.Refused {
		finding.Hint = d.Replaced
		if l.src.UserMode {
			finding.Hint = strings.Replace(d.Replaced, "systemctl ", "systemctl --user ", 1)
		}
		l.report.fault(finding)
		return
	}
	finding.Hint = "take the key out"
	l.report.warn(finding)
}

// unknown warns about a key that is not in the table. An event that webhooks
// do not know fails the load, as it does in the Python Clauster: it would
// never be sent. The value stays unsaid: a misspelt secret is a secret.
func (l *loader) unknown(p []string, origin Origin) {
	finding := Finding{File: origin.Name, Line: origin.Line(), Key: dotted(p), Rule: "the key is not known and has no effect"}
	if near := l.nearestKey(p); near != "" {
		finding.Hint = "did you mean " + near + "?"
	}
	if len(p) == 3 && p[0] == "webhooks" && p[1] == "events" {
		finding.Rule = "there is no such event"
		l.report.fault(finding)
		return
	}
	l.report.warn(finding)
}

// nearestKey looks among the keys beside the unknown one first, then for the
// same last name elsewhere: a key in the wrong table.
func (l *loader) nearestKey(p []string) string {
	parent, last := template(p[:len(p)-1]), p[len(p)-1]
	prefix := ""
	if parent != "" {
		prefix = parent + "."
	}
	seen, beside := map[string]bool{}, []string{}
	for i := range l.schema.keys {
		if rest, ok := strings.CutPrefix(l.schema.keys[i].Name, prefix); ok {
			name, _, _ := strings.Cut(rest, ".")
			if name != wildcard && !seen[name] {
				seen[name], beside = true, append(beside, name)
			}
		}
	}
	if near := nearest(last, beside); near != "" {
		return dotted(append(slices.Clone(p[:len(p)-1]), near))
	}
	for i := range l.schema.keys {
		if strings.HasSuffix(l.schema.keys[i].Name, "."+last) {
			return l.schema.keys[i].Name
		}
	}
	return ""
}

// checkOwner warns about a file of system mode that somebody other than root
// may change: whoever can, sets the ceilings of the bridges.
func (l *loader) checkOwner(name string, info fs.FileInfo) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if l.src.UserMode || !ok {
		return
	}
	who := ""
	switch mode := info.Mode().Perm(); {
	case mode&0o002 != 0:
		who = "everybody"
	case stat.Uid != 0:
		who = fmt.Sprintf("its owner, uid %d", stat.Uid)
	case mode&0o020 != 0 && stat.Gid != 0:
		who = fmt.Sprintf("its group, gid %d", stat.Gid)
	default:
		return
	}
	l.report.warn(Finding{File: name, Rule: "the file is writable by " + who + ", who so decides what bridges may do",
		Hint: "chown root:clauster " + name + " && chmod 0640 " + name})
}

// readBounded reads a regular file of at most maxFileSize bytes. Anything else
// (a FIFO, a device) could hold the caller for ever.
func readBounded(fsys fs.FS, name string) ([]byte, fs.FileInfo, error) {
	info, err := fs.Stat(fsys, fsName(name))
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, errors.New("it is not a regular file")
	}
	f, err := fsys.Open(fsName(name))
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err == nil && len(data) > maxFileSize {
		err = fmt.Errorf("it is larger than %d bytes", maxFileSize)
	}
	return data, info, err
}

// fsName is an absolute path as io/fs wants it.
func fsName(name string) string {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	if name == "" {
		return "."
	}
	return name
}

// systemError is the bare reason of a file error; the path is said elsewhere.
func systemError(err error) string {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err.Error()
	}
	return err.Error()
}

func accessHint(err error) string {
	if errors.Is(err, fs.ErrPermission) {
		return "run it with sudo, or as a member of group clauster"
	}
	return ""
}

// dotted joins a path as TOML writes it, quoting what needs it. (The library's
// Key.String leaves control characters as they are.)
func dotted(p []string) string {
	parts := make([]string, len(p))
	for i, name := range p {
		parts[i] = name
		if name == "" || strings.ContainsFunc(name, func(c rune) bool {
			return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-')
		}) {
			parts[i] = quote(name)
		}
	}
	return strings.Join(parts, ".")
}
