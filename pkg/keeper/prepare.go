package keeper

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"clauster/pkg/account"
	"clauster/pkg/bridge"
	"clauster/pkg/cgroup"
	"clauster/pkg/config"
	"clauster/pkg/gate"
	"clauster/pkg/records"
	"clauster/pkg/systemd"
)

// prepare reads what is wanted and settles the launch: configuration, user,
// request, record, delay. Nothing of the bridge exists yet when it returns.
// A refusal is a Cause.
func (k *keeper) prepare(ctx context.Context) (gate.Order, *bridge.Cause, error) {
	none := gate.Order{}
	if err := cgroup.System().Check(); err != nil {
		return none, &bridge.Cause{Name: "no-cgroup2", Class: bridge.ClassConfig, Reason: err.Error(),
			Hint: "boot with systemd.unified_cgroup_hierarchy=1, or use a host with cgroup v2"}, nil
	}
	if err := k.makeStateDir(); err != nil {
		return none, nil, err
	}
	record, unreadable := k.readRecord()
	asked, err := k.intend(ctx, record)
	var bad *badRequestError
	if errors.As(err, &bad) {
		return none, &bridge.Cause{Name: "bad-request", Class: bridge.ClassConfig, Reason: err.Error(),
			Hint: "start it again: clauster-ctl start " + k.inst.String()}, nil
	}
	if err != nil {
		return none, nil, err
	}
	kind, request := asked.Kind, asked.Request
	if err := k.waitDelay(ctx); err != nil {
		return none, nil, err
	}
	// Only now: root may have lowered a ceiling during the wait.
	cfg, cause := k.loadConfig()
	if cause != nil {
		return none, cause, nil
	}
	u, cause := k.bridgeUser(cfg)
	if cause != nil {
		return none, cause, nil
	}
	project := cfg.ForProject(k.inst.Project)
	wanted := wish{Instance: k.inst, Kind: kind, Run: k.run, Host: k.host, BootID: k.boot, Now: time.Now().UTC(),
		Defaults: cfg.InstanceDefaults, Launch: cfg.Claude.LaunchMode, Ceiling: project.AllowBypassPermissions,
		Config: cfg.Path, User: k.manager == systemd.User, Fresh: k.st.Fresh, Record: record, Unreadable: unreadable, Request: request}
	rec, cause := plan(wanted)
	if cause != nil {
		return none, cause, nil
	}
	for _, option := range needless(wanted, rec.Mode) {
		k.warn(option + " does not apply: mode pty has not got it, only mode standard")
	}
	order, err := k.order(cfg, u, &rec, request)
	if err != nil {
		return none, &bridge.Cause{Name: "bad-config", Class: bridge.ClassConfig, Reason: err.Error(), Hint: "clauster-ctl config check"}, nil
	}
	k.limits = scopeLimits(project.Limits)
	key, err := k.sessionKey()
	if err != nil {
		return none, nil, err
	}
	k.st.Fresh = false
	k.st.Run = &run{ID: k.run, Record: rec, User: u, RefKey: key, DebugFile: order.DebugFile, Launched: rec.Launched,
		Health: "", Events: map[bridge.Event]sent{}, Unattended: k.unattended,
		Settings: settings{Grace: cfg.Claude.StartupGrace(), Policy: project.Restart,
			LogLevel: logPriority(cfg.LogLevel), LinesPerSecond: cfg.Logs.LinesPerSecond, Burst: cfg.Logs.Burst, ConfigHash: rec.Config}}
	return order, nil, nil
}

// loadConfig gives the configuration or the first of its faults; the rest are
// in the journal.
func (k *keeper) loadConfig() (*config.Config, *bridge.Cause) {
	cfg, report := config.Load(k.configSource())
	for _, w := range report.Warnings {
		k.warn(w.String())
	}
	err := report.Err()
	if err == nil {
		return cfg, nil
	}
	for _, f := range report.Faults {
		k.say(journalErr, f.String())
	}
	c := bridge.Cause{Name: "bad-config", Class: bridge.ClassConfig, Reason: err.Error(), Hint: "clauster-ctl config check"}
	var fault *config.FaultError
	if errors.As(err, &fault) && fault.Hint() != "" {
		c.Hint = fault.Hint()
	}
	return nil, &c
}

func (k *keeper) configSource() config.Source {
	return config.Source{Path: k.params.ConfigPath, UserMode: k.manager == systemd.User,
		Environ: os.Environ(), CredentialsDir: k.environ["CREDENTIALS_DIRECTORY"]}
}

// bridgeUser finds who runs the bridge: the configured user, or the caller in
// user mode.
func (k *keeper) bridgeUser(cfg *config.Config) (account.User, *bridge.Cause) {
	if k.manager == systemd.User {
		u, err := account.Own()
		if err != nil {
			return account.User{}, &bridge.Cause{Name: "no-user", Class: bridge.ClassConfig, Reason: err.Error()}
		}
		if !lingers(u.Name) {
			k.warn("the user manager ends with the last login session, and every bridge with it: loginctl enable-linger " + u.Name)
		}
		return u, nil
	}
	if cfg.User == "" {
		c := userMissing(cfg.Path)
		return account.User{}, &c
	}
	u, risky, err := account.Lookup(cfg.User, func() ([]byte, error) { return os.ReadFile("/etc/passwd") })
	if err != nil {
		return account.User{}, &bridge.Cause{Name: "bad-user", Class: bridge.ClassConfig, Reason: err.Error(),
			Hint: "name another login in " + cfg.Path + `: user = "YOUR-LOGIN"`}
	}
	for _, g := range risky {
		k.warn(fmt.Sprintf("the bridge user %s is in group %s: an agent can do through it what this group may", u.Name, g))
	}
	return u, nil
}

func (k *keeper) records() records.Dir {
	d := records.Dir{Path: filepath.Join(k.dirs.state, "instances"), UID: -1, GID: -1}
	var st unix.Stat_t
	if k.manager == systemd.System && unix.Stat(d.Path, &st) == nil {
		d.UID, d.GID = int(st.Uid), int(st.Gid)
	}
	return d
}

// makeStateDir makes what tmpfiles.d makes in system mode.
func (k *keeper) makeStateDir() error {
	if k.manager == systemd.System {
		return nil
	}
	if err := os.MkdirAll(filepath.Join(k.dirs.state, "instances"), 0o700); err != nil {
		return fmt.Errorf("cannot make the state directory: %w", err)
	}
	return nil
}

// readRecord gives the last launch; an unusable record is said and ignored, so
// that a damaged file cannot prevent a start.
func (k *keeper) readRecord() (*bridge.Record, error) {
	r, err := k.records().Read(k.inst)
	switch {
	case err == nil:
		return &r, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	}
	k.warn("the launch record is ignored: " + err.Error())
	return nil, err
}

// kindOfStart tells who asked for this start: systemd counts its own restarts
// in NRestarts, and a manager that is still coming up started what is enabled.
func (k *keeper) kindOfStart(ctx context.Context, record *bridge.Record) (startKind, error) {
	if record == nil && k.st.Tries == 0 && k.st.Intent == nil {
		return manual, nil // nothing to continue, nothing to wait for
	}
	bus, err := k.connect(ctx)
	if err != nil {
		return manual, err
	}
	n, err := bus.Restarts(ctx, k.inst.Unit())
	if err != nil {
		return manual, err
	}
	if n > 0 && !k.st.Unsettled {
		return automatic, nil
	}
	if record == nil || record.BootID == k.boot {
		return manual, nil
	}
	state, err := bus.SystemState(ctx)
	if err != nil {
		return manual, err
	}
	if state == "initializing" || state == "starting" {
		return boot, nil
	}
	return manual, nil
}

// connect gives the launch's one connection to the bus. It is opened when first
// needed, not held through a delay, and closed when the scope is made.
func (k *keeper) connect(ctx context.Context) (*systemd.Bus, error) {
	var err error
	if k.launchBus == nil {
		k.launchBus, err = systemd.Connect(ctx, k.manager)
	}
	return k.launchBus, err
}

func (k *keeper) disconnect() {
	if k.launchBus != nil {
		k.launchBus.Close()
		k.launchBus = nil
	}
}

// waitDelay waits until the next launch is due, inside the start job.
func (k *keeper) waitDelay(ctx context.Context) error {
	// A clock that was set back must not make it hours.
	if most := time.Now().Add(longestDelay); k.st.Next.After(most) {
		k.st.Next = most
	}
	left := time.Until(k.st.Next)
	if left <= 0 {
		return nil
	}
	k.disconnect()
	if left > longestDelay { // the clock was set back
		left = longestDelay
		k.st.Next = time.Now().Add(left)
	}
	status := cmp.Or(k.st.LastStatus, bridge.Crashed)
	k.event(bridge.EventDelayed, fmt.Sprintf("%s; starting again in %s", k.st.LastEnd, left.Round(time.Second)),
		fields{bridge.FieldDelay: fmt.Sprint(int(left.Seconds() + 0.5)), bridge.FieldRestarts: fmt.Sprint(k.st.Tries),
			bridge.FieldStatus: string(status)})
	const step = 5 * time.Second
	for ; left > 0; left = time.Until(k.st.Next) {
		text := fmt.Sprintf("%s; starting again in %s (attempt %d)", k.st.LastEnd, left.Round(time.Second), k.st.Tries+1)
		_ = k.notify.Send("STATUS="+bridge.StatusLine(status, text), extend(step+launchWait))
		failpoint("delaying")
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(left, step)):
		}
	}
	return nil
}

// extend asks systemd for more time in the current start or stop.
func extend(d time.Duration) string {
	return fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", d.Microseconds())
}

// order tells the gate what to launch and completes the record.
func (k *keeper) order(cfg *config.Config, u account.User, rec *bridge.Record, request *bridge.Request) (gate.Order, error) {
	root, err := cfg.ProjectsRootFor(u.Home)
	if err != nil {
		return gate.Order{}, err
	}
	binary, err := cfg.BinaryFor(u.Home)
	if err != nil {
		return gate.Order{}, err
	}
	more, err := cfg.PathAppendFor(u.Home)
	if err != nil {
		return gate.Order{}, err
	}
	rec.Path = filepath.Join(root, k.inst.Project)
	rec.Config = filesHash(k.configSource(), cfg, k.inst.Project)
	o := gate.Order{Version: gate.OrderVersion, Kind: rec.Kind, Transport: bridge.TransportTerminal,
		Instance: rec.Instance, Root: root, Project: k.inst.Project, User: u.Name, Home: u.Home, Shell: u.Shell,
		Lang: os.Getenv("LANG"), Binary: binary, MinVersion: cfg.Claude.MinVersion, PathAppend: more,
		NodeFromNVM: cfg.Claude.NodeFromNVM, Env: cfg.Claude.Env, Options: rec.Options, Label: rec.Label,
		Worktree: rec.Worktree, Continue: rec.Continue, Fork: rec.Resumed,
		DebugFile:   filepath.Join(k.dirs.spool, "debug-"+firstN(k.run, 12)+".log"),
		Trust:       cfg.Claude.TrustOnStart || request != nil && request.Trust,
		Consent:     cfg.Claude.AutoEnableRemoteControl || request != nil && request.Trust,
		AllowBypass: cfg.ForProject(k.inst.Project).AllowBypassPermissions}
	return o, nil
}

// filesHash is the hash of what the files alone say: the variables and
// credentials of a unit are nobody's to see but the unit's, and clauster-ctl, to
// which they were missing, said «configuration changed since start» for ever.
func filesHash(src config.Source, cfg *config.Config, project string) string {
	own := func(v string) bool {
		return strings.HasPrefix(v, "CLAUSTER_") && !strings.HasPrefix(v, "CLAUSTER_CONFIG=")
	}
	if src.CredentialsDir == "" && !slices.ContainsFunc(src.Environ, own) {
		return cfg.BridgeHash(project) // as nearly always: reading twice costs each keeper memory for good
	}
	src.Environ, src.CredentialsDir = slices.DeleteFunc(slices.Clone(src.Environ), own), ""
	files, report := config.Load(src)
	if report.Err() != nil {
		files = cfg // they need what the unit adds
	}
	return files.BridgeHash(project)
}
