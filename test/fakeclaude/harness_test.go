package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// patience is how long a condition may take on a busy machine.
const patience = 20 * time.Second

var built struct {
	once sync.Once
	dir  string
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// binary builds fakeclaude once, static as everyone else does.
func binary(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "fakeclaude"); built.err != nil {
			return
		}
		cmd := exec.Command("go", "build", "-o", filepath.Join(built.dir, "claude"), ".")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("cannot build fakeclaude: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, "claude")
}

// stage is one HOME with one project, both throwaway.
type stage struct {
	t             *testing.T
	home, project string
	debug         string
	env           []string
	executable    string
}

// newStage writes the settings, one per line, into the project's .fakeclaude;
// trust and consent are given unless the settings say otherwise.
func newStage(t *testing.T, settings string) *stage {
	t.Helper()
	home := t.TempDir()
	s := &stage{t: t, home: home, project: filepath.Join(home, "projects", "blog"), debug: filepath.Join(home, "spool", "debug.log"), executable: binary(t)}
	s.write(filepath.Join(s.project, ".fakeclaude"), settings)
	s.write(filepath.Join(home, ".fakeclaude"), "scale=0.02\ntrust=yes\nconsent=yes\n")
	return s
}

func (s *stage) write(path, text string) {
	s.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) command(args ...string) *exec.Cmd {
	cmd := exec.Command(s.executable, args...)
	cmd.Dir = s.project
	cmd.Env = append([]string{"HOME=" + s.home, "PATH=/usr/bin:/bin", "TERM=xterm"}, s.env...)
	return cmd
}

// run executes a command without a terminal to its end.
func (s *stage) run(args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	cmd := s.command(args...)
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	_ = cmd.Run()
	return out.String(), err.String(), exitOf(cmd.ProcessState)
}

// exitOf is the exit code, or minus the signal.
func exitOf(state *os.ProcessState) int {
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return -int(ws.Signal())
	}
	return state.ExitCode()
}

// show is a fakeclaude that runs on a pseudo-terminal.
type show struct {
	*stage
	cmd    *exec.Cmd
	master *os.File
	ended  chan struct{}
	mu     sync.Mutex
	seen   bytes.Buffer
}

// serverArgs are those of a supervisor for the server form.
func (s *stage) serverArgs(more ...string) []string {
	return append([]string{"remote-control", "--name", "blog", "--debug-file", s.debug, "--spawn", "same-dir"}, more...)
}

func (s *stage) flagArgs(more ...string) []string {
	return append([]string{"--remote-control", "blog", "--debug-file", s.debug}, more...)
}

// start runs it on a terminal of 40 rows and cols columns, always drained.
func (s *stage) start(cols uint16, args ...string) *show {
	s.t.Helper()
	w := &show{stage: s, cmd: s.command(args...), ended: make(chan struct{})}
	master, err := pty.StartWithSize(w.cmd, &pty.Winsize{Rows: 40, Cols: cols})
	if err != nil {
		s.t.Fatal(err)
	}
	w.master = pollable(s.t, master)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		buf := make([]byte, 65536)
		for {
			n, err := w.master.Read(buf)
			w.mu.Lock()
			w.seen.Write(buf[:n])
			w.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	go func() { defer close(w.ended); _ = w.cmd.Wait() }()
	s.t.Cleanup(func() {
		_ = w.cmd.Process.Signal(syscall.SIGCONT)
		_ = w.cmd.Process.Kill()
		<-w.ended
		_ = w.master.Close()
		<-drained
	})
	return w
}

// pollable gives the terminal back as a file whose Close ends a Read: the
// library leaves it blocking, and a blocked Read keeps a closed terminal open.
func pollable(t *testing.T, master *os.File) *os.File {
	t.Helper()
	fd, err := unix.Dup(int(master.Fd()))
	if err == nil {
		unix.CloseOnExec(fd)
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = master.Close()
	return os.NewFile(uintptr(fd), "terminal")
}

// screen is everything printed so far.
func (w *show) screen() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen.String()
}

// until waits for a condition and fails with what was seen.
func (w *show) until(what string, condition func() bool) {
	w.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			w.t.Fatalf("%s did not come\nscreen: %q\ndebug:\n%s\nrecord: %v", what, tail(w.screen()), tail(w.text(w.debug)), w.events())
		}
	}
}

func tail(s string) string { return s[max(0, len(s)-3000):] }

func (w *show) untilScreen(text string) {
	w.t.Helper()
	w.until(fmt.Sprintf("screen %q", text), func() bool { return strings.Contains(w.screen(), text) })
}

func (w *show) untilDebug(text string) {
	w.t.Helper()
	w.until(fmt.Sprintf("debug %q", text), func() bool { return strings.Contains(w.text(w.debug), text) })
}

func (w *show) untilEvent(name string) event {
	w.t.Helper()
	var found event
	w.until("event "+name, func() bool {
		for _, e := range w.events() {
			if e["event"] == name {
				found = e
				return true
			}
		}
		return false
	})
	return found
}

// exit waits for the end and compares code (or minus the signal).
func (w *show) exit(want int) {
	w.t.Helper()
	w.until("the end", func() bool {
		select {
		case <-w.ended:
			return true
		default:
			return false
		}
	})
	if got := exitOf(w.cmd.ProcessState); got != want {
		w.t.Errorf("exit %d, want %d\nscreen: %q", got, want, tail(w.screen()))
	}
}

func (w *show) alive() bool {
	select {
	case <-w.ended:
		return false
	default:
		return true
	}
}

func (w *show) signal(sig syscall.Signal) {
	w.t.Helper()
	if err := w.cmd.Process.Signal(sig); err != nil {
		w.t.Error(err)
	}
}

func (w *show) typeKeys(keys string) {
	w.t.Helper()
	if _, err := w.master.WriteString(keys); err != nil {
		w.t.Error(err)
	}
}

func (s *stage) text(path string) string {
	text, _ := os.ReadFile(path)
	return string(text)
}

// event is one line of the side file.
type event map[string]any

func (s *stage) events() []event {
	var list []event
	scanner := bufio.NewScanner(strings.NewReader(s.text(s.debug + ".argv.json")))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var e event
		if json.Unmarshal(scanner.Bytes(), &e) == nil {
			list = append(list, e)
		}
	}
	return list
}

// pointerFile is where this stage's server leaves its pointer.
func (s *stage) pointerFile() string { return findPlaces(s.home, s.project).pointerFile() }
