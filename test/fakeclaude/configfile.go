package main

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// globalConfig is ~/.claude.json as read at start (claude-cli.md §7).
type globalConfig struct {
	places places
	dbg    *debugFile
	set    *settings
	values map[string]any
}

// readConfig reads the file; fault is the JSON error's text, empty when the
// file is missing, empty or good.
func (c *cli) readConfig(dbg *debugFile) (g *globalConfig, fault string) {
	g = &globalConfig{places: c.places, dbg: dbg, set: c.set}
	text, err := os.ReadFile(c.places.configFile)
	if err != nil {
		return g, ""
	}
	if len(bytes.TrimSpace(text)) == 0 {
		fmt.Fprintf(os.Stderr, "Claude configuration file at %s is empty\n", c.places.configFile)
		return g, ""
	}
	if g.values, err = decodeObject(text); err != nil {
		g.keepCorrupted(text)
		return g, "JSON Parse error: Unexpected token"
	}
	return g, ""
}

// keepCorrupted copies a damaged file to the backups (claude-cli.md §7).
func (g *globalConfig) keepCorrupted(text []byte) {
	dir := filepath.Join(g.places.configDir, "backups")
	_ = os.MkdirAll(dir, 0o700)
	_ = os.WriteFile(filepath.Join(dir, fmt.Sprintf(".claude.json.corrupted.%d", time.Now().UnixMilli())), text, 0o600)
}

func decodeObject(text []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var values map[string]any
	err := d.Decode(&values)
	return values, err
}

func (g *globalConfig) flagSet(key string) bool { on, _ := g.values[key].(bool); return on }

// project is the entry of one directory, or nil.
func (g *globalConfig) project(dir string) map[string]any {
	all, _ := g.values["projects"].(map[string]any)
	entry, _ := all[dir].(map[string]any)
	return entry
}

// trusted follows the inheritance measured in claude-cli.md §4: downwards
// from a trusted parent, but not into a nested git repository.
func (g *globalConfig) trusted() bool {
	for dir := g.places.cwd; ; dir = filepath.Dir(dir) {
		if yes, _ := g.project(dir)["hasTrustDialogAccepted"].(bool); yes {
			return true
		}
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil || dir == filepath.Dir(dir) {
			return false
		}
	}
}

// saveProject sets one key of the current project's entry.
func (g *globalConfig) saveProject(key string, value any) {
	if g.places.cwd == g.places.home && key == "hasTrustDialogAccepted" {
		return // trust for the home directory itself is never saved (§4)
	}
	g.save(func(values map[string]any) {
		all, _ := values["projects"].(map[string]any)
		if all == nil {
			all = map[string]any{}
			values["projects"] = all
		}
		entry, _ := all[g.places.cwd].(map[string]any)
		if entry == nil {
			entry = map[string]any{"allowedTools": []any{}, "mcpContextUris": []any{}, "mcpServers": map[string]any{},
				"enabledMcpjsonServers": []any{}, "disabledMcpjsonServers": []any{}, "hasTrustDialogAccepted": false}
			all[g.places.cwd] = entry
		}
		entry[key] = value
	})
}

// save rewrites the file under the CLI's lock, a directory made by mkdir. A
// lock that stays held is overridden after 1.5 s with an ERROR in the debug
// file (claude-cli.md §7).
func (g *globalConfig) save(change func(map[string]any)) {
	lock := g.places.configFile + ".lock"
	held := g.takeLock(lock)
	if held && !g.set.on("lock-held") {
		defer func() { _ = os.Remove(lock) }()
	}
	text, err := os.ReadFile(g.places.configFile)
	mode := os.FileMode(0o600)
	values := map[string]any{}
	if err == nil && len(bytes.TrimSpace(text)) > 0 {
		if values, err = decodeObject(text); err != nil {
			return
		}
		if info, err := os.Stat(g.places.configFile); err == nil {
			mode = info.Mode().Perm()
		}
	}
	change(values)
	g.values = values
	g.replace(values, mode)
}

func (g *globalConfig) takeLock(lock string) bool {
	_ = os.MkdirAll(filepath.Dir(lock), 0o700)
	for deadline := time.Now().Add(g.set.scaled(1500 * time.Millisecond)); ; time.Sleep(5 * time.Millisecond) {
		if os.Mkdir(lock, 0o755) == nil {
			return true
		}
		if time.Now().After(deadline) {
			g.dbg.log("ERROR", "Failed to save config with lock: Error: Lock file is already being held")
			return false
		}
	}
}

func (g *globalConfig) replace(values map[string]any, mode os.FileMode) {
	text, err := json.MarshalIndent(values, "", "  ")
	if err != nil {
		return
	}
	temporary := fmt.Sprintf("%s.tmp.%d.%s", g.places.configFile, os.Getpid(), randomHex(6))
	if err := os.WriteFile(temporary, text, mode); err != nil {
		return
	}
	if g.set.on("lock-held") { // a short command that exits in the middle (§7)
		_ = os.WriteFile(g.places.configFile+".tmp.99999."+randomHex(6), text, mode)
	}
	_ = os.Rename(temporary, g.places.configFile)
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

func randomUUID() string {
	h := randomHex(16)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}
