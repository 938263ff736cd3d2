package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/config"
	"clauster/pkg/systemd"
	"clauster/pkg/wire"
)

// fakeManager is a fakeBus that does jobs: after says what a unit is then.
type fakeManager struct {
	fakeBus
	mu     sync.Mutex
	jobs   []string
	after  func(b *fakeBus, v systemd.Verb, unit string) (result string, err error)
	reset  []string
	opened int
	closed int
}

func (m *fakeManager) ListUnits(ctx context.Context, p ...string) ([]systemd.UnitStatus, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fakeBus.ListUnits(ctx, p...)
}

func (m *fakeManager) Services(ctx context.Context, u []string) (map[string]systemd.ServiceProperties, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fakeBus.Services(ctx, u)
}

func (m *fakeManager) MainPID(context.Context, string) (int, error) { return 0, nil }

func (m *fakeManager) Begin(_ context.Context, v systemd.Verb, unit string) (func(context.Context) (string, error), error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.jobs = append(m.jobs, fmt.Sprintf("%s %s", v, unit))
	result, err := m.after(&m.fakeBus, v, unit)
	if err != nil {
		return nil, err
	}
	return func(context.Context) (string, error) { return result, nil }, nil
}

func (m *fakeManager) ResetFailed(_ context.Context, unit string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reset = append(m.reset, unit)
	delete(m.services, unit)
	return nil
}

func (m *fakeManager) Close() { m.closed++ }

// obey does what it is told.
func obey(b *fakeBus, v systemd.Verb, unit string) (string, error) {
	i, _ := bridge.InstanceOfUnit(unit)
	if v == systemd.Stop {
		delete(b.services, i.Unit())
		delete(b.scopes, i.Scope())
		return "done", nil
	}
	b.services[unit], b.scopes[i.Scope()] = running("ok: it serves"), "active"
	return "done", nil
}

// journald takes datagrams until the test ends.
func journald(t *testing.T, root string) func() string {
	path := filepath.Join(root, "run/systemd/journal/socket")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var all strings.Builder
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1<<16)
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			mu.Lock()
			all.Write(buf[:n])
			mu.Unlock()
		}
	}()
	t.Cleanup(func() { c.Close(); <-done })
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return all.String()
	}
}

func testOperator(t *testing.T) (*Operator, *fakeManager, func() string) {
	table, p := testTable(t, nil)
	heard := journald(t, p.Root)
	m := &fakeManager{after: obey, fakeBus: fakeBus{services: map[string]systemd.ServiceProperties{}, scopes: map[string]string{}}}
	cfg, _ := config.Load(config.Source{Path: filepath.Join(t.TempDir(), "none.toml"), FS: os.DirFS(t.TempDir())})
	if cfg == nil {
		t.Fatal("no configuration")
	}
	o := &Operator{Table: table, Place: p, Config: func() *config.Config { return cfg }, Program: "clauster-api", UID: os.Getuid(),
		Connect:    func(context.Context) (Manager, error) { m.opened++; return m, nil },
		HasProject: func(_ context.Context, name string) (bool, error) { return name != "nix", nil },
		Log:        slog.New(slog.DiscardHandler)}
	if err := table.relist(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	return o, m, heard
}

func kindOf(err error) wire.Kind {
	var p *wire.Problem
	if errors.As(err, &p) {
		return p.Kind
	}
	return ""
}

func hintOf(err error) string {
	var p *wire.Problem
	if errors.As(err, &p) {
		return p.Hint
	}
	return ""
}

func ask(name string) bridge.Request { return bridge.Request{Instance: name} }

func TestOperatorStartsAndStops(t *testing.T) {
	o, m, heard := testOperator(t)
	ctx, blog := t.Context(), inst("blog")
	r := ask("blog")
	r.Mode = bridge.PTY
	b, created, err := o.Start(ctx, "token:ci", blog, r, false)
	if err != nil || !created || b.Status != bridge.Running {
		t.Fatalf("%+v %v %v", b, created, err)
	}
	left, err := o.Place.Records.ReadRequest(blog, time.Now())
	if err != nil || left == nil || left.Mode != bridge.PTY || time.Until(left.Expires) > requestLife {
		t.Errorf("request %+v, %v", left, err)
	}
	for _, want := range []string{"CLAUSTER_ACTOR_LOGIN=token:ci", "CLAUSTER_VERB=start", "start of blog requested by token:ci", fmt.Sprintf("CLAUSTER_ACTOR_UID=%d", os.Getuid())} {
		if !strings.Contains(heard(), want) {
			t.Errorf("the journal heard nothing of %s", want)
		}
	}
	if _, created, err := o.Start(ctx, "x", blog, ask("blog"), false); created || err != nil {
		t.Errorf("started again: %v %v", created, err)
	}
	if err := o.Forget(ctx, "x", blog); kindOf(err) != wire.Conflict {
		t.Errorf("a living one was forgotten: %v", err)
	}
	if _, stopped, err := o.Stop(ctx, "x", blog); !stopped || err != nil {
		t.Errorf("stop: %v %v", stopped, err)
	}
	if _, stopped, err := o.Stop(ctx, "x", blog); stopped || err != nil {
		t.Errorf("stopped again: %v %v", stopped, err)
	}
	if err := o.Forget(ctx, "x", blog); err != nil {
		t.Error(err)
	}
	if !slices.Equal(m.jobs, []string{"start clauster@blog.service", "stop clauster@blog.service"}) {
		t.Errorf("jobs %v", m.jobs)
	}
	if m.opened != m.closed {
		t.Errorf("%d connections opened, %d closed", m.opened, m.closed)
	}
}

func TestOperatorRefuses(t *testing.T) {
	o, m, _ := testOperator(t)
	ctx := t.Context()
	bypass := ask("blog")
	bypass.PermissionMode = bridge.PermBypass
	if _, _, err := o.Start(ctx, "x", inst("blog"), bypass, false); kindOf(err) != wire.Forbidden || !strings.Contains(hintOf(err), `echo 'projects."blog".allow_bypass_permissions = true' | `) {
		t.Errorf("above the ceiling: %v", err)
	}
	if _, _, err := o.Start(ctx, "x", inst("nix"), ask("nix"), false); kindOf(err) != wire.NotFound {
		t.Errorf("no project: %v", err)
	}
	if len(m.jobs) > 0 || m.opened > 0 {
		t.Error("something was asked before it was refused")
	}
	m.services[inst("blog").Unit()] = systemd.ServiceProperties{ActiveState: "activating", SubState: "start", ExitCode: -1}
	plan := ask("blog")
	plan.PermissionMode = bridge.PermPlan
	if _, _, err := o.Start(ctx, "x", inst("blog"), plan, false); kindOf(err) != wire.Conflict {
		t.Errorf("other options while it starts: %v", err)
	}
	if _, created, err := o.Start(ctx, "x", inst("blog"), plan, true); created || err != nil {
		t.Errorf("its own start under way: %v %v", created, err)
	}
	o.Config().InstanceDefaults.MaxBridges = 1
	if err := o.Table.relist(ctx, m); err != nil {
		t.Fatal(err)
	}
	if _, _, err := o.Start(ctx, "x", inst("shop"), ask("shop"), false); kindOf(err) != wire.Conflict {
		t.Errorf("beyond max_bridges: %v", err)
	}
}

func TestOperatorSaysWhyItFailed(t *testing.T) {
	o, m, _ := testOperator(t)
	ctx := t.Context()
	m.after = func(b *fakeBus, _ systemd.Verb, unit string) (string, error) {
		b.services[unit] = systemd.ServiceProperties{ActiveState: "failed", SubState: "failed", StatusText: "error: nobody is logged in", ExitCode: 77}
		return "failed", nil
	}
	b, created, err := o.Start(ctx, "x", inst("blog"), ask("blog"), false)
	if kindOf(err) != wire.Failed || !strings.Contains(err.Error(), "cannot start blog: nobody is logged in") || b.Status != bridge.Failed || !created {
		t.Errorf("%v %+v %v", err, b, created)
	}
	o.Last = func(context.Context, []bridge.Instance) (map[bridge.Instance]Last, error) {
		return map[bridge.Instance]Last{inst("blog"): {Event: bridge.EventError, At: time.Now().Add(time.Second), Reason: "by \x1b[1mevent", Hint: "log in"}}, nil
	}
	_, err = o.Restart(ctx, "x", inst("blog"), ask("blog"))
	var p *wire.Problem
	if !errors.As(err, &p) || p.Detail != "cannot restart blog: by event" || p.Hint != "log in" {
		t.Errorf("%+v", p)
	}
	if err := o.Forget(ctx, "x", inst("blog")); err != nil || len(m.reset) != 1 {
		t.Errorf("%v, reset %v", err, m.reset)
	}
	for cause, want := range map[error]wire.Kind{systemd.ErrDenied: wire.Forbidden, systemd.ErrUnreachable: wire.Unavailable} {
		m.after = func(*fakeBus, systemd.Verb, string) (string, error) { return "", fmt.Errorf("cannot start: %w", cause) }
		if _, _, err := o.Start(ctx, "x", inst("blog"), ask("blog"), false); kindOf(err) != want {
			t.Errorf("%v: %v", cause, err)
		}
	}
	m.after = func(*fakeBus, systemd.Verb, string) (string, error) { return "canceled", nil }
	if _, _, err := o.Start(ctx, "x", inst("blog"), ask("blog"), false); kindOf(err) != wire.Conflict {
		t.Errorf("%v", err)
	}
}

// Of many starts at once one makes the bridge.
func TestStartsAtOnce(t *testing.T) {
	o, _, _ := testOperator(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for range 8 {
		wg.Go(func() {
			_, created, err := o.Start(t.Context(), "x", inst("blog"), ask("blog"), false)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if created {
				made++
			}
		})
	}
	wg.Wait()
	if made != 1 || len(o.locks) != 0 || o.link != nil {
		t.Errorf("%d made, %d locks left, link %v", made, len(o.locks), o.link)
	}
}
