package fleet

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/journal"
	"clauster/pkg/systemd"
)

// requestPatience bounds the writing of a requested event: a journald that is
// away must not keep an operator from stopping a bridge.
const requestPatience = 2 * time.Second

// Forget is the verb of a requested event before a launch record is dropped and
// systemd is asked to reset the failed unit: not one of systemd's jobs.
const Forget systemd.Verb = "forget"

// Actor is who is about to ask systemd for something.
type Actor struct {
	Program string // SYSLOG_IDENTIFIER
	UID     int    // of this process: journald vouches for no other
	Login   string // who is behind it, as far as this process knows
	By      string // the same, for people
}

// SayRequested writes the event that goes before whatever is asked of systemd,
// so that an end without one is known to have been asked for elsewhere. It is
// believed about its sender only. The error is for telling: whether journald
// takes it decides nothing.
func (p *Place) SayRequested(ctx context.Context, a Actor, i bridge.Instance, v systemd.Verb) error {
	w := journal.NewWriter(journal.Options{Identifier: a.Program, Socket: p.path("/run/systemd/journal/socket")})
	w.Event(journal.Event{Name: bridge.EventRequested, Message: fmt.Sprintf("%s of %s requested by %s", v, i, a.By),
		Fields: journal.Fields{
			bridge.FieldInstance: i.String(), bridge.FieldProject: i.Project, bridge.FieldLabel: i.DisplayName(),
			bridge.FieldVerb: string(v), bridge.FieldActorUID: strconv.Itoa(a.UID), bridge.FieldActorLogin: a.Login,
			bridge.FieldPeerUnit: ownUnit(),
		}})
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestPatience)
	defer cancel()
	if err := w.Close(ctx); err != nil {
		return fmt.Errorf("the journal does not know that you asked: %w", err)
	}
	return nil
}

// ownUnit is the unit that this process runs in: the last .service or .scope
// of its control group.
func ownUnit() string {
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	unit := ""
	for part := range strings.SplitSeq(strings.TrimSpace(string(data)), "/") {
		if strings.HasSuffix(part, ".service") || strings.HasSuffix(part, ".scope") {
			unit = part
		}
	}
	return unit
}
