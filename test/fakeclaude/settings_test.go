package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestSettingsLayers(t *testing.T) {
	home := t.TempDir()
	project := filepath.Join(home, "crash-after_5.signal_9--blog")
	for path, text := range map[string]string{
		filepath.Join(home, ".fakeclaude"):    "# defaults\nmode=never-ready\nscale=0.5\ntrust=yes\n",
		filepath.Join(project, ".fakeclaude"): "scale=0.25\ncount=10\n",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s, err := loadSettings([]string{"FAKECLAUDE_COUNT_TO=both"}, home, project)
	if err != nil {
		t.Fatal(err)
	}
	_, opts := s.value("crash-after")
	if s.after("crash-after", 0) != 1250*time.Millisecond || opts["signal"] != "9" || s.on("never-ready") ||
		s.str("count-to", "") != "both" || s.number("count", 0) != 10 || !s.on("trust") {
		t.Errorf("settings %v", s.active())
	}
	s, err = loadSettings([]string{"FAKECLAUDE_MODE=ready,fork-children=2:setsid"}, home, project)
	if err != nil || s.on("crash-after") || s.number("fork-children", 0) != 2 {
		t.Errorf("settings %v, %v", s.active(), err)
	}
	if layer := directoryLayer("my-project--v2"); layer != nil {
		t.Errorf("a name became a mode: %v", layer)
	}
	if _, err := loadSettings([]string{"FAKECLAUDE_SCALE=fast"}, home, home); err == nil {
		t.Error("scale=fast was taken")
	}
}

func TestSlug(t *testing.T) {
	// The measured pair of claude-cli.md §7.
	if got := slug("/srv/sl/My_Proj.v1 (x)é-日本"); got != "-srv-sl-My-Proj-v1--x-----" {
		t.Errorf("slug %q", got)
	}
}

func TestWrap(t *testing.T) {
	rows := wrap("\x1b[36mab✔︎cd\x1b[39m", 3)
	if len(rows) != 2 || rows[0] != "\x1b[36mab✔︎" || rows[1] != "cd\x1b[39m" {
		t.Errorf("rows %q", rows)
	}
}

func TestParse(t *testing.T) {
	p, bad := parse([]string{"--remote-control", "--debug-file=/d", "-c", "-w", "x", "--no-chrome", "hello"}, topFlags())
	if bad != "" || p.values["--remote-control"] != "" || p.values["--debug-file"] != "/d" || p.values["--worktree"] != "x" ||
		!p.on("--continue") || !p.on("--no-chrome") || len(p.words) != 1 {
		t.Errorf("parsed %+v, %q", p, bad)
	}
	p, bad = parse([]string{"-d", "--spawn=session", "--capacity", "4", "-v"}, serverFlags())
	if bad != "" || p.values["--capacity"] != "4" || p.values["--spawn"] != "session" || !p.on("--verbose") {
		t.Errorf("parsed %+v, %q", p, bad)
	}
	if _, bad = parse([]string{"--capacity"}, serverFlags()); bad == "" {
		t.Error("a missing value was taken")
	}
}
