package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"
)

// registryEntry is <config>/sessions/<pid>.json (claude-cli.md §7).
type registryEntry struct {
	PID                 int      `json:"pid"`
	SessionID           string   `json:"sessionId"`
	CWD                 string   `json:"cwd"`
	StartedAt           int64    `json:"startedAt"`
	ProcStart           string   `json:"procStart"`
	Version             string   `json:"version"`
	PeerProtocol        int      `json:"peerProtocol"`
	PeerFeatures        []string `json:"peerFeatures"`
	Kind                string   `json:"kind"`
	Entrypoint          string   `json:"entrypoint"`
	PIDDomain           string   `json:"pidDomain"`
	MessagingSocketPath string   `json:"messagingSocketPath"`
	Name                string   `json:"name"`
	NameSource          string   `json:"nameSource"`
	NameSince           int64    `json:"nameSince"`
	Status              string   `json:"status"`
	WaitingFor          string   `json:"waitingFor,omitempty"`
	UpdatedAt           int64    `json:"updatedAt"`
	StatusUpdatedAt     int64    `json:"statusUpdatedAt"`
	BridgeSessionID     string   `json:"bridgeSessionId,omitempty"`

	dir string
}

func (p places) newEntry(id identity, flags parsed, set *settings) registryEntry {
	now := time.Now().UnixMilli()
	pid := os.Getpid()
	e := registryEntry{
		PID: pid, SessionID: id.local, CWD: p.cwd, StartedAt: now, ProcStart: processStart(pid), Version: "2.1.330",
		PeerProtocol: 1, PeerFeatures: []string{}, Kind: "interactive", Entrypoint: "cli",
		PIDDomain:           fmt.Sprintf("linux:%s:pid:[4026531836]", id.bridge[:8]),
		MessagingSocketPath: fmt.Sprintf("/tmp/cc-socks/%d.sock", pid), Name: nameOf(flags, p.cwd), NameSource: "derived", NameSince: now,
		Status: set.str("session-status", "idle"), UpdatedAt: now, StatusUpdatedAt: now,
		dir: filepath.Join(p.configDir, "sessions"),
	}
	if id := flags.values["--session-id"]; id != "" {
		e.SessionID = id
	}
	if e.Status == "waiting" {
		e.WaitingFor = "permission prompt"
	}
	return e
}

func (e *registryEntry) file() string { return filepath.Join(e.dir, strconv.Itoa(e.PID)+".json") }

func (e *registryEntry) keyFile() string {
	sum := sha256.Sum256([]byte(e.SessionID))
	return filepath.Join(e.dir, strconv.Itoa(e.PID)+"."+hex.EncodeToString(sum[:])+".key")
}

// writeKey comes before the trust dialog, the entry itself after it (§7).
func (e *registryEntry) writeKey() {
	_ = os.MkdirAll(e.dir, 0o700)
	text, _ := json.Marshal(map[string]string{"peerToken": randomHex(16), "procStart": e.ProcStart, "pidDomain": e.PIDDomain})
	_ = os.WriteFile(e.keyFile(), text, 0o600)
}

func (e *registryEntry) write() {
	e.UpdatedAt = time.Now().UnixMilli()
	text, _ := json.Marshal(e)
	temporary := e.file() + ".tmp"
	if os.WriteFile(temporary, text, 0o644) == nil {
		_ = os.Rename(temporary, e.file())
	}
}

func (e *registryEntry) remove() {
	if e.dir != "" {
		_ = os.Remove(e.file())
		_ = os.Remove(e.keyFile())
	}
}

// agents is `claude agents --json`: the live entries (claude-cli.md §7).
func (c *cli) agents(args []string) outcome {
	specs := map[string]flagSpec{}
	add(specs, bare, "--json", "--all", "--help")
	add(specs, needs, "--cwd")
	p, bad := parse(args, specs)
	if bad != "" {
		fmt.Fprintln(os.Stderr, "error:", bad)
		return outcome{code: 1}
	}
	type listed struct {
		PID        int    `json:"pid"`
		CWD        string `json:"cwd"`
		Kind       string `json:"kind"`
		StartedAt  int64  `json:"startedAt"`
		SessionID  string `json:"sessionId"`
		Name       string `json:"name"`
		Status     string `json:"status"`
		WaitingFor string `json:"waitingFor,omitempty"`
	}
	list := []listed{}
	files, _ := filepath.Glob(filepath.Join(c.places.configDir, "sessions", "*.json"))
	sort.Strings(files)
	for _, file := range files {
		var e registryEntry
		text, err := os.ReadFile(file)
		if err != nil || json.Unmarshal(text, &e) != nil || processStart(e.PID) != e.ProcStart {
			continue
		}
		if dir := p.values["--cwd"]; dir != "" && !strings.HasPrefix(e.CWD, dir) {
			continue
		}
		list = append(list, listed{PID: e.PID, CWD: e.CWD, Kind: e.Kind, StartedAt: e.StartedAt, SessionID: e.SessionID,
			Name: e.Name, Status: e.Status, WaitingFor: e.WaitingFor})
	}
	text, _ := json.MarshalIndent(list, "", "  ")
	return c.print(string(text) + "\n")
}
