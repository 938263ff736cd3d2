package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// debugFile is the file of --debug-file (claude-cli.md §5): appended to, made
// with its directories, one record a line, `latest` beside it. A nil one
// swallows everything.
type debugFile struct {
	mu     sync.Mutex
	path   string
	file   *os.File
	byName bool // open again for each record: survives a rotation
	lines  int
}

func openDebug(path string, byName bool) *debugFile {
	if path == "" {
		return nil
	}
	_ = os.MkdirAll(filepath.Dir(path), 0o777)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return nil // what the real one does is not known (§15.4)
	}
	d := &debugFile{path: path, file: f, byName: byName}
	d.linkLatest()
	return d
}

// linkLatest points `latest` at the file; a regular file of that name stays.
func (d *debugFile) linkLatest() {
	link := filepath.Join(filepath.Dir(d.path), "latest")
	if info, err := os.Lstat(link); err == nil {
		if info.Mode()&os.ModeSymlink == 0 {
			return
		}
		_ = os.Remove(link)
	}
	_ = os.Symlink(d.path, link)
}

// log writes one record. Several lines become one JSON-quoted line, and now
// and then a record carries a time a little before its predecessor's.
func (d *debugFile) log(level, format string, args ...any) {
	if d == nil {
		return
	}
	text := fmt.Sprintf(format, args...)
	if strings.Contains(text, "\n") {
		quoted, _ := json.Marshal(text)
		text = string(quoted)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	at := time.Now().UTC()
	if d.lines++; d.lines%7 == 0 {
		at = at.Add(-2 * time.Millisecond)
	}
	d.append([]byte(at.Format("2006-01-02T15:04:05.000Z") + " [" + level + "] " + text + "\n"))
}

func (d *debugFile) debug(format string, args ...any) { d.log("DEBUG", format, args...) }

// raw appends bytes that are no record (flood).
func (d *debugFile) raw(b []byte) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.append(b)
}

func (d *debugFile) append(b []byte) {
	if d.byName {
		if f, err := os.OpenFile(d.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666); err == nil {
			_ = d.file.Close()
			d.file = f
		}
	}
	_, _ = d.file.Write(b)
}

// startupNoise is what comes first for a server (2.1.330 [RAN], shortened).
func (d *debugFile) startupNoise(p places) {
	d.debug("Config file read as missing at start-up: looking again.")
	d.debug("MDM settings load completed in 0ms")
	for _, path := range []string{filepath.Join(p.configDir, "settings.json"), "/etc/claude-code/managed-settings.json",
		filepath.Join(p.cwd, ".claude", "settings.json"), filepath.Join(p.cwd, ".claude", "settings.local.json")} {
		d.debug("Broken symlink or missing file encountered for settings.json at path: %s", path)
	}
	d.debug("CA certs: Config fallback - globalEnv keys: , settingsEnv keys: none")
	d.debug("CA certs: stores=bundled,system, extraCertsPath=undefined")
	d.debug("CA certs: Loaded 118 bundled root certificates")
	d.debug("CA certs: Dropped 4 expired certificate(s) from system store")
	d.debug("CA certs: Loaded 141 system CA certificates")
	// A record of several lines is JSON-quoted (claude-cli.md §5).
	d.log("WARN", "git clone failed: fatal: unable to access the plugin marketplace\nretrying with SSH")
	d.debug("mTLS: Creating HTTPS agent with custom certificates")
}

// interfaceNoise is what comes first for the interactive form (2.1.330 [RAN],
// shortened).
func (d *debugFile) interfaceNoise(p places) {
	d.startupNoise(p)
	d.debug("[init] configureGlobalMTLS starting")
	d.debug("[init] configureGlobalMTLS complete")
	d.debug("[init] configureGlobalAgents complete")
	d.debug("[ToolSearch:optimistic] mode=tst, ENABLE_TOOL_SEARCH=undefined, result=true")
	d.debug("[STARTUP] Loading MCP configs...")
	d.debug("[STARTUP] Running setup()...")
	d.debug("Found 5 plugins (5 enabled, 0 disabled)")
	d.log("INFO", "[uds-messaging] Listening: /tmp/cc-socks/%d.sock", os.Getpid())
	d.debug("Error log sink initialized")
}
