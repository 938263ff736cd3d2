package config

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// credentials reads the layer of systemd credentials: files named
// clauster.KEY in $CREDENTIALS_DIRECTORY.
func (l *loader) credentials() {
	if l.src.CredentialsDir == "" {
		return
	}
	entries, err := fs.ReadDir(l.fsys, fsName(l.src.CredentialsDir))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		l.report.fault(Finding{File: l.src.CredentialsDir, Rule: "the credentials cannot be read: " + systemError(err), Err: err})
		return
	}
	for _, e := range entries {
		name, found := strings.CutPrefix(e.Name(), credentialPrefix)
		if !found || reservedCredential(e.Name()) {
			continue
		}
		k := l.schema.byName[name]
		origin := Origin{Kind: FromCredential, Name: credentialWord + e.Name()}
		if k == nil || k.NoEnv {
			l.unknownOutside(name, origin)
			continue
		}
		l.setFromFile(k, filepath.Join(l.src.CredentialsDir, e.Name()), origin)
	}
}

// environ reads the layers of environment variables: CLAUSTER_KEY, then
// CLAUSTER_KEY_FILE over it.
func (l *loader) environ() {
	var files []string
	for _, name := range slices.Sorted(maps.Keys(l.env)) {
		if !strings.HasPrefix(name, "CLAUSTER_") || reservedVariable(name) {
			continue
		}
		origin := Origin{Kind: FromEnvironment, Name: environmentPrefix + name}
		if k := l.schema.byEnv[name]; k != nil {
			value, broken := k.fromText(l.env[name])
			l.set(k, strings.Split(k.Name, "."), value, broken, l.env[name], origin)
			continue
		}
		if l.schema.byEnv[strings.TrimSuffix(name, "_FILE")] != nil {
			files = append(files, name)
			continue
		}
		l.otherVariable(name, origin)
	}
	for _, name := range files {
		file := strings.TrimSpace(l.env[name])
		if file == "" { // blank counts as unset
			continue
		}
		if l.src.FS == nil {
			file = absolute(file)
		}
		k := l.schema.byEnv[strings.TrimSuffix(name, "_FILE")]
		l.setFromFile(k, file, Origin{Kind: FromEnvironmentFile, Name: file + " (" + name + ")"})
	}
}

// setFromFile takes a file's trimmed content as text. No message carries any
// of it: the file may be any file, named by mistake.
func (l *loader) setFromFile(k *Key, file string, origin Origin) {
	refuse := func(rule string, err error) {
		l.faulty[k.Name] = true
		l.report.fault(Finding{File: origin.Name, Key: k.Name, Rule: rule, Hint: cmp.Or(l.credentialHint(origin), accessHint(err)), Err: err})
	}
	data, _, err := readBounded(l.fsys, file)
	text := strings.TrimSpace(string(data))
	switch {
	case err != nil:
		refuse("it cannot be read: "+systemError(err), err)
	case !utf8.ValidString(text):
		refuse("its content is not UTF-8", nil)
	case text == "":
		refuse("it is empty", nil)
	default:
		value, broken := k.fromText(text)
		if broken != "" {
			refuse(broken, nil)
			return
		}
		l.set(k, strings.Split(k.Name, "."), value, "", nil, origin)
	}
}

// credentialHint leads to where a credential comes from. Only its unit has it:
// `clauster-ctl config check`, the hint of other faults, found none.
func (l *loader) credentialHint(origin Origin) string {
	if origin.Kind != FromCredential {
		return ""
	}
	show, name := "systemctl cat", strings.TrimPrefix(origin.Name, credentialWord)
	if l.src.UserMode {
		show = "systemctl --user cat"
	}
	unit := filepath.Base(l.src.CredentialsDir) // /run/credentials/clauster-api.service
	if !strings.HasSuffix(unit, ".service") {
		unit = "UNIT"
	}
	return show + " " + unit + " shows what " + name + " is loaded from: correct it there, then restart the unit"
}

// otherVariable answers a CLAUSTER_ variable that is no key's.
func (l *loader) otherVariable(name string, origin Origin) {
	for _, d := range DroppedVariables() {
		if d.Name == name {
			l.report.warn(Finding{File: origin.Name, Rule: d.Sentence(), Hint: "take the variable out"})
			return
		}
	}
	for _, d := range Dropped() {
		if variableOf(d.Name) == strings.TrimSuffix(name, "_FILE") || variableOf(d.Name) == name {
			l.droppedKey(d, d.Name, origin)
			return
		}
	}
	l.unknownOutside(strings.ToLower(strings.TrimPrefix(name, "CLAUSTER_")), origin)
}

func variableOf(key string) string {
	return "CLAUSTER_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// unknownOutside warns about a credential or variable that sets nothing.
func (l *loader) unknownOutside(name string, origin Origin) {
	finding := Finding{File: origin.Name, Rule: "no key has this name, so it has no effect"}
	for i := range l.schema.keys {
		if k := &l.schema.keys[i]; k.NoEnv && strings.HasPrefix(k.Name, strings.ReplaceAll(name, "_", ".")) {
			finding.Hint = "this key can be set in a file only"
		}
	}
	var candidates []string
	for i := range l.schema.keys {
		if k := &l.schema.keys[i]; !k.NoEnv {
			if origin.Kind == FromCredential {
				candidates = append(candidates, k.Name)
			} else {
				candidates = append(candidates, strings.ToLower(strings.TrimPrefix(k.Env(), "CLAUSTER_")))
			}
		}
	}
	if near := nearest(name, candidates); near != "" {
		if origin.Kind != FromCredential {
			near = "CLAUSTER_" + strings.ToUpper(near)
		} else {
			near = credentialPrefix + near
		}
		finding.Hint = "did you mean " + near + "?"
	}
	l.report.warn(finding)
}
