package claude

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxConfig bounds ~/.claude.json; real ones are some hundred kilobytes.
const maxConfig = 32 << 20

// Trust says whether claude trusts a project directory, and whether Remote
// Control was consented to.
type Trust struct {
	Path     string // the project with its links resolved: claude's key
	Trusted  bool
	Consent  bool   // remoteDialogSeen: claude will not ask
	By       string // the key that trusts it: Path or a directory above; "" where none
	Existing bool   // ~/.claude.json exists
}

// ReadTrust reads the trust of a project. A directory is trusted by its own
// key or that of a directory above it, but trust does not reach into a git
// repository from outside: its root needs a key of its own (since 2.1.232). A
// missing file is no error. An error means that nothing is known; it names the
// file.
func ReadTrust(d Dirs, project string) (Trust, error) {
	path, err := filepath.EvalSymlinks(project)
	if err != nil {
		return Trust{}, cannot("resolve project", project, err)
	}
	book, err := ReadTrusts(d)
	if err != nil {
		return Trust{Path: path, Existing: book.existing}, err
	}
	return book.Of(path), nil
}

// Trusts is the trust of every project, from one reading of ~/.claude.json.
type Trusts struct {
	existing, consent bool
	projects          map[string]json.RawMessage
}

// ReadTrusts reads ~/.claude.json once for several projects; a missing file is
// no error.
func ReadTrusts(d Dirs) (Trusts, error) {
	f, err := readForeign(d.Config(), maxConfig, false)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Trusts{}, nil
	case err != nil:
		return Trusts{}, cannot("read", d.Config(), err)
	}
	return parseTrusts(d.Config(), f.data)
}

// Of gives the trust of a project whose links are resolved.
func (b Trusts) Of(path string) Trust {
	t := Trust{Path: path, Consent: b.consent, Existing: b.existing}
	t.By = trustedBy(path, func(path string) bool {
		var p map[string]json.RawMessage
		raw, ok := b.projects[path]
		return ok && json.Unmarshal(raw, &p) == nil && string(p["hasTrustDialogAccepted"]) == "true"
	}, isGitRoot)
	t.Trusted = t.By != ""
	return t
}

func parseTrusts(file string, data []byte) (Trusts, error) {
	b := Trusts{existing: true}
	if isBlank(data) {
		return b, nil // claude starts anew from an empty file
	}
	// Maps, because encoding/json takes a struct's keys in any case and
	// claude does not.
	var top map[string]json.RawMessage
	if err := json.Unmarshal(data, &top); err != nil {
		return b, fmt.Errorf("cannot parse %s: %w", file, err)
	}
	b.consent = string(top["remoteDialogSeen"]) == "true"
	if raw, ok := top["projects"]; ok {
		if err := json.Unmarshal(raw, &b.projects); err != nil {
			return b, fmt.Errorf("cannot parse %s: projects: %w", file, err)
		}
	}
	return b, nil
}

// trustedBy walks up from path to the first directory that is trusted, and
// stops at the root of a git repository that is not.
func trustedBy(path string, trusted, gitRoot func(string) bool) string {
	for {
		if trusted(path) {
			return path
		}
		up := filepath.Dir(path)
		if up == path || gitRoot(path) {
			return ""
		}
		path = up
	}
}

func isGitRoot(path string) bool {
	_, err := os.Lstat(filepath.Join(path, ".git"))
	return err == nil
}

func isBlank(data []byte) bool {
	return strings.TrimSpace(string(data[:min(len(data), 4096)])) == "" && len(data) < 4096
}

// Grant trusts a project and consents to Remote Control, in ~/.claude.json, as
// the calling user, who must own it. The file is changed under claude's own
// lock, replaced atomically with its mode kept, and copied to
// ~/.claude.json.clauster-backup before the first change ever. Every other
// byte of it stays. A file that does not parse, is a link or belongs to
// somebody else is left untouched, with an error, and so is one whose project
// is a link. changed is false where everything was granted already.
func Grant(ctx context.Context, d Dirs, project string) (changed bool, err error) {
	path, err := ownDirectory(project)
	if err != nil {
		return false, err
	}
	return change(ctx, d, path)
}

// Consent sets the consent flags alone, as Grant does, so that claude does not
// ask a terminal that nobody sits at whether Remote Control may be used.
func Consent(ctx context.Context, d Dirs) (changed bool, err error) {
	return change(ctx, d, "")
}

// change grants under claude's lock.
func change(ctx context.Context, d Dirs, path string) (changed bool, err error) {
	if d.ConfigDir != "" {
		if err := os.MkdirAll(d.ConfigDir, 0o700); err != nil {
			return false, cannot("make", d.ConfigDir, err)
		}
	}
	unlock, err := lockConfig(ctx, d.Config())
	if err != nil {
		return false, err
	}
	defer unlock()
	return grant(d.Config(), path)
}

func grant(file, path string) (changed bool, err error) {
	old, err := readForeign(file, maxConfig, false)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case missing:
		old = foreignFile{mode: 0o600, uid: uint32(os.Geteuid())}
	case err != nil:
		return false, cannot("trust a project in", file, err)
	case old.uid != uint32(os.Geteuid()):
		return false, fmt.Errorf("cannot trust a project in %s: it belongs to user %d", file, old.uid)
	}
	doc, err := granted(old.data, path)
	if err != nil {
		return false, fmt.Errorf("cannot trust a project in %s: %w; it is left as it is", file, err)
	}
	if string(doc) == string(old.data) {
		return false, nil
	}
	if !missing {
		if err := backUp(file+".clauster-backup", old.data); err != nil {
			return false, err
		}
	}
	return true, replace(file, doc, old.mode)
}

// granted gives the document with the trust of path, unless that is "", and the
// consent in it.
func granted(doc []byte, path string) ([]byte, error) {
	if isBlank(doc) {
		doc = []byte("{}")
	}
	var err error
	wanted := [][]string{{"hasUsedRemoteControl"}, {"remoteDialogSeen"}}
	if path != "" {
		wanted = append(wanted, []string{"projects", path, "hasTrustDialogAccepted"})
	}
	for _, keys := range wanted {
		if doc, err = setJSON(doc, "true", keys...); err != nil {
			return nil, err
		}
	}
	// What was written must read as what was meant.
	book, err := parseTrusts("the result", doc)
	if err != nil {
		return nil, err
	}
	t := book.Of(path)
	if path != "" && t.By != path || !t.Consent {
		return nil, errors.New("the change would not take effect")
	}
	return doc, nil
}

// backUp keeps the file as it was before Clauster first touched it. The name
// appears with the content behind it: a power cut leaves no half backup that
// every later launch would take for a whole one.
func backUp(path string, data []byte) error {
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	temp, err := writeTemp(path, data, 0o600)
	if err != nil {
		return cannot("make backup", path, err)
	}
	defer os.Remove(temp)
	if err := os.Link(temp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return cannot("make backup", path, err)
	}
	return nil
}

// replace writes a file atomically with the given mode.
func replace(path string, data []byte, mode fs.FileMode) error {
	temp, err := writeTemp(path, data, mode)
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		_ = os.Remove(temp)
		return cannot("write", path, err)
	}
	if d, err := os.Open(filepath.Dir(path)); err == nil {
		_ = d.Sync() // the rename itself has happened; a file system without directory sync is fine
		_ = d.Close()
	}
	return nil
}

// writeTemp writes data durably beside path and gives the name.
func writeTemp(path string, data []byte, mode fs.FileMode) (temp string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".clauster-") // 0600, never through a link
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}
