package claude

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Bounds of the walk through ~/.nvm.
const (
	maxNVMAliases  = 8   // aliases that name aliases
	maxNVMVersions = 512 // installed versions
	maxNVMName     = 64
)

// NodeFromNVM finds the directory of the node that nvm makes the default, as
// nvm itself would, without running a shell: ~/.nvm/alias/default, aliases of
// aliases, lts/*, and partial versions. ok is false where nvm has no default
// or it is not installed. A link inside ~/.nvm is not followed.
func NodeFromNVM(home string) (dir string, ok bool) {
	root := filepath.Join(home, ".nvm")
	installed := nvmInstalled(root)
	if len(installed) == 0 {
		return "", false
	}
	name := "default"
	for range maxNVMAliases {
		if name != "default" {
			if v, found := nvmPick(installed, name); found {
				return filepath.Join(root, "versions", "node", v.name, "bin"), true
			}
		}
		if !nvmLegal(name) {
			return "", false
		}
		f, err := readForeign(filepath.Join(root, "alias", filepath.FromSlash(name)), 256, false)
		if err != nil {
			return "", false
		}
		name, _, _ = strings.Cut(strings.TrimSpace(string(f.data)), "\n")
		name = strings.TrimSpace(name)
	}
	return "", false
}

type nvmVersion struct {
	name  string // v22.1.0
	parts [3]int
}

// nvmInstalled lists the versions that have a node, oldest first.
func nvmInstalled(root string) []nvmVersion {
	base := filepath.Join(root, "versions", "node")
	d, err := os.Open(base)
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(maxNVMVersions)
	var out []nvmVersion
	for _, name := range names {
		parts, n, ok := nvmNumbers(name)
		if !ok || n != 3 || name[0] != 'v' {
			continue
		}
		if !isReal(filepath.Join(base, name), true) || !isReal(filepath.Join(base, name, "bin"), true) ||
			!isReal(filepath.Join(base, name, "bin", "node"), false) {
			continue
		}
		out = append(out, nvmVersion{name, parts})
	}
	slices.SortFunc(out, func(a, b nvmVersion) int { return slices.Compare(a.parts[:], b.parts[:]) })
	return out
}

// isReal reports a directory or an executable file that is no link.
func isReal(path string, dir bool) bool {
	info, err := os.Lstat(path)
	if err != nil {
		return false
	}
	if dir {
		return info.IsDir()
	}
	return info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// nvmPick finds the newest installed version that a name means; it is not
// found where the name is an alias or no such version is installed.
func nvmPick(installed []nvmVersion, name string) (nvmVersion, bool) {
	if name == "node" || name == "stable" {
		return installed[len(installed)-1], true
	}
	want, n, ok := nvmNumbers(name)
	if !ok {
		return nvmVersion{}, false
	}
	for _, v := range slices.Backward(installed) {
		if slices.Equal(v.parts[:n], want[:n]) {
			return v, true
		}
	}
	return nvmVersion{}, false
}

// nvmNumbers reads v22, 22.1 or v22.1.0 and how many numbers there were.
func nvmNumbers(s string) (parts [3]int, n int, ok bool) {
	fields := strings.Split(strings.TrimPrefix(s, "v"), ".")
	if len(fields) > 3 {
		return parts, 0, false
	}
	for i, f := range fields {
		v, err := strconv.ParseUint(f, 10, 31)
		if err != nil {
			return parts, 0, false
		}
		parts[i] = int(v)
	}
	return parts, len(fields), true
}

// nvmLegal reports whether a name may be looked up below ~/.nvm/alias.
func nvmLegal(name string) bool {
	if name == "" || len(name) > maxNVMName || name == "system" {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' {
			return false
		}
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r > 0x7e || r < 0x80 && !isAlnum(byte(r)) && !strings.ContainsRune("./_-*", r)
	})
}

// CompareVersions compares two versions by their numbers: -1, 0 or 1. Missing
// numbers count as 0.
func CompareVersions(a, b string) int {
	x, y := versionNumbers(a), versionNumbers(b)
	for i := range x {
		if c := cmp.Compare(x[i], y[i]); c != 0 {
			return c
		}
	}
	return 0
}
