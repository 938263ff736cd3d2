package fleet

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/cgroup"
	"clauster/pkg/journal"
	"clauster/pkg/records"
	"clauster/pkg/systemd"
)

// Systemd is what is read of systemd. Errors wrap systemd.ErrUnreachable and
// systemd.ErrDenied.
type Systemd interface {
	ControlGroup(ctx context.Context) (string, error)
	ListUnits(ctx context.Context, patterns ...string) ([]systemd.UnitStatus, error)
	Glances(ctx context.Context, services []string) (map[string]systemd.Glance, error)
	Services(ctx context.Context, services []string) (map[string]systemd.ServiceProperties, error)
	ActiveSince(ctx context.Context, units []string) (map[string]time.Time, error)
}

// Place tells where the facts about one manager's bridges are found.
type Place struct {
	Root     string      // before the absolute paths that are read here; "" but in tests
	Host     string      // name of the machine
	Records  records.Dir // launch records and requests
	UnitDirs []string    // where `systemctl enable` makes links: systemd.UnitDirs
	Cgroups  cgroup.Host
	Origin   journal.Origin // whose entries count
}

func (p *Place) path(elements ...string) string {
	return filepath.Join(append([]string{"/", p.Root}, elements...)...)
}

// BootID is that of the running kernel, "" where it cannot be read.
func (p *Place) BootID() string {
	data, err := os.ReadFile(p.path("/proc/sys/kernel/random/boot_id"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// enabled reads the links that `systemctl enable` makes.
func (p *Place) enabled() map[bridge.Instance]bool {
	all := map[bridge.Instance]bool{}
	for _, unit := range systemd.EnabledLinks(p.UnitDirs, "clauster@", ".service") {
		if i, ok := bridge.InstanceOfUnit(unit); ok {
			all[i] = true
		}
	}
	return all
}

// recorded reads the launch records, and tells of each that cannot be used what
// is wrong with it. The error is about the others that cannot be read.
func (p *Place) recorded() (all map[bridge.Instance]bridge.Record, broken map[bridge.Instance]error, err error) {
	all, broken = map[bridge.Instance]bridge.Record{}, map[bridge.Instance]error{}
	list, err := p.Records.List()
	for _, r := range list {
		if i, err := bridge.ParseInstance(r.Instance); err == nil {
			all[i] = r
		}
	}
	faults := []error{err}
	var several interface{ Unwrap() []error }
	if errors.As(err, &several) {
		faults = several.Unwrap()
	}
	err = nil
	for _, fault := range faults {
		var b *records.BrokenError
		if errors.As(fault, &b) {
			broken[b.Instance] = fault
		} else {
			err = errors.Join(err, fault)
		}
	}
	return all, broken, err
}

// forget is the command that drops a launch record.
func (p *Place) forget(i bridge.Instance) string {
	command := "clauster-ctl forget " + i.String()
	if p.Origin.User {
		return bridge.ForUser(command)
	}
	return command
}

// requestLife is how long a launch request holds: the start follows at once.
const requestLife = time.Minute

// LeaveRequest writes the launch request, which the keeper takes when systemd
// starts it. A start without choices writes one too, so that it never picks up
// what an earlier start that failed had left.
func (p *Place) LeaveRequest(r bridge.Request, now time.Time) error {
	r.Expires, r.BootID = now.Add(requestLife).UTC(), p.BootID()
	return p.Records.WriteRequest(r)
}
