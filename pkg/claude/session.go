package claude

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"clauster/pkg/bridge"
)

const maxSession = 64 << 10

// Session is a live process of claude as it registers itself in
// ~/.claude/sessions/PID.json. For a pty bridge Bridge is the proof that
// Remote Control is connected; it is empty within a second of a disconnection.
type Session struct {
	PID       int
	ProcStart string // start of the process in clock ticks since boot
	ID        string // UUID of the local conversation, for --resume
	Bridge    string // session_… while connected, else "". Bearer-like
	Status    string // idle, busy, shell or waiting
	Version   string
}

// ReadSession reads the entry of a process; fs.ErrNotExist where there is none
// (before the trust question is answered, or not a claude). An entry that
// names another process is refused: a killed claude leaves its own behind and
// PIDs come again, so compare ProcStart with /proc/PID/stat.
func ReadSession(d Dirs, pid int) (Session, error) {
	file := filepath.Join(d.Data(), "sessions", strconv.Itoa(pid)+".json")
	f, err := readForeign(file, maxSession, false)
	if err != nil {
		return Session{}, cannot("read", file, err)
	}
	s, err := parseSession(f.data)
	if err == nil && s.PID != pid {
		err = fmt.Errorf("it is of process %d", s.PID)
	}
	if err != nil {
		return Session{}, cannot("read", file, err)
	}
	return s, nil
}

func parseSession(data []byte) (Session, error) {
	var raw struct {
		PID       int     `json:"pid"`
		ProcStart string  `json:"procStart"`
		SessionID string  `json:"sessionId"`
		Bridge    *string `json:"bridgeSessionId"`
		Status    string  `json:"status"`
		Version   string  `json:"version"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return Session{}, errors.New("it is no session")
	}
	s := Session{PID: raw.PID, ProcStart: raw.ProcStart, ID: raw.SessionID, Status: word([]byte(raw.Status))}
	if !bridge.IsUUID(s.ID) {
		s.ID = ""
	}
	if !numberOnly(s.ProcStart) {
		s.ProcStart = ""
	}
	if raw.Bridge != nil {
		s.Bridge = wholeID(*raw.Bridge)
	}
	s.Version, _ = ParseVersion(raw.Version)
	return s, nil
}
