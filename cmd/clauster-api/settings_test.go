package main

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"clauster/pkg/config"
	"clauster/pkg/wire"
)

// TestSettings: what is in force stays on any fault of the file or of what it
// names, and every look at the file is told.
func TestSettings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clauster.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := 0
	s := &settings{source: config.Source{Path: path, UserMode: true}, log: newLogger(io.Discard, slog.LevelError)}
	s.tell(func() { read++ })
	write("[api\n")
	if s.load() == nil || s.good.Load() || s.config() == nil {
		t.Error("a broken file is in force, or nothing is")
	}
	write("[api]\nidle_exit_seconds = 7\n")
	if p := s.load(); p != nil || !s.good.Load() || s.config().API.IdleExitSeconds != 7 {
		t.Errorf("a good file: %v", p)
	}
	s.check = func(c *config.Config) *wire.Problem {
		if c.API.IdleExitSeconds == 8 {
			return wire.NewProblem(wire.DoorClosed, "cannot use the certificate", "look at it")
		}
		return nil
	}
	for _, text := range []string{"[api]\nidle_exit_seconds = 8\n", "[api]\nidle_exit_seconds = -1\n", "[api\n"} {
		write(text)
		if s.load() == nil || s.faulty() == nil || s.config().API.IdleExitSeconds != 7 {
			t.Errorf("%q: %v, in force %d", text, s.faulty(), s.config().API.IdleExitSeconds)
		}
	}
	write("[api]\nidle_exit_seconds = 9\n")
	if s.load(); s.faulty() != nil || s.config().API.IdleExitSeconds != 9 {
		t.Errorf("corrected: %v", s.faulty())
	}
	if read != 6 {
		t.Errorf("told %d times", read)
	}
}
