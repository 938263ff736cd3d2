package claude

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Dirs say where claude keeps the files of one user.
type Dirs struct {
	Home      string // absolute
	ConfigDir string // CLAUDE_CONFIG_DIR of the bridge's environment, "" where unset
}

// Data is the directory of settings, sessions and projects: ~/.claude.
func (d Dirs) Data() string {
	if d.ConfigDir != "" {
		return d.ConfigDir
	}
	return filepath.Join(d.Home, ".claude")
}

// Config is claude's configuration file: ~/.claude.json.
func (d Dirs) Config() string {
	if d.ConfigDir != "" {
		return filepath.Join(d.ConfigDir, ".claude.json")
	}
	return filepath.Join(d.Home, ".claude.json")
}

// Whatever an agent may write, an agent may have replaced: by a link, a pipe
// that blocks its reader for ever, or a file without end.
var (
	errIrregular = errors.New("it is no regular file")
	errTooLarge  = errors.New("it is too large")
)

// foreignFile is a file that somebody else wrote.
type foreignFile struct {
	data    []byte
	mode    fs.FileMode
	uid     uint32
	modTime time.Time
}

// readForeign reads a regular file of at most limit bytes. It never follows a
// link at the end of path unless asked to, and never blocks. The error is a
// *fs.PathError around the system's error, errIrregular or errTooLarge.
func readForeign(path string, limit int64, follow bool) (foreignFile, error) {
	flags := os.O_RDONLY | syscall.O_NONBLOCK | syscall.O_NOCTTY
	if !follow {
		flags |= syscall.O_NOFOLLOW
	}
	fail := func(err error) (foreignFile, error) {
		return foreignFile{}, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	file, err := os.OpenFile(path, flags, 0)
	switch {
	case errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.ENXIO):
		return fail(errIrregular)
	case err != nil:
		return foreignFile{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return foreignFile{}, err
	}
	if !info.Mode().IsRegular() {
		return fail(errIrregular)
	}
	if info.Size() > limit {
		return fail(errTooLarge)
	}
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return foreignFile{}, err
	}
	if int64(len(data)) > limit {
		return fail(errTooLarge)
	}
	f := foreignFile{data: data, mode: info.Mode().Perm(), modTime: info.ModTime()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		f.uid = st.Uid
	}
	return f, nil
}

// cannot wraps an error in "cannot VERB OBJECT".
func cannot(verb, object string, err error) error {
	return fmt.Errorf("cannot %s %s: %w", verb, object, err)
}
