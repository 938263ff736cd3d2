package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"clauster/test/realclaude"
)

// answer is what a command did.
type answer struct {
	stdout, stderr string
	code           int
}

// bothAnswer runs the same command with the stand-in logged out and with the
// real CLI, each in a fresh HOME whose name is replaced by HOME.
func bothAnswer(t *testing.T, args ...string) (fake, real answer) {
	t.Helper()
	path := realclaude.Path(t)
	ask := func(executable string) answer {
		s := newStage(t, "")
		s.write(filepath.Join(s.home, ".fakeclaude"), "login=out\n") // no claude reads it but ours
		s.executable = executable
		cmd := s.command(args...)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		cmd.WaitDelay = time.Minute
		_ = cmd.Run()
		clean := func(b bytes.Buffer) string { return strings.ReplaceAll(b.String(), s.home, "HOME") }
		return answer{clean(out), clean(errs), exitOf(cmd.ProcessState)}
	}
	fake, real = ask(binary(t)), ask(path)
	t.Logf("real claude %s: exit %d, %d bytes on stdout, %d on stderr", strings.Join(args, " "), real.code, len(real.stdout), len(real.stderr))
	return fake, real
}

func TestRealVersion(t *testing.T) {
	fake, real := bothAnswer(t, "--version")
	if real != fake {
		t.Errorf("real %+v, fake %+v", real, fake)
	}
}

func TestRealAuthStatus(t *testing.T) {
	fake, real := bothAnswer(t, "auth", "status")
	var ofReal, ofFake map[string]any
	if err := json.Unmarshal([]byte(real.stdout), &ofReal); err != nil {
		t.Fatalf("the real one prints no JSON: %v: %q", err, real.stdout)
	}
	if err := json.Unmarshal([]byte(fake.stdout), &ofFake); err != nil {
		t.Fatal(err)
	}
	for key, value := range ofReal {
		if got, known := ofFake[key]; !known || got != value {
			t.Errorf("%s: real %v, fake %v", key, value, got)
		}
	}
	if len(ofReal) != len(ofFake) || real.code != fake.code || real.stderr != fake.stderr {
		t.Errorf("real %+v\nfake %+v", real, fake)
	}
	fake, real = bothAnswer(t, "auth", "status", "--text")
	if real != fake {
		t.Errorf("--text: real %+v, fake %+v", real, fake)
	}
}

func TestRealDoctor(t *testing.T) {
	fake, real := bothAnswer(t, "doctor")
	if real.code != fake.code {
		t.Errorf("exit: real %d, fake %d", real.code, fake.code)
	}
	_, section, found := strings.Cut(fake.stdout, "\nRemote Control\n")
	if !found {
		t.Fatal("the stand-in has no section Remote Control")
	}
	for _, line := range strings.Split(strings.TrimSpace(section), "\n") {
		if !strings.Contains(real.stdout, line) {
			t.Errorf("the real doctor does not say %q:\n%s", line, real.stdout)
		}
	}
}

func TestRealRemoteControlRefuses(t *testing.T) {
	for _, args := range [][]string{
		{"remote-control"}, {"rc"}, {"remote-control", "--spawn", "nope", "--nonsense"},
		{"remote-control", "--name", "x", "--spawn=same-dir", "--capacity", "4", "--verbose"}, {"remote-control", "-d"},
	} {
		fake, real := bothAnswer(t, args...)
		if real != fake {
			t.Errorf("%v:\nreal %+v\nfake %+v", args, real, fake)
		}
	}
}

func TestRealHelpNamesOurFlags(t *testing.T) {
	_, real := bothAnswer(t, "remote-control", "--help")
	if real.code != 0 || !strings.HasPrefix(real.stdout, "\n") {
		t.Errorf("exit %d, %q", real.code, real.stdout[:min(40, len(real.stdout))])
	}
	for name := range serverFlags() {
		plain := strings.TrimPrefix(strings.TrimPrefix(name, "--no-"), "--") // shown as --[no-]name
		if !strings.Contains(real.stdout, plain) {
			t.Errorf("the real help does not name %s", name)
		}
	}
}

func TestRealUnknowns(t *testing.T) {
	for _, args := range [][]string{{"--bogus-flag"}, {"auth", "bogus"}, {"agents", "--json"}, {"mcp", "list"}} {
		fake, real := bothAnswer(t, args...)
		first := func(s string) string { line, _, _ := strings.Cut(s, "\n"); return line }
		if first(real.stderr) != first(fake.stderr) || first(real.stdout) != first(fake.stdout) || real.code != fake.code {
			t.Errorf("%v:\nreal %+v\nfake %+v", args, real, fake)
		}
	}
}

// TestRealFlagForm compares the trust dialog's exits on a terminal.
func TestRealFlagForm(t *testing.T) {
	path := realclaude.Path(t)
	for name, row := range map[string]struct {
		signal syscall.Signal
		exit   int
	}{"TERM": {syscall.SIGTERM, 143}, "INT": {syscall.SIGINT, 0}, "HUP": {syscall.SIGHUP, 129}} {
		for kind, executable := range map[string]string{"real": path, "fake": binary(t)} {
			t.Run(kind+" "+name, func(t *testing.T) {
				s := newStage(t, "")
				s.write(filepath.Join(s.home, ".fakeclaude"), "login=out\n")
				s.write(filepath.Join(s.home, ".claude.json"), `{"hasCompletedOnboarding":true}`)
				s.executable = executable
				s.env = []string{"DISABLE_AUTOUPDATER=1"}
				w := s.start(120, "--remote-control", "demo")
				w.until("the trust dialog", func() bool {
					return strings.Contains(w.screen(), "Yes,") && strings.Contains(w.screen(), "Esc")
				})
				w.signal(row.signal)
				w.exit(row.exit)
			})
		}
	}
}
