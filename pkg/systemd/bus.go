package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// Manager tells which systemd instance is meant.
type Manager int

// The system manager (PID 1) and the calling user's own.
const (
	System Manager = iota
	User
)

// callTimeout bounds a D-Bus call whose context has no deadline.
const callTimeout = 10 * time.Second

const (
	busName     = "org.freedesktop.systemd1"
	managerPath = dbus.ObjectPath("/org/freedesktop/systemd1")
	managerIf   = "org.freedesktop.systemd1.Manager"
	unitIf      = "org.freedesktop.systemd1.Unit"
	serviceIf   = "org.freedesktop.systemd1.Service"
)

// Bus is one connection to a manager over the message bus. dbus-daemon allows
// 256 connections per uid: hold one for a task, then Close it; never for the
// life of a keeper. Methods may be called from several goroutines.
type Bus struct {
	conn *dbus.Conn
	jobs *jobWaiter
}

// ErrUnreachable is wrapped by every error that means "there is no systemd to
// ask" rather than "systemd said no".
var ErrUnreachable = errors.New("systemd cannot be reached")

// ErrDenied is wrapped by every error that means "systemd would, but polkit
// or the bus policy forbids it to this user".
var ErrDenied = errors.New("not allowed")

// ErrBusy is wrapped by a Connect that met the bus's limit of connections to
// the end. Anyone with the same uid can cause that.
var ErrBusy = errors.New("too many connections")

// Connect opens a connection. ctx bounds the dialling, retries included: at
// 256 connections of this uid the bus refuses for a moment, which a storm of
// 300 starting keepers runs into.
func Connect(ctx context.Context, m Manager) (*Bus, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		conn, err := dial(m)
		if err == nil {
			b := &Bus{conn: conn}
			b.jobs = newJobWaiter(conn)
			return b, nil
		}
		if !isLimit(err) {
			return nil, fmt.Errorf("cannot connect to the %s bus: %w: %w", m, ErrUnreachable, err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("cannot connect to the %s bus: %w: %w: %w", m, ErrUnreachable, ErrBusy, err)
		case <-time.After(wait):
		}
	}
}

func (m Manager) String() string {
	if m == User {
		return "user"
	}
	return "system"
}

// dial opens and authenticates one private connection. godbus takes its
// context for the connection's life, not the dialling, so none is given; the
// socket is local, and authentication is bounded by closing it late.
func dial(m Manager, options ...dbus.ConnOption) (*dbus.Conn, error) {
	address := "unix:path=/run/dbus/system_bus_socket"
	if a := os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"); a != "" {
		address = a
	}
	if m == User {
		address = os.Getenv("DBUS_SESSION_BUS_ADDRESS")
		if address == "" {
			dir := os.Getenv("XDG_RUNTIME_DIR")
			if dir == "" {
				return nil, errors.New("XDG_RUNTIME_DIR is not set: this is not a login session (loginctl enable-linger, machinectl shell)")
			}
			address = "unix:path=" + dir + "/bus"
		}
	}
	conn, err := dbus.Dial(address, options...)
	if err != nil {
		return nil, err
	}
	stuck := time.AfterFunc(callTimeout, func() { conn.Close() })
	defer stuck.Stop()
	if err := conn.Auth([]dbus.Auth{dbus.AuthExternal(fmt.Sprint(os.Geteuid()))}); err != nil {
		conn.Close()
		return nil, err
	}
	if err := conn.Hello(); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// isLimit tells the bus's "too many connections", which it shows either by
// its error name or by hanging up during authentication.
func isLimit(err error) bool {
	var e dbus.Error
	if errors.As(err, &e) {
		return e.Name == "org.freedesktop.DBus.Error.LimitsExceeded"
	}
	text := err.Error()
	return strings.Contains(text, "EOF") || strings.Contains(text, "connection reset") ||
		strings.Contains(text, "closed") || strings.Contains(text, "resource temporarily unavailable")
}

// Close ends the connection.
func (b *Bus) Close() { b.conn.Close() }

func withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, callTimeout)
}

func (b *Bus) call(ctx context.Context, path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	return b.conn.Object(busName, path).CallWithContext(ctx, method, 0, args...)
}

func (b *Bus) manager(ctx context.Context, method string, args ...any) *dbus.Call {
	return b.call(ctx, managerPath, managerIf+"."+method, args...)
}

// IsNoSuchUnit reports whether an error says that the unit is not loaded.
func IsNoSuchUnit(err error) bool {
	return hasName(err, busName+".NoSuchUnit", "org.freedesktop.DBus.Error.UnknownObject")
}

func hasName(err error, names ...string) bool {
	var e dbus.Error
	if !errors.As(err, &e) {
		return false
	}
	for _, n := range names {
		if e.Name == n {
			return true
		}
	}
	return false
}

// explain adds the kind of a D-Bus failure to its error.
func explain(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case hasName(err, "org.freedesktop.DBus.Error.AccessDenied", "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
		"org.freedesktop.PolicyKit1.Error.NotAuthorized"):
		return fmt.Errorf("%s: %w: %w", what, ErrDenied, err)
	case hasName(err, "org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner",
		"org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.Disconnected"),
		errors.Is(err, dbus.ErrClosed), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w: %w", what, ErrUnreachable, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Version gives the manager's version string, such as "252.39-1~deb12u1".
func (b *Bus) Version(ctx context.Context) (string, error) {
	return managerProperty[string](ctx, b, "Version")
}

// MinVersion is the oldest systemd that Clauster is meant for (Ubuntu 22.04).
const MinVersion = 249

// ErrTooOld is wrapped by CheckVersion's refusal.
var ErrTooOld = errors.New("systemd is too old")

// CheckVersion refuses a manager older than MinVersion.
func (b *Bus) CheckVersion(ctx context.Context) error {
	text, err := b.Version(ctx)
	if err != nil {
		return err
	}
	digits := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if digits < 0 {
		digits = len(text)
	}
	if n, err := strconv.Atoi(text[:digits]); err == nil && n < MinVersion {
		return fmt.Errorf("cannot run on systemd %s: %w: version %d or later is needed", text, ErrTooOld, MinVersion)
	}
	return nil
}

// SystemState gives "initializing", "starting", "running", "degraded",
// "maintenance" or "stopping".
func (b *Bus) SystemState(ctx context.Context) (string, error) {
	return managerProperty[string](ctx, b, "SystemState")
}

func managerProperty[T any](ctx context.Context, b *Bus, name string) (T, error) {
	return property[T](ctx, b, managerPath, managerIf, name)
}

func property[T any](ctx context.Context, b *Bus, path dbus.ObjectPath, iface, name string) (T, error) {
	var zero T
	var v dbus.Variant
	err := b.call(ctx, path, "org.freedesktop.DBus.Properties.Get", iface, name).Store(&v)
	if err != nil {
		return zero, explain("cannot read systemd's property "+name, err)
	}
	t, ok := v.Value().(T)
	if !ok {
		return zero, fmt.Errorf("cannot read systemd's property %s: it is a %s", name, v.Signature())
	}
	return t, nil
}

// unitPath is the object path of a unit by name (bus_path_escape of
// systemd): every byte but letters and digits, and a leading digit, becomes
// _XX. Reading a property under it loads the unit if need be.
func unitPath(unit string) dbus.ObjectPath {
	var b strings.Builder
	b.WriteString(string(managerPath) + "/unit/")
	for i := 0; i < len(unit); i++ {
		c := unit[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || i > 0 && c >= '0' && c <= '9' {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "_%02x", c)
	}
	return dbus.ObjectPath(b.String())
}
