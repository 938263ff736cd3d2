package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf16"
)

// identity is the set of ids of one bridge (claude-cli.md §10.1).
type identity struct {
	environment string // env_…
	suffix      string // shared by session_… and cse_…
	bridge      string // UUID
	local       string // UUID of the local session
}

func (i identity) session() string { return "session_" + i.suffix }
func (i identity) work() string    { return "cse_" + i.suffix }
func (i identity) environmentLink() string {
	return "https://claude.ai/code?environment=" + i.environment
}
func (i identity) sessionLink() string { return "https://claude.ai/code/" + i.session() }

// newIdentity derives the environment from the directory, as the service
// does, and draws the rest.
func (c *cli) newIdentity() identity {
	sum := sha256.Sum256([]byte(c.places.cwd))
	env := "env_" + ulidLike(sum[:])
	if c.set.on("env-id-change") {
		env = "env_" + randomID()
	}
	return identity{
		environment: c.set.str("env-id", env), suffix: c.set.str("session", randomID()),
		bridge: randomUUID(), local: randomUUID(),
	}
}

func randomID() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return ulidLike(b)
}

// ulidLike is "01" and 22 characters of Crockford's alphabet.
func ulidLike(seed []byte) string {
	const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	b := []byte("01")
	for _, s := range seed[:22] {
		b = append(b, alphabet[s%32])
	}
	return string(b)
}

// slug is the directory name under projects/ (claude-cli.md §7): one dash for
// each UTF-16 unit outside [A-Za-z0-9]; over 200 characters the real one adds
// a hash of unknown making.
func slug(path string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(path)) {
		switch {
		case u >= 'a' && u <= 'z', u >= 'A' && u <= 'Z', u >= '0' && u <= '9':
			b.WriteByte(byte(u))
		default:
			b.WriteByte('-')
		}
	}
	s := b.String()
	if len(s) > 200 {
		sum := sha256.Sum256([]byte(path))
		s = s[:200] + "-" + strings.ToLower(ulidLike(sum[:])[2:8])
	}
	return s
}

func (p places) projectDir() string { return filepath.Join(p.configDir, "projects", slug(p.cwd)) }

// pointer is bridge-pointer.json (claude-cli.md §10.5).
type pointer struct {
	SessionID     string `json:"sessionId"`
	EnvironmentID string `json:"environmentId"`
	Source        string `json:"source"`
	PID           int    `json:"pid"`
	ProcStart     string `json:"procStart"`
}

func (p places) pointerFile() string { return filepath.Join(p.projectDir(), "bridge-pointer.json") }

// freshPointer is the pointer if it is younger than about 4 hours.
func (p places) freshPointer() (pointer, bool) {
	var found pointer
	info, err := os.Stat(p.pointerFile())
	if err != nil || time.Since(info.ModTime()) > 4*time.Hour {
		return found, false
	}
	text, err := os.ReadFile(p.pointerFile())
	if err != nil || json.Unmarshal(text, &found) != nil || found.EnvironmentID == "" {
		return found, false
	}
	return found, true
}

func (p places) writePointer(id identity) {
	text, _ := json.Marshal(pointer{id.session(), id.environment, "standalone", os.Getpid(), processStart(os.Getpid())})
	_ = os.MkdirAll(p.projectDir(), 0o700)
	_ = os.WriteFile(p.pointerFile(), text, 0o600)
}

// processStart is field 22 of /proc/PID/stat: clock ticks since boot.
func processStart(pid int) string {
	text := readText(fmt.Sprintf("/proc/%d/stat", pid))
	// The command name may hold spaces and parentheses; it ends at the last ")".
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return "0"
	}
	return fields[19]
}
