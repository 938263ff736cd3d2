package claude

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Bounds of a pointer file and of the directory it is looked for in.
const (
	maxPointer  = 64 << 10
	maxProjects = 20_000
	maxSlug     = 200
)

// PointerAge is how long after its last change a pointer brings a conversation
// back; claude starts a new one after that.
const PointerAge = 4 * time.Hour

// Slug is the name under ~/.claude/projects of a directory (absolute, links
// resolved): every UTF-16 unit outside [A-Za-z0-9] becomes a dash. Two
// directories can have the same slug, so it is only ever resolved forwards. A
// slug of more than 200 units is cut there, and whole is false: claude appends
// a hash nobody knows.
func Slug(path string) (slug string, whole bool) {
	var b strings.Builder
	for _, r := range path {
		switch {
		case r < 0x80 && isAlnum(byte(r)):
			b.WriteByte(byte(r))
		case r > 0xffff:
			b.WriteString("--")
		default:
			b.WriteByte('-')
		}
	}
	slug = b.String()
	if len(slug) > maxSlug {
		return slug[:maxSlug], false
	}
	return slug, true
}

// ProjectDir is where claude keeps the transcripts and the pointer of a
// directory (absolute, links resolved). fs.ErrNotExist where there is none
// yet and its name cannot be known.
func ProjectDir(d Dirs, path string) (string, error) {
	base := filepath.Join(d.Data(), "projects")
	slug, whole := Slug(path)
	if whole {
		return filepath.Join(base, slug), nil
	}
	dir, err := os.Open(base)
	if err != nil {
		return "", cannot("list", base, err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(maxProjects)
	if err != nil && len(names) == 0 {
		return "", cannot("list", base, fs.ErrNotExist)
	}
	found := ""
	for _, name := range names {
		if !strings.HasPrefix(name, slug+"-") {
			continue
		}
		if found != "" {
			return "", cannot("find the project directory of", path, errors.New("several have the same long name"))
		}
		found = name
	}
	if found == "" {
		return "", cannot("find the project directory of", path, fs.ErrNotExist)
	}
	return filepath.Join(base, found), nil
}

// Pointer is what a standard bridge leaves behind so that the next one in the
// directory continues its sessions. Its ids are bearer-like.
type Pointer struct {
	SessionID     string
	EnvironmentID string
	PID           int       // of the claude remote-control that wrote it
	ProcStart     string    // its start, in clock ticks since boot
	Changed       time.Time // the file's time: claude judges the age by it
}

// ReadPointer reads the pointer of a directory (absolute, links resolved);
// fs.ErrNotExist where there is none. It is what its writer says: ids and PID
// are checked for their form only.
func ReadPointer(d Dirs, path string) (Pointer, error) {
	file, err := pointerFile(d, path)
	if err != nil {
		return Pointer{}, err
	}
	f, err := readForeign(file, maxPointer, false)
	if err != nil {
		return Pointer{}, cannot("read", file, err)
	}
	p, err := parsePointer(f.data)
	if err != nil {
		return Pointer{}, cannot("read", file, err)
	}
	p.Changed = f.modTime
	return p, nil
}

func pointerFile(d Dirs, path string) (string, error) {
	dir, err := ProjectDir(d, path)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "bridge-pointer.json"), nil
}

func parsePointer(data []byte) (Pointer, error) {
	var raw struct {
		SessionID     string `json:"sessionId"`
		EnvironmentID string `json:"environmentId"`
		PID           int    `json:"pid"`
		ProcStart     string `json:"procStart"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return Pointer{}, errors.New("it is no pointer")
	}
	p := Pointer{
		SessionID:     wholeID(raw.SessionID),
		EnvironmentID: wholeID(raw.EnvironmentID),
		PID:           max(raw.PID, 0),
	}
	if len(raw.ProcStart) <= 20 && numberOnly(raw.ProcStart) {
		p.ProcStart = raw.ProcStart
	}
	return p, nil
}

// wholeID gives s where it is an id and nothing else.
func wholeID(s string) string {
	if ID(s) != s {
		return ""
	}
	return s
}

func numberOnly(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// ClearPointer moves the pointer of a directory to bridge-pointer.json.bak, so
// that the next bridge starts cold: the remedy for a session that was ended
// for good. cleared is false where there was none.
func ClearPointer(d Dirs, path string) (cleared bool, err error) {
	file, err := pointerFile(d, path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	err = os.Rename(file, file+".bak")
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, cannot("clear", file, err)
	}
	return true, nil
}
