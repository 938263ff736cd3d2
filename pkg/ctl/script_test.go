package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	osuser "os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/control"
	"clauster/pkg/systemd"

	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts in testdata are sessions at a shell: they hold the wording. A
// stand-in for systemd (fakeBus) reads and writes the file $FAKE_SYSTEMD, and
// every absolute path lies under $ROOT.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"clauster-ctl": func() { os.Exit(fakeMain()) }})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup:         setUp,
		Cmds:          map[string]func(*testscript.TestScript, bool, []string){"keeper": keeperCommand, "api": apiCommand},
	})
}

func setUp(env *testscript.Env) error {
	root := filepath.Join(env.WorkDir, "root")
	for _, d := range []string{"run/systemd/system", "run/systemd/journal", "sys/fs/cgroup", "var/lib/clauster/instances",
		"etc/clauster", "home/op/projects/blog/.git", "home/op/projects/shop", "home/op/projects/with space", "proc/sys/kernel", "bin"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return err
		}
	}
	files := map[string]string{
		"sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
		"etc/clauster/clauster.toml":       "user = \"op\"\n",
		"bin/journalctl":                   "#!/bin/sh\necho \"$*\" >>\"$WORK/journalctl.args\"\ncat \"$WORK/journal\" 2>/dev/null\nexit 0\n",
		"usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service": "",
	}
	for name, text := range files {
		path := filepath.Join(root, name)
		if _, err := os.Lstat(path); err == nil {
			continue // the script brought its own
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			return err
		}
	}
	env.Setenv("ROOT", root)
	env.Setenv("FAKE_SYSTEMD", filepath.Join(env.WorkDir, "systemd.json"))
	env.Setenv("FAKE_PID", strconv.Itoa(os.Getpid()))
	env.Setenv("FAKE_UID", "0")
	env.Setenv("USER", "alice")
	env.Setenv("HOME", "/home/op")
	env.Setenv("TZ", "UTC")
	env.Setenv("PATH", filepath.Join(root, "bin")+":"+env.Getenv("PATH"))
	return receiveRequested(env, filepath.Join(root, "run/systemd/journal/socket"))
}

// receiveRequested is a journald that keeps the messages in $WORK/requested.
func receiveRequested(env *testscript.Env, socket string) error {
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(env.WorkDir, "requested"))
	if err != nil {
		return err
	}
	done := make(chan struct{})
	env.Defer(func() { c.Close(); <-done; f.Close() })
	go func() {
		defer close(done)
		buf := make([]byte, 1<<16)
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			_, _ = f.Write(buf[:n])
		}
	}()
	return nil
}

// fakeMain is clauster-ctl in the world of a script.
func fakeMain() int {
	a := New("1.2.3")
	a.Root = os.Getenv("ROOT")
	a.UID, _ = strconv.Atoi(os.Getenv("FAKE_UID"))
	a.Groups = nil
	if os.Getenv("FAKE_GROUP") != "" {
		a.Groups = []int{900}
	}
	a.Now = func() time.Time { return time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC) }
	a.Hostname = func() (string, error) { return "host1", nil }
	a.LookupGroup = func(string) (int, error) { return 900, nil }
	a.LookupUser = func(name string) (*osuser.User, error) {
		if name == "clauster" && os.Getenv("FAKE_OWNER") != "" {
			return &osuser.User{Uid: os.Getenv("FAKE_OWNER"), Gid: "990", Username: name, HomeDir: "/var/lib/clauster"}, nil
		}
		if name != "op" {
			return nil, osuser.UnknownUserError(name)
		}
		return &osuser.User{Uid: os.Getenv("FAKE_UID"), Gid: "0", Username: name, HomeDir: "/home/op"}, nil
	}
	a.JournalReadable = func() bool { return os.Getenv("FAKE_NO_JOURNAL") == "" }
	a.Connect = func(context.Context, systemd.Manager) (Systemd, error) { return loadFake(os.Getenv("FAKE_SYSTEMD")) }
	return a.Run(context.Background(), os.Args[1:])
}

// fakeBus answers from a file and writes jobs back to it.
type fakeBus struct {
	mu   sync.Mutex
	path string

	Release string               `json:"version"`
	Denied  bool                 `json:"denied"`
	Units   map[string]*fakeUnit `json:"units"`
	After   map[string]fakeUnit  `json:"after"` // "VERB UNIT": what the unit is then, Result what the job says
}

type fakeUnit struct {
	Active, Sub, Status, Result string
	Job                         string // result of the job that leads here; "" is done
	Restarts, PID, Exit         int    // PID -1: the test's own process
	Since                       time.Time
	Run                         string
}

func loadFake(path string) (*fakeBus, error) {
	b := &fakeBus{path: path, Release: "252.39-1~deb12u1", Units: map[string]*fakeUnit{}}
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return nil, err
	}
	return b, json.Unmarshal(data, b)
}

func (b *fakeBus) Version(context.Context) (string, error)      { return b.Release, nil }
func (b *fakeBus) ControlGroup(context.Context) (string, error) { return "", nil }
func (b *fakeBus) Close()                                       {}

func (b *fakeBus) ListUnits(_ context.Context, patterns ...string) ([]systemd.UnitStatus, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []systemd.UnitStatus
	for name, u := range b.Units {
		for _, p := range patterns {
			if ok, _ := filepath.Match(p, name); ok {
				out = append(out, systemd.UnitStatus{Name: name, Load: "loaded", Active: u.Active, Sub: u.Sub})
			}
		}
	}
	return out, nil
}

func (b *fakeBus) Glances(_ context.Context, units []string) (map[string]systemd.Glance, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[string]systemd.Glance{}
	for _, n := range units {
		if u := b.Units[n]; u != nil {
			out[n] = systemd.Glance{StatusText: u.Status, Restarts: u.Restarts}
		}
	}
	return out, nil
}

func (b *fakeBus) Services(_ context.Context, units []string) (map[string]systemd.ServiceProperties, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[string]systemd.ServiceProperties{}
	for _, n := range units {
		if u := b.Units[n]; u != nil {
			out[n] = systemd.ServiceProperties{ActiveState: u.Active, SubState: u.Sub, StatusText: u.Status, Result: u.Result,
				InvocationID: u.Run, Restarts: u.Restarts, ExitCode: u.Exit, Since: u.Since}
		}
	}
	return out, nil
}

func (b *fakeBus) ActiveSince(_ context.Context, units []string) (map[string]time.Time, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[string]time.Time{}
	for _, n := range units {
		if u := b.Units[n]; u != nil {
			out[n] = u.Since
		}
	}
	return out, nil
}

func (b *fakeBus) MainPID(_ context.Context, unit string) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.Units[unit]
	if u == nil {
		return 0, nil
	}
	if u.PID == -1 {
		return strconv.Atoi(os.Getenv("FAKE_PID"))
	}
	return u.PID, nil
}

func (b *fakeBus) Do(_ context.Context, v systemd.Verb, unit string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.Denied {
		return "", fmt.Errorf("cannot %s %s: %w", v, unit, systemd.ErrDenied)
	}
	next, ok := b.After[string(v)+" "+unit]
	if !ok {
		next = fakeUnit{Active: map[systemd.Verb]string{systemd.Start: "active", systemd.Restart: "active", systemd.Stop: "inactive"}[v],
			Status: "ok: it serves", Since: time.Date(2026, 1, 31, 11, 59, 0, 0, time.UTC)}
	}
	b.Units[unit] = &next
	i, _ := bridge.InstanceOfUnit(unit)
	if v == systemd.Stop {
		delete(b.Units, unit)
		delete(b.Units, i.Scope())
	} else if next.Active == "active" {
		b.Units[i.Scope()] = &fakeUnit{Active: "active", Since: next.Since}
	}
	data, err := json.Marshal(b)
	if err == nil {
		err = os.WriteFile(b.path, data, 0o644)
	}
	if next.Job == "" {
		next.Job = "done"
	}
	return next.Job, err
}

func (b *fakeBus) Enqueue(ctx context.Context, v systemd.Verb, unit string) error {
	_, err := b.Do(ctx, v, unit)
	return err
}

func (b *fakeBus) ResetFailed(_ context.Context, unit string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.Units, unit)
	return nil
}

// keeperCommand is "keeper INSTANCE": a keeper answers on its socket until the
// script ends.
func keeperCommand(ts *testscript.TestScript, _ bool, args []string) {
	dir := filepath.Join(ts.Getenv("ROOT"), "run/clauster/bridges", args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	l, err := control.Listen(dir, -1)
	ts.Check(err)
	var wg sync.WaitGroup
	ts.Defer(func() { l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { serveFake(c, args[0]); c.Close() })
		}
	})
}

func serveFake(c *control.Conn, instance string) {
	if c.Greet(control.Hello{Instance: instance}) != nil {
		return
	}
	for {
		f, err := c.Read()
		if err != nil {
			return
		}
		switch f.Type {
		case control.TypeStateRequest:
			err = c.Send(control.TypeState, control.State{Instance: instance, Run: "run1", KeeperPID: 7, BridgePID: 4242,
				KeeperVersion: "1.2.3", ClaudeVersion: "2.1.330", Links: []string{"https://claude.ai/code?environment=env_1"},
				SessionRef: "0123456789abcdef", Viewers: 1, ReadySince: time.Date(2026, 1, 31, 11, 0, 5, 0, time.UTC)})
		case control.TypeLinkRequest:
			switch {
			case strings.HasPrefix(instance, "evil"):
				err = c.Send(control.TypeLink, control.Link{URL: "javascript:\x1b]0;x\x07"})
			case strings.HasPrefix(instance, "early"):
				err = c.Refuse(control.RefusedNotReady, "it has not registered", "")
			default:
				err = c.Send(control.TypeLink, control.Link{URL: "https://claude.ai/code?environment=env_1"})
			}
		case control.TypeAttach:
			err = errors.Join(c.Send(control.TypeAttached, control.Attached{Run: "run1", Offset: 10}),
				c.SendBytes(control.TypeOutput, []byte("hello from the terminal\n")),
				c.Send(control.TypeEnded, control.Ended{Status: bridge.Stopped, Reason: "stopped on request"}))
		}
		if err != nil {
			return
		}
	}
}
