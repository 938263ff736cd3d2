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

// startupNoise is what comes first for a server (claude-cli.md §5); the parts
// after the named beginnings are filled in.
func (d *debugFile) startupNoise() {
	d.debug("MDM settings load completed in 1ms")
	d.debug("Reading settings: user settings file absent")
	d.debug("CA certs: stores=bundled,system, extraCertsPath=undefined")
	d.debug("CA certs: Loaded 146 bundled root certificates as base")
	d.log("INFO", "mTLS: no client certificate configured")
	d.log("WARN", "git probe: not run\nreason: stand-in")
	d.debug("CA certs: done")
}

// interfaceNoise is what comes first for the interactive form.
func (d *debugFile) interfaceNoise() {
	d.debug("[init] configureGlobalMTLS starting")
	d.debug("[STARTUP] Loading MCP configs...")
	d.debug("[keybindings] no user keybindings")
	d.debug("[sessionRegistry] registered pid=%d", os.Getpid())
	d.debug("[uds-messaging] listening")
	d.debug("[STARTUP] setup() completed in 41ms")
}
