package claude

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"clauster/pkg/bridge"
)

// VersionTimeout is how long claude --version may take; the real one answers
// in 8 ms, a cold disk takes seconds.
const VersionTimeout = 10 * time.Second

// Run executes a program as the bridge user, in its environment, without a
// terminal, and gives at most some ten kilobytes of its standard output. exit
// is its exit status; err is set where it could not be run or did not end in
// time, and keeps the system's error for errors.Is.
type Run func(ctx context.Context, path string, args ...string) (stdout []byte, exit int, err error)

// FindBinary resolves the configured binary: a path is taken as it is, a bare
// name is looked up in searchPath, whose relative entries are skipped. The
// result is absolute; a cause says why there is none.
func FindBinary(binary, searchPath string) (path string, cause bridge.Cause) {
	if strings.ContainsRune(binary, '/') {
		return filepath.Clean(binary), judgeBinary(binary, executable(binary))
	}
	err, found := error(fs.ErrNotExist), ""
	for dir := range strings.SplitSeq(searchPath, ":") {
		if !filepath.IsAbs(dir) {
			continue
		}
		path = filepath.Join(dir, binary)
		switch e := executable(path); {
		case e == nil:
			return path, bridge.Cause{}
		case errors.Is(e, fs.ErrPermission), found == "" && isThere(path):
			err, found = e, path
		}
	}
	if found == "" {
		cause = CauseNamed("binary-missing")
		cause.Reason += fmt.Sprintf(": no %s in %s", binary, searchPath)
		return "", cause
	}
	return "", judgeBinary(found, err)
}

// executable reports why a file cannot be executed by the calling user.
func executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return syscall.EACCES
	}
	const execute = 1 // X_OK
	return syscall.Access(path, execute)
}

// judgeBinary turns the error of looking at or running a program into a cause
// that names it.
func judgeBinary(path string, err error) bridge.Cause {
	var c bridge.Cause
	switch {
	case err == nil:
		return c
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		c = CauseNamed("binary-missing")
		c.Reason = whatIsMissing(path)
		return c
	case errors.Is(err, fs.ErrPermission):
		c = CauseNamed("binary-not-executable")
	case errors.Is(err, syscall.ENOEXEC):
		c = CauseNamed("binary-exec-format")
	default:
		return CauseNamed("binary-failed")
	}
	c.Reason += ": " + path
	return c
}

// whatIsMissing tells what the system's «no such file» is about: the file, what
// a link leads to, or what is to run it.
func whatIsMissing(path string) string {
	if _, err := os.Stat(path); err == nil {
		return "the claude binary " + path + " cannot run: the interpreter or loader that it names does not exist"
	}
	if target, err := os.Readlink(path); err == nil {
		return "the claude binary " + path + " is a symbolic link to " + target + ", which does not exist"
	}
	return "the claude binary " + path + " does not exist"
}

// isThere reports whether there is a directory entry, if only a dangling link.
func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// CheckVersion runs claude --version and compares the answer with minVersion
// ("" accepts any). It must really be run: an unfinished npm installation
// leaves a text file where the program belongs, which only execve notices. A
// zero cause means that the binary will do.
func CheckVersion(ctx context.Context, run Run, path, minVersion string) (version string, cause bridge.Cause) {
	ctx, cancel := context.WithTimeout(ctx, VersionTimeout)
	defer cancel()
	out, exit, err := run(ctx, path, "--version")
	if err != nil {
		cause = judgeBinary(path, err)
		if cause.Name == "binary-failed" && errors.Is(err, context.DeadlineExceeded) {
			cause.Reason = fmt.Sprintf("claude --version did not answer within %s", VersionTimeout)
		}
		return "", cause
	}
	version, ok := ParseVersion(string(out))
	switch {
	case exit != 0:
		cause = CauseNamed("binary-failed")
		cause.Reason = fmt.Sprintf("claude --version ended with exit status %d", exit)
	case !ok:
		cause = CauseNamed("binary-failed")
		cause.Reason = fmt.Sprintf("claude --version answered %.40q, which is no version", strings.ToValidUTF8(string(out[:min(len(out), 40)]), "\uFFFD"))
	case minVersion != "" && CompareVersions(version, minVersion) < 0:
		cause = CauseNamed("binary-too-old")
		cause.Reason = fmt.Sprintf("claude %s is older than min_version %s", version, minVersion)
	}
	return version, cause
}

// ParseVersion reads "2.1.330 (Claude Code)".
func ParseVersion(out string) (version string, ok bool) {
	first, _, _ := strings.Cut(strings.TrimSpace(out), " ")
	if first == "" || len(first) > 40 || first[0] < '0' || first[0] > '9' {
		return "", false
	}
	for i := 0; i < len(first); i++ {
		if !isAlnum(first[i]) && first[i] != '.' && first[i] != '-' && first[i] != '+' {
			return "", false
		}
	}
	return first, true
}

// versionNumbers reads up to four numbers; it stops at what is none.
func versionNumbers(s string) (parts [4]uint64) {
	s = strings.TrimPrefix(s, "v")
	for i := range parts {
		field, rest, more := strings.Cut(s, ".")
		end := 0
		for end < len(field) && field[end] >= '0' && field[end] <= '9' {
			end++
		}
		parts[i], _ = strconv.ParseUint(field[:end], 10, 63)
		if !more || end < len(field) {
			return parts
		}
		s = rest
	}
	return parts
}
