package metrics

import (
	"context"
	"errors"
	"time"

	"clauster/pkg/cgroup"
	"clauster/pkg/config"
	"clauster/pkg/home"
	"clauster/pkg/store"
	"clauster/pkg/systemd"
	"clauster/pkg/wire"
)

var errNoStore = errors.New("the database is not used")

// Store is what figures need of *store.Store.
type Store interface {
	Figures(ctx context.Context) (store.Figures, error)
	EventCounts(ctx context.Context, since time.Time) (map[string]int, error)
	APIErrors(ctx context.Context, since time.Time) ([]wire.APIErrorCount, error)
}

// Systemd is what figures need of *systemd.Bus. Errors wrap
// systemd.ErrUnreachable where nobody answers.
type Systemd interface {
	SystemState(ctx context.Context) (string, error)
	Watchdogs(ctx context.Context, units []string) (map[string]systemd.Watchdog, error)
	WatchdogAges(ctx context.Context, units []string) (map[string]time.Duration, error)
}

// Home is what figures need of *home.Client. A call waits for an answer as long
// as its context lasts, then gives the last one there was; an error is a
// *home.Error where somebody answered.
type Home interface {
	ClaudeVersion(ctx context.Context) (home.Claude, home.Age, error)
	AuthStatus(ctx context.Context) (home.Auth, home.Age, error)
	Projects(ctx context.Context) (home.Projects, home.Age, error)
}

// Following is how the reader of the journal is.
type Following struct {
	Err  error         // why events are not taken in, nil where they are
	Lag  time.Duration // since when, with Err; 0 unknown
	Busy bool          // some are being taken in at this moment
	Gap  string        // what of the past is missing, in one sentence; "" where nothing is
}

// Sources are what figures are made of. All functions may be called by several
// goroutines, and at once.
type Sources struct {
	Host    string // the machine's name
	Version string // of the release
	Started time.Time
	// UserMode makes the commands in hints those of the user's own manager.
	UserMode bool
	Config   func() *config.Config

	// Instances lists all instances as the table has them, by name; figures of
	// control groups need not be in it.
	Instances func() []wire.Instance
	// InstancesAway is why what Instances gives may be old, or empty, nil while it
	// is how things are.
	InstancesAway func() error
	Systemd       Systemd
	Home          Home
	// Store gives the database, nil where it could not be opened. What was refused
	// later, as for a full disk, can be read.
	Store func() Store
	// StoreRefused says why it is not used, nil while it is.
	StoreRefused func() *wire.Problem
	Journal      func() Following
	// ConfigFault is what is wrong with the configuration on the disk and what is
	// in force instead, nil where it is the one in force.
	ConfigFault func() *wire.Problem
	// WebClosed is why the web door answers nobody, nil while it does. It is nil
	// itself, and the check absent, where no web socket was passed.
	WebClosed func() *wire.Problem
	// OwnUnit is the unit of this service, whose watchdog is shown too.
	OwnUnit string

	Cgroups cgroup.Host
	// ControlGroup is the manager's own, below which the bridges' slice lies.
	ControlGroup string
	Machine      *Host

	pings pings
}
