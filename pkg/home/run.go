package home

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	osuser "os/user"
	"strconv"
	"syscall"
	"time"

	"clauster/pkg/account"
	"clauster/pkg/config"
	"clauster/pkg/systemd"
)

// SystemSocket is where the server of the system manager listens; in user mode
// it is $XDG_RUNTIME_DIR/clauster/home.sock.
const SystemSocket = "/run/clauster/home.sock"

// Params are what `clauster-api home` is started with.
type Params struct {
	ConfigPath string // "" for the manager's default
	Program    string // release
	Getenv     func(string) string
	Environ    []string
	Log        *slog.Logger
}

// Run is the life of `clauster-api home`. With uid 0 it serves the system, else
// its own user. What prevents answers is itself the answer: a process that
// ended over it would be started again by the question that is still waiting.
func Run(ctx context.Context, p Params) error {
	system := os.Geteuid() == 0
	l, err := listener(p.Getenv)
	if err != nil {
		return err
	}
	defer l.Close()
	notify, err := systemd.NewNotifier(p.Getenv)
	if err != nil {
		return err
	}
	uids, err := askers(system)
	if err != nil {
		return err
	}
	cfg, u, refused := settle(p, system)
	// Taken off the queue while no agent can kill us: a question left there by
	// a killed process would have systemd start the next one, and so on.
	waiting := drain(l)
	if err := become(system, u, refused != nil); err != nil {
		return err
	}
	s := &Server{Refused: refused, UIDs: uids, Program: p.Program, Log: p.Log, Watchdog: notify.Watchdog() / 3}
	s.Alive = func() { _ = notify.Send("WATCHDOG=1") }
	if refused == nil {
		sweep := newSweeper(p.Log)
		s.Leave = sweep.full
		user, err := NewUser(cfg, u, p.Getenv("LANG"), sweep.sweep)
		if err != nil {
			s.Refused = &Error{RefusedConfig, err.Error(), "clauster-ctl config check"}
		} else {
			s.Facts = user
		}
	}
	status := "STATUS=answering as " + u.Name
	if s.Refused != nil {
		p.Log.Error(s.Refused.Message, "hint", s.Refused.Next)
		status = "STATUS=refusing: " + s.Refused.Message
	}
	if err := notify.Send("READY=1", status); err != nil {
		p.Log.Warn(err.Error())
	}
	return s.Serve(ctx, l, waiting)
}

// listener takes the socket that systemd passes.
func listener(getenv func(string) string) (*net.UnixListener, error) {
	for _, s := range systemd.Sockets(getenv) {
		if s.Name != "home" {
			continue
		}
		l, err := s.Listener()
		if err != nil {
			return nil, err
		}
		if u, ok := l.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false)
			return u, nil
		}
		l.Close()
	}
	return nil, &startError{errors.New("cannot serve: systemd passed no socket named home"), "systemctl start clauster-home.socket"}
}

// startError is a start that cannot be, with what to do.
type startError struct {
	err  error
	hint string
}

func (e *startError) Error() string { return e.err.Error() }
func (e *startError) Hint() string  { return e.hint }

// askers are the uids that may ask: root, and the account of the API or, in
// user mode, the own one.
func askers(system bool) ([]int, error) {
	if !system {
		return []int{0, os.Geteuid()}, nil
	}
	u, err := osuser.Lookup(account.APIGroup)
	if err != nil {
		return nil, fmt.Errorf("cannot find the account of the API: %w", err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, fmt.Errorf("cannot find the account of the API: uid %q is not a number", u.Uid)
	}
	return []int{0, uid}, nil
}

// settle reads the configuration and finds the bridge user, as the keeper does.
func settle(p Params, system bool) (*config.Config, account.User, *Error) {
	cfg, report := config.Load(config.Source{Path: p.ConfigPath, UserMode: !system, Environ: p.Environ,
		CredentialsDir: p.Getenv("CREDENTIALS_DIRECTORY")})
	if err := report.Err(); err != nil {
		e := refusal(err)
		e.Kind = RefusedConfig
		return nil, account.User{}, e
	}
	if !system {
		u, err := account.Own()
		if err != nil {
			return nil, u, &Error{RefusedConfig, err.Error(), ""}
		}
		return cfg, u, nil
	}
	hint := "name a login in " + cfg.Path + `: user = "YOUR-LOGIN"`
	if cfg.User == "" {
		return nil, account.User{}, &Error{RefusedConfig, cfg.Path + " names no bridge user", hint}
	}
	u, _, err := account.Lookup(cfg.User, func() ([]byte, error) { return os.ReadFile("/etc/passwd") })
	if err != nil {
		return nil, account.User{}, &Error{RefusedConfig, err.Error(), hint}
	}
	return cfg, u, nil
}

// drain accepts what waits already.
func drain(l *net.UnixListener) []*net.UnixConn {
	var waiting []*net.UnixConn
	for len(waiting) < maxPeers {
		// Not zero: an expired deadline fails before it looks.
		if l.SetDeadline(time.Now().Add(time.Millisecond)) != nil {
			break
		}
		c, err := l.AcceptUnix()
		if err != nil {
			break
		}
		waiting = append(waiting, c)
	}
	_ = l.SetDeadline(time.Time{})
	return waiting
}

// become drops root for good. With nobody to become it is nobody, who can only
// refuse.
func become(system bool, u account.User, nobody bool) error {
	syscall.Umask(0o077)
	if !system {
		return nil
	}
	if nobody {
		const overflow = 65534
		u = account.User{Name: "nobody", UID: overflow, GID: overflow}
	}
	if err := u.Drop(); err != nil {
		return err
	}
	return account.Confine()
}
