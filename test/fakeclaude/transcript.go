package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// transcript writes a turn to <config>/projects/<slug>/<session>.jsonl, made
// at the first turn (claude-cli.md §7). kind is the error of a synthetic
// answer, empty for an echo.
func (b *bridge) transcript(text, kind string) {
	path := b.transcriptPath()
	_ = os.MkdirAll(filepath.Dir(path), 0o700)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	common := map[string]any{"cwd": b.places.cwd, "sessionId": b.id.local, "version": b.versionNumber(),
		"timestamp": time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), "userType": "external", "entrypoint": "cli", "isSidechain": false}
	write := func(more map[string]any) {
		for k, v := range common {
			more[k] = v
		}
		line, _ := json.Marshal(more)
		_, _ = f.Write(append(line, '\n'))
	}
	write(map[string]any{"type": "user", "uuid": randomUUID(), "message": map[string]any{"role": "user", "content": text}})
	write(map[string]any{"type": "bridge-session", "bridgeSessionId": b.id.session()})
	answer := map[string]any{"role": "assistant", "model": "stand-in", "content": []map[string]string{{"type": "text", "text": "echo: " + text}}}
	if kind == "" {
		write(map[string]any{"type": "assistant", "uuid": randomUUID(), "message": answer})
		return
	}
	answer["model"], answer["content"] = "<synthetic>", []map[string]string{{"type": "text", "text": text}}
	write(map[string]any{"type": "assistant", "uuid": randomUUID(), "isApiErrorMessage": true, "error": kind, "message": answer})
}

func (b *bridge) transcriptPath() string {
	return filepath.Join(b.places.projectDir(), b.id.local+".jsonl")
}

// hook runs the configured command hooks of an event, payload on stdin
// (claude-cli.md §10.9), from the user's and the project's settings.
func (b *bridge) hook(event string, extra map[string]any) {
	if b.set.str("hooks", "yes") == "no" {
		return
	}
	payload := map[string]any{"session_id": b.id.local, "transcript_path": b.transcriptPath(), "cwd": b.places.cwd, "hook_event_name": event}
	for k, v := range extra {
		payload[k] = v
	}
	text, _ := json.Marshal(payload)
	for _, file := range []string{filepath.Join(b.places.configDir, "settings.json"), filepath.Join(b.places.cwd, ".claude", "settings.json")} {
		for _, command := range hookCommands(file, event) {
			b.runHook(command, string(text))
		}
	}
}

func (b *bridge) runHook(command, payload string) {
	ctx, cancel := context.WithTimeout(context.Background(), 1500*time.Millisecond) // the budget of SessionEnd
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.Dir, cmd.Stdin = b.places.cwd, strings.NewReader(payload)
	cmd.Env = append(os.Environ(), "CLAUDECODE=1", "CLAUDE_CODE_ENTRYPOINT=cli", "CLAUDE_CODE_SESSION_ID="+b.id.local,
		"CLAUDE_PID="+strconv.Itoa(os.Getpid()), "CLAUDE_PROJECT_DIR="+b.places.cwd, "CLAUDE_CODE_CHILD_SESSION=1")
	_ = cmd.Run()
}

// hookCommands reads hooks.EVENT[].hooks[].command of one settings file.
func hookCommands(file, event string) []string {
	var settings struct {
		Hooks map[string][]struct {
			Hooks []struct {
				Type    string `json:"type"`
				Command string `json:"command"`
			} `json:"hooks"`
		} `json:"hooks"`
	}
	text, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(text, &settings) != nil {
		return nil
	}
	var commands []string
	for _, group := range settings.Hooks[event] {
		for _, hook := range group.Hooks {
			if hook.Command != "" {
				commands = append(commands, hook.Command)
			}
		}
	}
	return commands
}
