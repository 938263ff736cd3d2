package main

import (
	"fmt"
	"path/filepath"
	"time"
)

// pane is the screen of a server in one state (captures of 2.1.173, 2.1.220
// and 2.1.233, claude-cli.md §10.3).
func (s *server) pane(mark, word string, more ...string) []string {
	if s.screen.tty {
		mark = "\x1b[36m" + mark + "\x1b[39m"
	}
	head := fmt.Sprintf("%s %s", mark, word)
	for _, part := range more {
		head += " · " + part
	}
	if len(more) == 0 {
		head += " · " + s.displayName() + " · " + s.branch()
	}
	return []string{head, ""}
}

// displayName is the directory's name; --name names the session, not this.
func (s *server) displayName() string { return filepath.Base(s.places.cwd) }

// servicePane is the pane of a registered server.
func (s *server) servicePane() []string {
	word, invitation := "Ready", "Code anywhere with the Claude mobile app or "
	keys := "space to show QR code"
	if s.sessions > 0 {
		word, invitation = "Connected", "Continue coding in the Claude mobile app or "
		keys += " · w to toggle spawn mode"
	}
	where := "New sessions will be created in the current directory"
	if s.spawnMode() == "worktree" {
		where = "New sessions will be created in an isolated worktree"
	}
	link := s.id.environmentLink()
	if s.spawnMode() == "session" {
		link = s.id.sessionLink()
	}
	lines := s.pane("·✔︎·", word)[:1]
	lines = append(lines, fmt.Sprintf("    Capacity: %d/%d · %s", s.sessions, s.capacity, where))
	for range min(s.sessions, 5) {
		lines = append(lines, "    "+s.title())
	}
	lines = append(lines, invitation+link)
	if s.flags.on("--verbose") {
		lines = append(lines, "Environment ID: "+s.id.environment)
	}
	return append(lines, keys)
}

// title is the session's: an explicit --name first (claude-cli.md §9).
func (s *server) title() string {
	if name := s.flags.values["--name"]; name != "" {
		return name
	}
	prefix := s.flags.values["--remote-control-session-name-prefix"]
	if prefix == "" {
		prefix = "host"
	}
	return s.set.str("session-title", prefix+"-graceful-unicorn")
}

// spin redraws Connecting every 0.1 s and later every second, until the
// returned function is called, which waits for the last drawing.
func (s *server) spin() (stop func()) {
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		frames := []string{"·|·", "·/·", "·-·", "·\\·"}
		for i := 0; ; i++ {
			s.screen.draw(s.pane(frames[i%len(frames)], "Connecting"))
			wait := 100 * time.Millisecond
			if i > 20 {
				wait = time.Second
			}
			t := time.NewTimer(max(s.set.scaled(wait), 10*time.Millisecond))
			select {
			case <-done:
			case <-s.over:
			case <-t.C:
				continue
			}
			t.Stop()
			return
		}
	}()
	return func() { close(done); <-gone }
}

// reconnecting shows the panes of a lost connection for d, and tells whether
// life goes on.
func (s *server) reconnecting(d time.Duration) bool {
	begun := time.Now()
	for time.Since(begun) < d {
		away := time.Since(begun).Round(time.Second)
		s.screen.draw(s.pane("·|·", "Reconnecting", "retrying in 2.5s", fmt.Sprintf("disconnected %s", away)))
		if !s.pause(min(max(s.set.scaled(time.Second), 20*time.Millisecond), d)) {
			return false
		}
	}
	return true
}

// resized draws again at the new size.
func (b *bridge) resized() {
	rows, cols := windowSize(1)
	b.rec.event("winsize", "rows", rows, "cols", cols)
	if b.screen.full {
		b.drawFull()
		return
	}
	go b.screen.redraw()
}
